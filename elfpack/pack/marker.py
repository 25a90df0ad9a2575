"""What tells a tree that elfpack wrote from one that somebody else has put something into.

A hidden file beside the tree, never inside it: ``.NAME.elfpack`` lists every path with its kind,
size and time. A tree that holds anything else, or a file that was changed, is not replaced.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

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


def is_marked(path: bytes) -> bool:
    """Whether elfpack has written a tree there before."""
    return bool(known(path))


def known(path: bytes) -> Records:
    """What elfpack wrote at a place. Nothing, if the list is not the user's own."""
    file = _beside(path)
    try:
        fd = os.open(file or b"", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return frozenset()
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_size > _LIMIT:
        os.close(fd)
        return frozenset()
    with open(fd, "rb") as stream:
        head, *lines = stream.read(_LIMIT).split(b"\n", 1)
    return frozenset(lines[0].split(b"\0")) - {b""} if head + b"\n" == _HEAD else frozenset()


def write(path: bytes, made: Records) -> None:
    """Note what elfpack wrote at a place. Where the directory above cannot be written there is no
    note, and the tree is not replaced later."""
    file = _beside(path)
    if file is None:
        return
    if not made:
        leftover.remove(file)
        return
    work = leftover.beside(file)
    try:
        with open(work, "xb") as stream:
            stream.write(_HEAD + b"".join(record + b"\0" for record in sorted(made)))
        os.rename(work, file)
    except OSError:
        leftover.remove(work)  # an old list knows nothing of the new tree, which is then not ours


def records(top: bytes) -> Records:
    """What is in a tree now."""
    return frozenset(record for _, record in _walk(top, strict=False))


def stranger(path: bytes, own: bytes = b"") -> bytes | None:
    """The first path of a tree that elfpack did not put there as it is now. ``own`` is where this
    run works, which may be inside the tree.

    Raises:
        OSError: the tree cannot be looked at.
    """
    ours = known(path)
    left = {os.path.basename(work) for work in (*leftover.stale(path), own)}
    for name, record in _walk(path, strict=True):
        if record not in ours and name.split(b"/", 1)[0] not in left:
            return name
    return None


def _walk(top: bytes, *, strict: bool) -> Iterator[tuple[bytes, bytes]]:
    """Paths below a directory with what is remembered of them; directories without their time,
    which changes with their entries. What may not be listed is an error only if ``strict``."""
    pending = [b""]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(os.path.join(top, directory)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except PermissionError:
            if strict:
                raise
            continue
        for entry in found:
            name = os.path.join(directory, entry.name)
            seen = entry.stat(follow_symlinks=False)
            kind = stat.S_IFMT(seen.st_mode)
            if kind == stat.S_IFDIR:
                pending.append(name)
                yield name, b"%o %s" % (kind, name)
            else:
                yield name, b"%o %d %d %s" % (kind, seen.st_size, seen.st_mtime_ns, name)
