"""A plan as an unpacked tree."""

from __future__ import annotations

import os

from elfpack.paths import encode
from elfpack.planning.entry import Directory, Entry, HardLink, Plan, Regular, Symlink

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_tree(plan: Plan, top: bytes) -> None:
    """Put every entry below ``top``, an empty directory.

    Owners are kept as far as the user may set them: without root the tree is the user's own, as
    tar does it. Modes and times are set whatever the umask.

    Raises:
        OSError: something cannot be written. The caller removes what is there.
        InputError: a source changed since the plan was made.
    """
    root = os.geteuid() == 0
    for entry in plan.entries:
        _make(entry, _below(top, entry.path), top)
    # From the inside out: a directory's time and mode are final when its content is.
    for entry in reversed(plan.entries):
        path = _below(top, entry.path)
        if root:
            owner = entry.owner if isinstance(entry, Directory) else (0, 0)
            os.chown(path, *owner, follow_symlinks=False)
        if isinstance(entry, (Directory, Regular)):
            os.chmod(path, entry.mode)
        os.utime(path, (plan.epoch, plan.epoch), follow_symlinks=False)
    os.utime(top, (plan.epoch, plan.epoch))


def _below(top: bytes, path: str) -> bytes:
    return top + encode(path)


def _make(entry: Entry, path: bytes, top: bytes) -> None:
    match entry:
        case Directory():
            os.mkdir(path, 0o700)
        case Symlink():
            os.symlink(encode(entry.target), path)
        case HardLink():
            os.link(_below(top, entry.target), path, follow_symlinks=False)
        case Regular():
            _write(entry, path)


def _write(entry: Regular, path: bytes) -> None:
    fd = os.open(path, _NEW, 0o600)
    try:
        for chunk in entry.blob.chunks():
            view = memoryview(chunk)
            while view:
                view = view[os.write(fd, view) :]
    finally:
        os.close(fd)
