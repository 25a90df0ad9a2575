"""The breadth-first walk from a program to all that its loader loads. Names no libc.

Source: glibc elf/dl-deps.c, _dl_map_object_deps(); musl ldso/dynlink.c, load_deps().
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from elfpack.loader.identify import Loader
from elfpack.loader.program import Program, Script
from elfpack.loader.records import Hit, Kind, Probe, Refusal, Scope, SearchList
from elfpack.loader.search import Search
from elfpack.paths import basename

MISSING = -2
EXCLUDED = -3
"""Targets of a needed name that are no position in the closure."""


class Miss(NamedTuple):
    """A needed name that nothing was found for."""

    name: str
    requester: int
    """The position of the object that needs it."""
    after: int
    """Objects loaded before it was looked for: its place among them."""


class Library(NamedTuple):
    """One shared object of a closure, as build scripts see it."""

    name: str
    """The needed name that it was loaded for."""
    path: str
    """The path that the loader opens, links not resolved."""
    real_path: str
    """Where the file is, links resolved inside the root."""
    soname: str | None
    found_by: str
    """``rpath``, ``runpath``, ``LD_LIBRARY_PATH``, ``ld.so.cache``, ``default path``, ``path``,
    ``interpreter``, ..."""
    needed_by: tuple[str, ...]
    """The paths of all objects that need it, the one that caused it to be loaded first."""


class MissingLibrary(NamedTuple):
    name: str
    needed_by: tuple[str, ...]
    searched: tuple[str, ...]
    """The directories, and the cache, where the loader would look, in order."""


@dataclass(frozen=True, slots=True)
class Closure:
    """A program, its interpreter and every object that the loader would load, in load order.

    A flat table: relations are positions in :attr:`hits`, so that nothing recurses and a closure
    can be pickled.
    """

    program: Program | None
    """None if a script's interpreter is missing."""
    name: str
    """The program as the user named it."""
    loader: Loader | None = None
    """None for a static program."""
    interpreter: Hit | None = None
    """The file that PT_INTERP names; None for a static program or if it is missing."""
    missing_interpreter: str | None = None
    hits: tuple[Hit, ...] = ()
    """The program first, then the objects in load order, the interpreter where it is first
    needed."""
    names: tuple[str, ...] = ()
    """The name that each of them was loaded for."""
    requesters: tuple[int, ...] = ()
    """The position of the object that first asked for each; -1 for the program."""
    targets: tuple[tuple[int, ...], ...] = ()
    """For each of :attr:`hits` and each of its needed names: the position of what satisfies it,
    :data:`MISSING` or :data:`EXCLUDED`."""
    misses: tuple[Miss, ...] = ()
    excluded: tuple[str, ...] = ()
    refusal: Refusal | None = None
    """Where the loader would stop."""
    scripts: tuple[Script, ...] = ()
    searched: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For each missing name, the places where it was looked for."""

    @property
    def kind(self) -> str:
        """``executable``, ``pie``, ``static``, ``static-pie``, ``library`` or ``script``."""
        return "script" if self.scripts else self.hits[0].elf.kind

    @property
    def libraries(self) -> tuple[Library, ...]:
        """The shared objects in load order."""
        needed_by = self._needed_by()
        return tuple(
            Library(name, hit.path, hit.real_path, hit.elf.soname, hit.via.kind.value, by)
            for name, hit, by in list(zip(self.names, self.hits, needed_by, strict=True))[1:]
        )

    @property
    def missing(self) -> tuple[MissingLibrary, ...]:
        """The needed names that nothing was found for, each once."""
        searched = dict(self.searched)
        found: dict[str, list[str]] = {}
        for miss in self.misses:
            found.setdefault(miss.name, []).append(self.label(miss.requester))
        return tuple(
            MissingLibrary(name, tuple(dict.fromkeys(by)), searched.get(name, ()))
            for name, by in found.items()
        )

    def label(self, number: int) -> str:
        """What to call an object in a message: the program as the user named it, others by path."""
        return self.name if number == 0 and not self.scripts else self.hits[number].path

    def _needed_by(self) -> list[tuple[str, ...]]:
        found: list[dict[str, None]] = [{} for _ in self.hits]
        for number, requester in enumerate(self.requesters):
            if requester >= 0:
                found[number][self.label(requester)] = None
        for number, row in enumerate(self.targets):
            for target in row:
                if target >= 0:
                    found[target].setdefault(self.label(number))
        return [tuple(by) for by in found]


class Walk:
    """One breadth-first walk. Grows lists, each object is visited once."""

    def __init__(
        self, program: Program, interpreter: Hit | None, search: Search, exclude: tuple[str, ...]
    ) -> None:
        self.search = search
        self.hits = [program.hit]
        self.names = [program.name]
        self.requesters = [-1]
        self.targets: list[tuple[int, ...]] = []
        self.misses: list[Miss] = []
        self.excluded: dict[str, None] = {}
        self.refusal: Refusal | None = None
        self.scopes: list[Scope] = []
        self._exclude = exclude
        self._interpreter = interpreter
        loader = search.system.loader
        # A loader that is absent still answers to its name: libc.so.6 needs it by its soname.
        soname = basename(loader.path)
        if interpreter is not None and interpreter.elf.soname is not None:
            soname = interpreter.elf.soname
        self._loaded = search.rules.loaded(program.hit, loader.path, soname)
        self._chains: list[tuple[SearchList, ...]] = []

    def run(self) -> None:
        """Visit the objects in the order they were loaded; the list grows meanwhile."""
        for number, hit in enumerate(self.hits):
            above = self._chains[self.requesters[number]] if number else ()
            chain = self.search.rules.chain(hit, above)
            self._chains.append(chain)
            scope = self.search.rules.scope(hit, chain)
            self.scopes.append(scope)
            if hit.elf.needed:
                self.targets.append(self._needed(number, hit, scope))
            else:
                self.targets.append(())
            if self.refusal is not None:
                return

    def _needed(self, number: int, hit: Hit, scope: Scope) -> tuple[int, ...]:
        row: list[int] = []
        table = self.search.table(scope)
        for written in hit.elf.needed:
            name = self.search.rules.expand(written, hit) if "$" in written else written
            if name is None:
                name = written
            if self._exclude and any(fnmatchcase(name, glob) for glob in self._exclude):
                self.excluded[name] = None
                row.append(EXCLUDED)
                continue
            target = self._loaded.by_name(name)
            if target is None:
                target = self._search(name, number, scope, table)
            elif target == -1:
                target = self._interpreter_needed(name, number)
            row.append(target)
            if self.refusal is not None:
                break
        return tuple(row)

    def _search(
        self, name: str, requester: int, scope: Scope, table: dict[str, Hit | Refusal | None]
    ) -> int:
        answer = self.search.find(name, scope, table)
        if answer is None:
            self.misses.append(Miss(name, requester, len(self.hits)))
            return MISSING
        if isinstance(answer, Refusal):
            self.refusal = answer
            return MISSING
        same = self._loaded.by_file(name, answer)
        if same is not None:
            return same
        reason = self.search.rules.refuse(answer.elf)
        if reason is not None:
            self.refusal = Refusal(answer.path, reason)
            return MISSING
        return self._add(name, answer, requester)

    def _add(self, name: str, hit: Hit, requester: int) -> int:
        self.hits.append(hit)
        self.names.append(name)
        self.requesters.append(requester)
        number = len(self.hits) - 1
        self._loaded.add(number, name, hit)
        return number

    def _interpreter_needed(self, name: str, requester: int) -> int:
        """The interpreter is loaded before all others, and listed where it is first needed."""
        if self._interpreter is None:
            return MISSING
        number = self._add(name, self._interpreter, requester)
        self._loaded.interpreter_is(number)
        return number

    def where(self, miss: Miss) -> tuple[str, ...]:
        """The places where a missing name was looked for."""
        trail = self.search.trail(miss.name, self.scopes[miss.requester])
        return tuple(dict.fromkeys(_place(probe, miss.name, self.search) for probe in trail))


def _place(probe: Probe, name: str, search: Search) -> str:
    if probe.via.kind is Kind.CACHE:
        return search.system.loader.cache or ""
    directory = probe.path.removesuffix(name).rstrip("/")
    return (
        search.system.absolute(directory) if directory or "/" in probe.path else search.system.cwd
    )


def walk(
    program: Program,
    interpreter: Hit | None,
    search: Search,
    exclude: tuple[str, ...] = (),
    missing_interpreter: str | None = None,
) -> Closure:
    """The closure of a dynamic program or library."""
    state = Walk(program, interpreter, search, exclude)
    state.run()
    searched = {m.name: state.where(m) for m in state.misses}
    return Closure(
        program,
        program.name,
        search.system.loader,
        interpreter,
        missing_interpreter,
        tuple(state.hits),
        tuple(state.names),
        tuple(state.requesters),
        tuple(state.targets),
        tuple(state.misses),
        tuple(state.excluded),
        state.refusal,
        program.scripts,
        tuple(searched.items()),
    )
