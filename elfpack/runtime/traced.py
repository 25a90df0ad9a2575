"""What a run used, by the calls in a log of ``strace``.

The class ``%file`` has neither clone() nor close(). A process whose parent the log does not tell
counts as a thread of the one that was traced last: it has its working directory and descriptors.
``-e trace=%file,%process -y`` leaves no doubt.

Source: open(2), path_resolution(7), clone(2).
"""

from __future__ import annotations

from collections.abc import Iterable

from elfpack.formats.strace import Call, Ended, Name, Started, events, starts
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import PATH_LIMIT, basename

if TYPE_CHECKING:
    from typing import Literal

    How = Literal["executed", "opened", "found", "link", "written"]
    """What a run did with a name. ``found``: stat(), access() and the like succeeded; ``link``: so
    did a call that does not follow the last link; ``written``: it made something in that
    directory."""


_LINK_ITSELF = frozenset(("lstat", "lstat64", "readlink", "readlinkat", "lgetxattr", "llistxattr"))
_OPENING = frozenset(("open", "openat", "openat2", "creat"))
_MAKING = frozenset(
    (
        *("mkdir", "mkdirat", "mknod", "mknodat", "link", "linkat", "symlink", "symlinkat"),
        *("rename", "renameat", "renameat2"),
    )
)
_DESCRIPTORS = 256
_PROCESSES = 4096
"""Processes, and descriptors of each, that are kept in mind."""
_MOST_KEPT = 256 << 20
"""Characters of all paths that are kept: a short name counts from a directory of any length."""
_MOST_UNCLEAR = 100
_MOST_TOPS = 50
"""Directories that chroot() leads to."""


class Use(NamedTuple):
    path: str
    """Absolute, or relative to where the run began."""
    how: How
    by: str
    """The program's file name; of what was executed, that of who did it. Empty if unknown."""


class Run(NamedTuple):
    """What a log tells."""

    uses: tuple[Use, ...]
    """Each path and way once, in the order of the log, without what the run made itself."""
    start: str | None
    """The directory in which the run began, if the log tells it."""
    tops: tuple[str, ...]
    """Where chroot() went: such a path stands before those that were used below it."""
    calls: int
    """Calls that take the name of a file, also those that failed."""
    unclear: tuple[str, ...]
    """Names relative to a directory that the log does not show; a hundred of them at most."""
    full: bool = False
    """It tells of more paths than are kept."""


class _Process:
    """What counts for the names that a process uses."""

    __slots__ = ("descriptors", "directory", "program", "top")

    def __init__(self) -> None:
        self.program = ""
        self.directory: str | None = ""
        """The working directory: relative to where the run began, until the log tells that; None
        if nobody knows."""
        self.top = ""
        """Where chroot() led."""
        self.descriptors: dict[bytes, str] = {}

    def copy(self) -> _Process:
        other = _Process()
        other.program, other.directory, other.top = self.program, self.directory, self.top
        other.descriptors = self.descriptors.copy()
        return other

    def keep(self, number: bytes, path: str) -> None:
        """What a descriptor stands for; the oldest is forgotten."""
        self.descriptors.pop(number, None)
        self.descriptors[number] = path
        if len(self.descriptors) > _DESCRIPTORS:
            del self.descriptors[next(iter(self.descriptors))]


