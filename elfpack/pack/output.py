"""Where an output goes: written beside its place under another name, then renamed.

A run that fails or is interrupted leaves what was there before, and nothing else.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from elfpack.blob import Blob
from elfpack.errors import OutputError, RequestError
from elfpack.formats.compression import gzip
from elfpack.pack.directory import write_tree
from elfpack.pack.tar import members
from elfpack.paths import encode
from elfpack.planning.entry import Plan

T = TypeVar("T")


class Written(NamedTuple):
    """What became of a plan."""

    output: str
    """As the user named it."""
    size: int
    """Bytes of the output; of a tree those of its files."""
    form: str
    """``tar``, ``tar.gz`` or ``tree``."""


class Writer(NamedTuple):
    """One form of output."""

    form: str
    endings: tuple[str, ...]
    wrap: Callable[[Iterable[bytes]], Iterable[bytes]]


def _plain(chunks: Iterable[bytes]) -> Iterable[bytes]:
    return chunks


WRITERS = (Writer("tar", (".tar",), _plain), Writer("tar.gz", (".tar.gz", ".tgz"), gzip))
"""Tar streams, chosen by the ending of OUT. A path that ends in ``/`` is a tree."""

STDOUT = "-"


def check_output(output: str) -> None:
    """Whether an output of that name can be written, before any work is done.

    Raises:
        RequestError: the ending says nothing, or standard output is a terminal.
        OutputError: the directory does not exist or cannot be written, or is in the way.
    """
    check_place(output, [e for w in WRITERS for e in w.endings], "an unpacked tree")


def check_place(output: str, endings: Iterable[str], tree: str) -> None:
    """As :func:`check_output`, for files of these endings. ``tree``: what a directory would be."""
    if output == STDOUT:
        if os.isatty(1):
            raise RequestError(
                "a tar does not belong on a terminal", path=output, hint="write to a pipe or a file"
            )
        return
    if output.endswith("/"):
        _check_tree(output)
        return
    if os.path.isdir(encode(output)):
        raise RequestError("is a directory", path=output, hint=f"write {output}/ for {tree}")
    if not any(output.endswith(ending) and output != ending for ending in endings):
        known = ", ".join(endings)
        raise RequestError(
            "its ending says nothing", path=output, hint=f"{known}, a path ending in /, or -"
        )
    _check_parent(output, output)


def _check_tree(output: str) -> None:
    path = encode(output.rstrip("/") or "/")
    try:
        names = os.listdir(path)
    except FileNotFoundError:
        _check_parent(output.rstrip("/"), output)
        return
    except OSError as e:
        raise _fault(e, output) from e
    if names:
        raise OutputError(
            "is not empty", path=output, hint="name a directory that is empty or does not exist"
        )
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError("permission denied", path=output, hint="name one that you may write")


def _check_parent(path: str, output: str) -> None:
    parent = os.path.dirname(encode(path)) or b"."
    if not os.path.isdir(parent):
        raise OutputError("its directory does not exist", path=output, hint="make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(
            "permission denied in its directory", path=output, hint="name one that you may write"
        )


def _writer(output: str) -> Writer | None:
    for writer in WRITERS:
        if any(output.endswith(e) and output != e for e in writer.endings):
            return writer
    return None


def identity(output: str) -> tuple[int, int] | None:
    """Device and inode of an earlier output of that name."""
    try:
        found = os.stat(encode(output))
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def write(plan: Plan, output: str) -> Written:
    """Write a plan to OUT, in the form that its ending says.

    Raises:
        RequestError, OutputError: see :func:`check_output`; or the disk is full.
        InputError: a source changed since the plan was made.
    """
    check_output(output)
    if output == STDOUT:
        return Written(output, to_descriptor(bytes_of(members(plan)), 1, output), "tar")
    if output.endswith("/"):
        _tree(plan, output)
        return Written(output, plan.size, "tree")
    writer = _writer(output)
    assert writer is not None
    return Written(output, _file(writer.wrap(bytes_of(members(plan))), output), writer.form)


def bytes_of(pieces: Iterable[bytes | Blob]) -> Iterator[bytes]:
    """The pieces that a writer gives, with their blobs' content."""
    for piece in pieces:
        if isinstance(piece, Blob):
            yield from piece.chunks()
        else:
            yield piece


