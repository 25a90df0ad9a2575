"""A new tree in the place of an old one, and the way back if it does not get there.

A run works in a directory of its own, which holds the new tree (``new``) until the moment that it
is in its place. While it is there the work can be undone, by the run itself or by the next one:
the old tree, or what was taken out of its directory (``taken``, and ``old`` when it is all of it),
goes back, and what is in its place by then is removed as far as a list (``made``) names it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from elfpack.blob import let_go
from elfpack.errors import OutputError
from elfpack.pack import leftover, marker
from elfpack.pack.marker import Records
from elfpack.paths import decode

NEW = b"/new"
_OLD, _TAKEN, _MADE = b"/old", b"/taken", b"/made"
_TURNS = 200
"""Times that another run's turn is waited for, a hundredth of a second each."""


def refuse_strangers(path: bytes, output: str, ours: Records) -> None:
    """
    Raises:
        OutputError: a tree holds what elfpack did not put there.
    """
    stranger = marker.stranger(path, ours)
    if stranger is not None:
        raise OutputError(
            f"holds {decode(stranger)}, which elfpack did not write like that"
            if ours
            else "is not empty",
            path=output,
            hint="move it away" if ours else "name a directory that is empty or does not exist",
        )


def put(path: bytes, work: bytes, output: str, *, inside: bool) -> None:
    """The new tree to its place. Its list knows both trees while they change places.

    Raises:
        OutputError: the old tree holds what elfpack did not put there.
        OSError: something cannot be written. :func:`undo` takes back what was done.
    """
    new = work + NEW
    with alone(path):
        made = marker.records(new)
        known = marker.known(path) if leftover.mode(path) else frozenset()
        marker.write(path, made | known)
        try:
            if inside or not _renamed(path, work, output, known):
                _moved(path, work, output, made, known)
        except BaseException:
            if leftover.mode(new):
                _note(path, known)
            raise
        _note(path, made)


def _note(path: bytes, made: Records) -> None:
    """The list of both trees serves as well."""
    try:
        marker.write(path, made)
    except OSError:
        pass


@contextmanager
def alone(path: bytes) -> Iterator[None]:
    """One run after the other puts a tree there, or looks at what is there: while trees change
    places nothing is. Nobody is waited for long: whoever may read the directory can hold such a
    lock."""
    try:
        above = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield  # it may not be read
        return
    try:
        for _ in range(_TURNS):
            try:
                fcntl.flock(above, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                break  # a file system without locks
        yield
    finally:
        let_go(above)


def _renamed(path: bytes, work: bytes, output: str, known: Records) -> bool:
    """Whether the new tree could be put in the old one's place in one step."""
    new = work + NEW
    if leftover.mode(path):
        before = os.stat(path)
        try:
            os.rename(path, work + _OLD)
        except OSError as e:
            # A mount, or a directory in a lower layer of an overlay.
            if e.errno in (errno.EBUSY, errno.EXDEV):
                return False
            raise
        refuse_strangers(work + _OLD, output, known)  # what came in the meantime stays
        os.chmod(new, stat.S_IMODE(before.st_mode))
        if os.geteuid() == 0:
            os.chown(new, before.st_uid, before.st_gid)
    os.rename(new, path)
    return True


def _moved(path: bytes, work: bytes, output: str, made: Records, known: Records) -> None:
    """The content of the new tree, entry by entry, after that of the old one was taken out."""
    new, taken, old = work + NEW, work + _TAKEN, work + _OLD
    marker.put(work + _MADE, made)
    os.mkdir(taken)
    works = leftover.works(path)
    for name in os.listdir(path):
        if name not in works:
            _take(path, name, taken, known)
    os.rename(taken, old)
    refuse_strangers(old, output, known)
    for name in os.listdir(new):
        _place(os.path.join(new, name), os.path.join(path, name), output)
    os.rmdir(new)


def _take(path: bytes, name: bytes, taken: bytes, known: Records) -> None:
    try:
        _rename(os.path.join(path, name), os.path.join(taken, name))
    except OSError as e:
        # A directory in a lower layer of an overlay cannot be kept for the way back.
        if e.errno != errno.EXDEV:
            raise
        marker.remove(path, (name,), known)


def _place(source: bytes, goal: bytes, output: str) -> None:
    """An entry to where nothing is: what another process puts there in the meantime stays."""
    try:
        if _is_linked(source, goal):
            os.unlink(source)
            return
        if not leftover.mode(goal):
            _rename(source, goal)
            return
    except FileExistsError:
        pass
    raise OutputError(
        f"something else writes {decode(os.path.basename(goal))} there",
        path=output,
        hint="name a directory of its own",
    )


def _is_linked(source: bytes, goal: bytes) -> bool:
    """Whether a file is in its place by a link, which, unlike a rename, replaces nothing."""
    if stat.S_ISDIR(leftover.mode(source)):
        return False
    try:
        os.link(source, goal, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        return False  # a file system without such links
    return True


def _rename(source: bytes, goal: bytes) -> None:
    """A directory that may not be written, as its mode in the image says, cannot change its
    parent for anybody but root."""
    mode = leftover.mode(source)
    if not stat.S_ISDIR(mode) or mode & stat.S_IWUSR:
        os.rename(source, goal)
        return
    os.chmod(source, stat.S_IMODE(mode) | stat.S_IWUSR)
    os.rename(source, goal)
    os.chmod(goal, stat.S_IMODE(mode))


def clear(path: bytes) -> None:
    """Remove what killed runs have left of this output. An old tree that is not in its place any
    more goes back."""
    for work in leftover.stale(path):
        undo(work, path)


def undo(work: bytes, path: bytes) -> None:
    """Remove what was worked at. If the new tree did not get to its place, the old one goes
    back."""
    if leftover.mode(work + NEW):
        if leftover.mode(work + _MADE):
            _put_back(work, path)
        elif leftover.mode(work + _OLD) and not leftover.mode(path):
            os.rename(work + _OLD, path)
        if _holds_strangers(work, path):
            return
    for _ in range(2):  # what failed once may not fail again
        leftover.remove(work)


def _holds_strangers(work: bytes, path: bytes) -> bool:
    """Whether, of what could not go back, something is not elfpack's: all else is removed, and the
    new tree stays as an empty directory, by which the next run knows that as well."""
    ours = marker.known(path)
    kept = False
    for old in (work + _TAKEN, work + _OLD):
        if leftover.mode(old):
            marker.remove(old, os.listdir(old), ours)
            kept |= marker.stranger(old, ours) is not None
    if kept:
        leftover.remove_below(work + NEW, lambda name, seen: True)
    return kept


def _put_back(work: bytes, path: bytes) -> None:
    """Entry by entry. Before all of the old tree is taken out, nothing of the new one is there."""
    if leftover.mode(work + _OLD):
        names = frozenset(os.listdir(path)) - leftover.works(path)
        marker.remove(path, names, marker.read(work + _MADE))
    for taken in (work + _TAKEN, work + _OLD):
        for name in os.listdir(taken) if leftover.mode(taken) else ():
            if not leftover.mode(os.path.join(path, name)):
                _rename(os.path.join(taken, name), os.path.join(path, name))
