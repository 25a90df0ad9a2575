"""A directory of the host as a root: ``/``, or a sysroot. By descriptors, never by joined paths."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from functools import lru_cache

from elfpack.blob import FileSource, Source, let_go, refuse_trouble
from elfpack.errors import InputError
from elfpack.light import TYPE_CHECKING
from elfpack.paths import decode, encode
from elfpack.root.node import FORMAT, Node

if TYPE_CHECKING:
    from typing import Any


_DESCRIPTORS = 128
"""Directories kept open at most: a process may have 1,024 files, and needs some for itself."""
_SHARE = 4
"""Of what a process may have, one in so many."""
_O_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: what was a regular file a moment ago may be a FIFO now, and must not hang us.
_O_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def is_top(path: str) -> bool:
    """Whether a host path is the root of the file system, however it is written."""
    try:
        return os.path.samestat(os.stat(encode(path)), os.stat(b"/"))
    except OSError as e:
        refuse_trouble(e, path)
    except ValueError:
        pass
    return False


class DirectoryRoot:
    """Opens each directory component by component, relative to the one above it, and follows no
    link: someone who swaps a directory for a link while elfpack works gains nothing."""

    def __init__(self, path: str = "/") -> None:
        """``path`` is a host path; links on the way to it are followed, inside it they are data."""
        self.label = path
        try:
            top = os.open(encode(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as e:
            raise InputError(
                f"cannot be used as a root: {os.strerror(e.errno or 0).lower()}",
                path=path,
                hint="name a directory that holds the tree to look in",
            ) from e
        self._open: dict[str, _Descriptor] = {"": _Descriptor(top)}
        """The top, and those that were asked for last."""
        allowed = os.sysconf("SC_OPEN_MAX")
        self._most = _DESCRIPTORS if allowed < 0 else min(_DESCRIPTORS, max(2, allowed // _SHARE))

    def close(self) -> None:
        """Let go of the descriptors. The root cannot be used afterwards."""
        self._open.clear()

    def release(self) -> None:
        """Let go of all but the top: the others are opened again when somebody asks for them."""
        self._forget(0)

    def node(self, directory: str, name: str) -> Node | int:
        fd = self._open.get(directory)
        if fd is None:
            try:
                fd = self._descriptor(directory)
            except OSError as e:
                return _answer(e, directory)
        try:
            return _node(fd, encode(name))
        except OSError as e:
            return _answer(e, f"{directory}/{name}")
        except ValueError:  # a NUL in the name: no file has one
            return errno.ENOENT

    def entries(self, directory: str) -> tuple[str, ...] | int:
        try:
            fd = self._descriptor(directory)
            # O_PATH descriptors cannot be read; "." is the directory itself, no link.
            listing = self._opened(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, fd)
            try:
                names = os.listdir(listing)
            finally:
                let_go(listing)
        except OSError as e:
            return _answer(e, directory)
        return tuple(decode(n) for n in sorted(map(os.fsencode, names)))

    def capabilities(
        self, directory: str, name: str, node: Node, source: Source | None = None
    ) -> bytes:
        if isinstance(source, FileSource):
            return source.capabilities()
        try:
            opened = self.open(directory, name, node)
        except OSError:
            return b""  # it is told when the content is read
        try:
            return opened.capabilities()
        finally:
            opened.close()

    def open(self, directory: str, name: str, node: Node) -> FileSource:
        if not node.is_regular:
            raise OSError(errno.EINVAL, "not a regular file")
        path = f"{directory}/{name}"
        fd = -1
        try:
            parent = self._open.get(directory)
            if parent is None:
                parent = self._descriptor(directory)
            fd = self._opened(encode(name), _O_FILE, parent)
            seen = os.fstat(fd)
        except OSError as e:
            if fd >= 0:
                let_go(fd)
            refuse_trouble(e, path)
            if e.errno in _REPLACED:
                raise _changed(path) from e
            raise
        if (seen.st_dev, seen.st_ino) == node.identity and (
            (seen.st_size, seen.st_mtime_ns) == (node.size, node.mtime_ns)
            and stat.S_ISREG(seen.st_mode)
        ):
            return FileSource(fd, path, seen)
        let_go(fd)
        raise _changed(path)

    def _descriptor(self, directory: str) -> _Descriptor:
        """A descriptor of a real directory, open as long as somebody has it."""
        known = self._open.get(directory)
        if known is not None:
            return known
        # Up to the nearest directory that is open, then down again.
        missing: list[str] = []
        above, fd = directory, None
        while (fd := self._open.get(above)) is None:
            if not above:
                hint = "write a plan before its session is closed"
                raise InputError("its session is closed", path=self.label, hint=hint)
            above, _, name = above.rpartition("/")
            missing.append(name)
        for name in reversed(missing):
            above = f"{above}/{name}"
            fd = _Descriptor(self._opened(encode(name), _O_DIRECTORY, fd))
            if len(self._open) >= self._most:
                self._forget(self._most - self._most // 8 - 1)
            fd = self._open.setdefault(above, fd)  # another thread may have been faster
        return fd

    def _opened(self, name: bytes, flags: int, directory: int) -> int:
        """A new descriptor. One that is kept is let go of where there are too many."""
        try:
            return os.open(name, flags, dir_fd=directory)
        except OSError as e:
            if e.errno not in (errno.EMFILE, errno.ENFILE) or len(self._open) < 2:
                raise
        self.release()
        return os.open(name, flags, dir_fd=directory)

    def _forget(self, kept: int) -> None:
        """Keep so many besides the top: the first, which most paths begin with and every pass over
        a tree comes to again, and some of the latest, below which the next ones are. Who works with
        another has it still."""
        others, latest = list(self._open)[1:], (kept + 3) // 4
        for path in others[kept - latest : max(kept, len(others)) - latest]:
            self._open.pop(path, None)


class _Descriptor(int):
    """A descriptor that is closed when nobody has it any more, in whatever thread."""

    def __del__(self, close: Callable[[int], None] = let_go) -> None:
        close(self)


_REPLACED = (errno.ENOTDIR, errno.ELOOP)
"""What an open says of a regular file that is a link by now, or has one above it."""


def _changed(path: str) -> InputError:
    hint = "run again when nothing writes to it"
    return InputError("changed while elfpack worked", path=path, hint=hint)


def _answer(error: OSError, path: str) -> int:
    """The errno of a look-up that failed.

    Raises:
        TroubleError: it is our own trouble, not the tree's.
    """
    refuse_trouble(error, path, "cannot be looked at")
    return error.errno or errno.EIO


def _node(fd: int, name: bytes) -> Node:
    found: Any = os.stat(name, dir_fd=fd, follow_symlinks=False) if name else os.fstat(fd)
    mode = found.st_mode
    target = ""
    if mode & FORMAT == stat.S_IFLNK:
        target = decode(os.readlink(name, dir_fd=fd))
    device, owner = _shared(found.st_dev, found.st_uid, found.st_gid)
    return Node(
        _number(mode),
        (device, found.st_ino),
        found.st_size,
        found.st_mtime_ns,
        target,
        owner,
        None,
    )


@lru_cache(maxsize=64)
def _shared(device: int, user: int, group: int) -> tuple[int, tuple[int, int]]:
    """What most files have in common, as one object for all of them: a plan may hold a great
    many."""
    return device, (user, group)


@lru_cache(maxsize=64)
def _number(mode: int) -> int:
    return mode
