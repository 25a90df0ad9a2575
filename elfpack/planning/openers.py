"""Libraries that lack something by themselves: whoever opens them has loaded it before.

Plug-ins need the program that opens them, or a library that it opened first, as those of a Java
machine need libjvm.so. Source: glibc elf/dl-load.c, _dl_map_object(): what is loaded answers first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from elfpack.loader.closure import Closure
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import basename

if TYPE_CHECKING:
    from elfpack.planning.collect import Member


class Openers:
    """The programs of a collection, and the libraries that they may have opened."""

    def __init__(self, resolver: Resolver, options: Options, members: list[Member]) -> None:
        self._resolver = resolver
        self._options = options
        self._members = members
        """They grow."""
        self._opened: dict[tuple[int, tuple[int, int]], Member | None] = {}

    def opened(self, closure: Closure) -> Closure:
        """A library as a program would open it that has loaded what it lacks; as it is if it lacks
        nothing, or there is none."""
        library = closure.program
        if library is None or library.kind != "library" or not closure.missing:
            return closure
        for program, loader in self._programs(closure):
            found = self._resolver.closure(library, self._options, loader, (program,))
            if not found.missing:
                return found
        return closure

    def after_others(self, closure: Closure) -> tuple[Closure, list[Member]]:
        """The same for one that a program opens after other libraries of the collection. Those
        come as that program opens them, to be members as well."""
        library = closure.program
        names = {missing.name for missing in closure.missing}
        if library is None or library.kind != "library" or not names:
            return closure, []
        for program, loader in self._programs(closure):
            before = list(self._before(names, program, loader))
            around = (program, *(member.closure for member in before))
            found = self._resolver.closure(library, self._options, loader, around)
            if before and not found.missing:
                return found, before
        return closure, []

    def _programs(self, closure: Closure) -> Iterator[tuple[Closure, str]]:
        """The programs that may open a library, with their loaders."""
        abi = closure.hits[0].elf.abi[:3]
        for member in tuple(self._members):
            program = member.closure
            if program.loader is None or not program.hits or program.kind == "library":
                continue
            if program.hits[0].elf.abi[:3] == abi:
                yield program, program.loader.path

    def _before(self, names: set[str], program: Closure, loader: str) -> Iterator[Member]:
        """The libraries of these names, as a program opens them."""
        for member in tuple(self._members):
            this = member.closure
            if this.program is None or this.kind != "library" or this.around:
                continue
            hit = this.hits[0]
            if not names & {hit.elf.soname, basename(hit.path)}:
                continue
            key = id(program), hit.identity
            if key not in self._opened:
                found = self._resolver.closure(this.program, self._options, loader, (program,))
                self._opened[key] = None if found.missing else member._replace(closure=found)
            opened = self._opened[key]
            if opened is not None:
                yield opened
