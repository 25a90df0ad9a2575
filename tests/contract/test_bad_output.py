"""An output that cannot be written, and a run that is interrupted: whole output or none."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from elfpack.cli.main import run
from elfpack.errors import OutputError
from elfpack.pack.atomic import new_file
from tests.cli import COMMAND, PATIENCE, Ran, elfpack, environment, one_error, well_spoken
from tests.contract.tree import members, obey_permissions, plant, rows, static

MEGABYTE = 1 << 20


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    """A directory with a program of 1 MB that no compressor makes smaller."""
    return plant(tmp_path, {"app": static() + Random(1).randbytes(MEGABYTE)})


class Out(NamedTuple):
    name: str
    output: str
    fact: str


OUTPUTS = [
    Out("directory does not exist", "nowhere/out.tar", "does not exist"),
    Out("directory of a tree does not exist", "nowhere/out/", "does not exist"),
    Out("directory is a file", "app/out.tar", ""),
    Out("directory without a slash", "directory", "directory/"),
    Out("directory named like a tar", "directory.tar", "directory"),
    Out("no ending", "out", ".tar"),
    Out("unknown ending", "out.zip", ".tar"),
    Out("compressed by what elfpack does not know", "out.tar.lzma", ".tar"),
    Out("nothing but an ending", ".tar", ".tar"),
    Out("upper case", "out.TAR", ".tar"),
    Out("tree where a file is", "app/", ""),
    Out("tree in a directory that is not empty", "full/", "not empty"),
    Out("locked directory", "locked/out.tar", "permission denied"),
    Out("locked directory of a tree", "locked/out/", "permission denied"),
    Out("locked tree", "locked/", "permission denied"),
    Out("name too long", "x" * 300 + ".tar", ""),
    Out("proc", "/proc/out.tar", ""),
    Out("through a dangling link", "dangling/out.tar", "does not exist"),
]


@pytest.mark.parametrize("case", rows(OUTPUTS))
def test_output(case: Out, here: Path) -> None:
    plant(here, {"directory": None, "directory.tar": None, "full/x": "", "dangling": "-> gone"})
    (here / "locked").mkdir(0o555)
    before = _state(here)
    ran = elfpack("layer", "./app", "-o", case.output, cwd=here, preexec=obey_permissions)
    assert case.fact in one_error(ran, 2, case.output)
    assert ran.stdout == b""
    assert _state(here) == before


def test_bad_output_is_told_before_the_work(here: Path) -> None:
    """What is certain from the name is said even if the program is not there."""
    assert "ending" in one_error(elfpack("layer", "./nope", "-o", "out", cwd=here), 2, "out")


def test_zstd_is_not_installed(here: Path) -> None:
    """A Python that has what else elfpack needs."""
    homes = here / "homes"
    homes.mkdir()
    for package in ("click", "elftools", "elfpack"):
        (homes / package).symlink_to(Path(import_module(package).__file__ or "").parent)
    command = [sys.executable, "-S", "-m", "elfpack", "layer", "-q", "./app", "-o"]
    for output, status in (("out.tar", 0), ("out.tar.zst", 2)):
        done = subprocess.run(
            [*command, output],
            cwd=here,
            env=environment(PYTHONPATH=str(homes)),
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == status, done.stderr
    fact = one_error(Ran(done.returncode, done.stdout, done.stderr), 2, "out.tar.zst")
    assert fact.startswith("zstandard is not installed (pip install zstandard")
    assert not (here / "out.tar.zst").exists()


def test_empty_output(here: Path) -> None:
    ran = elfpack("layer", "./app", "-o", "", cwd=here)
    well_spoken(ran)
    assert (ran.status, len(ran.said("error"))) == (2, 1)


def test_terminal_gets_no_tar(here: Path) -> None:
    master, slave = os.openpty()
    try:
        ran = elfpack("layer", "./app", "-o", "-", cwd=here, stdout=slave)
    finally:
        os.close(slave)
        os.close(master)
    assert "terminal" in one_error(ran, 2, "-")


def _state(directory: Path) -> dict[str, bytes | None]:
    """Every path below a directory with its content."""
    return {
        str(p.relative_to(directory)): p.read_bytes() if p.is_file() else None
        for p in directory.rglob("*")
    }


# What was there before


def test_failure_keeps_the_old_output(here: Path) -> None:
    plant(here, {"out.tar": "old", "bad": "text"})
    before = _state(here)
    one_error(elfpack("layer", "./bad", "-o", "out.tar", cwd=here), 2, "./bad")
    assert _state(here) == before


def test_success_replaces_the_old_output(here: Path) -> None:
    plant(here, {"out.tar": "old"})
    assert elfpack("layer", "./app", "-o", "out.tar", cwd=here).status == 0
    assert list(members((here / "out.tar").read_bytes())) == ["/app"]
    assert sorted(os.listdir(here)) == ["app", "out.tar"]


def test_output_gets_the_mode_of_the_umask(here: Path) -> None:
    for mask, output in ((0o022, "a.tar"), (0o077, "b.tar"), (0o007, "c/")):
        preexec = partial(os.umask, mask)
        ran = elfpack("layer", "./app", "-o", output, cwd=here, preexec=preexec)
        assert ran.status == 0
        whole = 0o777 if output.endswith("/") else 0o666
        assert (here / output).stat().st_mode & 0o777 == whole & ~mask


# A disk that is full


def _limit() -> None:
    """Stands for a full disk where no small one can be mounted."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEGABYTE // 4, MEGABYTE // 4))


