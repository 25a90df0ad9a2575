"""Who asks for whom in a closure, in words: what tree, dot and why have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from elfpack.loader.closure import Borrowed, Closure
from elfpack.loader.records import Hit, Kind, Role


class Edge(NamedTuple):
    """One name that an object asks for."""

    name: str
    target: int
    """A position in the closure, or negative as in :class:`Closure`."""
    role: str = ""
    """What asks, if it is no DT_NEEDED: ``filter``, ``auxiliary``, ``LD_PRELOAD``, ..."""
    borrowed: Borrowed | None = None


def edges(closure: Closure, borrowed: Iterable[Borrowed] = ()) -> list[list[Edge]]:
    """For each object what it asks for, in the order of its tags; what is preloaded is the first
    that the program has."""
    luck = {(b.requester, b.name): b for b in borrowed}
    found: list[list[Edge]] = [[] for _ in closure.hits]
    for preload in closure.preloads:
        if preload.target > 0:
            found[0].append(Edge(preload.name, preload.target, preload.source))
    for number, row in enumerate(found):
        for name, filtered, target in closure.asked(number):
            role = "" if filtered is None else Role.of(filtered).value
            row.append(Edge(name, target, role, luck.get((number, name))))
    return found


def how(hit: Hit) -> str:
    """How an object was found: ``runpath $ORIGIN/../lib of /bin/app``."""
    via = hit.via
    text = str(via.kind)
    if via.kind in (Kind.RPATH, Kind.RUNPATH):
        text = f"{via.kind} {via.written} of {via.owner}"
    return f"{text}, {via.hwcaps}" if via.hwcaps else text


def note(edge: Edge) -> str:
    """What there is to say of an edge beside its ends."""
    text = f" [{edge.role}]" if edge.role else ""
    if edge.borrowed is not None:
        own = edge.borrowed.own
        text += f" [only because it was loaded before: its own search finds {own or 'nothing'}]"
    return text