class _Reader:
    """Goes through the calls, and keeps what each process is in."""

    def __init__(self, parents: dict[bytes, Started]) -> None:
        self._parents = parents
        self._processes: dict[bytes, _Process] = {}
        self._last = _Process()
        self._made: set[str] = set()
        self._absent: set[str] = set()
        self.uses: dict[tuple[str, How], str] = {}
        self.tops: dict[str, None] = {}
        self.unclear: dict[str, None] = {}
        self.start: str | None = None
        self.calls = self._kept = 0

    @property
    def full(self) -> bool:
        return self._kept > _MOST_KEPT

    def event(self, event: Call | Ended) -> None:
        if isinstance(event, Ended):
            self._processes.pop(event.process, None)
            return
        self.calls += 1
        process = self._last = self._process(event.process)
        if event.name in ("chdir", "fchdir", "getcwd"):
            self._enter(event, process)
            return
        path = self._path(process, event)
        if path is None:
            return
        if event.name in ("execve", "execveat"):
            self._execute(event, process, path)
        elif event.result:
            self._succeeded(event, process, path)
        elif event.error == b"ENOENT" and event.name not in _MAKING:
            self._keep(self._absent, path)

    def _keep(self, paths: set[str], path: str) -> None:
        if path not in paths and not self.full:
            paths.add(path)
            self._kept += len(path)

    def _process(self, number: bytes) -> _Process:
        known = self._processes.get(number)
        if known is None:
            parent = self._parents.get(number)
            known = self._last
            if parent is not None:
                known = self._processes.get(parent.parent, known)
                known = known if parent.thread else known.copy()
            self._remember(number, known)
        return known

    def _remember(self, number: bytes, process: _Process) -> None:
        if len(self._processes) >= _PROCESSES and number not in self._processes:
            del self._processes[next(iter(self._processes))]
        self._processes[number] = process

    def _execute(self, call: Call, process: _Process, path: str) -> None:
        if not call.result:
            return
        self._use(path, "executed", process)
        self._last = process.copy()
        self._last.program = basename(path)
        self._remember(call.process, self._last)

    def _enter(self, call: Call, process: _Process) -> None:
        """A change of the working directory, or a look at it."""
        if not call.result or not call.names:
            return
        path = self._resolved(process, call.names[0])
        if call.name == "getcwd" and path is not None:
            self._begun(process, path)
        elif call.name == "chdir" and path is not None:
            self._use(path, "found", process)
        process.directory = path if path is None or len(path) < PATH_LIMIT else None

    def _begun(self, process: _Process, directory: str) -> None:
        """The directory of a process that has not changed it: that in which the run began."""
        if process.directory == "" and self.start is None:
            self.start = directory

    def _succeeded(self, call: Call, process: _Process, path: str) -> None:
        if call.name in _OPENING:
            process.keep(call.result, call.real or path)
            self._open(call, process, path)
        elif call.name in _MAKING:
            made = self._resolved(process, call.names[-1])
            if made is not None:
                self._make(process, made)
        elif call.name == "chroot":
            if len(path) <= PATH_LIMIT and len(self.tops) < _MOST_TOPS:
                process.top = path
                self.tops[path] = None
        elif call.names[0].text:  # else it looks at what is open
            itself = call.name in _LINK_ITSELF or b"AT_SYMLINK_NOFOLLOW" in call.words
            self._use(path, "link" if itself else "found", process)

    def _use(self, path: str, how: How, process: _Process) -> None:
        if path not in self._made and (path, how) not in self.uses and not self.full:
            self.uses[path, how] = process.program
            self._kept += len(path)

    def _open(self, call: Call, process: _Process, path: str) -> None:
        """What was opened is needed, unless the run wrote it: with O_CREAT it need not be there.

        What can be read as well was there before, if nothing says that it was not.
        """
        flags = call.words
        if call.name == "creat":
            flags = frozenset((b"O_CREAT", b"O_TRUNC"))
        if b"O_PATH" in flags:
            self._use(path, "link" if b"O_NOFOLLOW" in flags else "found", process)
        elif b"O_TMPFILE" in flags:
            self._use(path, "written", process)
        elif b"O_CREAT" not in flags:
            self._use(path, "opened", process)
        elif flags & {b"O_EXCL", b"O_TRUNC"} or path in self._absent:
            self._make(process, path)
        elif b"O_WRONLY" in flags:
            self._use(_above(path), "written", process)
        else:
            self._use(path, "opened", process)

    def _make(self, process: _Process, path: str) -> None:
        self._use(_above(path), "written", process)
        self._keep(self._made, path)

    def _path(self, process: _Process, call: Call) -> str | None:
        """The path of the first name of a call; None if it has none, or it cannot be told."""
        if not call.names:
            return None
        first = call.names[0]
        path = self._resolved(process, first)
        if path is None and call.result:
            path = call.real
            if path is None and first.text and len(self.unclear) < _MOST_UNCLEAR:
                self.unclear[first.text] = None
        return path

    def _resolved(self, process: _Process, name: Name) -> str | None:
        """A name's path; None if it is relative to what nobody knows."""
        if name.text.startswith("/"):
            self._directory(process, name)
            return process.top + name.text
        base = self._directory(process, name)
        if base is None or len(base) >= PATH_LIMIT or not name.text:
            return base
        return f"{base.rstrip('/')}/{name.text}" if base else name.text

    def _directory(self, process: _Process, name: Name) -> str | None:
        """What a name counts from."""
        if name.descriptor not in (b"", b"AT_FDCWD"):
            return name.shown or process.descriptors.get(name.descriptor)
        if name.shown is not None:
            self._begun(process, name.shown)
            process.directory = name.shown
        return process.directory


def _above(path: str) -> str:
    """The directory that has an entry; empty for where the run began."""
    directory, slash, _ = path.rstrip("/").rpartition("/")
    return directory or slash


def used(lines: Iterable[bytes]) -> Run:
    """What the run of a log used. The lines are gone through twice."""
    reader = _Reader({one.process: one for one in starts(lines)})
    for event in events(lines):
        reader.event(event)
    uses = tuple(Use(path, how, by) for (path, how), by in reader.uses.items())
    unclear = tuple(reader.unclear)
    return Run(uses, reader.start, tuple(reader.tops), reader.calls, unclear, reader.full)
