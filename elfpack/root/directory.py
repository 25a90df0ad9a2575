"""A directory of the host as a root: ``/``, or a sysroot. By descriptors, never by joined paths."""

from __future__ import annotations

import errno
import os
import stat
from _thread import _local
from functools import lru_cache

from elfpack.blob import FileSource, Source
from elfpack.errors import InputError
from elfpack.light import TYPE_CHECKING
from elfpack.paths import decode, encode
from elfpack.root.node import FORMAT, Node

if TYPE_CHECKING:
    from typing import Any


_DESCRIPTORS = 128
"""Directories kept open. More are opened for each look-up: a process may have 1,024 files."""
_O_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: what was a regular file a moment ago may be a FIFO now, and must not hang us.
_O_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def is_top(path: str) -> bool:
    """Whether a host path is the root of the file system, however it is written."""
    try:
        return os.path.samestat(os.stat(encode(path)), os.stat(b"/"))
    except (OSError, ValueError):
        return False


class DirectoryRoot:
    """Opens each directory component by component, relative to the one above it, and follows no
    link: someone who swaps a directory for a link while elfpack works gains nothing."""

    def __init__(self, path: str = "/") -> None:
        """``path`` is a host path; links on the way to it are followed, inside it they are data."""
        self.label = path
        try:
            self._top = os.open(encode(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as e:
            raise InputError(
                f"cannot be used as a root: {os.strerror(e.errno or 0).lower()}",
                path=path,
                hint="name a directory that holds the tree to look in",
            ) from e
        self._open: dict[str, int] = {"": self._top}
        self._recent: Any = _local()
        """Of each thread the directory that it asked for last, if that is not kept open: who walks
        a tree asks for one directory many times."""

    def close(self) -> None:
        """Let go of the descriptors. The root cannot be used afterwards."""
        self._recent = _local()
        while self._open:
            os.close(self._open.popitem()[1])

    def __del__(self) -> None:
        for fd in getattr(self, "_open", {}).values():
            try:
                os.close(fd)
            except OSError:
                pass  # closed already: an interrupt came in the middle of close()

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
            listing = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
            try:
                names = os.listdir(listing)
            finally:
                os.close(listing)
        except OSError as e:
            return _answer(e, directory)
        return tuple(decode(n) for n in sorted(map(os.fsencode, names)))

    def capabilities(
        self, directory: str, name: str, node: Node, source: Source | None = None
    ) -> bytes:
        if isinstance(source, FileSource):
            return _capabilities(source)
        try:
            opened = self.open(directory, name, node)
        except (OSError, InputError):
            return b""  # it is told when the content is read
        try:
            return _capabilities(opened)
        finally:
            opened.close()

    def open(self, directory: str, name: str, node: Node) -> FileSource:
        if not node.is_regular:
            raise OSError(errno.EINVAL, "not a regular file")
        path = f"{directory}/{name}"
        try:
            parent = self._open.get(directory)
            if parent is None:
                parent = self._descriptor(directory)
            fd = os.open(encode(name), _O_FILE, dir_fd=parent)
        except OSError as e:
            if _answer(e, path) in _REPLACED:
                raise _changed(path) from e
            raise
        seen = os.fstat(fd)
        if (seen.st_dev, seen.st_ino) == node.identity and (
            (seen.st_size, seen.st_mtime_ns) == (node.size, node.mtime_ns)
            and stat.S_ISREG(seen.st_mode)
        ):
            return FileSource(fd, seen)
        os.close(fd)
        raise _changed(path)

    def _descriptor(self, directory: str) -> int:
        """A descriptor of a real directory, open until this thread asks for another."""
        known = self._open.get(directory)
        if known is not None:
            return known
        recent: _Recent | None = getattr(self._recent, "value", None)
        if recent is not None and recent.directory == directory:
            return recent.fd
        if not self._open:
            hint = "write a plan before its session is closed"
            raise InputError("its session is closed", path=self.label, hint=hint)
        # Up to the nearest directory that is open, then down again.
        missing: list[str] = []
        above = directory
        while above not in self._open:
            above, _, name = above.rpartition("/")
            missing.append(name)
        fd, keep = self._open[above], True
        for name in reversed(missing):
            above = f"{above}/{name}"
            try:
                below = os.open(encode(name), _O_DIRECTORY, dir_fd=fd)
            finally:
                if not keep:
                    os.close(fd)
            keep = len(self._open) < _DESCRIPTORS
            if keep:
                kept = self._open.setdefault(above, below)
                if kept != below:  # another thread was faster
                    os.close(below)
                    below = kept
            fd = below
        if not keep:
            self._recent.value = _Recent(directory, fd)
        return fd


class _Recent:
    """A directory, open as long as this is."""

    __slots__ = ("directory", "fd")

    def __init__(self, directory: str, fd: int) -> None:
        self.directory = directory
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


_OURS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
"""Errors that say nothing about the tree: a loader would not meet them, and no answer may rest on
them."""


_REPLACED = (errno.ENOTDIR, errno.ELOOP)
"""What an open says of a regular file that is a link by now, or has one above it."""


def _changed(path: str) -> InputError:
    hint = "run again when nothing writes to it"
    return InputError("changed while elfpack worked", path=path, hint=hint)


def _answer(error: OSError, path: str) -> int:
    """The errno of a look-up that failed.

    Raises:
        InputError: it is our own trouble, not the tree's.
    """
    number = error.errno or errno.EIO
    if number in _OURS:
        raise InputError(
            f"cannot be looked at: {os.strerror(number).lower()}",
            path=path or "/",
            hint="raise the limit of open files, ulimit -n"
            if number in (errno.EMFILE, errno.ENFILE)
            else "check the disk and the memory",
        ) from error
    return number


def _capabilities(source: FileSource) -> bytes:
    try:
        return os.getxattr(source.fileno(), "security.capability")
    except OSError:
        return b""  # it has none, or the file system knows none


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
