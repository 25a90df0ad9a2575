"""What a real run opened, by the log of ``strace``: what no static reading can see.

What counts is every name that a call found: opened, executed, or asked for with stat() and the
like, for a program goes by that, too (python compares a source with what it compiled). Of a
directory it is the directory alone, also if it was listed: what the run used of it has its own
lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack.blob import Source, chunks
from elfpack.elf.file import Abi, ElfFile
from elfpack.elf.reader import read
from elfpack.errors import InputError
from elfpack.formats import pem
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import join, normal
from elfpack.runtime.module import (
    OPENED,
    AddDirectory,
    AddFile,
    Addition,
    AddLink,
    AddProgram,
    Evidence,
    Hint,
    Lacking,
    View,
)

if TYPE_CHECKING:
    from typing import ClassVar, Final

    from elfpack.runtime.traced import How, Run, Use

COMMAND: Final = "strace -f -e trace=%file,execve -o LOG PROGRAM"
_WORDS: Final[dict[How, str]] = {
    "executed": "executed by",
    "opened": OPENED,
    "found": "looked at by",
    "link": "looked at by",
    "written": "written to by",
}
_RANK: Final[dict[How, int]] = {"executed": 3, "opened": 2, "found": 1, "link": 1, "written": 0}
_TEMPORARY = ("/tmp", "/var/tmp")
_KEY_FILE = "with a private key"
_NO_FILE = "neither files nor directories"
_ACCOUNTS = "of its accounts"
_AREAS: Final[dict[str, tuple[str, ...]]] = {
    "of the running system": ("/proc", "/sys", "/dev", "/run", "/var/run"),
    "temporary": _TEMPORARY,
    "in home directories": ("/root", "/home"),
    # elfpack makes its own for an image, or the engine does.
    "of this machine": (
        *("/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/hosts", "/etc/hostname"),
        *("/etc/resolv.conf", "/etc/mtab"),
    ),
    _ACCOUNTS: tuple(
        f"/etc/{name}{copy}"
        for name in ("passwd", "group", "shadow", "gshadow")
        for copy in ("", "-")
    ),
}
"""What is left out, and why."""
_LEFT_OUT = (*_AREAS, _KEY_FILE, _NO_FILE)
_SHOWN = 2
"""Names of each kind that the note has."""


class Strace:
    """The files of a run, from its log."""

    name: ClassVar[str] = "strace"
    summary: ClassVar[str] = (
        f"the files that a real run used, by LOG, a path in the root: {COMMAND}"
    )
    when: ClassVar[str] = "only when asked for"
    value: ClassVar[str | None] = "LOG"
    needs_value: ClassVar[bool] = True
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        if not value or "\0" in value:
            raise ValueError(f"name a log: {COMMAND}")
        return value

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        told: set[str] = set()
        for log in dict.fromkeys(map(str, chosen or ())):
            run = _run(view, log)
            if isinstance(run, Lacking):
                yield run
            else:
                yield from _Traced(view, log, run, told).additions()


def _read(source: Source) -> Run:
    from elfpack.runtime.traced import used  # late, as all that reads logs: few have one

    return used(_Lines(source))


class _Lines:
    """The lines of a file, as often as somebody goes through them."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __iter__(self) -> Iterator[bytes]:
        from elfpack.formats.strace import split

        return split(chunks(self._source))


def _run(view: View, log: str) -> Run | Lacking:
    """
    Raises:
        InputError: it cannot be read, or is no log of strace.
    """
    path = view.absolute(log)
    run = view.derived(path, _read)
    if run is None and view.real(path) is None:
        return Lacking(log, True, f"make it: {COMMAND}; with --root, LOG is a path in DIR")
    if run is None:
        raise InputError("is no file that can be read", path=log, hint="name a log of strace")
    if run.full:
        raise InputError(
            "tells of more paths than can be kept", path=log, hint="trace a shorter run"
        )
    if not run.calls:
        raise InputError(
            "holds no line of strace that names a file", path=log, hint=f"make it: {COMMAND}"
        )
    return run


def _look(source: Source) -> Abi | str:
    """The machine of what a loader would load, :data:`_KEY_FILE`, or ``data``."""
    if source.pread(4, 0) == b"\x7fELF":
        elf = read(source)
        loadable = isinstance(elf, ElfFile) and elf.dynamic and elf.kind != "object"
        return elf.abi if isinstance(elf, ElfFile) and loadable else "data"
    return _KEY_FILE if pem.has_key(chunks(source)) else "data"


class _Name(NamedTuple):
    path: str
    """As it was used, absolute."""
    plain: str
    """The same without ``..``, by its text."""
    how: How
    evidence: Evidence


