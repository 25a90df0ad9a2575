"""A tree as the rules see it: its files, the closure of each program, the libraries that no
program loads.

Such a library is judged alone, by the loader that its program would have: that of a program above
it, else the usual one of its machine. A program is above a library if it lies in a directory on
the library's way from the top, or in ``bin``, ``sbin`` or ``libexec`` of one: ``/opt/x/bin/x`` is
above ``/opt/x/lib/plugins/p.so``. What such programs have loaded before, what their DT_RPATH
leads to, and what they open by a name that is written in them, as java does with libjvm.so, a
plugin finds. A library for which the tree has no loader is not judged: nothing here
loads it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import NamedTuple

from elfpack.checking.find import ElfAt, Found, find
from elfpack.checking.report import Counts
from elfpack.elf.file import ElfFile
from elfpack.formats.manifests import ContainerConfig
from elfpack.loader.closure import Closure, Miss
from elfpack.loader.files import LOADER_LIMIT, Files
from elfpack.loader.identify import GLIBC, MUSL, musl_interpreter, usual_interpreters
from elfpack.loader.program import SEARCH_PATH, Program
from elfpack.loader.records import Hit, Kind, Scope, Via
from elfpack.loader.resolve import Options, Resolver, wants_musl
from elfpack.paths import ancestors, basename, encode, parent
from elfpack.root.node import Root

_PROGRAMS = ("bin", "sbin", "libexec")
"""Directories whose programs serve the directory above."""
_SYSTEM = ("/", "/usr", "/usr/local")
Machine = tuple[int, int, bool]
"""e_machine, bits, little: the part of an ABI that tells loaders apart."""


class Judged(NamedTuple):
    """A file and what its loader would make of it."""

    at: ElfAt
    closure: Closure

    @property
    def path(self) -> str:
        return self.at.path


class Survey:
    """What the rules look at."""

    def __init__(
        self, resolver: Resolver, options: Options, config: ContainerConfig, found: Found
    ) -> None:
        self.resolver = resolver
        self.options = options
        self.config = config
        self.found = found
        path = config.variable("PATH")
        self.search_path = SEARCH_PATH if path is None else tuple(path.split(":"))
        """PATH, in the container."""
        self.programs: list[Judged] = []
        """With an interpreter, or libraries."""
        self.static: list[ElfAt] = []
        self.libraries: list[Judged] = []
        """Those that no program loads."""
        self.loaded: set[tuple[int, int]] = set()
        """What programs load."""
        self.unjudged = 0
        """Libraries for which the tree has no loader."""
        self._above: dict[str, list[Judged]] = {}
        self._provided: dict[str, set[str]] = {}
        self._strings: dict[tuple[object, str], bool] = {}

    @property
    def files(self) -> Files:
        return self.resolver.files

    @property
    def counts(self) -> Counts:
        programs = len(self.programs) + len(self.static)
        return Counts(programs, len(self.found.libraries) - self.unjudged, len(self.found.scripts))

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(self.found.unread)

    def all(self) -> Iterator[Judged]:
        """Programs and libraries."""
        yield from self.programs
        yield from self.libraries

    def misses(self, judged: Judged) -> Iterator[Miss]:
        """What a program's loader would not find; of a library what it needs itself: those that
        it needs are judged on their own."""
        closure = judged.closure
        for miss in dict.fromkeys(closure.misses):
            if miss.harmless or miss.refusal is not None:
                continue
            alone = judged.at.elf.kind == "library"
            if not alone or (miss.requester == 0 and not self._excused(judged, miss.name)):
                yield miss

    def above(self, path: str) -> Iterator[Judged]:
        """The programs above a library, the nearest first."""
        for directory in reversed(["/", *ancestors(path)]):
            yield from self._above.get(directory, ())

    def has(self, name: str) -> bool:
        """Whether a library of that name is anywhere in the tree."""
        return any(not isinstance(self.files.find(p), int) for p in self.found.names.get(name, ()))

    def _excused(self, judged: Judged, name: str) -> bool:
        """Whether a program above a library would have loaded that before, or lead to it."""
        machine = judged.at.elf.abi[:3]
        for directory in ["/", *ancestors(judged.path)]:
            if name in self._provided.get(directory, ()):
                return True
        for program in self.above(judged.path):
            closure = program.closure
            if program.at.elf.abi[:3] != machine or closure.loader is None or not closure.hits:
                continue
            search = self.resolver.search(closure, self.options)
            chain = search.rules.chain(closure.hits[0], ())
            if chain:
                scope = Scope(chain)
                if isinstance(search.find(name, scope, search.table(scope)), Hit):
                    return True
            if self.has(name) and self._names_it(program, judged.path, name):
                return True
        return False

    def _names_it(self, program: Judged, path: str, name: str) -> bool:
        """Whether a program of the library's own directory, or what it loads from there, holds the
        name as a string. The system's own directories belong to no program."""
        top = parent(program.path)
        if basename(top) in _PROGRAMS:
            top = parent(top)
        if top in _SYSTEM or not path.startswith(top + "/"):
            return False
        return any(
            self._holds(hit, name)
            for hit in program.closure.hits
            if hit.real_path.startswith(top + "/")
        )

    def _holds(self, hit: Hit, name: str) -> bool:
        known = self._strings.get((hit.identity, name))
        if known is None:
            raw = self.files.read_all(hit.real_path, LOADER_LIMIT)
            known = isinstance(raw, bytes) and any(
                before + encode(name) + b"\0" in raw for before in (b"\0", b"/")
            )
            self._strings[hit.identity, name] = known
        return known

    def add_program(self, judged: Judged) -> None:
        self.programs.append(judged)
        closure = judged.closure
        self.loaded.update(hit.identity for hit in closure.hits)
        if closure.interpreter is not None:
            self.loaded.add(closure.interpreter.identity)
        directory = parent(judged.path)
        places = {directory}
        if basename(directory) in _PROGRAMS:
            places.add(parent(directory))
        names = {name for hit in closure.hits for name in (hit.elf.soname, basename(hit.path))}
        names.update(closure.names[1:])
        for place in places:
            self._above.setdefault(place, []).append(judged)
            provided = self._provided.setdefault(place, set())
            provided.update(name for name in names if name)


