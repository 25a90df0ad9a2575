"""Work that a copy of the process does."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from elfpack.cli.beside import Copy

Make = Callable[[Callable[[], bytes]], Copy]


@pytest.fixture(name="copy")
def _copy() -> Iterator[Make]:
    made: list[Copy] = []

    def make(work: Callable[[], bytes]) -> Copy:
        made.append(Copy(work))
        return made[-1]

    yield make
    for copy in made:
        copy.close()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)  # none is left


def test_its_answer_is_kept(copy: Make, capfd: pytest.CaptureFixture[str]) -> None:
    def work() -> bytes:
        os.write(1, b"nobody hears it\n")
        os.write(2, b"nor this\n")
        return b"found\n" * 100_000

    assert copy(work).answer() == b"found\n" * 100_000
    assert capfd.readouterr() == ("", "")


def test_no_words_are_an_answer(copy: Make) -> None:
    assert copy(bytes).answer() == b""


def test_it_works_beside(copy: Make) -> None:
    reading, writing = os.pipe()
    beside = copy(lambda: os.read(reading, 9))
    os.write(writing, b"words")
    assert beside.answer() == b"words"
    os.close(reading)
    os.close(writing)


def _raise(error: BaseException) -> bytes:
    raise error


def _kill() -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return b""


def _sleep() -> bytes:
    time.sleep(60)
    return b""


LOST: dict[str, Callable[[], bytes]] = {
    "error": lambda: _raise(ValueError("nobody sees it")),
    "exit": lambda: _raise(SystemExit(0)),
    "interrupt": lambda: _raise(KeyboardInterrupt()),
    "killed": _kill,
}


@pytest.mark.parametrize("how", LOST)
def test_one_that_does_not_end_well_has_done_nothing(
    how: str, copy: Make, capfd: pytest.CaptureFixture[str]
) -> None:
    assert copy(LOST[how]).answer() is None
    assert capfd.readouterr() == ("", "")


def test_one_that_works_on_is_ended(copy: Make) -> None:
    begin = time.monotonic()
    copy(_sleep).close()
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("call", ["fork", "memfd_create"])
def test_without_a_copy_nothing_is_done(
    call: str, copy: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> int:
        raise BlockingIOError(11, "too many")

    monkeypatch.setattr(os, call, refuse)
    assert copy(bytes).answer() is None


def test_without_word_of_ended_processes_there_is_no_copy(
    copy: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose SIGCHLD is ignored is never told how another ended; its number may be that of
    a stranger when it is to be ended."""
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("a copy"))
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        assert copy(bytes).answer() is None
    finally:
        signal.signal(signal.SIGCHLD, before)
