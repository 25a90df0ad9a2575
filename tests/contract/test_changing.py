"""Files that change while they are read, that are large or have holes; how far the work is."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from elfpack import InputError, Session
from elfpack.pack.output import write
from elfpack.root.directory import DirectoryRoot
from tests.cli import COMMAND, PATIENCE, Ran, elfpack, environment, one_error
from tests.contract.tree import plant, rows, static

MEGABYTE = 1 << 20


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    """A directory with a program and a file of 4 MB, more than any pipe holds."""
    return plant(tmp_path, {"app": static(), "data": bytes(range(256)) * (4 * MEGABYTE // 256)})


class Change(NamedTuple):
    name: str
    change: Callable[[Path], object]


def _append(data: Path) -> None:
    with data.open("ab") as file:
        file.write(b"more")


def _rewrite(data: Path) -> None:
    """In place, as long as before, and with the old time."""
    seen = data.stat()
    with data.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    os.utime(data, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def _replace(data: Path) -> None:
    seen = data.stat()
    data.with_name("new").write_bytes(bytes(seen.st_size))
    os.utime(data.with_name("new"), ns=(seen.st_atime_ns, seen.st_mtime_ns))
    data.with_name("new").rename(data)


CHANGES = [
    Change("grows", _append),
    Change("shrinks", lambda data: os.truncate(data, 2 * MEGABYTE)),
    Change("is rewritten", _rewrite),
    Change("is replaced", _replace),
    Change("is removed", Path.unlink),
]


@pytest.mark.parametrize("case", rows(CHANGES))
def test_changes_while_a_tar_is_written(case: Change, here: Path) -> None:
    """The pipe is full and elfpack waits, in the middle of the file."""
    command = [*COMMAND, "layer", "-q", "./app", "--add", "data", "-o", "-"]
    with subprocess.Popen(
        command, cwd=here, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        begun = process.stdout.read(MEGABYTE)
        case.change(here / "data")
        rest, err = process.communicate(timeout=PATIENCE)
    assert len(begun + rest) < 5 * MEGABYTE
    fact = one_error(Ran(process.returncode, b"", err), 2, f"{here}/data")
    assert fact.endswith("changed while it was read (run again when nothing writes to it)")


@pytest.mark.parametrize("output", ["x.tar", "x.tar.gz", "x.tar.zst", "tree/", "own/"])
@pytest.mark.parametrize("case", rows(CHANGES))
def test_a_changed_file_leaves_the_old_output(case: Change, output: str, here: Path) -> None:
    plant(here, {"out/x.tar": "old"})
    target = f"{here}/out/{output}"
    with Session(cwd=str(here)) as session:
        session.plan(["./app"]).write_tree(f"{here}/out/own")
        before = {p: p.stat().st_ino for p in (here / "out").rglob("*")}
        plan = session.plan(["./app"], add=["data"])
        waiting, seen = [case.change], [0]

        def middle(size: int) -> None:
            seen[0] += size
            if seen[0] > MEGABYTE and waiting:
                waiting.pop()(here / "data")

        with pytest.raises(InputError, match="changed while it was read"):
            write(plan.record._replace(watch=middle), target)
    assert not waiting
    assert {p: p.stat().st_ino for p in (here / "out").rglob("*")} == before


# Large files, and holes


def _sparse(path: Path, size: int) -> None:
    """Holes, and a byte at 1 MB and at the end."""
    with path.open("wb") as file:
        file.truncate(size)
        os.pwrite(file.fileno(), b"a", MEGABYTE)
        os.pwrite(file.fileno(), b"z", size - 1)


SIZE = 5 * 1024 * MEGABYTE


def _peak(number: int) -> int:
    """KB of memory that a process had at most. Source: proc(5), VmHWM."""
    lines = Path(f"/proc/{number}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def test_five_gigabytes(here: Path) -> None:
    """In full, as a stream, in little memory."""
    _sparse(here / "large", SIZE)
    command = [*COMMAND, "layer", "-q", "./app", "--add", "large", "-o", "-"]
    with subprocess.Popen(command, cwd=here, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        buffer = bytearray(MEGABYTE)
        total, last, peak = 0, b"", 0
        while size := os.readv(pipe, [buffer]):
            total += size
            last = (last + buffer[max(0, size - 20480) : size])[-20480:]
            if not peak and total > SIZE - 100 * MEGABYTE:
                peak = _peak(process.pid)
    assert process.returncode == 0
    assert SIZE < total < SIZE + 30720
    assert last.rstrip(b"\0")[-1:] == b"z"
    assert 0 < peak < 100 * 1024


def test_holes_stay_holes_in_a_tree(here: Path) -> None:
    _sparse(here / "large", SIZE)
    (here / "hollow").touch()
    os.truncate(here / "hollow", SIZE)
    ran = elfpack("layer", "-q", "./app", "--add", "large", "--add", "hollow", "-o", "x/", cwd=here)
    assert ran.status == 0, ran.err
    for name in ("large", "hollow"):
        found = (here / "x" / name).stat()
        assert found.st_size == SIZE
        assert found.st_blocks * 512 <= MEGABYTE
    with (here / "x/large").open("rb") as file:
        assert os.pread(file.fileno(), 3, MEGABYTE - 1) == b"\0a\0"
        assert os.pread(file.fileno(), 2, SIZE - 2) == b"\0z"


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 3 * MEGABYTE, 3 * MEGABYTE + 1])
def test_a_tree_holds_the_bytes(size: int, here: Path) -> None:
    """Data, holes and ends that fit no block."""
    with (here / "holes").open("wb") as file:
        file.truncate(size)
        for offset in range(0, size, MEGABYTE):
            os.pwrite(file.fileno(), b"data", offset)
    os.truncate(here / "holes", size)
    for output in ("x/", "x.tar"):
        ran = elfpack("layer", "-q", "./app", "--add", "holes", "-o", output, cwd=here)
        assert ran.status == 0
    data = (here / "holes").read_bytes()
    assert (here / "x/holes").read_bytes() == data
    assert data in (here / "x.tar").read_bytes()


# Progress


def _slowly(here: Path, *more: str, seconds: float, terminal: bool = True) -> tuple[bytes, int]:
    """What standard error got of a run whose reader takes a pause in the middle."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    arguments = ["layer", *more, "./app", "--add", "data", "-o", "-"]
    with subprocess.Popen(
        [*COMMAND, *arguments], cwd=here, env=environment(), stdout=subprocess.PIPE, stderr=writing
    ) as process:
        os.close(writing)
        assert process.stdout is not None
        process.stdout.read(MEGABYTE)
        time.sleep(seconds)
        process.stdout.read()
    said = b""
    while select.select([reading], [], [], 1)[0]:
        try:
            piece = os.read(reading, 65536)
        except OSError:  # a terminal that nobody has open any more
            break
        if not piece:
            break
        said += piece
    os.close(reading)
    return said, process.returncode


