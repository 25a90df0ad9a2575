"""A plan as an unpacked tree."""

from __future__ import annotations

import errno
import os

from elfpack.blob import Blob, Reading
from elfpack.errors import OutputError
from elfpack.pack.copying import BLOCK, IN_KERNEL, copy_run
from elfpack.paths import encode
from elfpack.planning.entry import SET_ID, Directory, Entry, HardLink, Plan, Regular, Symlink

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_tree(plan: Plan, top: bytes) -> None:
    """Put every entry below ``top``, an empty directory.

    Modes and times are set whatever the umask. Owners and privileges are kept if the user is root;
    otherwise the tree is the user's own, as tar does it, and has neither capabilities nor set-id
    bits, which would be those of another user.

    Raises:
        OSError: something cannot be written. The caller removes what is there.
        OutputError: the file system keeps no capabilities.
        InputError: a source changed since the plan was made.
    """
    root = os.geteuid() == 0
    buffer = memoryview(bytearray(BLOCK))
    for entry in plan.entries:
        if isinstance(entry, Regular):
            _write(plan.content(entry), _below(top, entry.path), buffer)
        else:
            _make(entry, _below(top, entry.path), top)
    # From the inside out: a directory's time and mode are final when its content is.
    for entry in reversed(plan.entries):
        if not isinstance(entry, HardLink):
            _finish(entry, _below(top, entry.path), root=root)
            times = (plan.epoch, plan.epoch)
            os.utime(_below(top, entry.path), times, follow_symlinks=False)
    os.utime(top, (plan.epoch, plan.epoch))


def _below(top: bytes, path: str) -> bytes:
    return top + encode(path)


def _make(entry: Directory | Symlink | HardLink, path: bytes, top: bytes) -> None:
    match entry:
        case Directory():
            os.mkdir(path, 0o700)
        case Symlink():
            os.symlink(encode(entry.target), path)
        case HardLink():
            os.link(_below(top, entry.target), path, follow_symlinks=False)


def _write(blob: Blob, path: bytes, buffer: memoryview) -> None:
    """The content, with the holes that the source has."""
    fd = os.open(path, _NEW, 0o600)
    try:
        is_hole = False
        with Reading(blob) as reading:
            while True:
                left, ends_in_hole = reading.run()
                if not left:
                    break
                is_hole = ends_in_hole
                if is_hole:
                    os.lseek(fd, left, os.SEEK_CUR)
                    reading.skip(left)
                else:
                    copy_run(reading, fd, IN_KERNEL, buffer)
        if is_hole:
            os.ftruncate(fd, blob.size)
    finally:
        os.close(fd)


def _finish(entry: Entry, path: bytes, *, root: bool) -> None:
    """Owner, mode and capability, in that order: a change of owner takes the others away.
    Source: chown(2), capabilities(7)."""
    if root:
        owner = entry.owner if isinstance(entry, (Directory, Regular)) else (0, 0)
        os.chown(path, *owner, follow_symlinks=False)
    if isinstance(entry, Directory):
        os.chmod(path, entry.mode)
    elif isinstance(entry, Regular):
        os.chmod(path, entry.mode if root else entry.mode & ~SET_ID)
        if entry.capability and root:
            _set_capability(path, entry)


def _set_capability(path: bytes, entry: Regular) -> None:
    try:
        os.setxattr(path, "security.capability", entry.capability, follow_symlinks=False)
    except OSError as e:
        if e.errno not in (errno.ENOTSUP, errno.EPERM):
            raise
        raise OutputError(
            f"its file capabilities cannot be kept there: {os.strerror(e.errno).lower()}",
            path=entry.path,
            hint="write a tar, or leave out --keep-privileges",
        ) from e
