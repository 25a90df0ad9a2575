"""The names that outputs are written under until they are whole, and what killed runs left of them.

A run holds a lock on what it works at: who gets the lock, and finds no such process, knows that
the run was killed. Numbers of processes alone would not tell: those of another container are not
seen here.
"""

from __future__ import annotations

import fcntl
import os
import stat

_NAME = 200
"""Bytes of an output's name that go into the hidden one, which may have 255."""
_DIGITS = 10
"""At most, of the number of a process."""


def beside(path: bytes) -> bytes:
    """A name beside ``path`` that nobody else takes: hidden, short enough, ours by its number."""
    directory, name = os.path.split(path)
    return os.path.join(directory, b".%s.elfpack-%d" % (name[:_NAME], os.getpid()))


def inside(path: bytes) -> bytes:
    """The same for a directory that cannot be replaced: in it, and gone when it is whole."""
    return os.path.join(path, b".elfpack-%d" % os.getpid())


def lock(fd: int) -> None:
    """Tell other runs that somebody works at this file or directory."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # a file system without locks: nobody else gets one either, and nothing is cleared


def stale(path: bytes) -> list[bytes]:
    """What killed runs have left of this output."""
    directory, name = os.path.split(path)
    found = _numbered(directory, b".%s.elfpack-" % name[:_NAME])
    return found + _numbered(path, b".elfpack-")


def clear(path: bytes) -> None:
    """Remove what killed runs have left of this output. An old tree that is not in its place any
    more goes back."""
    for work in stale(path):
        undo(work, path)


def undo(work: bytes, path: bytes) -> None:
    """Remove what was worked at; a tree that was taken from its place and not replaced goes
    back."""
    if mode(work + b"/old") and not mode(path):
        os.rename(work + b"/old", path)
    remove(work)


def _numbered(directory: bytes, stem: bytes) -> list[bytes]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    found = []
    for name in names:
        number = name.removeprefix(stem)
        if number == name or not number.isdigit() or len(number) > _DIGITS:
            continue
        if _is_left(os.path.join(directory, name), int(number)):
            found.append(os.path.join(directory, name))
    return sorted(found)


def _is_left(path: bytes, number: int) -> bool:
    try:
        if os.lstat(path).st_uid != os.geteuid() or (number != os.getpid() and _lives(number)):
            return False
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def _lives(number: int) -> bool:
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # another user's
    return True


def mode(path: bytes) -> int:
    """Type and permission bits of what is there, not followed; 0 if nothing is."""
    try:
        return os.lstat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def is_mount(path: bytes) -> bool:
    """Whether something is mounted on a real path. A bind mount in one file system shows only in
    the kernel's own table. Source: proc(5), /proc/pid/mountinfo, the fifth field."""
    if os.path.ismount(path):
        return True
    try:
        with open("/proc/self/mountinfo", "rb") as table:
            mounts = [line.split(b" ", 5)[4] for line in table]
    except (OSError, IndexError):
        return False
    return any(mount.decode("unicode_escape").encode("latin-1") == path for mount in mounts)


def remove(path: bytes) -> None:
    """Remove a file or a tree, as far as that goes: the first error tells more than this one's."""
    if not stat.S_ISDIR(mode(path)):
        try:
            os.unlink(path)
        except OSError:
            pass  # it is not there, or the disk is gone
        return
    # The umask, or a directory's mode in the image, may lock us out.
    _let_in(path)
    for top, names, _ in os.walk(path):
        for name in names:
            _let_in(top + b"/" + name)
    import shutil  # late: it loads every compressor that Python has

    shutil.rmtree(path, ignore_errors=True)


def _let_in(directory: bytes) -> None:
    try:
        if not os.path.islink(directory):
            os.chmod(directory, 0o700)
    except OSError:
        pass