def test_progress_on_a_terminal(here: Path) -> None:
    said, status = _slowly(here, seconds=1.2)
    assert status == 0
    assert re.search(rb"\relfpack: [1-4] of 4 MB", said)
    before, cleared, after = said.rpartition(b"\r\x1b[K")
    assert cleared
    assert b"MB" not in after
    assert after.startswith(b"elfpack: note: -: ")
    assert before.count(b"\n") == 0


def test_no_progress_of_quick_work(here: Path) -> None:
    said, _ = _slowly(here, seconds=0)
    assert said.startswith(b"elfpack: note: -: ")


def test_no_progress_with_q(here: Path) -> None:
    assert _slowly(here, "-q", seconds=1.2) == (b"", 0)


def test_no_progress_but_on_a_terminal(here: Path) -> None:
    said, _ = _slowly(here, seconds=1.2, terminal=False)
    assert said.startswith(b"elfpack: note: -: ")
    assert b"\r" not in said


def _linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def _linked_above(path: Path) -> None:
    path.parent.rename(path.parent.with_name("away"))
    path.parent.symlink_to("away")


LINKED = [Change("the file", _linked), Change("its directory", _linked_above)]


@pytest.mark.parametrize("row", rows(LINKED))
def test_a_link_in_place_of_what_was_looked_at(row: Change, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_bytes(b"seen")
    seen = DirectoryRoot(str(tmp_path))
    node = seen.node("/a", "file")
    assert not isinstance(node, int)
    row.change(tmp_path / "a/file")
    other = DirectoryRoot(str(tmp_path))  # which has not opened the directory yet
    with pytest.raises(InputError, match="/a/file: changed while elfpack worked"):
        other.open("/a", "file", node)
    seen.close()
    other.close()
