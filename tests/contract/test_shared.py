"""Many programs are shared among the processors; nobody can tell by what is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from elfpack.cli import shared
from elfpack.cli.ui import Results, Talk
from tests.cli import COMMAND, Ran, elfpack, environment, well_spoken
from tests.contract.tree import LIBC, library, program, static, system

COUNT = 450
"""Programs, for copies on as many as four processors."""


@pytest.fixture(name="root", scope="module")
def _root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files: dict[str, bytes | str] = {"/lib/liba.so.1": library("liba.so.1", LIBC)}
    kinds = (program("liba.so.1", LIBC), static(), program("libgone.so.1"), "just text\n")
    for number in range(COUNT):
        files[f"/bin/{number}"] = kinds[number % len(kinds)] if number % 3 else kinds[0]
    return system(tmp_path_factory.mktemp("shared") / "root", files)


def _programs() -> list[str]:
    return [f"/bin/{number}" for number in range(COUNT)]


def _on(count: int) -> Callable[[], None]:
    """Leaves a process so many processors, if there are."""
    return lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


@pytest.mark.parametrize("options", [(), ("-q",), ("--why", "liba.so.1"), ("--exclude", "libc*")])
def test_the_same_is_said(root: Path, options: tuple[str, ...]) -> None:
    given = ("deps", "--root", str(root), *options, *_programs())
    alone, together = (elfpack(*given, preexec=_on(count)) for count in (1, 4))
    assert alone.status == 2
    assert len(alone.err) >= COUNT // 7
    assert together == alone


@pytest.fixture(name="processors")
def _processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "processors", lambda: 3)


def _shared(names: Sequence[str], work: shared.Work) -> int:
    results = Results()
    status = shared.share(names, work, results, Talk())
    results.flush()
    return status


NAMES = [str(number) for number in range(1000)]


@pytest.mark.usefixtures("processors")
@pytest.mark.parametrize("rounds", [1, 3])
def test_in_order_by_several_processes(
    rounds: int, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def work(part: Sequence[str], results: Results, talk: Talk) -> int:
        (tmp_path / str(os.getpid())).touch()
        results.lines(part)
        talk.note(part[0])
        return 1 if "999" in part else 0

    monkeypatch.setattr(shared, "_ROUND", -(-len(NAMES) // rounds))
    assert _shared(NAMES, work) == 1
    said = capfd.readouterr()
    assert said.out.split() == NAMES
    noted = [line.removeprefix("elfpack: note: ") for line in said.err.splitlines()]
    assert len(noted) > 3 * rounds
    assert sorted(noted, key=int) == noted
    assert len(list(tmp_path.iterdir())) <= 2 * rounds + 1


@pytest.mark.usefixtures("processors")
def test_what_a_copy_did_not_end_is_done_here(capfd: pytest.CaptureFixture[str]) -> None:
    here = os.getpid()

    def work(part: Sequence[str], results: Results, talk: Talk) -> int:
        results.lines(part)
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return 0

    assert _shared(NAMES, work) == 0
    assert capfd.readouterr().out.split() == NAMES


@pytest.mark.usefixtures("processors")
def test_few_are_not_shared(capfd: pytest.CaptureFixture[str]) -> None:
    def work(part: Sequence[str], results: Results, talk: Talk) -> int:
        results.line(str(os.getpid()))
        return 0

    assert _shared(NAMES[:150], work) == 0
    assert capfd.readouterr().out.split() == [str(os.getpid())]


def test_a_reader_that_has_seen_enough_ends_all(root: Path) -> None:
    command = [*COMMAND, "deps", "--root", str(root), *_programs() * 8]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as running:
        assert running.stdout is not None
        running.stdout.read(10)
        running.stdout.close()
        assert running.wait(60) in (0, 1, 2, -signal.SIGPIPE)


def test_an_interrupt_is_told_once(root: Path) -> None:
    command = [*COMMAND, "deps", "--root", str(root), *_programs() * 40]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    ) as running:
        assert running.stderr is not None
        first = running.stderr.readline()
        os.killpg(running.pid, signal.SIGINT)
        rest = running.stderr.read()
        ran = Ran(running.wait(60), b"", first + rest)
    well_spoken(ran)
    if ran.said("error")[-1].startswith("interrupted"):
        assert ran.stderr.count(b"interrupted") == 1
        assert ran.status == 2


@pytest.mark.usefixtures("processors")
def test_what_goes_wrong_is_met_in_its_turn(capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever had the part: all that is before it is told."""

    def work(part: Sequence[str], results: Results, talk: Talk) -> int:
        for name in part:
            if name == "700":
                raise MemoryError
            talk.note(name)
        return 0

    with pytest.raises(MemoryError):
        _shared(NAMES, work)
    noted = [line.removeprefix("elfpack: note: ") for line in capfd.readouterr().err.splitlines()]
    assert noted == NAMES[:700]


@pytest.mark.usefixtures("processors")
@pytest.mark.parametrize("short", ["pipe", "sysconf"])
def test_without_room_for_copies_it_is_done_here(
    short: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def pipe() -> tuple[int, int]:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, short, pipe if short == "pipe" else lambda name: 100)

    def work(part: Sequence[str], results: Results, talk: Talk) -> int:
        results.line(str(os.getpid()))
        return 0

    assert _shared(NAMES, work) == 0
    assert set(capfd.readouterr().out.split()) == {str(os.getpid())}


@pytest.mark.usefixtures("processors")
def test_lines_are_written_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not read for a while, or interrupts, finds whole lines."""
    written: list[bytes] = []
    write = os.write

    def kept(descriptor: int, raw: bytes) -> int:
        if descriptor == 2:
            written.append(raw)
            return len(raw)
        return write(descriptor, raw)

    monkeypatch.setattr(os, "write", kept)

    def work(part: Sequence[str], results: Results, talk: Talk) -> int:
        for name in part:
            talk.note(name)
        return 0

    _shared(NAMES, work)
    assert written == [f"elfpack: note: {name}\n".encode() for name in NAMES]


def test_who_is_alone_takes_no_more(tmp_path: Path) -> None:
    """A copy whose process was killed ends with its part."""
    code = (
        "import os, sys, time\n"
        "from elfpack.cli import shared\n"
        "from elfpack.cli.ui import Results, Talk\n"
        "def work(part, results, talk):\n"
        "    open(sys.argv[1] + '/' + part[0], 'w').close()\n"
        "    time.sleep(0.2)\n"
        "    return 0\n"
        "shared.processors = lambda: 4\n"
        "shared.share([str(n) for n in range(2000)], work, Results(), Talk())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) as running:
        while len(list(tmp_path.iterdir())) < 4:
            time.sleep(0.01)
        running.kill()
        running.wait()
    time.sleep(0.5)
    assert len(list(tmp_path.iterdir())) <= 8, "of 16 parts"