class Disk(NamedTuple):
    place: Path
    preexec: Callable[[], None] | None


@pytest.fixture(name="disk", params=["file system", "limit"])
def _disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """Where there is room for a quarter of a megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if request.param == "limit" or not _mount(place):
        yield Disk(place, _limit)
        return
    try:
        yield Disk(place, None)
    finally:
        subprocess.run(["umount", place], check=True)


def _mount(place: Path) -> bool:
    if os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTE // 4}", "tmpfs", str(place)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


FULL = ["out.tar", "out.tar.gz", "out.tar.zst", "out/", "old.tar", "empty/", "own/"]


@pytest.mark.parametrize("output", FULL)
def test_full_disk(output: str, disk: Disk, here: Path) -> None:
    plant(disk.place, {"old.tar": "old", "empty": None})
    plant(here, {"small": static()})
    assert elfpack("layer", "-q", "./small", "-o", f"{disk.place}/own/", cwd=here).status == 0
    before = _state(disk.place)
    target = f"{disk.place}/{output}"
    ran = elfpack("layer", "./app", "-o", target, cwd=here, preexec=disk.preexec)
    one_error(ran, 2, target)
    assert _state(disk.place) == before


def test_full_device(here: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = elfpack("layer", "./app", "-o", "-", cwd=here, stdout=full)
    assert "no space left" in one_error(ran, 2, "-")


@pytest.mark.parametrize("form", ["ldd", "tree", "paths", "json"])
def test_full_device_for_deps(form: str) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = elfpack("deps", "--format", form, "/usr/bin/env", stdout=full)
    well_spoken(ran)
    assert ran.status == 2
    assert len(ran.said("error")) == 1
    assert "no space left" in ran.err[0]


@pytest.mark.parametrize("command", [["--help"], ["deps", "--help"], ["--version"]])
def test_full_device_for_help(command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = elfpack(*command, stdout=full)
    well_spoken(ran)
    assert (ran.status, len(ran.said("error"))) == (2, 1)


SAYS_SOMETHING = [
    ["--version"],
    ["--help"],
    ["layer", "--help"],
    ["deps", "./app"],
    ["deps", "--format", "json", "./app"],
    ["check", "--format", "json", "."],
    ["layer", "-q", "--dry-run", "./app"],
    ["layer", "-q", "--dry-run", "--format", "json", "./app"],
    ["layer", "-q", "--format", "json", "./app", "-o", "out.tar"],
    ["layer", "-q", "./app", "-o", "-"],
    ["image", "-q", "-t", "a:1", "./app", "-o", "-"],
]


@pytest.mark.parametrize("command", SAYS_SOMETHING, ids=" ".join)
@pytest.mark.parametrize("leads", ["nowhere", "to a full device"])
def test_what_cannot_be_said(leads: str, command: list[str], here: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        closed = partial(os.close, 1) if leads == "nowhere" else None
        ran = elfpack(*command, cwd=here, stdout=full, preexec=closed)
    well_spoken(ran)
    assert (ran.status, len(ran.said("error"))) == (2, 1), ran


@pytest.mark.parametrize("command", [*SAYS_SOMETHING, ["deps", "./nothing"]], ids=" ".join)
@pytest.mark.parametrize("leads", ["nowhere", "to a full device"])
def test_nobody_listens(leads: str, command: list[str], here: Path) -> None:
    """To what is told on standard error: the results and the status are as ever."""
    heard = elfpack(*command, cwd=here)

    def deaf() -> None:
        os.close(2)
        if leads == "to a full device":
            os.open("/dev/full", os.O_WRONLY)

    ran = elfpack(*command, cwd=here, preexec=deaf)
    assert (ran.status, ran.stdout, ran.stderr) == (heard.status, heard.stdout, b"")


def test_an_error_when_a_file_is_closed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So network file systems tell that there was no room: the old output stays."""
    plant(here, {"out.tar": "old"})
    real = os.close

    def close(fd: int) -> None:
        real(fd)
        raise OSError(errno.ENOSPC, "")

    before = _state(here)
    with pytest.raises(OutputError, match="no space left"), new_file(f"{here}/out.tar") as fd:
        os.write(fd, b"new")
        monkeypatch.setattr(os, "close", close)
    monkeypatch.undo()
    assert _state(here) == before


