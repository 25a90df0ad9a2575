"""Closures of one or many programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack.api.names import Name
from elfpack.api.session import Session
from elfpack.errors import ElfpackError
from elfpack.loader.closure import EXCLUDED, Closure
from elfpack.loader.records import Kind
from elfpack.report import trail


def resolve(
    program: Name, *, root: Name = "/", library_path: str = "", exclude: tuple[str, ...] = ()
) -> Closure:
    """What the loader would load for a program, a library or a script.

    Args:
        program: its path, inside ``root``.
        root: the directory that names are looked up in.
        library_path: LD_LIBRARY_PATH of the program. The environment is not read.
        exclude: patterns of needed names that are neither listed nor followed.

    Raises:
        InputError: it cannot be read, or is no program.
    """
    with Session(root, library_path=library_path) as session:
        return session.resolve(program, exclude=exclude)


def resolve_many(
    session: Session, programs: Iterable[str], *, exclude: tuple[str, ...] = ()
) -> Iterator[Closure | tuple[str, ElfpackError]]:
    """The closure of each program, as it is found; of one that fails its name and the error."""
    for program in programs:
        try:
            yield session.resolve(program, exclude=exclude)
        except ElfpackError as e:
            yield program, e


def searches(session: Session, closure: Closure) -> Iterator[str]:
    """Every search step of a closure, told line by line."""
    if closure.loader is None:
        return
    resolver, options = session.resolver, session.options
    for number, row in enumerate(closure.targets):
        elf = closure.hits[number].elf
        for filtered in elf.filters:
            probes = resolver.trail(closure, filtered.name, number, options)
            yield from trail.lines(filtered.name, f"the filter {closure.label(number)}", probes)
        for name, target in zip(elf.needed, row, strict=False):
            requester = closure.label(number)
            if target == EXCLUDED:
                yield f"{name}, needed by {requester}: excluded"
            elif target >= 0 and _loaded_already(closure, target, number, name):
                yield f"{name}, needed by {requester}: loaded already: {closure.hits[target].path}"
            else:
                probes = resolver.trail(closure, name, number, options)
                yield from trail.lines(name, requester, probes)


def _loaded_already(closure: Closure, target: int, requester: int, name: str) -> bool:
    hit = closure.hits[target]
    return (
        hit.via.kind in (Kind.INTERPRETER, Kind.PROGRAM)
        or closure.requesters[target] != requester
        or closure.names[target] != name
    )
