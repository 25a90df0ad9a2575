"""ldd's format, without the addresses and the vDSO: glibc's, or musl's for a program of musl."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.loader.closure import MISSING, Closure
from elfpack.loader.identify import MUSL
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
    if closure.loader is not None and closure.loader.libc == MUSL:
        yield from _musl(closure, closure.loader.path)
    elif not closure.hits[0].elf.needed:  # whatever was preloaded
        if closure.missing_interpreter is None:
            yield "\tstatically linked"
    else:
        yield from _objects(closure)
    if closure.missing_interpreter is not None:
        yield f"\t{closure.missing_interpreter} => not found"


def _objects(closure: Closure) -> Iterator[str]:
    # A name that was not found stands where it was looked for. Only the interpreter goes before
    # such a line: the loader links it in behind the object it follows in the breadth-first
    # order, which holds found objects only. Source: glibc elf/rtld.c, dl_main().
    if not closure.misses and not closure.unlisted:
        yield from map(_object, closure.names[1:], closure.hits[1:])
        return
    misses = [miss for miss in reversed(closure.misses) if miss.listed]
    for number, hit in enumerate(closure.hits[1:], start=1):
        if number in closure.unlisted:
            continue
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


def _musl(closure: Closure, loader: str) -> Iterator[str]:
    """The loader itself, then each object when it is loaded, and the first of each kind of names
    that stand for the loader. Source: musl ldso/dynlink.c, load_library(), __dls3().
    """
    if closure.missing_interpreter is None:
        yield f"\t{loader}"
    from elfpack.loader.musl import reserved

    told: set[str] = set()
    listed = {0}
    for asked, target in _musl_names(closure):
        # What is a libc by what it exports is asked for once more, as libc.so.
        itself = target > 0 and closure.hits[target].via.kind is Kind.INTERPRETER
        name = "libc.so" if itself and reserved(asked) is None and asked != loader else asked
        kind = reserved(name)
        if kind is not None or name == loader:
            if kind is not None and kind not in told and closure.missing_interpreter is None:
                told.add(kind)
                yield f"\t{name} => {loader}"
        elif target == MISSING:
            yield f"\t{name} => not found"
        elif target not in listed and target >= 0:
            listed.add(target)
            yield f"\t{name} => {closure.hits[target].path}"


def _musl_names(closure: Closure) -> Iterator[tuple[str, int]]:
    """Every name that is asked for, in order; a preload that is missing is passed over silently."""
    for preload in closure.preloads:
        if preload.target >= 0:
            yield preload.name, preload.target
    for number, row in enumerate(closure.targets):
        yield from zip(closure.hits[number].elf.needed, row, strict=False)
