"""A tree as the rules see it: its files, the closure of each program, the libraries that no
program loads.

Such a library is judged alone, by the loader of a program above it, else by the usual one of its
machine. One for which the tree has no loader is not judged: nothing here loads it.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from elfpack.checking.above import Above, Judged, Machine
from elfpack.checking.find import ElfAt, Found, find
from elfpack.checking.report import Counts
from elfpack.elf.file import ElfFile
from elfpack.formats.container import ContainerConfig
from elfpack.loader.closure import Miss
from elfpack.loader.files import Files
from elfpack.loader.identify import GLIBC, MUSL, musl_interpreter, usual_interpreters
from elfpack.loader.program import SEARCH_PATH, Program
from elfpack.loader.records import Hit, Kind, Via
from elfpack.loader.resolve import Options, Resolver
from elfpack.root.node import Root


class Survey:
    """What the rules look at."""

    def __init__(
        self, resolver: Resolver, options: Options, config: ContainerConfig, found: Found
    ) -> None:
        self.resolver = resolver
        self.options = options
        self.config = config
        self.found = found
        path = config.variable("PATH")
        self.search_path = tuple(dict.fromkeys(path.split(":"))) if path else SEARCH_PATH
        """PATH, in the container."""
        self.commands = {
            resolver.files.walker.directory(place.rstrip("/"))
            for place in self.search_path
            if place.startswith("/")
        }
        """The real paths of its directories."""
        self.programs: list[Judged] = []
        """With an interpreter, or libraries."""
        self.static: list[ElfAt] = []
        self.libraries: list[Judged] = []
        """Those that no program loads."""
        self.loaded: set[tuple[int, int]] = set()
        """What programs load."""
        self.unjudged = 0
        """Libraries for which the tree has no loader."""
        self.above = Above(resolver)
        self._there: dict[str, bool] = {}

    @property
    def files(self) -> Files:
        return self.resolver.files

    @property
    def counts(self) -> Counts:
        programs = len(self.programs) + len(self.static)
        return Counts(programs, len(self.found.libraries) - self.unjudged, len(self.found.scripts))

    @property
    def unread(self) -> tuple[str, ...]:
        return tuple(self.found.unread)

    def all(self) -> Iterator[Judged]:
        """Programs and libraries."""
        yield from self.programs
        yield from self.libraries

    def misses(self, judged: Judged) -> Iterator[Miss]:
        """What a program's loader would not find; of a library what it needs itself: those that
        it needs are judged on their own."""
        alone = judged.at.elf.kind == "library"
        for miss in dict.fromkeys(judged.closure.misses):
            if miss.harmless or miss.refusal is not None or (alone and miss.requester):
                continue
            if not alone or not self.above.leads(judged, miss.name, exists=self.has(miss.name)):
                yield miss

    def has(self, name: str) -> bool:
        """Whether a library of that name is anywhere in the tree."""
        known = self._there.get(name)
        if known is None:
            paths = self.found.names.get(name, ())
            known = any(not isinstance(self.files.find(path), int) for path in paths)
            self._there[name] = known
        return known

    def add_program(self, judged: Judged) -> None:
        self.programs.append(judged)
        self.above.add(judged)
        closure = judged.closure
        self.loaded.update(hit.identity for hit in closure.hits)
        if closure.interpreter is not None:
            self.loaded.add(closure.interpreter.identity)


def survey(root: Root, config: ContainerConfig) -> Survey:
    """
    Raises:
        InputError: the tree cannot be read.
    """
    resolver = Resolver(root)
    user = config.user.partition(":")[0]
    options = Options(
        library_path=config.variable("LD_LIBRARY_PATH"),
        cwd=config.workdir or "/",
        preload=config.variable("LD_PRELOAD"),
        preload_file=True,
        secure=user not in ("", "0", "root"),  # root gains nothing by a set-id program
    )
    seen = Survey(resolver, options, config, find(resolver.files))
    for at in seen.found.programs:
        closure = resolver.closure(_program(at), options)
        if closure.loader is None:
            seen.static.append(at)
        else:
            seen.add_program(Judged(at, closure, options))
    loaders = _Loaders(seen)
    alone = options._replace(preload="", preload_file=False)
    for at in seen.found.libraries:
        if at.place.node.identity in seen.loaded:
            continue
        loader = loaders.of(at) if _is_linked(at.elf) else None
        found = None if loader is None else resolver.closure(_program(at), alone, loader)
        if found is None or (found.refusal is not None and found.refusal.path == at.path):
            seen.unjudged += 1  # no loader here would load it: data
        else:
            seen.libraries.append(Judged(at, found, alone))
    return seen


def _program(at: ElfAt) -> Program:
    place, path = at.place, at.path
    mode = place.node.mode
    set_id = bool(mode & stat.S_ISUID) or mode & 0o2010 == 0o2010
    hit = Hit(path, path, at.elf, place.node.identity, Via(Kind.PROGRAM))
    return Program(path, path, hit, (), set_id, place)


class _Loaders:
    """The loader that each library would be loaded by."""

    def __init__(self, seen: Survey) -> None:
        self._seen = seen
        self._usual: dict[tuple[Machine, str | None], str | None] = {}

    def of(self, at: ElfAt) -> str | None:
        libc = _libc(at.elf)
        path = self._seen.above.loader(at.path, at.elf, libc)
        if path is not None:
            return path
        key = at.elf.abi[:3], libc
        if key not in self._usual:
            self._usual[key] = self._find(at.elf, libc)
        return self._usual[key]

    def _find(self, elf: ElfFile, libc: str | None) -> str | None:
        usual = [] if libc == MUSL else [*usual_interpreters(elf.abi)]
        musl = musl_interpreter(elf.abi)
        if libc != GLIBC and musl is not None:
            usual.append(musl)
        for path in usual:
            hit = self._seen.resolver.starter.open_hit(path, Kind.INTERPRETER, self._seen.options)
            if hit is not None and hit.elf.abi[:3] == elf.abi[:3]:
                return path
        return self._seen.above.any_loader(elf, libc)


def _is_linked(elf: ElfFile) -> bool:
    """Whether a library is one of Linux: what is linked for something else, such as the modules of
    a boot loader, needs nothing that is named like one."""
    return not elf.needed or any(".so" in name for name in elf.needed)


def _libc(elf: ElfFile) -> str | None:
    """The libc that a library was linked with; None if it does not tell."""
    if elf.of_musl:
        return MUSL
    return GLIBC if "libc.so.6" in elf.needed else None
