"""What tells a tree that elfpack wrote from one that somebody else has put something into.

A hidden file beside the tree, never inside it: ``.NAME.elfpack`` lists every path with its kind,
size and time. A tree that holds anything else, or a file that was changed, is not replaced.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable

from elfpack.blob import let_go
from elfpack.pack import leftover

_HEAD = b"elfpack tree 1: lists what elfpack wrote beside it; remove both together\n"
_LIMIT = 1 << 28
"""Bytes. A longer list is none of ours."""
Records = frozenset[bytes]


def _beside(path: bytes) -> bytes | None:
    directory, name = os.path.split(path)
    return os.path.join(directory, b".%s.elfpack" % name[:200]) if name else None


def identity(path: bytes) -> tuple[int, int] | None:
    """Device and inode of the marker of a tree."""
    try:
        found = os.lstat(_beside(path) or b"")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def known(path: bytes) -> Records:
    """What elfpack wrote at a place. Nothing, if the list is not the user's own."""
    file = _beside(path)
    return read(file) if file is not None else frozenset()


def read(file: bytes) -> Records:
    """A list, if it is one, and the user's own."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return frozenset()
    try:
        seen = os.fstat(fd)
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid() or seen.st_size > _LIMIT:
            return frozenset()
        with open(fd, "rb", closefd=False) as stream:
            # Python takes memory for all that is asked for.
            head, *lines = stream.read(seen.st_size).split(b"\n", 1)
    except OSError:
        return frozenset()
    finally:
        let_go(fd)
    return frozenset(lines[0].split(b"\0")) - {b""} if head + b"\n" == _HEAD else frozenset()


def write(path: bytes, made: Records) -> None:
    """Note what elfpack wrote at a place. Where the directory above cannot be written there is no
    note, and the tree is not replaced later.

    Raises:
        OSError: it cannot be written, although the directory can.
    """
    file = _beside(path)
    if file is None:
        return
    if not made:
        leftover.remove(file)
        return
    work = leftover.beside(file)
    try:
        put(work, made)
        os.rename(work, file)
    except PermissionError:
        leftover.remove(work)  # an old list knows nothing of the new tree, which is then not ours
    except OSError as e:
        leftover.remove(work)
        if e.errno != errno.EROFS:
            raise


def put(file: bytes, made: Records) -> None:
    """Write a list.

    Raises:
        OSError: it cannot be written.
    """
    with open(file, "xb") as stream:
        stream.write(_HEAD + b"".join(record + b"\0" for record in sorted(made)))


def records(top: bytes) -> Records:
    """What is in a tree now."""
    return frozenset(_record(name, seen) for name, seen in leftover.walk(top))


def stranger(path: bytes, ours: Records) -> bytes | None:
    """The first path of a tree that elfpack did not put there as it is now. Where runs work is
    theirs.

    Raises:
        OSError: the tree cannot be looked at.
    """
    works = leftover.works(path)
    for name, seen in leftover.walk(path, strict=True):
        if _record(name, seen) not in ours and name.split(b"/", 1)[0] not in works:
            return name
    return None


def remove(top: bytes, names: Iterable[bytes], ours: Records) -> None:
    """Remove, of these entries of a directory, what elfpack put there as it is now. Whatever else
    is in them stays, with the directories on the way to it."""
    wanted = frozenset(names)
    leftover.remove_below(
        top, lambda name, seen: name.split(b"/", 1)[0] in wanted and _record(name, seen) in ours
    )


def _record(name: bytes, seen: os.stat_result) -> bytes:
    """What is remembered of a path. A directory's time changes with its entries."""
    kind = stat.S_IFMT(seen.st_mode)
    if kind == stat.S_IFDIR:
        return b"%o %s" % (kind, name)
    return b"%o %d %d %s" % (kind, seen.st_size, seen.st_mtime_ns, name)