# A source that cannot be read when it is written


SOURCES = ["out.tar", "out.tar.gz", "out.tar.zst", "out/", "-"]


@pytest.mark.parametrize("output", SOURCES)
def test_unreadable_added_file(output: str, here: Path) -> None:
    plant(here, {"data/secret": "secret"})
    (here / "data/secret").chmod(0)
    before = _state(here)
    arguments = ("layer", "./app", "--add", "data", "-o", output)
    ran = elfpack(*arguments, cwd=here, preexec=obey_permissions)
    well_spoken(ran)
    assert ran.status == 2
    assert len(ran.said("error")) == 1
    assert "data/secret: cannot be read: permission denied (" in ran.said("error")[0]
    assert _state(here) == before


def test_unreadable_added_directory(here: Path) -> None:
    plant(here, {"data/locked/x": ""})
    (here / "data/locked").chmod(0)
    arguments = ("layer", "./app", "--add", "data", "-o", "out.tar")
    ran = elfpack(*arguments, cwd=here, preexec=obey_permissions)
    well_spoken(ran)
    assert (ran.status, len(ran.said("error"))) == (2, 1)
    assert "data/locked: permission denied" in ran.said("error")[0]
    assert not (here / "out.tar").exists()


# Its reader is gone, or the user


def test_reader_of_a_tar_is_gone(here: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = elfpack("layer", "-q", "./app", "-o", "-", cwd=here, stdout=writing)
    finally:
        os.close(writing)
    assert ran.stderr == b""
    assert ran.status >= 0


@pytest.mark.parametrize("command", [["--help"], ["layer", "--help"], ["--version"]])
def test_reader_of_help_is_gone(command: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = elfpack(*command, stdout=writing)
    finally:
        os.close(writing)
    assert ran.stderr == b""


BIG = 512 * MEGABYTE


class Interruption(NamedTuple):
    name: str
    signal: signal.Signals
    output: str
    command: tuple[str, ...] = ("layer",)


IMAGE = ("image", "-t", "hello:1")
INTERRUPTIONS = [
    Interruption(f"{number.name} {name}", number, output)
    for number in (signal.SIGINT, signal.SIGTERM)
    for name, output in (
        ("new tar", "out/new.tar"),
        ("old tar", "out/old.tar"),
        ("gzip", "out/new.tar.gz"),
        ("zstd", "out/new.tar.zst"),
        ("new tree", "out/new/"),
        ("empty directory", "out/empty/"),
        ("own tree", "out/own/"),
    )
] + [
    Interruption(f"image, {name}", signal.SIGTERM, output, IMAGE)
    for name, output in (
        ("old tar", "out/old.tar"),
        ("new layout", "out/new/"),
        ("empty directory", "out/empty/"),
    )
]


@pytest.mark.parametrize("case", rows(INTERRUPTIONS))
def test_interrupted(case: Interruption, here: Path) -> None:
    plant(here, {"out/old.tar": "old", "out/empty": None})
    assert elfpack("layer", "-q", "./app", "-o", "out/own/", cwd=here).status == 0
    _much(here)
    before = _state(here / "out")
    ran = _interrupt(here, case, before)
    assert (ran.status, ran.stdout) == (2, b"")
    assert len(ran.said("error")) == 1
    assert "interrupted" in ran.err[-1]
    assert b"Traceback" not in ran.stderr
    assert _state(here / "out") == before


def test_interrupted_in_one_line(here: Path) -> None:
    plant(here, {"out": None})
    _much(here)
    ran = _interrupt(here, INTERRUPTIONS[0], {})
    well_spoken(ran)
    assert len(ran.err) == 1


SIGNALS = [
    pytest.param(signal.SIGINT, 2, id="Ctrl-C twice"),
    pytest.param(signal.SIGTERM, 3, id="three SIGTERM"),
    pytest.param(signal.SIGHUP, 1, id="the terminal is closed"),
]


@pytest.mark.parametrize(("number", "times"), SIGNALS)
def test_interrupted_while_it_cleans_up(number: signal.Signals, times: int, here: Path) -> None:
    """The first signal decides; what comes while the output is removed changes nothing."""
    plant(here, {"out": None, **{f"many/{n}": "x" for n in range(4000)}})
    arguments = ("layer", "./app", "--add", "many", "-o", "out/new/")
    with subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=here,
        env=environment(),
        stderr=subprocess.PIPE,
        preexec_fn=_heed_signals,
    ) as process:
        while sum(1 for _ in (here / "out").rglob("*")) < 1000:
            assert process.poll() is None, "it ended before it was seen to write"
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.004)
        _, err = process.communicate(timeout=PATIENCE)
    assert os.listdir(here / "out") == []
    assert b"Traceback" not in err
    assert err.count(b"\n") == 1


