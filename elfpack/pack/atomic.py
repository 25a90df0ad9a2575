"""Outputs that appear whole or not at all: written beside their place, then renamed.

A run that fails or is interrupted leaves what was there before, and nothing else. What a run that
was killed has left is removed by the next one for the same output.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from elfpack.blob import MORE_FILES, let_go
from elfpack.errors import OutputError, RequestError
from elfpack.pack import exchange, leftover, marker
from elfpack.paths import decode, encode

_GATHER = 1 << 18
"""Bytes. Smaller pieces are written together."""


def target(output: str) -> bytes:
    """Where OUT is: a link is followed, as for any program that opens its output.

    Raises:
        OutputError: it cannot be looked at.
    """
    path = encode(output.rstrip("/") or "/")
    try:
        try:
            os.stat(path)  # the kernel decides whose links are followed, protected_symlinks
        except (FileNotFoundError, NotADirectoryError):
            pass  # new, or a link to what is not there yet
        return os.path.realpath(path)
    except (OSError, ValueError) as e:
        raise fault(e, output) from e


def check_file(output: str, tree: str) -> None:
    """Whether a file of that name can be written, as far as that shows before any work is done.
    ``tree`` is what would be written to a directory.

    Raises:
        RequestError: it is a directory.
        OutputError: its directory does not exist or cannot be written, or a socket is in the way.
    """
    if os.path.isdir(encode(output)):
        raise RequestError("is a directory", path=output, hint=f"write {output}/ for {tree}")
    path = target(output)
    if stat.S_ISSOCK(leftover.mode(path)):
        raise OutputError("is a socket", path=output, hint="write to a file")
    if not _is_stream(path):
        _check_parent(path, output)


def check_tree(output: str) -> None:
    """Whether a tree can be put at that place, as far as that shows before any work is done.

    Raises:
        OutputError: as for :func:`check_file`; or it holds something that elfpack did not put
            there.
    """
    path = target(output)
    with exchange.alone(path):
        _check_tree(path, output)


def _check_tree(path: bytes, output: str) -> None:
    if not leftover.mode(path):
        _check_parent(path, output)
        return
    try:
        exchange.refuse_strangers(path, output, marker.known(path))
    except OSError as e:
        raise fault(e, output) from e
    if not _is_writable(path):
        raise OutputError("permission denied", path=output, hint="name one that you may write")


def _check_parent(path: bytes, output: str) -> None:
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        raise OutputError("its directory does not exist", path=output, hint="make it first")
    if not _is_writable(parent):
        raise OutputError(
            "permission denied in its directory", path=output, hint="name one that you may write"
        )


def _is_writable(directory: bytes) -> bool:
    """As the process is now, with the capabilities that it has."""
    effective = os.access in os.supports_effective_ids
    return os.access(directory, os.W_OK | os.X_OK, effective_ids=effective)


def _is_stream(path: bytes) -> bool:
    """A FIFO or device, which is written to and not replaced."""
    mode = leftover.mode(path)
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


@contextmanager
def new_file(output: str) -> Iterator[int]:
    """A descriptor for the content of a file, which takes its place when the block ends.

    It gets the mode that the umask gives, as any program's output does.

    Raises:
        OutputError: it cannot be written.
    """
    path = target(output)
    try:
        if _is_stream(path):
            fd = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
            try:
                yield fd
            except BaseException:
                let_go(fd)
                raise
            os.close(fd)
            return
        exchange.clear(path)
        work = leftover.beside(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(work, flags, 0o666)
        try:
            leftover.lock(fd)
            yield fd
            # Some file systems tell when a file is closed that they could not write it. This one
            # is locked until it is in its place.
            os.close(os.dup(fd))
            os.rename(work, path)
        except BaseException:
            leftover.remove(work)
            raise
        finally:
            let_go(fd)
    except OSError as e:
        raise fault(e, output) from e


def write_all(chunks: Iterable[bytes | memoryview], fd: int, output: str) -> int:
    """All of it, to a descriptor. Returns the number of bytes.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: its reader is gone.
    """
    size = 0
    for chunk in _gathered(chunks):
        with told(output):
            size += put(chunk, fd)
    return size


def put(data: bytes | memoryview, fd: int) -> int:
    """All of it, to a descriptor, which may take less at once. Returns the number of bytes."""
    done = os.write(fd, data)
    size = len(data)
    if done < size:
        view = memoryview(data)
        while done < size:
            done += os.write(fd, view[done:])
    return size


@contextmanager
def told(output: str) -> Iterator[None]:
    """What the system says of an output, as the one line for it.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: its reader is gone.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as e:
        raise fault(e, output) from e


