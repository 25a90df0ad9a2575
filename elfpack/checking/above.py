"""The programs above a library: those that could load it at run time, as a plug-in.

A program is above a library if it lies in a directory on the library's way from the top, or in
``bin``, ``sbin`` or ``libexec`` of one: ``/opt/x/bin/x`` is above ``/opt/x/lib/plugins/p.so``.
What such programs have loaded before, what their DT_RPATH leads to, and what they open by a name
that is written in them, as java does with libjvm.so, a plug-in finds.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.checking.find import ElfAt
from elfpack.elf.file import ElfFile
from elfpack.light import NamedTuple
from elfpack.loader.closure import Closure
from elfpack.loader.files import LOADER_LIMIT, Files
from elfpack.loader.records import Hit, Scope
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import ancestors, basename, encode, parent

_PROGRAMS = ("bin", "sbin", "libexec")
"""Directories whose programs serve the directory above."""
_SYSTEM = ("/", "/usr", "/usr/local")
"""Directories that belong to no program."""
_MOST = 256
"""Programs of one directory that are asked what they could lead to: more have the same RPATH."""
Machine = tuple[int, int, bool]
"""e_machine, bits, little: the part of an ABI that tells loaders apart."""


class Judged(NamedTuple):
    """A file and what its loader would make of it."""

    at: ElfAt
    closure: Closure
    options: Options
    """By which the closure was made."""

    @property
    def path(self) -> str:
        return self.at.path


class _Directory:
    """What the programs of one directory have for libraries below it."""

    def __init__(self) -> None:
        self.loaders: dict[tuple[Machine, str | None], str] = {}
        """The loader of the first program of a machine and libc, also by machine alone."""
        self.provided: dict[Machine, set[str]] = {}
        """The names of all that they load."""
        self.leading: dict[Machine, dict[tuple[Scope, object], Judged]] = {}
        """Those that have a DT_RPATH, one for each."""
        self.own: list[Hit] = []
        """What they load from below the directory, themselves among it."""
        self.answers: dict[tuple[Machine, str], bool] = {}


class Above:
    """The programs of a tree, by the directories that they are above of."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._directories: dict[str, _Directory] = {}
        self._all = _Directory()

    def add(self, program: Judged) -> None:
        """Every program is told of before anything is asked."""
        directory = parent(program.path)
        self._tell(self._all, program, "")
        for place in {directory, parent(directory)}:
            if place == directory or basename(directory) in _PROGRAMS:
                known = self._directories.setdefault(place, _Directory())
                self._tell(known, program, place)

    def loader(self, path: str, elf: ElfFile, libc: str | None) -> str | None:
        """The loader of the nearest program above a library that has one for it."""
        key = elf.abi[:3], libc
        for known in self._over(path):
            if key in known.loaders:
                return known.loaders[key]
        return None

    def any_loader(self, elf: ElfFile, libc: str | None) -> str | None:
        """The loader of any program, wherever it is."""
        return self._all.loaders.get((elf.abi[:3], libc))

    @property
    def has_loaders(self) -> bool:
        """Whether any program has its loader."""
        return bool(self._all.loaders)

    def leads(self, library: Judged, name: str, *, exists: bool) -> bool:
        """Whether a program above a library would have loaded ``name`` before, or lead to it.
        ``exists``: the tree has a file of that name."""
        key = library.at.elf.abi[:3], name
        for known in self._over(library.path):
            if key not in known.answers:
                known.answers[key] = self._ask(known, *key, exists)
            if known.answers[key]:
                return True
        return False

    def _over(self, path: str) -> Iterator[_Directory]:
        for directory in reversed(["/", *ancestors(path)]):
            known = self._directories.get(directory)
            if known is not None:
                yield known

    def _tell(self, known: _Directory, program: Judged, place: str) -> None:
        closure, machine = program.closure, program.at.elf.abi[:3]
        if closure.loader is not None and closure.interpreter is not None:
            for libc in (closure.loader.libc, None):
                known.loaders.setdefault((machine, libc), closure.loader.path)
        if not place:
            return
        names = known.provided.setdefault(machine, set())
        names.update(closure.names[1:])
        for hit in closure.hits:
            names.update((hit.elf.soname or "", basename(hit.path)))
        if place not in _SYSTEM and len(known.own) < _MOST:
            known.own += [h for h in closure.hits if h.real_path.startswith(place + "/")]
        leading = known.leading.setdefault(machine, {})
        if closure.hits and closure.loader is not None and len(leading) < _MOST:
            rules = self._resolver.search(closure, program.options).rules
            chain = rules.chain(closure.hits[0], ())
            if chain:
                leading.setdefault((Scope(chain), closure.loader), program)

    def _ask(self, known: _Directory, machine: Machine, name: str, exists: bool) -> bool:
        if name in known.provided.get(machine, ()):
            return True
        for (scope, _), program in known.leading.get(machine, {}).items():
            search = self._resolver.search(program.closure, program.options)
            if isinstance(search.find(name, scope, search.table(scope)), Hit):
                return True
        return exists and any(_holds(self._resolver.files, hit, name) for hit in known.own)


def _holds(files: Files, hit: Hit, name: str) -> bool:
    """Whether an object has a name as a string, or as the end of a path."""
    raw = files.read_all(hit.real_path, LOADER_LIMIT)
    if not isinstance(raw, bytes):
        return False
    return any(before + encode(name) + b"\0" in raw for before in (b"\0", b"/"))
