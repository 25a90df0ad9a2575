"""The breadth-first walk from a program to all that its loader loads. Names no libc.

Source: glibc elf/dl-deps.c, _dl_map_object_deps(); musl ldso/dynlink.c, load_deps().
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from elfpack.elf.file import Filter
from elfpack.loader.identify import Loader
from elfpack.loader.program import Program, Script
from elfpack.loader.records import EMPTY_SCOPE, Hit, Kind, Refusal, Scope, SearchList
from elfpack.loader.search import Search
from elfpack.paths import basename, matches

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
    filtered: Filter | None = None
    """The DT_AUXILIARY or DT_FILTER entry that asks for it; None for a needed name."""

    @property
    def harmless(self) -> bool:
        """DT_AUXILIARY: the loader goes on without it."""
        return self.filtered is not None and not self.filtered.required


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
    def missing_command(self) -> str | None:
        """The command that ``env`` would look for in vain, for a script."""
        last = self.scripts[-1] if self.scripts else None
        return last.wanted if last is not None and last.command is None else None

    @property
    def missing(self) -> tuple[MissingLibrary, ...]:
        """The needed names that nothing was found for, each once."""
        searched = dict(self.searched)
        found: dict[str, list[str]] = {}
        for miss in self.misses:
            if miss.harmless:
                continue
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
        self.targets: list[tuple[int, ...] | None] = [None]
        self.order = [0]
        """Positions in the lists above in the order of the loader's list."""
        self.misses: list[Miss] = []
        self.excluded: dict[str, None] = {}
        self.refusal: Refusal | None = None
        self.scopes = [EMPTY_SCOPE]
        self._exclude = exclude
        self._interpreter = interpreter
        loader = search.system.loader
        # A loader that is absent still answers to its name: libc.so.6 needs it by its soname.
        soname = basename(loader.path)
        if interpreter is not None and interpreter.elf.soname is not None:
            soname = interpreter.elf.soname
        self._loaded = search.rules.loaded(program.hit, loader.path, soname)
        self._chains: list[tuple[SearchList, ...]] = [()]

    def run(self) -> None:
        """Visit the objects in the order of the list, which grows meanwhile: at its end, and
        before an object that is a filter."""
        position = 0
        while position < len(self.order) and self.refusal is None:
            number = self.order[position]
            if self.targets[number] is not None:
                position += 1
                continue
            self._visit(number)

    def _visit(self, number: int) -> None:
        hit = self.hits[number]
        above = self._chains[self.requesters[number]] if number else ()
        self._chains[number] = chain = self.search.rules.chain(hit, above)
        self.scopes[number] = scope = self.search.rules.scope(hit, chain)
        self.targets[number] = ()
        elf = hit.elf
        if elf.filters and self.search.rules.follows_filters:
            self.targets[number] = self._asked(number, hit, scope)
        elif elf.needed:
            table = self.search.table(scope)
            row = []
            for written in elf.needed:
                row.append(self._needed(written, number, scope, table))
                if self.refusal is not None:
                    break
            self.targets[number] = tuple(row)

    def _asked(self, number: int, hit: Hit, scope: Scope) -> tuple[int, ...]:
        """The needed names of a filter, and what it filters, in the order of its tags."""
        table = self.search.table(scope)
        row = []
        for written, filtered in hit.elf.asked:
            loaded = len(self.hits)
            target = self._needed(written, number, scope, table, filtered)
            if filtered is None:
                row.append(target)
            elif target >= 0:
                self._before(target, number, new=target >= loaded)
            elif not filtered.required:  # DT_AUXILIARY: no error is one
                self.refusal = None
            if self.refusal is not None:
                break
        return tuple(row)

    def _before(self, target: int, number: int, *, new: bool) -> None:
        """What an object filters goes before it, wherever it stood behind it.

        Source: elf/dl-deps.c, _dl_map_object_deps(). The program is the first all the same.
        """
        place = max(1, self.order.index(number))
        if not new and self.order.index(target) < place:
            return
        self.order.remove(target)
        self.order.insert(place, target)

    def _needed(
        self,
        written: str,
        number: int,
        scope: Scope,
        table: dict[str, Hit | Refusal | None],
        filtered: Filter | None = None,
    ) -> int:
        """The position of what satisfies a name, which is loaded if it has to be."""
        hit = self.hits[number]
        name = self.search.rules.expand(written, hit) if "$" in written else written
        if name is None:
            name = written
        if self._exclude and matches(name, self._exclude):
            self.excluded[name] = None
            return EXCLUDED
        target = self._loaded.by_name(name)
        if target is None:
            return self._search(name, number, scope, table, filtered)
        if target == -1:
            return self._interpreter_needed(name, number)
        return target

    def _search(
        self,
        name: str,
        requester: int,
        scope: Scope,
        table: dict[str, Hit | Refusal | None],
        filtered: Filter | None,
    ) -> int:
        answer = self.search.find(name, scope, table)
        if answer is None:
            self.misses.append(Miss(name, requester, len(self.hits), filtered))
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
        self.targets.append(None)
        self.scopes.append(EMPTY_SCOPE)
        self._chains.append(())
        number = len(self.hits) - 1
        self.order.append(number)
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
        system = self.search.system
        if "/" in miss.name:
            return (system.absolute(miss.name),)
        places: dict[str, None] = {}
        for step in self.search.rules.steps(miss.name, self.scopes[miss.requester]):
            if step.kind is Kind.CACHE:
                places[system.loader.cache or ""] = None
            for element in step.elements:
                places[system.absolute(element.directory).rstrip("/") or "/"] = None
        return tuple(places)


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
    order = state.order
    place = {number: position for position, number in enumerate(order)}
    return Closure(
        program,
        program.name,
        search.system.loader,
        interpreter,
        missing_interpreter,
        tuple([state.hits[number] for number in order]),
        tuple([state.names[number] for number in order]),
        tuple([place.get(state.requesters[number], -1) for number in order]),
        tuple([_moved(state.targets[number], place) for number in order]),
        tuple(sorted([_miss(m, place) for m in state.misses], key=lambda m: m.after)),
        tuple(state.excluded),
        state.refusal,
        program.scripts,
        tuple({m.name: state.where(m) for m in state.misses}.items()),
    )


def _miss(miss: Miss, place: dict[int, int]) -> Miss:
    """A miss by final positions: that of a filter stands before the filter."""
    requester = place[miss.requester]
    after = miss.after if miss.filtered is None else max(1, requester)
    return miss._replace(requester=requester, after=after)


def _moved(row: tuple[int, ...] | None, place: dict[int, int]) -> tuple[int, ...]:
    return tuple([place.get(target, target) for target in row or ()])