class _Traced:
    """The additions for one log."""

    def __init__(self, view: View, log: str, run: Run, told: set[str]) -> None:
        self._view = view
        self._log = log
        self._run = run
        self._told = told
        """The paths that were added already."""
        self._start = run.start or view.absolute("")
        objects = view.objects()
        self._abi = objects[0].hit.elf.abi if objects else None
        self._known = {normal(view.absolute(one.hit.path)) for one in objects}
        """The closures have them. A program that was given another place is not put here again."""
        self._left: dict[str, dict[str, None]] = {why: {} for why in _LEFT_OUT}
        self._gone: dict[str, None] = {}
        self._assumed: dict[str, None] = {}
        self._confirmed = False

    def additions(self) -> Iterator[Addition]:
        for use in _best(self._run.uses):
            name = self._name(use)
            if name.plain in self._known or self._view.dropped(name.path):
                continue
            yield from self._addition(name)
        yield from self._hints()

    def _name(self, use: Use) -> _Name:
        """A use by its absolute path, which is inside what chroot() went to if the root is that."""
        path = join(self._start, use.path)
        if not use.path.startswith("/") and self._run.start is None:
            self._assume(path, use)
        for top in self._run.tops:
            above = join(self._start, top).rstrip("/")
            if path.startswith(above + "/") and self._view.real(above) is None:
                path = path[len(above) :]
        path = path if ".." in path.split("/") else normal(path)
        by = use.by or ("strace" if use.how == "executed" else "the process")
        return _Name(path, normal(path), use.how, Evidence(path, by, _WORDS[use.how]))

    def _assume(self, path: str, use: Use) -> None:
        """A name that counts from where the run began, which the log does not tell. A program of
        the plan that was executed by such a name shows that it is the same here."""
        if use.how == "executed" and normal(path) in self._known:
            self._confirmed = True
        self._assumed[path] = None

    def _addition(self, name: _Name) -> Iterator[Addition]:
        view, path = self._view, name.path
        area = _above(name.plain, _TEMPORARY)
        if area is not None and name.how == "written":
            yield from self._once(AddDirectory(area, 0o1777, (0, 0), name.evidence))
        why = _why(name.plain)
        if why is None and name.how == "link" and (text := view.link(path)) is not None:
            yield from self._once(AddLink(path, text, name.evidence, yields=True))
            return
        real = view.real(path) if why is None else None
        if real is not None:
            why = _why(real)
        if why is not None:
            if name.how != "written" and (why == _LEFT_OUT[0] or view.real(path + "/") is None):
                self._left[why][path] = None
        elif real is None:
            self._gone[path] = None
        elif view.exists(path):
            yield from self._file(name)
        elif view.real(path + "/") is None:
            self._left[_NO_FILE][path] = None
        elif real.strip("/"):
            made = AddDirectory(path.rstrip("/"), 0o755, (0, 0), name.evidence, yields=True)
            yield from self._once(made)

    def _file(self, name: _Name) -> Iterator[Addition]:
        what = self._view.derived(name.path, _look)
        if name.how != "executed" and what == _KEY_FILE:
            self._left[_KEY_FILE][name.path] = None
        elif name.how == "executed" or (
            isinstance(what, Abi) and self._abi is not None and what[:3] == self._abi[:3]
        ):
            yield from self._once(AddProgram(name.path, name.evidence))
        else:
            yield from self._once(AddFile(name.path, name.evidence, yields=True))

    def _once(self, addition: AddDirectory | AddLink | AddProgram | AddFile) -> Iterator[Addition]:
        if addition.path not in self._told:
            self._told.add(addition.path)
            yield addition

    def _hints(self) -> Iterator[Hint]:
        left = [f"{len(names)} {why} ({_few(names)})" for why, names in self._left.items() if names]
        if left:
            advice = "--add packs what the image needs all the same"
            if self._left[_ACCOUNTS]:
                advice += "; accounts: --with users=NAME:UID:GID"
            yield Hint("strace-left-out", self._log, f"left out: {', '.join(left)}", advice)
        if self._assumed and not self._confirmed:
            count = len(self._assumed)
            message = f"{count} relative names are taken to be below {self._start}"
            advice = "trace with -y, which tells the directory, or run elfpack where the run began"
            yield Hint("strace-relative", self._log, f"{message} ({_few(self._assumed)})", advice)
        if self._gone:
            message = f"not there now, of what the run used: {len(self._gone)} ({_few(self._gone)})"
            advice = "trace again, or name the tree of the traced machine with --root"
            yield Hint("strace-gone", self._log, message, advice)
        if self._run.unclear:
            unclear = dict.fromkeys(self._run.unclear)
            message = f"{len(unclear)} names count from a directory it does not tell"
            advice = "trace with -y, and %process besides %file"
            yield Hint("strace-unclear", self._log, f"{message} ({_few(unclear)})", advice)


def _best(uses: tuple[Use, ...]) -> Iterator[Use]:
    """Of each path the use that tells most; one of the link itself stands apart."""
    best: dict[tuple[str, bool], Use] = {}
    for use in uses:
        key = use.path, use.how == "link"
        known = best.get(key)
        if known is None or _RANK[use.how] > _RANK[known.how]:
            best[key] = use
    return iter(best.values())


def _above(path: str, areas: Iterable[str]) -> str | None:
    """That of some directories which a path is, or lies in."""
    return next((area for area in areas if path == area or path.startswith(area + "/")), None)


def _why(path: str) -> str | None:
    """Why a name is left out, if it is."""
    for why, areas in _AREAS.items():
        if _above(path, areas) is not None:
            return why
    return None


def _few(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:_SHOWN]) + (", ..." if len(shown) > _SHOWN else "")
