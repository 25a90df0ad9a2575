"""Every chain from a program to one of its libraries."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

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


def more(told: int) -> bool:
    """Whether there may be more chains than were told."""
    return told >= LIMIT


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


def _told(closure: Closure, below: list[list[Edge]], target: int, name: str = "") -> Iterator[str]:
    """Chains are grown breadth first, and only towards the target: each is a chain to it."""
    near = _leading(below, target, name)
    told = 0
    waiting: deque[tuple[tuple[int, Edge], ...]] = deque([()])
    while waiting and told < LIMIT:
        chain = waiting.popleft()
        number = chain[-1][1].target if chain else 0
        ahead = near.difference((0, *(edge.target for _, edge in chain)))
        for edge in below[number]:
            if edge.target == target and (target >= 0 or edge.name == name):
                told += 1
                yield _chain(closure, (*chain, (number, edge)))
            elif edge.target in ahead and len(waiting) < LIMIT:  # each is a chain
                waiting.append((*chain, (number, edge)))
            if told == LIMIT:
                break


def _leading(below: list[list[Edge]], target: int, name: str) -> set[int]:
    """The objects from which a chain leads to the target."""
    above: dict[int, list[int]] = {}
    found = set()
    for number, row in enumerate(below):
        for edge in row:
            if edge.target == target and (target >= 0 or edge.name == name):
                found.add(number)
            elif edge.target > 0:
                above.setdefault(edge.target, []).append(number)
    waiting = list(found)
    while waiting:
        for number in above.get(waiting.pop(), ()):
            if number not in found:
                found.add(number)
                waiting.append(number)
    return found


def _chain(closure: Closure, chain: tuple[tuple[int, Edge], ...]) -> str:
    text = f"  {_top(closure)}"
    for _, edge in chain:
        text += f" -> {edge.name}{note(edge)}"
    return text


def _top(closure: Closure) -> str:
    """Where every chain begins: the program, or the script and what runs it."""
    hops = [script.command or script.interpreter for script in closure.scripts]
    return " -> ".join([closure.name, *hops])
