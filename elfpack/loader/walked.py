"""From a walk to its closure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elfpack.light import TYPE_CHECKING
from elfpack.loader.closure import Closure, Miss
from elfpack.loader.common import walk_common
from elfpack.loader.program import Program
from elfpack.loader.records import Hit, Role
from elfpack.loader.search import Search
from elfpack.loader.walk import Walk

if TYPE_CHECKING:
    from elfpack.loader.preload import Wanted


def walk(
    program: Program,
    interpreter: Hit | None,
    search: Search,
    exclude: tuple[str, ...] = (),
    missing_interpreter: str | None = None,
    preloads: Sequence[Wanted] = (),
    around: tuple[Closure, ...] = (),
) -> Closure:
    """The closure of a dynamic program or library; of one that is opened at run time, ``around``
    are the closures of who opens it: the program's first."""
    if search.rules.knows_sonames and not (exclude or preloads or around):
        closure = walk_common(program, interpreter, search)
        if closure is not None:
            return closure
    known = None
    if around and search.rules.knows_sonames and not (exclude or preloads):
        from elfpack.loader.around import alike

        known = alike(around, search)
        closure = known.find(program, interpreter)
        if closure is not None:
            return closure
    state = Walk(program, interpreter, search, exclude, around)
    if preloads:
        state.preload(preloads)
    state.run()
    count = len(state.hits)
    closure = Closure(
        program,
        program.name,
        search.system.loader,
        interpreter,
        missing_interpreter,
        tuple(state.hits),
        tuple(state.names),
        tuple(state.requesters),
        (Role.NEEDED,) * count,
        tuple([row or () for row in state.targets]),
        ((),) * count,
        search.system.secure,
        program.scripts,
        preloads=tuple(state.preloads),
        excluded=tuple(state.excluded),
        refusal=state.refusal,
        aliases=tuple(state.aliases),
    )
    if state.roles or state.misses or state.filtees:
        return _ordered(closure, state)
    if known is not None and not state.searched:
        known.add(closure)
    return closure


def _ordered(closure: Closure, state: Walk) -> Closure:
    """The closure in the order of the loader's list, which filters change, with what only few
    have: roles, and names that nothing was found for."""
    place = state.places()
    order = list(place)
    return closure._replace(
        hits=tuple([state.hits[number] for number in order]),
        names=tuple([state.names[number] for number in order]),
        requesters=tuple([place.get(state.requesters[number], -1) for number in order]),
        roles=tuple([state.roles.get(number, Role.NEEDED) for number in order]),
        targets=tuple([_moved(state.targets[number], place) for number in order]),
        filtees=tuple([_moved(state.filtees.get(number), place) for number in order]),
        unlisted=frozenset([place[number] for number in state.unlisted if number >= 0]),
        preloads=tuple([p._replace(target=place.get(p.target, p.target)) for p in state.preloads]),
        misses=tuple(_misses(state, place)),
        searched=tuple({m.name: state.where(m) for m in state.misses}.items()),
        aliases=tuple(
            [
                a._replace(requester=place[a.requester], target=place[a.target])
                for a in state.aliases
            ]
        ),
    )


def _misses(state: Walk, place: dict[int, int]) -> Iterator[Miss]:
    """The misses by final positions, in the order of the list."""
    after = 0
    for number in state.order:
        if number >= 0:
            after += 1
            continue
        miss = state.misses[~number]
        listed = number not in state.unlisted
        yield miss._replace(requester=place[miss.requester], after=after, listed=listed)


def _moved(row: tuple[int, ...] | None, place: dict[int, int]) -> tuple[int, ...]:
    return tuple([place.get(target, target) for target in row or ()])
