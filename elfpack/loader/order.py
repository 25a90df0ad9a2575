"""The order in which a loader relocates the objects of a closure.

Source: glibc elf/dl-sort-maps.c, elf/rtld.c, dl_main(); musl ldso/dynlink.c, __dls3().
"""

from __future__ import annotations

from elfpack.loader.closure import Closure
from elfpack.loader.identify import MUSL
from elfpack.loader.records import Kind

_DEPTH_FIRST = (2, 35)
"""The first glibc that sorts by a depth-first walk."""


def relocated(closure: Closure) -> list[int]:
    """Positions in the closure, without the loader itself, which has done it already."""
    assert closure.loader is not None
    if closure.loader.libc == MUSL:
        order = [*range(1, len(closure.hits)), 0]
    elif (0, 0) < closure.loader.version < _DEPTH_FIRST:
        order = _moved(len(closure.hits), dependencies(closure))[::-1]
    else:
        order = _depth_first(len(closure.hits), dependencies(closure))
    return [n for n in order if closure.hits[n].via.kind is not Kind.INTERPRETER]


def dependencies(closure: Closure) -> list[list[int]]:
    """For each object what it asked for and got, in the order of its dynamic section. The
    program's are not known yet when glibc sorts."""
    rows = [
        [target for _, _, target in closure.asked(number) if target >= 0]
        for number in range(1, len(closure.hits))
    ]
    return [[], *rows]


def _depth_first(count: int, needs: list[list[int]]) -> list[int]:
    """Each object behind what it needs, from the last of the breadth-first order.

    Source: _dl_sort_maps_dfs(), whose result glibc relocates from its end.
    """
    done: list[int] = []
    visited = [False] * count
    for start in reversed(range(count)):
        if visited[start]:
            continue
        visited[start] = True
        line = [(start, iter(needs[start]))]
        while line:
            number, rest = line[-1]
            following = next((n for n in rest if not visited[n]), None)
            if following is None:
                done.append(number)
                line.pop()
            else:
                visited[following] = True
                line.append((following, iter(needs[following])))
    return done


_WORK = 5_000_000
"""Steps, and what each looks at. Three hundred libraries in a great round take that many; glibc
itself would move a thousand of them for minutes. The order decides in which order faults
are told, and what it is after that is as good as another."""


def _moved(count: int, needs: list[list[int]]) -> list[int]:
    """Each object moved behind the last that needs it, the program staying the first.

    Source: _dl_sort_maps_original().
    """
    order = list(range(1, count))
    place = {number: at for at, number in enumerate(order)}
    needers: dict[int, set[int]] = {number: set() for number in order}
    for number in order:
        for target in needs[number]:
            if target:
                needers[target].add(number)
    seen = [0] * len(order)
    at, left = 0, _WORK
    while at < len(order) - 1 and left > 0:
        seen[at] += 1
        this = order[at]
        last = max([place[number] for number in needers[this]], default=0)
        left -= 1 + len(needers[this])
        if last > at:
            left -= last - at
            order.insert(last, order.pop(at))
            for moved in range(at, last + 1):
                place[order[moved]] = moved
            if seen[at + 1] <= len(order) - at:
                seen.insert(last, seen.pop(at))
                continue
            # Round and round: objects that need each other.
        at += 1
        seen[at:] = [0] * (len(order) - at)
    return [0, *order]