def _gathered(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """Small pieces joined: what a compressor gives may be little at a time."""
    kept: list[bytes] = []
    size = 0
    for chunk in chunks:
        if len(chunk) < _GATHER:
            kept.append(bytes(chunk))
            size += len(chunk)
            if size < _GATHER:
                continue
            chunk = b""
        yield b"".join(kept)
        yield chunk
        kept, size = [], 0
    yield b"".join(kept)


@contextmanager
def new_tree(output: str) -> Iterator[bytes]:
    """An empty directory to fill, whose content takes its place when the block ends.

    A directory that is new, or elfpack's own earlier output, is renamed into place. One that is
    empty, a mount point, or the working directory stays the directory that it is, and gets the
    content in the last moment.

    Raises:
        OutputError: it cannot be written, or holds what elfpack did not put there.
    """
    check_tree(output)
    path = target(output)
    try:
        with exchange.alone(path):
            exchange.clear(path)
            inside = _stays(path)
        work = leftover.inside(path) if inside else leftover.beside(path)
        new = work + exchange.NEW
        os.mkdir(work, 0o700)
        try:
            os.chmod(work, 0o700)  # whatever the umask
            with _held(work):
                leftover.sign(work)
                os.mkdir(new, 0o777)
                yield new
                when = os.stat(new).st_mtime_ns
                exchange.put(path, work, output, inside=inside)
        finally:
            try:
                exchange.undo(work, path)
            except KeyboardInterrupt:
                exchange.undo(work, path)
                raise
        if inside and leftover.mode(work):
            name = decode(os.path.basename(work))
            raise OutputError(f"{name} in it cannot be removed", path=output, hint="remove it")
        _date(path, when)
    except OSError as e:
        raise fault(e, output) from e


@contextmanager
def _held(directory: bytes) -> Iterator[None]:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        leftover.lock(fd)
        yield
    finally:
        let_go(fd)


def _date(path: bytes, when: int) -> None:
    """The time of a directory changed with its entries."""
    try:
        os.utime(path, ns=(when, when))
    except OSError:
        pass  # a mount point may belong to somebody else; the tree in it is whole


def _stays(path: bytes) -> bool:
    """Whether what is there is filled, not replaced."""
    if not leftover.mode(path):
        return False
    if not _is_writable(os.path.dirname(path)):
        return True
    if os.path.samestat(os.stat(path), os.stat(b".")):
        return True
    return not os.listdir(path) or leftover.is_mount(path)


def fault(error: OSError | ValueError, output: str) -> OutputError:
    """The one line for what the system says of an output."""
    number = getattr(error, "errno", None) or errno.EIO
    hints = {
        errno.ENOSPC: "make room and run again",
        errno.EDQUOT: "make room and run again",
        errno.EFBIG: "raise the limit for the size of files, ulimit -f",
        errno.EMFILE: MORE_FILES,
        errno.ENFILE: MORE_FILES,
        errno.ENAMETOOLONG: "name a shorter one",
        errno.EBADF: "open standard output, or write to a file",
        errno.EACCES: "name a place that you may write",
        errno.EPERM: "name a place that you may write",
        errno.EROFS: "name a place that can be written",
        errno.ENOENT: "name a place where a file can be made",
        errno.ENOTDIR: "name a directory",
        errno.ELOOP: "name a file, not a link to itself",
        errno.EPIPE: "keep its reader running",
        errno.EEXIST: "another elfpack is writing it, or was killed: remove the file beside it",
        errno.ENOTEMPTY: "something else writes there: name a directory of its own",
    }
    reason = os.strerror(number).lower()
    return OutputError(
        f"cannot be written: {reason}", path=output, hint=hints.get(number, "check the disk")
    )
