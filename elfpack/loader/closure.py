"""A closure: a program and all that its loader loads, as records. ``walk.py`` makes them."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.elf.file import Filter
from elfpack.light import NamedTuple
from elfpack.loader.identify import Loader
from elfpack.loader.program import Program, Script
from elfpack.loader.records import Hit, Refusal, Role

MISSING = -2
EXCLUDED = -3
VDSO = -4
"""Targets of a needed name that are no position in the closure; the last is what the kernel maps
into every process."""


class Miss(NamedTuple):
    """A needed name that nothing was found for."""

    name: str
    requester: int
    """The position of the object that needs it."""
    after: int = 0
    """Its place in the list: how many objects, the program among them, stand before it."""
    filtered: Filter | None = None
    """The DT_AUXILIARY or DT_FILTER entry that asks for it; None for a needed name."""
    listed: bool = True
    """False for what the program itself filters: see :attr:`Closure.unlisted`."""
    refusal: Refusal | None = None
    """Why a candidate was refused, where the loader goes on to the next name all the same."""

    @property
    def harmless(self) -> bool:
        """DT_AUXILIARY: the loader goes on without it."""
        return self.filtered is not None and not self.filtered.required


class Preload(NamedTuple):
    """What became of a name that was to be loaded before all that the program needs."""

    name: str
    source: str
    """``LD_PRELOAD`` or ``/etc/ld.so.preload``."""
    target: int
    """The position in the closure; negative if it was not loaded, which stops no loader."""
    reason: str = ""
    """Why it was not loaded."""


class Alias(NamedTuple):
    """A name whose search found a file that was loaded by another name before."""

    name: str
    requester: int
    """The position of the object that needs it."""
    target: int
    """The position of the object that the file is."""
    hit: Hit
    """As this search found it."""


class Library(NamedTuple):
    """One shared object of a closure, as build scripts see it."""

    name: str
    """The needed name that it was loaded for."""
    path: str
    """The path that the loader opens, links not resolved."""
    real_path: str
    """Where the file is, links resolved inside the root."""
    soname: str | None
    found_by: str
    """``rpath``, ``runpath``, ``LD_LIBRARY_PATH``, ``ld.so.cache``, ``default path``, ``path``,
    ``interpreter``, ..."""
    needed_by: tuple[str, ...]
    """The paths of all objects that need it, the one that caused it to be loaded first. Empty for
    one that is only preloaded."""
    role: str = "needed"
    """What made it be loaded: ``needed``, ``preload``, ``filter``, ``auxiliary``."""
    hwcaps: str | None = None
    """The subdirectory for CPU features that it is from: ``glibc-hwcaps/x86-64-v3``."""


class MissingLibrary(NamedTuple):
    name: str
    needed_by: tuple[str, ...]
    searched: tuple[str, ...]
    """The directories, and the cache, where the loader would look, in order; 256 at most, of 16 KiB
    in all, and behind a thousand missing names only the first."""


class Closure(NamedTuple):
    """A program, its interpreter and every object that the loader would load, in load order.

    A flat table: relations are positions in :attr:`hits`, so that nothing recurses and a closure
    can be pickled.
    """

    program: Program | None
    """None if a script's interpreter is missing."""
    name: str
    """The program as the user named it."""
    loader: Loader | None = None
    """None for a static program."""
    interpreter: Hit | None = None
    """The file that PT_INTERP names; None for a static program or if it is missing."""
    missing_interpreter: str | None = None
    hits: tuple[Hit, ...] = ()
    """The program first, then the objects in load order, the interpreter where it is first
    needed."""
    names: tuple[str, ...] = ()
    """The name that each of them was loaded for."""
    requesters: tuple[int, ...] = ()
    """The position of the object that first asked for each; -1 for the program."""
    roles: tuple[Role, ...] = ()
    """What made each of them be loaded."""
    targets: tuple[tuple[int, ...], ...] = ()
    """For each of :attr:`hits` and each of its needed names: the position of what satisfies it,
    :data:`MISSING`, :data:`EXCLUDED` or :data:`VDSO`."""
    filtees: tuple[tuple[int, ...], ...] = ()
    """The same for the names of its DT_AUXILIARY and DT_FILTER entries."""
    secure: bool = False
    """The program is set-id, or has capabilities: its loader does not trust its user."""
    scripts: tuple[Script, ...] = ()
    unlisted: frozenset[int] = frozenset()
    """The positions of what the program itself filters: loaded before it, and not listed."""
    preloads: tuple[Preload, ...] = ()
    misses: tuple[Miss, ...] = ()
    excluded: tuple[str, ...] = ()
    refusal: Refusal | None = None
    """Where the loader would stop."""
    searched: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """For each missing name, the places where it was looked for."""
    aliases: tuple[Alias, ...] = ()
    around: tuple[Closure, ...] = ()
    """Of a library that is opened at run time: the closures of who opens it, the program's
    first."""

    @property
    def kind(self) -> str:
        """``executable``, ``pie``, ``static``, ``static-pie``, ``library`` or ``script``."""
        return "script" if self.scripts else self.hits[0].elf.kind

    @property
    def libraries(self) -> tuple[Library, ...]:
        """The shared objects in load order."""
        rows = zip(self.names, self.hits, self._needed_by(), self.roles, strict=True)
        return tuple(
            Library(
                name,
                hit.path,
                hit.real_path,
                hit.elf.soname,
                hit.via.kind.value,
                by,
                role.value,
                hit.via.hwcaps or None,
            )
            for name, hit, by, role in list(rows)[1:]
        )

    @property
    def is_incomplete(self) -> bool:
        """Something is missing, or refused."""
        missing = bool(self.misses) or self.missing_interpreter is not None
        return missing or self.refusal is not None

    @property
    def missing_command(self) -> str | None:
        """The command that ``env`` would look for in vain, for a script."""
        last = self.scripts[-1] if self.scripts else None
        return last.wanted if last is not None and last.command is None else None

    @property
    def missing(self) -> tuple[MissingLibrary, ...]:
        """The needed names that nothing was found for, each once."""
        searched = dict(self.searched)
        found: dict[str, list[str]] = {}
        for miss in self.misses:
            if miss.harmless or miss.refusal is not None:
                continue
            found.setdefault(miss.name, []).append(self.label(miss.requester))
        return tuple(
            MissingLibrary(name, tuple(dict.fromkeys(by)), searched.get(name, ()))
            for name, by in found.items()
        )

    def asked(self, number: int) -> Iterator[tuple[str, Filter | None, int]]:
        """What an object asked for, in the order of its dynamic section: the name, its DT_AUXILIARY
        or DT_FILTER entry, the target. Ends where the loader stopped."""
        needed, filtees = iter(self.targets[number]), iter(self.filtees[number])
        for name, filtered in self.hits[number].elf.asked:
            target = next(needed if filtered is None else filtees, None)
            if target is not None:
                yield name, filtered, target

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Everywhere that a candidate is refused: glibc's loader stops at the first."""
        if self.refusal is None and not self.misses:
            return ()
        found = [self.refusal, *[miss.refusal for miss in self.misses]]
        return tuple([refusal for refusal in found if refusal is not None])

    def label(self, number: int) -> str:
        """What to call an object in a message: the program as the user named it, others by path."""
        return self.name if number == 0 and not self.scripts else self.hits[number].path

    def _needed_by(self) -> list[tuple[str, ...]]:
        found: list[dict[str, None]] = [{} for _ in self.hits]
        for number, requester in enumerate(self.requesters):
            if requester >= 0 and self.roles[number] is not Role.PRELOAD:
                found[number][self.label(requester)] = None
        for number, row in enumerate(self.targets):
            for target in row:
                if target >= 0:
                    found[target].setdefault(self.label(number))
        return [tuple(by) for by in found]


class Borrowed(NamedTuple):
    """A need that is met only because something else had loaded the object before."""

    name: str
    requester: int
    """The position of the object that needs it."""
    target: int
    """The position of what meets the need."""
    own: str | None
    """What the requester's own search would find instead; None for nothing."""