def _file(chunks: Iterable[bytes], output: str) -> int:
    return into_file(output, lambda fd: to_descriptor(chunks, fd, output))


def into_file(output: str, fill: Callable[[int], T]) -> T:
    """What ``fill`` makes of the descriptor of a new file, which then takes the place of OUT.

    Raises:
        OutputError: it cannot be written. OUT is as it was, also after any other error.
    """
    path = encode(output)
    beside = _beside(path)
    try:
        # The mode that the umask gives, as any program's output has it.
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as e:
        raise _fault(e, output) from e
    try:
        try:
            made = fill(fd)
        finally:
            os.close(fd)
        os.rename(beside, path)
    except BaseException as e:
        _unlink(beside)
        if isinstance(e, OSError):
            raise _fault(e, output) from e
        raise
    return made


def _beside(path: bytes) -> bytes:
    """A name beside ``path`` that nobody else takes: hidden, short enough, ours by its number."""
    directory, _, name = path.rpartition(b"/")
    hidden = b".%s.elfpack-%d" % (name[:200], os.getpid())
    return directory + b"/" + hidden if b"/" in path else hidden


def to_descriptor(chunks: Iterable[bytes], fd: int, output: str) -> int:
    """The bytes written; an error of the output is its OutputError."""
    size = 0
    for chunk in chunks:
        view = memoryview(chunk)
        size += len(view)
        while view:
            try:
                done = os.write(fd, view)
            except BrokenPipeError:
                raise
            except OSError as e:
                raise _fault(e, output) from e
            view = view[done:]
    return size


def _tree(plan: Plan, output: str) -> None:
    names = {entry.path.split("/")[1] for entry in plan.entries}
    into_directory(output, lambda top: write_tree(plan, top), names)


def into_directory(output: str, fill: Callable[[bytes], T], names: Iterable[str]) -> T:
    """What ``fill`` makes of the path of a new directory, which then takes the place of OUT.

    ``names`` are all that it may make at the top.

    Raises:
        OutputError: it cannot be written. OUT is as it was, also after any other error.
    """
    path = encode(output.rstrip("/") or "/")
    try:
        if os.path.isdir(path):
            return _in_place(path, fill, names)
        beside = _beside(path)
        os.mkdir(beside, 0o777)
        try:
            made = fill(beside)
            os.rename(beside, path)
        except BaseException:
            _remove(beside)
            raise
    except OSError as e:
        raise _fault(e, output) from e
    return made


def _in_place(path: bytes, fill: Callable[[bytes], T], names: Iterable[str]) -> T:
    """An empty directory, which may be a mount point, is filled; on failure emptied again."""
    try:
        return fill(path)
    except FileExistsError:  # another process writes there too: what it made stays
        raise
    except BaseException:
        for name in names:
            _remove(os.path.join(path, encode(name)))
        raise


def _remove(path: bytes) -> None:
    import shutil

    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    else:
        _unlink(path)


def _unlink(path: bytes) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass  # it is not there, or the disk is gone: the first error tells more


def _fault(error: OSError, output: str) -> OutputError:
    number = error.errno or errno.EIO
    hints = {
        errno.ENOSPC: "make room and run again",
        errno.EDQUOT: "make room and run again",
        errno.EFBIG: "raise the limit for the size of files, ulimit -f",
        errno.ENAMETOOLONG: "name a shorter one",
        errno.EBADF: "open standard output, or write to a file",
        errno.EACCES: "name a place that you may write",
        errno.EPERM: "name a place that you may write",
        errno.EROFS: "name a place that can be written",
        errno.ENOENT: "make its directory first",
        errno.ENOTDIR: "name a directory",
        errno.EEXIST: "another elfpack is writing it, or was killed: remove the file beside it",
    }
    reason = os.strerror(number).lower()
    hint = hints.get(number)
    return OutputError(f"cannot be written: {reason}", path=output, hint=hint)
