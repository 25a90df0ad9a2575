"""Every chain from a program to one of its libraries."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from typing import NamedTuple

from elfpack.loader.closure import EXCLUDED, MISSING, Borrowed, Closure
from elfpack.report.edges import Edge, edges, how, note

LIMIT = 1000
"""Chains that are told. Their number can double with every object."""


def lines(closure: Closure, name: str, borrowed: Iterable[Borrowed] = ()) -> Iterator[str]:
    """What ``name`` is, and each chain that leads to it, the shortest first, a line each. Nothing
    if it is not in the closure."""
    below = edges(closure, borrowed)
    wanted = _wanted(closure, name, below)
    for target in sorted(wanted):
        yield _head(closure, target)
        if closure.interpreter is not None and closure.hits[target] is closure.interpreter:
            yield f"  {_top(closure)} -> {closure.interpreter.path} [interpreter]"
        yield from _told(closure, below, target)
    if closure.interpreter is not None and not wanted and _is_interpreter(closure, name):
        yield f"{closure.interpreter.path} [interpreter]"
        yield f"  {_top(closure)} -> {closure.interpreter.path} [interpreter]"


def absent(closure: Closure, name: str) -> Iterator[str]:
    """The same for a name that is asked for, but missing or excluded."""
    below = edges(closure)
    for kind, words in ((MISSING, "not found"), (EXCLUDED, "excluded")):
        if any(e.name == name and e.target == kind for row in below for e in row):
            yield f"{name} => {words}"
            yield from _told(closure, below, kind, name)


def _wanted(closure: Closure, name: str, below: list[list[Edge]]) -> set[int]:
    """The objects that are called so: by a needed name, soname, path or real path."""
    found = {e.target for row in below for e in row if e.name == name and e.target > 0}
    for number, hit in enumerate(closure.hits[1:], start=1):
        if name in (closure.names[number], hit.elf.soname, hit.path, hit.real_path):
            found.add(number)
    return found


def _is_interpreter(closure: Closure, name: str) -> bool:
    hit = closure.interpreter
    return hit is not None and name in (hit.path, hit.real_path, hit.elf.soname)


def _head(closure: Closure, target: int) -> str:
    hit = closure.hits[target]
    return f"{closure.names[target]} => {hit.path} [{how(hit)}]"


class _Prefix(NamedTuple):
    """The beginning of a chain: what it goes on from, and its last edge."""

    above: _Prefix | None
    number: int
    """The object that the chain has come to."""
    length: int
    edge: Edge | None = None


def _told(closure: Closure, below: list[list[Edge]], target: int, name: str = "") -> Iterator[str]:
    """Chains grow where they can still become the shortest, so that the first is told before any
    that leads nowhere, and work without end is cut off behind it."""
    far = _distances(below, target, name)
    told = work = counter = 0
    waiting = [(far.get(0, 0), 0, _Prefix(None, 0, 0))]
    while waiting and told < LIMIT and (not told or work < _WORK):
        prefix = heappop(waiting)[2]
        passed = _passed(prefix)
        work += len(passed)
        ahead = []
        for edge in below[prefix.number]:
            if edge.target == target and (target >= 0 or edge.name == name):
                told += 1
                yield _chain(closure, prefix, edge)
                if told == LIMIT:
                    return
            elif edge.target in far and edge.target not in passed:
                ahead.append(edge)
        # Of those that can become equally short the one that has come furthest is next.
        for edge in reversed(ahead):
            counter -= 1
            longer = _Prefix(prefix, edge.target, prefix.length + 1, edge)
            heappush(waiting, (longer.length + far[edge.target], counter, longer))
        work += len(ahead)
    if waiting:
        yield MORE


MORE = "  ..."
"""Stands for chains that were not looked for to the end."""
_WORK = 2_000_000
"""Steps that are made for chains behind the first."""


def _passed(prefix: _Prefix) -> set[int]:
    passed = set()
    above: _Prefix | None = prefix
    while above is not None:
        passed.add(above.number)
        above = above.above
    return passed


def _distances(below: list[list[Edge]], target: int, name: str) -> dict[int, int]:
    """For each object from which a chain leads to the target: how many edges at the least."""
    above: dict[int, list[int]] = {}
    far: dict[int, int] = {}
    for number, row in enumerate(below):
        for edge in row:
            if edge.target == target and (target >= 0 or edge.name == name):
                far[number] = 1
            elif edge.target > 0:
                above.setdefault(edge.target, []).append(number)
    waiting = deque(far)
    while waiting:
        number = waiting.popleft()
        for nearer in above.get(number, ()):
            if nearer not in far:
                far[nearer] = far[number] + 1
                waiting.append(nearer)
    return far


def _chain(closure: Closure, prefix: _Prefix, last: Edge) -> str:
    edges = [last]
    above: _Prefix | None = prefix
    while above is not None and above.edge is not None:
        edges.append(above.edge)
        above = above.above
    words = [f"{edge.name}{note(edge)}" for edge in reversed(edges)]
    return "  " + " -> ".join([_top(closure), *words])


def _top(closure: Closure) -> str:
    """Where every chain begins: the program, or the script and what runs it."""
    hops = [script.command or script.interpreter for script in closure.scripts]
    return " -> ".join([closure.name, *hops])
