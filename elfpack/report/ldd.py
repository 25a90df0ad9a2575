"""ldd's format, without the addresses and the vDSO."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.loader.closure import Closure
from elfpack.loader.records import Hit, Kind


def lines(closure: Closure) -> Iterator[str]:
    """The lines for one closure, in the loader's own order."""
    if closure.refusal is not None:  # the loader stops before it lists anything
        return
    if closure.program is None:
        yield f"\t{closure.missing_interpreter} => not found"
        return
    if closure.missing_command is not None:
        yield f"\t{closure.missing_command} => not found"
        return
    if not closure.hits[0].elf.needed and closure.missing_interpreter is None:
        yield "\tstatically linked"
        return
    yield from _objects(closure)
    if closure.missing_interpreter is not None:
        yield f"\t{closure.missing_interpreter} => not found"


def _objects(closure: Closure) -> Iterator[str]:
    # A name that was not found stands where it was looked for. Only the interpreter goes before
    # such a line: the loader links it in behind the object it follows in the breadth-first
    # order, which holds found objects only. Source: glibc elf/rtld.c, dl_main().
    misses = list(closure.misses)[::-1]
    for number, hit in enumerate(closure.hits[1:], start=1):
        if hit.via.kind is not Kind.INTERPRETER:
            while misses and misses[-1].after <= number:
                yield f"\t{misses.pop().name} => not found"
        yield _object(closure.names[number], hit)
    for miss in reversed(misses):
        yield f"\t{miss.name} => not found"


def _object(name: str, hit: Hit) -> str:
    if hit.via.kind is Kind.INTERPRETER or name == hit.path:
        return f"\t{hit.path}"
    return f"\t{name} => {hit.path}"
