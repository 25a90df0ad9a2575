"""Hints that a copy of the process looks for while an output is written."""

from __future__ import annotations

import os
import signal
import time

import pytest

from elfpack.cli import beside, hinting
from elfpack.errors import ElfpackError, Finding, InputError

HERE = os.getpid()


def look() -> tuple[Finding, ...]:
    """A hint that tells who found it."""
    finder = "here" if os.getpid() == HERE else "copy"
    return (Finding("code", "/\udcff", finder, "do it", note=True), Finding("code", "/b", "is b"))


def told(look: hinting.Look) -> list[str]:
    """By whom the hints were found, and what else is told."""
    with hinting.beside(look) as hints:
        return [str(hint) for hint in hints()]


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hinting, "processors", lambda: 2)


@pytest.fixture(autouse=True)
def children(two_processors: None) -> object:
    """None is left."""
    yield
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_the_copy_finds_them(capfd: pytest.CaptureFixture[str]) -> None:
    assert told(look) == ["/\udcff: copy (do it)", "/b: is b"]
    assert capfd.readouterr() == ("", "")


def test_there_may_be_none() -> None:
    def none() -> tuple[Finding, ...]:
        assert os.getpid() != HERE, "no answer is an answer"
        return ()

    assert told(none) == []


def test_one_processor_needs_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hinting, "processors", lambda: 1)
    assert told(look) == ["/\udcff: here (do it)", "/b: is b"]


def test_a_system_without_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError("no more processes")

    monkeypatch.setattr(os, "fork", fork)
    assert told(look)[0] == "/\udcff: here (do it)"


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _interrupted() -> None:
    raise KeyboardInterrupt


def _full() -> None:
    raise OSError(28, "No space left on device")


ENDS = [_killed, _interrupted, _full]


@pytest.mark.parametrize("end", ENDS)
def test_who_gets_no_answer_looks_itself(end: object, capfd: pytest.CaptureFixture[str]) -> None:
    def find() -> tuple[Finding, ...]:
        if os.getpid() != HERE:
            assert callable(end)
            end()
        return look()

    assert told(find) == ["/\udcff: here (do it)", "/b: is b"]
    assert capfd.readouterr() == ("", "")


def test_what_goes_wrong_is_met_by_who_asks(capfd: pytest.CaptureFixture[str]) -> None:
    def find() -> tuple[Finding, ...]:
        raise InputError("vanished while elfpack worked", path="/lib/liba.so")

    with hinting.beside(find) as hints, pytest.raises(ElfpackError, match="vanished"):
        hints()
    assert capfd.readouterr() == ("", "")


def _slow() -> tuple[Finding, ...]:
    time.sleep(60)
    return ()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ElfpackError("the disk is full")])
def test_whoever_is_stopped_ends_the_copy(error: type[BaseException]) -> None:
    start = time.monotonic()
    with pytest.raises((KeyboardInterrupt, ElfpackError)), hinting.beside(_slow):
        raise error
    assert time.monotonic() - start < 30


def test_a_copy_that_nobody_holds_is_ended() -> None:
    start = time.monotonic()
    beside.Copy(lambda: bytes(len(_slow())))
    assert time.monotonic() - start < 30


def test_a_signal_while_the_copy_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is heeded when there is somebody to end the copy."""
    fork = os.fork

    def signalled() -> int:
        pid = fork()
        if pid:
            os.kill(HERE, signal.SIGINT)
        return pid

    monkeypatch.setattr(os, "fork", signalled)
    # Which is ignored where the tests run in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            beside.Copy(lambda: bytes(len(_slow())))
    finally:
        signal.signal(signal.SIGINT, before)
