"""The walk of the common case: no object of the closure has anything that asks for care.

Most programs need libraries that other programs needed before, and pass no search path on to them.
Then a name stands for one file, whichever program asks, and the breadth-first walk is no more than
this loop. Whatever is not known to be of that kind is left to ``walk.py``, which answers the same,
and knows all the rest.
"""

from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile
from elfpack.loader.closure import Closure
from elfpack.loader.program import Program
from elfpack.loader.records import EMPTY_SCOPE, Hit, Role
from elfpack.loader.search import Search

_KEPT = 1024
"""Closures: of a thousand programs of one root, there are some two hundred kinds."""


def is_common(name: str, hit: Hit) -> bool:
    """Whether an object that was found for a name by its requester's own scope is that name to all
    that ask later in the same process.

    One with another soname could be found under that as well; and one file that is found by two
    names would have two sonames.
    """
    return hit.elf.soname == name and "/" not in name and _is_careless(hit.elf)


def _is_careless(elf: ElfFile) -> bool:
    """Neither a DT_RPATH, which others inherit, nor a filter."""
    return (elf.rpath is None or elf.runpath is not None) and not elf.filters


def walk_common(program: Program, interpreter: Hit | None, search: Search) -> Closure | None:
    """The closure, or None if only the whole walk can tell it. Programs that need the same have the
    same, but for themselves."""
    elf = program.hit.elf
    if elf.soname is not None or elf.has_path or elf.filters:
        return None
    if interpreter is None or not _is_careless(interpreter.elf):
        return None
    if elf.flags_1 & c.DF_1_NODEFLIB:
        return _walk(program, interpreter, search)
    known = search.closures.get(elf.needed)
    if known is None or known.interpreter is not interpreter:
        known = _walk(program, interpreter, search)
        if known is not None:
            if len(search.closures) >= _KEPT:
                search.closures.clear()
            search.closures[elf.needed] = known
        return known
    return Closure(  # the same, but for itself; all fields in their order, which is quickest
        program,
        program.name,
        known.loader,
        interpreter,
        None,
        (program.hit, *known.hits[1:]),
        (program.name, *known.names[1:]),
        known.requesters,
        known.roles,
        known.targets,
        known.filtees,
        known.secure,
        program.scripts,
    )


def _walk(program: Program, interpreter: Hit, search: Search) -> Closure | None:
    itself = search.loader_soname(interpreter)
    without_path = search.common(EMPTY_SCOPE)
    hits = [program.hit]
    names = [program.name]
    requesters = [-1]
    targets: list[tuple[int, ...]] = []
    places: dict[str, int] = {}
    for requester, hit in enumerate(hits):  # which grows meanwhile
        elf = hit.elf
        known = without_path
        if elf.runpath is not None or elf.flags_1 & c.DF_1_NODEFLIB:
            known = search.common(search.rules.scope(hit, ()))
        row = []
        for name in elf.needed:
            place = places.get(name)
            if place is None:
                found = interpreter if name == itself else known.get(name)
                if found is None:
                    return None
                place = places[name] = len(hits)
                hits.append(found)
                names.append(name)
                requesters.append(requester)
            row.append(place)
        targets.append(tuple(row))
    count = len(hits)
    return Closure(
        program,
        program.name,
        search.system.loader,
        interpreter,
        None,
        tuple(hits),
        tuple(names),
        tuple(requesters),
        (Role.NEEDED,) * count,
        tuple(targets),
        ((),) * count,
        search.system.secure,
        program.scripts,
    )
