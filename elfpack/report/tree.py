"""Who needs whom, each edge once, with how it was found."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.loader.closure import EXCLUDED, MISSING, Closure
from elfpack.loader.records import Hit, Kind


def lines(closure: Closure) -> Iterator[str]:
    """The program, and below each object what it needs.

    An object's own needs stand where it is met first; where it is met again it has the mark
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
    yield from _below(closure)


def _head(closure: Closure) -> str:
    line = closure.name
    for script in closure.scripts:
        line += f" (script) -> {script.interpreter}"
        if script.command is not None:
            line += f" -> {script.command}"
    return line


def _below(closure: Closure) -> Iterator[str]:
    opened = {0}
    stack: list[tuple[int, int, int]] = [(0, 0, 1)]  # object, next of its needs, depth
    while stack:
        number, position, depth = stack.pop()
        row = closure.targets[number] if number < len(closure.targets) else ()
        if position == len(row):
            continue
        stack.append((number, position + 1, depth))
        name = closure.hits[number].elf.needed[position]
        target = row[position]
        indent = "  " * depth
        if target == MISSING:
            yield f"{indent}{name} => not found"
        elif target == EXCLUDED:
            yield f"{indent}{name} [excluded]"
        else:
            hit = closure.hits[target]
            again = target in opened and bool(hit.elf.needed)
            yield f"{indent}{_edge(name, hit)}{' (above)' if again else ''}"
            if target not in opened:
                opened.add(target)
                stack.append((target, 0, depth + 1))


def _edge(name: str, hit: Hit) -> str:
    if hit.via.kind is Kind.PROGRAM:
        return f"{name} => {hit.path} [the program itself]"
    shown = hit.path if name == hit.path else f"{name} => {hit.path}"
    return f"{shown} [{how(hit)}]"


def how(hit: Hit) -> str:
    """How an object was found: ``runpath $ORIGIN/../lib``."""
    via = hit.via
    if via.kind in (Kind.RPATH, Kind.RUNPATH):
        return f"{via.kind} {via.written} of {via.owner}"
    return str(via.kind)
