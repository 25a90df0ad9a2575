"""How the bytes of a plan get to their output, and how often something is done for it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from elfpack.blob import Blob, FileSource, from_bytes
from elfpack.errors import InputError, OutputError
from elfpack.formats.oci import Platform
from elfpack.formats.reference import parse
from elfpack.pack import oci
from elfpack.pack.copying import BLOCK, LARGE, blocks, write_pieces
from elfpack.pack.output import write
from elfpack.pack.tar import members
from elfpack.planning.entry import Plan, Reason, Regular
from tests.nothreads import limited_threads

MEGABYTE = 1 << 20
WAYS = ("splice", "copy_file_range", "sendfile")
"""In the kernel, for a tar; a tree is written without the first."""


def _opened(path: Path) -> FileSource:
    return FileSource(os.open(path, os.O_RDONLY), str(path))


def blob_of(path: Path) -> Blob:
    return Blob(path.stat().st_size, lambda: _opened(path), str(path))


def plan_of(*paths: Path) -> Plan:
    """Each file at the root of the image."""
    entries = [
        Regular(path=f"/{path.name}", reason=Reason("added"), blob=blob_of(path))
        for path in sorted(paths)
    ]
    platforms = ((Platform("linux", "amd64"), "/app"),)
    return Plan(entries=tuple(entries), programs=(), platforms=platforms, entrypoint="/app")


def tar_of(plan: Plan) -> bytes:
    return b"".join(bytes(block) for block in blocks(members(plan), memoryview(bytearray(BLOCK))))


@pytest.fixture(name="files")
def _files(tmp_path: Path) -> list[Path]:
    """Some that are copied by themselves, and some that are not; one has holes."""
    sizes = {"a": 1, "b": LARGE - 1, "c": LARGE, "d": 3 * MEGABYTE + 7, "e": 700, "f": BLOCK}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes((name.encode() * 5 + bytes(range(256))) * (size // 256 + 1))
        os.truncate(tmp_path / name, size)
    with (tmp_path / "holes").open("wb") as file:
        for offset in (MEGABYTE, 2 * MEGABYTE + 5):
            os.pwrite(file.fileno(), b"data", offset)
        file.truncate(4 * MEGABYTE + 1)
    return sorted(path for path in tmp_path.iterdir())


@pytest.fixture(name="calls")
def _calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each call is made that moves bytes."""
    counted: Counter[str] = Counter()

    def wrapped(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any) -> Any:
            counted[name] += 1
            return call(*arguments)

        return counting

    for name in (*WAYS, "preadv", "pread", "write"):
        monkeypatch.setattr(os, name, wrapped(name, getattr(os, name)))
    return counted


def test_a_large_file_does_not_pass_through(
    files: list[Path], tmp_path: Path, calls: Counter[str]
) -> None:
    large = plan_of(tmp_path / "d")
    write(large, str(tmp_path / "x.tar"))
    assert calls["splice"] == 2 * 4  # a megabyte each, so that progress can be shown
    assert calls["preadv"] == calls["pread"] == 0
    assert calls["copy_file_range"] == calls["sendfile"] == 0
    assert calls["write"] == 2  # its header; what is behind it
    assert (tmp_path / "x.tar").read_bytes() == tar_of(large)