def survey(root: Root, config: ContainerConfig) -> Survey:
    """
    Raises:
        InputError: the tree cannot be read.
    """
    resolver = Resolver(root)
    options = Options(
        library_path=config.variable("LD_LIBRARY_PATH") or "",
        cwd=config.workdir or "/",
        preload=config.variable("LD_PRELOAD") or "",
        preload_file=True,
        secure=True,
    )
    seen = Survey(resolver, options, config, find(resolver.files))
    for at in seen.found.programs:
        closure = resolver.closure(_program(at), seen.options)
        if closure.loader is None:
            seen.static.append(at)
        else:
            seen.add_program(Judged(at, closure))
    loaders = _Loaders(seen)
    for at in seen.found.libraries:
        if at.place.node.identity in seen.loaded:
            continue
        loader = loaders.of(at)
        if loader is None:
            seen.unjudged += 1
            continue
        closure = resolver.closure(_program(at), seen.options._replace(preload=""), loader)
        if closure.refusal is not None and closure.refusal.path == at.path:
            seen.unjudged += 1  # no loader would load it: data
            continue
        seen.libraries.append(Judged(at, closure))
    return seen


def _program(at: ElfAt) -> Program:
    place, path = at.place, at.path
    mode = place.node.mode
    set_id = bool(mode & stat.S_ISUID) or mode & 0o2010 == 0o2010
    hit = Hit(path, path, at.elf, place.node.identity, Via(Kind.PROGRAM))
    return Program(path, path, hit, (), set_id, place)


class _Loaders:
    """The loader that each library would be loaded by."""

    def __init__(self, seen: Survey) -> None:
        self._seen = seen
        self._usual: dict[tuple[Machine, str | None], str | None] = {}

    def of(self, at: ElfAt) -> str | None:
        libc = _libc(at.elf)
        for program in self._seen.above(at.path):
            path = _serves(program, at.elf, libc)
            if path is not None:
                return path
        key = at.elf.abi[:3], libc
        if key not in self._usual:
            self._usual[key] = self._find(at.elf, libc)
        return self._usual[key]

    def _find(self, elf: ElfFile, libc: str | None) -> str | None:
        usual = [] if libc == MUSL else [*usual_interpreters(elf.abi)]
        musl = musl_interpreter(elf.abi)
        if libc != GLIBC and musl is not None:
            usual.append(musl)
        for path in usual:
            hit = self._seen.resolver.open_hit(path, Kind.INTERPRETER, self._seen.options)
            if hit is not None and hit.elf.abi[:3] == elf.abi[:3]:
                return path
        found = (_serves(program, elf, libc) for program in self._seen.programs)
        return next((path for path in found if path is not None), None)


def _serves(program: Judged, elf: ElfFile, libc: str | None) -> str | None:
    """The loader of a program, if it is there and could load a library too."""
    closure = program.closure
    if closure.loader is None or closure.interpreter is None:
        return None
    same = program.at.elf.abi[:3] == elf.abi[:3] and libc in (None, closure.loader.libc)
    return closure.loader.path if same else None


def _libc(elf: ElfFile) -> str | None:
    """The libc that a library was linked with; None if it does not tell."""
    if wants_musl(elf):
        return MUSL
    return GLIBC if "libc.so.6" in elf.needed else None
