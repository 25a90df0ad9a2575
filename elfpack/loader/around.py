"""What is loaded already where a library is opened at run time.

Source: glibc elf/dl-load.c, _dl_map_object(); musl ldso/dynlink.c, dlopen().
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_

from elfpack.loader.closure import Closure
from elfpack.loader.program import Program
from elfpack.loader.records import Hit, SearchList
from elfpack.loader.search import Loaded, Search


class Around:
    """The closures of who opens a library: the program's first, then those of libraries that were
    opened as well."""

    def __init__(self, closures: Sequence[Closure], search: Search) -> None:
        self._closures = [(c, _known(c, n, search)) for n, c in enumerate(closures)]
        self._own = False
        # Who opens a library is not its requester, but the program's DT_RPATH counts for all.
        program = closures[0].hits[0] if closures else None
        self.chain: tuple[SearchList, ...] = search.rules.chain(program, ()) if program else ()

    def by_name(self, name: str) -> Hit | None:
        """The object of that name."""
        return self._first(lambda loaded: loaded.by_name(name))

    def by_file(self, name: str, hit: Hit) -> Hit | None:
        """The object that is the same file, which was found for ``name``."""
        if not self._own:  # it may become another name of that, and what is known is shared
            self._closures = [(closure, loaded.copy()) for closure, loaded in self._closures]
            self._own = True
        return self._first(lambda loaded: loaded.by_file(name, hit))

    def _first(self, find: Callable[[Loaded], int | None]) -> Hit | None:
        for place, (closure, loaded) in enumerate(self._closures):
            number = find(loaded)
            if number is not None and (number > 0 or (place and number == 0)):
                return closure.hits[number]
        return None


class Alike:
    """The closures of libraries that need the same, and are opened where all of that is loaded:
    they differ in nothing but the library. Hundreds of conversion modules need libc.so.6 alone."""

    def __init__(self, around: tuple[Closure, ...]) -> None:
        self._around = around
        self._known: dict[tuple[str, ...], tuple[Closure, frozenset[str]]] = {}

    def within(self, around: tuple[Closure, ...]) -> bool:
        """Whether these are the closures of who opens them."""
        mine = self._around
        return len(mine) == len(around) and all(map(is_, mine, around))

    def find(self, program: Program, interpreter: Hit | None) -> Closure | None:
        """The closure of a library, told from that of another one."""
        elf = program.hit.elf
        known = None if elf.filters else self._known.get(elf.needed)
        if known is None or known[0].interpreter != interpreter or elf.soname in known[1]:
            return None
        return known[0]._replace(
            program=program,
            name=program.name,
            hits=(program.hit, *known[0].hits[1:]),
            names=(program.name, *known[0].names[1:]),
            scripts=program.scripts,
        )

    def add(self, closure: Closure) -> None:
        """Keep one that no file was looked for in: all was found by its name."""
        elf = closure.hits[0].elf
        asked = frozenset([name for hit in closure.hits for name in hit.elf.needed])
        special = closure.misses or closure.aliases or closure.excluded or closure.refusal
        if closure.interpreter is None or special or any(hit.elf.filters for hit in closure.hits):
            return
        if elf.soname not in asked and not any("$" in name for name in asked):
            self._known[elf.needed] = closure, asked


def alike(around: tuple[Closure, ...], search: Search) -> Alike:
    """Those that are known within the closures around a library."""
    known = search.alike
    if known is None or not known.within(around):
        known = search.alike = Alike(around)
    return known


def _known(closure: Closure, place: int, search: Search) -> Loaded:
    """As :func:`_loaded`. A program opens hundreds of libraries: what it has is looked at once."""
    known = search.around.get(place)
    if known is None or known[0] is not closure:
        known = search.around[place] = closure, _loaded(closure, place, search)
    return known[1]


def _loaded(closure: Closure, place: int, search: Search) -> Loaded:
    """The names of a closure's objects. That of the program itself is none that is looked for; the
    first object of the others has been opened as a library."""
    loaded = search.rules.loaded(closure.hits[0], search.system.loader.path, None)
    for number, (name, hit) in enumerate(zip(closure.names, closure.hits, strict=True)):
        if (number or place) and number not in closure.unlisted:
            loaded.add(number, name, hit)
    return loaded