def test_small_files_are_written_together(tmp_path: Path, calls: Counter[str]) -> None:
    (tmp_path / "in").mkdir()
    for number in range(1000):
        (tmp_path / f"in/{number}").write_bytes(b"%d" % number * 100)
    small = plan_of(*(tmp_path / "in").iterdir())
    written = write(small, str(tmp_path / "x.tar"))
    assert calls["preadv"] <= 1000 + written.size // BLOCK
    assert calls["write"] == -(-written.size // BLOCK)
    assert not any(calls[way] for way in WAYS)


def test_a_tree_shares_what_can_be_shared(
    files: list[Path], tmp_path: Path, calls: Counter[str]
) -> None:
    write(plan_of(tmp_path / "d"), f"{tmp_path}/x/")
    assert calls["copy_file_range"] == 4
    assert calls["splice"] == calls["preadv"] == 0


@pytest.mark.parametrize("output", ["x.tar", "x.tar.gz", "x.tar.zst", "x/"])
def test_each_source_is_opened_once(output: str, files: list[Path], tmp_path: Path) -> None:
    opened: Counter[str] = Counter()
    made = _counted(plan_of(*files), opened)
    write(made, f"{tmp_path}/{output}")
    assert opened == {f"/{path.name}": 1 for path in files}


@pytest.mark.parametrize("output", ["x.tar", "x/"])
def test_an_image_opens_each_source_once(output: str, files: list[Path], tmp_path: Path) -> None:
    opened: Counter[str] = Counter()
    plan = plan_of(*files)
    written = oci.write(_counted(plan, opened), f"{tmp_path}/{output}", [parse("a:1")])
    assert opened == {f"/{path.name}": 1 for path in files}
    assert written.image.layer.size == len(tar_of(plan))


def test_an_image_where_no_thread_can_be_started(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(*files)
    right = oci.write(plan, f"{tmp_path}/x.tar", [parse("a:1")])
    with limited_threads(0, monkeypatch):
        assert oci.write(plan, f"{tmp_path}/y.tar", [parse("a:1")]).image == right.image
    assert (tmp_path / "x.tar").read_bytes() == (tmp_path / "y.tar").read_bytes()


def _counted(plan: Plan, opened: Counter[str]) -> Plan:
    def counting(entry: Regular) -> Regular:
        def open_() -> Any:
            opened[entry.path] += 1
            return entry.blob.open()

        blob = Blob(entry.blob.size, open_, entry.blob.label)
        return Regular(path=entry.path, reason=entry.reason, blob=blob)

    entries = tuple(counting(e) if isinstance(e, Regular) else e for e in plan.entries)
    return Plan(entries=entries, programs=(), platforms=plan.platforms, entrypoint=plan.entrypoint)


# Where the kernel does not copy

REFUSALS = [
    errno.EXDEV,
    errno.EINVAL,
    errno.ENOSYS,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EBADF,
    errno.EINTR,
    errno.EIO,
    errno.ETXTBSY,
    0,  # none, and none of the bytes
]


def _refusing(number: int) -> Callable[..., int]:
    def refuse(*_: int) -> int:
        if number:
            raise OSError(number, os.strerror(number))
        return 0

    return refuse


@pytest.mark.parametrize("output", ["x.tar", "x/"])
@pytest.mark.parametrize("refused", [WAYS[:1], WAYS[:2], WAYS[1:], WAYS])
@pytest.mark.parametrize("number", REFUSALS)
def test_the_next_way_is_taken(
    number: int,
    refused: tuple[str, ...],
    output: str,
    files: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in refused:
        monkeypatch.setattr(os, name, _refusing(number))
    _write_and_compare(files, tmp_path, output)


@pytest.mark.parametrize("output", ["x.tar", "x/"])
def test_ways_that_stop_in_the_middle(
    output: str, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than was asked for, and then an error, is what a signal or a full buffer gives."""
    by_range, sending = os.copy_file_range, os.sendfile
    turns = iter(range(10**9))

    def short_range(source: int, fd: int, size: int, offset: int) -> int:
        if next(turns) % 2:
            raise InterruptedError(errno.EINTR, "")
        return by_range(source, fd, min(size, 70_001), offset)

    def short_sending(fd: int, source: int, offset: int, size: int) -> int:
        if next(turns) % 3:
            raise OSError(errno.EINVAL, "")
        return sending(fd, source, offset, min(size, 50_001))

    monkeypatch.setattr(os, "copy_file_range", short_range)
    monkeypatch.setattr(os, "sendfile", short_sending)
    _write_and_compare(files, tmp_path, output)


@pytest.mark.parametrize("often", [2, 3, 5])
@pytest.mark.parametrize("number", [0, errno.EINVAL])
def test_what_is_left_in_the_pipe_is_not_written(
    number: int, often: int, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither twice nor in another place: into the pipe less than was asked for, out of it in
    parts, and after some of them no more."""
    splice = os.splice
    turns = iter(range(10**9))

    def short(source: int, target: int, size: int, *offset: int) -> int:
        if offset:
            return splice(source, target, min(size, 170_001), *offset)
        if next(turns) % often == often - 1:
            return _refusing(number)()
        return splice(source, target, min(size, 50_001))

    monkeypatch.setattr(os, "splice", short)
    _write_and_compare(files, tmp_path, "x.tar")


@pytest.mark.parametrize("call", ["pipe", "fcntl"])
def test_a_pipe_that_is_not_to_be_had(
    call: str,
    files: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    calls: Counter[str],
) -> None:
    """More descriptors, or more pages in pipes, than a user may have."""
    monkeypatch.setattr({"pipe": os, "fcntl": fcntl}[call], call, _refusing(errno.EPERM))
    before = os.listdir("/proc/self/fd")
    _write_and_compare(files, tmp_path, "x.tar")
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert calls["splice"] == 0
    assert calls["copy_file_range"]


def test_no_descriptor_is_left(files: list[Path], tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    write(plan_of(*files), str(tmp_path / "x.tar"))
    assert len(os.listdir("/proc/self/fd")) == before


def test_writes_that_take_less(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: whole(fd, memoryview(data)[:10_007]))
    for name in WAYS:
        monkeypatch.setattr(os, name, _refusing(errno.EXDEV))
    for output in ("x.tar", "x/"):
        _write_and_compare(files, tmp_path, output)


def _write_and_compare(files: list[Path], tmp_path: Path, output: str) -> None:
    plan = plan_of(*files)
    write(plan, f"{tmp_path}/{output}")
    if output.endswith("/"):
        for path in files:
            assert (tmp_path / output / path.name).read_bytes() == path.read_bytes()
    else:
        assert (tmp_path / output).read_bytes() == tar_of(plan)


def test_a_file_that_is_appended_to(files: list[Path], tmp_path: Path) -> None:
    """The kernel does not copy to one; sources that begin in the middle of a page."""
    (tmp_path / "x").write_bytes(b"before")
    fd = os.open(tmp_path / "x", os.O_WRONLY | os.O_APPEND)
    plan = plan_of(*files)
    size = write_pieces(members(plan), fd, "-")
    os.close(fd)
    assert (tmp_path / "x").read_bytes() == b"before" + tar_of(plan)
    assert size == len(tar_of(plan))


def test_a_pipe_gets_copies(files: list[Path], tmp_path: Path, calls: Counter[str]) -> None:
    """A page of a source that stands in a pipe would change with the source."""
    plan = plan_of(tmp_path / "b", tmp_path / "f")
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, ThreadPoolExecutor(1) as thread:
        read = thread.submit(reader.read)
        write_pieces(members(plan), writing, "-")
        os.close(writing)
        assert read.result() == tar_of(plan)
    assert not any(calls[way] for way in WAYS)


# What goes wrong


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_an_output_that_takes_no_more(
    number: int, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the last way counts: it knows on which side it was."""
    for name in (*WAYS, "write"):
        monkeypatch.setattr(os, name, _refusing(number))
    with pytest.raises(OutputError, match=os.strerror(number).lower()):
        write(plan_of(tmp_path / "d"), str(tmp_path / "x.tar"))
    assert not (tmp_path / "x.tar").exists()


@pytest.mark.parametrize("output", ["x.tar", "x.tar.gz", "x/"])
def test_a_source_that_cannot_be_read(
    output: str, files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*WAYS, "preadv"):
        monkeypatch.setattr(os, name, _refusing(errno.EIO))
    with pytest.raises(InputError, match=r"cannot be read: input/output error"):
        write(plan_of(tmp_path / "d"), f"{tmp_path}/{output}")
    assert not (tmp_path / output).exists()


@pytest.mark.parametrize("output", ["x.tar", "x.tar.gz", "x/"])
@pytest.mark.parametrize("by", [-MEGABYTE, 1])
def test_a_source_of_another_size(by: int, output: str, files: list[Path], tmp_path: Path) -> None:
    """Whoever opens it did not notice."""
    blob = blob_of(tmp_path / "d")
    entry = Regular(path="/d", reason=Reason("added"), blob=blob._replace(size=blob.size - by))
    if by < 0:
        with pytest.raises(InputError, match="ends after 3145735 of 4194311 bytes"):
            write(Plan(entries=(entry,), programs=()), f"{tmp_path}/{output}")
        assert not (tmp_path / output).exists()
    else:
        write(Plan(entries=(entry,), programs=()), f"{tmp_path}/{output}")


def test_blocks_are_full_whatever_the_pieces() -> None:
    pieces: list[bytes | Blob] = [
        b"a" * 10,
        from_bytes(b"b" * 25, "b"),
        b"",
        b"c" * 3,
        from_bytes(b"", "d"),
    ]
    for count in (1, 2, 3):
        buffers = [memoryview(bytearray(8)) for _ in range(count)]
        found = [bytes(block) for block in blocks(pieces, *buffers)]
        assert b"".join(found) == b"a" * 10 + b"b" * 25 + b"c" * 3
        assert [len(block) for block in found] == [8, 8, 8, 8, 6]