def _heed_signals() -> None:
    """Under nohup, and in the background of a script, signals are ignored; elfpack keeps that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _much(here: Path) -> None:
    """What takes long to write: a tar of holes, a tree of many files."""
    plant(here, {f"much/files/{number}": "x" for number in range(1500)})
    with (here / "much/big").open("wb") as big:
        big.truncate(BIG)


def test_signals_mean_afterwards_what_they_meant_before(here: Path) -> None:
    """The command may run in a process that goes on."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    assert run(["layer", "-q", str(here / "app"), "-o", str(here / "x.tar")]) == 0
    assert [signal.getsignal(number) for number in numbers] == before


def _interrupt(here: Path, case: Interruption, before: dict[str, bytes | None]) -> Ran:
    """A run that gets its signal as soon as something of its output is there."""
    with subprocess.Popen(
        [*COMMAND, *case.command, "./app", "--add", "much", "-o", case.output],
        cwd=here,
        env=environment(),
        preexec_fn=_heed_signals,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        patience = time.monotonic() + PATIENCE
        while not _writing(here / "out", set(before)):
            assert process.poll() is None, "it ended before it was seen to write"
            assert time.monotonic() < patience
            time.sleep(0.002)
        process.send_signal(case.signal)
        out, err = process.communicate(timeout=PATIENCE)
    return Ran(process.returncode, out, err)


def _writing(out: Path, before: set[str]) -> bool:
    """Whether bytes were written to something new."""
    try:
        new = [p for p in out.rglob("*") if str(p.relative_to(out)) not in before]
        return any(p.is_file() and p.stat().st_size for p in new)
    except FileNotFoundError:
        return False  # renamed while it was looked at


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_whole_group(number: signal.Signals, here: Path) -> None:
    """Who writes looks for hints by a copy of itself; it is sent to the one process alone."""
    _much(here)
    plant(here, {"out": None})
    with subprocess.Popen(
        [*COMMAND, "layer", "./app", "--add", "much", "-o", "out/new.tar"],
        cwd=here,
        env=environment(),
        preexec_fn=_heed_signals,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not _writing(here / "out", set()):
            assert process.poll() is None, "it ended before it was seen to write"
        process.send_signal(number)
        assert process.wait(PATIENCE) == 2
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_killed_run_does_not_hinder_the_next(here: Path) -> None:
    _much(here)
    plant(here, {"out": None})
    case = Interruption("killed", signal.SIGKILL, "out/new.tar")
    assert _interrupt(here, case, {}).status == -signal.SIGKILL
    assert not (here / "out/new.tar").exists()
    assert elfpack("layer", "./app", "-o", "out/new.tar", cwd=here).status == 0
    assert list(members((here / "out/new.tar").read_bytes())) == ["/app"]


def test_a_program_is_not_overwritten_by_its_layer(here: Path) -> None:
    (here / "app.tar").write_bytes((here / "app").read_bytes())
    (here / "app.tar").chmod(0o755)
    ran = elfpack("layer", "./app.tar", "-o", "app.tar", cwd=here)
    assert ran.status == 2
    assert ran.err == [
        "elfpack: error: ./app.tar: the output would take the place of this program "
        "(give the output another name)"
    ]
    assert (here / "app.tar").read_bytes() == (here / "app").read_bytes()
