"""Who needs whom, each edge once, with how it was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack.loader.closure import EXCLUDED, MISSING, VDSO, Borrowed, Closure
from elfpack.report.edges import Edge, edges, how, note

LEVELS = 100
"""Indentation grows up to here: the lines of a chain of thousands would be as long as the chain."""


def lines(closure: Closure, borrowed: Iterable[Borrowed] = ()) -> Iterator[str]:
    """The program, and below each object what it needs.

    What is more than :data:`LEVELS` deep is indented by so many, and has its level before it. An
    object's own needs stand where it is met first; where it is met again it has the mark
    ``(above)``. Walks with a stack: a chain may be deeper than Python recurses.
    """
    yield _head(closure)
    if closure.program is None:
        yield f"  {closure.missing_interpreter} => not found"
        return
    if closure.interpreter is not None and closure.kind != "library":
        yield f"  {closure.interpreter.path} [interpreter]"
    if closure.missing_interpreter is not None:
        yield f"  {closure.missing_interpreter} => not found [interpreter]"
    yield from _below(closure, borrowed)


def _head(closure: Closure) -> str:
    line = closure.name
    for script in closure.scripts:
        line += f" (script) -> {script.interpreter}"
        if script.command is not None:
            line += f" -> {script.command}"
    return line


def _below(closure: Closure, borrowed: Iterable[Borrowed]) -> Iterator[str]:
    below = edges(closure, borrowed)
    opened = {0}
    stack = [iter(below[0])]
    while stack:
        edge = next(stack[-1], None)
        if edge is None:
            stack.pop()
            continue
        level = len(stack)
        indent = "  " * level if level <= LEVELS else f"{'  ' * LEVELS}({level}) "
        again = edge.target in opened and bool(edge.target >= 0 and below[edge.target])
        yield f"{indent}{_edge(closure, edge)}{' (above)' if again and edge.target else ''}"
        if edge.target >= 0 and edge.target not in opened:
            opened.add(edge.target)
            stack.append(iter(below[edge.target]))


def _edge(closure: Closure, edge: Edge) -> str:
    if edge.target == MISSING:
        return f"{edge.name} => not found{note(edge)}"
    if edge.target in (EXCLUDED, VDSO):
        return f"{edge.name} [{'excluded' if edge.target == EXCLUDED else 'from the kernel'}]"
    hit = closure.hits[edge.target]
    shown = hit.path if edge.name == hit.path else f"{edge.name} => {hit.path}"
    found = "the program itself" if edge.target == 0 else how(hit)
    return f"{shown} [{found}]{note(edge)}"
