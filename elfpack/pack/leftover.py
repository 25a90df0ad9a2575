"""The names that outputs are written under until they are whole, and what killed runs left of them.

A run holds a lock on what it works at: who gets the lock, and finds no such process, knows that
the run was killed. Numbers of processes alone would not tell: those of another container are not
seen here. A name alone tells nothing, either: a directory is a run's own by what stands in it.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator

from elfpack.blob import let_go

_NAME = 200
"""Bytes of an output's name that go into the hidden one, which may have 255."""
_DIGITS = 10
"""At most, of the number of a process."""
_INSIDE = b".elfpack-"
_SIGN = b"/elfpack"
_SIGNED = b"a run of elfpack works here, the next one removes it"
"""A link of this name, with this text, is in each directory that a run works in. A link has its
text from the moment that it exists."""


def beside(path: bytes) -> bytes:
    """A name beside ``path`` that nobody else takes: hidden, short enough, ours by its number."""
    directory, name = os.path.split(path)
    return os.path.join(directory, b".%s.elfpack-%d" % (name[:_NAME], os.getpid()))


def inside(path: bytes) -> bytes:
    """The same for a directory that cannot be replaced: in it, and gone when it is whole."""
    return os.path.join(path, b"%s%d" % (_INSIDE, os.getpid()))


def lock(fd: int) -> None:
    """Tell other runs that somebody works at this file or directory."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        pass  # a file system without locks: nobody else gets one either, and nothing is cleared


def sign(work: bytes) -> None:
    """Leave a sign in a directory of ours, by which a later run may know it and remove it."""
    try:
        os.symlink(_SIGNED, work + _SIGN)
    except OSError:
        pass  # a file system without links: what a killed run leaves there stays


def is_signed(work: bytes) -> bool:
    """Whether a run of this user works in that directory, or did."""
    try:
        own = os.lstat(work).st_uid == os.geteuid() == os.lstat(work + _SIGN).st_uid
        return own and os.readlink(work + _SIGN) == _SIGNED
    except OSError:
        return False


def stale(path: bytes) -> list[bytes]:
    """What killed runs have left of this output, of its list (``marker.py``) too."""
    directory, name = os.path.split(path)
    listed = b".%s.elfpack" % name[:_NAME]
    stems = (b"%s-" % listed, b".%s.elfpack-" % listed[:_NAME])
    return _numbered(directory, *stems) + _numbered(path, _INSIDE)


def works(path: bytes) -> frozenset[bytes]:
    """The names in a directory of those that runs work in, or did."""
    names = [name for name in os.listdir(path) if name.startswith(_INSIDE)]
    signed = [name for name in names if is_signed(os.path.join(path, name))]
    return frozenset((*signed, *map(os.path.basename, _numbered(path, _INSIDE))))


def _numbered(directory: bytes, *stems: bytes) -> list[bytes]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    found = []
    for name in names:
        number = next((name[len(stem) :] for stem in stems if name.startswith(stem)), b"")
        if not number.isdigit() or len(number) > _DIGITS:
            continue
        if _is_left(os.path.join(directory, name), int(number)):
            found.append(os.path.join(directory, name))
    return sorted(found)


def _is_left(path: bytes, number: int) -> bool:
    try:
        seen = os.lstat(path)
        if seen.st_uid != os.geteuid() or (number != os.getpid() and _lives(number)):
            return False
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # One without a sign has nothing in it if it is ours: the sign comes first.
        if stat.S_ISDIR(seen.st_mode):
            return is_signed(path) or not os.listdir(fd)
        return stat.S_ISREG(seen.st_mode)
    except OSError:
        return False
    finally:
        let_go(fd)


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
    """Remove a file, or a directory that a run worked in, as far as that goes: the first error
    tells more than this one's. Of a directory the sign goes last, so that the next run knows what
    is left."""
    try:
        if not stat.S_ISDIR(mode(path)):
            os.unlink(path)
            return
        _unlock(path)
        sign = os.path.basename(_SIGN)
        remove_below(path, lambda name, seen: name != sign)
        if os.listdir(path) == [sign]:
            os.unlink(path + _SIGN)
        os.rmdir(path)
    except OSError:
        pass  # it is not there, or the disk is gone


def remove_below(top: bytes, wanted: Callable[[bytes, os.stat_result], bool]) -> None:
    """Remove what is wanted of a tree, as far as that goes."""
    found = []
    for name, seen in walk(top):
        if wanted(name, seen):
            is_directory = stat.S_ISDIR(seen.st_mode)
            found.append((name, is_directory))
            if is_directory:
                _unlock(os.path.join(top, name))
    for name, is_directory in reversed(found):
        try:
            (os.rmdir if is_directory else os.unlink)(os.path.join(top, name))
        except OSError:
            pass  # something else is in it, or the disk is gone


def _unlock(directory: bytes) -> None:
    """The umask, or its mode in the image, may lock us out."""
    try:
        os.chmod(directory, 0o700)
    except OSError:
        pass  # whoever goes in is told


def walk(top: bytes, *, strict: bool = False) -> Iterator[tuple[bytes, os.stat_result]]:
    """Paths below a directory, each before those that are in it. What goes away meanwhile is none.

    Raises:
        OSError: something cannot be listed; only if ``strict``, or if it may be.
    """
    pending = [b""]
    while pending:
        directory = pending.pop()
        try:
            with os.scandir(os.path.join(top, directory)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except PermissionError:
            if strict:
                raise
            continue
        for entry in found:
            name = os.path.join(directory, entry.name)
            try:
                seen = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(seen.st_mode):
                pending.append(name)
            yield name, seen
