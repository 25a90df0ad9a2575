"""Whether a closure has all the versions and symbols that its objects ask for.

Source: glibc elf/dl-version.c, elf/dl-lookup.c, elf/rtld.c; musl ldso/dynlink.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from elfpack.errors import Finding
from elfpack.loader import abort
from elfpack.loader.closure import MISSING, Closure
from elfpack.loader.identify import MUSL
from elfpack.loader.linkage import EMPTY, Reference
from elfpack.loader.linkages import Linkages, rules_of
from elfpack.loader.order import relocated
from elfpack.loader.records import Refusal
from elfpack.loader.relocations import COPY
from elfpack.loader.versioning import providers
from elfpack.paths import decode


class UndefinedSymbol(NamedTuple):
    """A symbol that a loader looks up in vain."""

    name: str
    version: str | None
    """None if the object does not ask for one, or the loader does not look at it (musl)."""
    object: str
    """The object that refers to it: the program as it was named, others by path."""


class Lack(str, Enum):
    """Why a version is not there."""

    MISSING = "version not found"
    WEAK = "weak version not found"
    UNVERSIONED = "no version information available"

    def __str__(self) -> str:
        return self.value


class MissingVersion(NamedTuple):
    """A version that an object wants of another, which does not define it."""

    version: str
    file: str
    """The needed name that the version is wanted of."""
    path: str
    """The object that lacks it."""
    required_by: str
    """The program as it was named, others by path."""
    lack: Lack = Lack.MISSING


class Binding(NamedTuple):
    """What a loader finds wrong with the versions and symbols of a closure, in its order."""

    undefined: tuple[UndefinedSymbol, ...] = ()
    """As often as the loader reports them: a symbol that two kinds of relocations refer to may
    be in it twice."""
    versions: tuple[MissingVersion, ...] = ()
    """All that the loader says, also what does not stop it."""
    stop: Refusal | None = None
    """Where the loader ends the process instead of looking further."""
    faults: tuple[Finding, ...] = ()
    """Objects whose tables are broken: what they ask for and give is not known."""

    @property
    def missing_versions(self) -> tuple[MissingVersion, ...]:
        """The versions without which the program does not start."""
        return tuple(v for v in self.versions if v.lack is Lack.MISSING)


class Binder:
    """Binds closures of one root. What it has read of a file serves all of them."""

    def __init__(self, linkages: Linkages) -> None:
        self.linkages = linkages
        self._left: dict[object, dict[bytes, tuple[Reference, ...]]] = {}

    def bind(self, closure: Closure) -> Binding:
        """Nothing for a static program, and for what the kernel or the loader refuses anyway."""
        absent = closure.missing_interpreter or closure.missing_command or closure.refusal
        if closure.loader is None or absent is not None:
            return Binding()
        return _Work(closure, self.linkages, self._left).result()


class _Work:
    """One closure at work."""

    def __init__(
        self,
        closure: Closure,
        linkages: Linkages,
        left: dict[object, dict[bytes, tuple[Reference, ...]]],
    ) -> None:
        assert closure.loader is not None
        self.closure = closure
        self.libc = closure.loader.libc
        self._reader = linkages
        self._left = left
        found = [linkages.linkage(hit, self.libc) for hit in closure.hits]
        self.faults = tuple([one for one in found if isinstance(one, Finding)])
        self.linkages = [EMPTY if isinstance(one, Finding) else one for one in found]
        self.finds = rules_of(self.libc).finds
        self.providers = providers(closure)

    def result(self) -> Binding:
        if self.faults:
            return Binding(faults=self.faults)
        if self.libc == MUSL:
            return Binding(tuple(self._undefined()))
        versions = tuple(self._versions())
        stop = abort.without_marker(self.closure, self.linkages)
        if stop is not None:
            return Binding((), versions, stop)
        undefined: list[UndefinedSymbol] = []
        if not abort.possible(self.closure, self.linkages, self.providers):
            undefined += self._undefined()
        else:
            stop = self._in_order(undefined)
        return Binding(tuple(undefined), versions, stop)

    # Versions. Source: _dl_check_map_versions()

    def _versions(self) -> Iterator[MissingVersion]:
        label = self.closure.label
        for number, linkage in enumerate(self.linkages):
            for need in linkage.needs:
                provider = self.providers.get(need.file)
                if provider is None:  # missing itself
                    continue
                defined = self.linkages[provider].definitions
                if defined is not None and (need.hash, need.version) in defined:
                    continue
                lack = Lack.WEAK if need.weak else Lack.MISSING
                lack = Lack.UNVERSIONED if defined is None else lack
                yield MissingVersion(need.version, need.file, label(provider), label(number), lack)

    # Symbols

    def _undefined(self) -> Iterator[UndefinedSymbol]:
        lacking: dict[int, dict[bytes, tuple[Reference, ...]]] = {}
        for number in range(len(self.linkages)):
            left = {} if self._lacks_loader(number) else self._remaining(number)
            if left:
                lacking[number] = left
        if not lacking:  # the order costs more than all else
            return
        for number in relocated(self.closure):
            left = lacking.get(number, {})
            wanted = {(r.symbol, r.kind) for refs in left.values() for r in refs}
            for reference in self.referring(number):
                if (reference.symbol, reference.kind) in wanted:
                    yield self.undefined(reference, number)

    def _lacks_loader(self, number: int) -> bool:
        """Whether an object needs the loader, and the root has none: nobody misses it as a
        library, but what it would give is not known."""
        lost = self.closure.targets[number].count(MISSING)
        misses = self.closure.misses
        return lost > sum(m.requester == number and m.filtered is None for m in misses)

    def undefined(self, reference: Reference, number: int) -> UndefinedSymbol:
        version = None
        if reference.version is not None and self.libc != MUSL:
            version = reference.version[1]
        return UndefinedSymbol(decode(reference.name), version, self.closure.label(number))

    def referring(self, number: int) -> Iterator[Reference]:
        """What an object looks up, in the loader's order."""
        last = self._last_version(number)
        for reference in self._reader.referring(self.closure.hits[number], self.libc):
            yield _seen(reference, last)

    def _last_version(self, number: int) -> int | None:
        """The last index in the table of versions. While it traces, glibc makes it without
        those that are wanted of missing objects; None if that leaves nothing out."""
        linkage = self.linkages[number]
        there = [need.number for need in linkage.needs if need.file in self.providers]
        if self.libc == MUSL or len(there) == len(linkage.needs):
            return None
        return max([linkage.last_defined, *there])

    def _remaining(self, number: int) -> dict[bytes, tuple[Reference, ...]]:
        """What an object wants and no other has. Which one has it plays no part here, so the
        objects that it needs itself come first: for most they have all."""
        linkage = self.linkages[number]
        if not linkage.wants:
            return {}
        near = [n for n in dict.fromkeys(self.closure.targets[number]) if n > 0]
        last = self._last_version(number)
        hits = self.closure.hits
        key = (hits[number].identity, self.libc, last, *[hits[n].identity for n in near])
        left = self._left.get(key)
        if left is None:
            left = dict(linkage.wants)
            if last is not None:
                left = {name: tuple([_seen(r, last) for r in refs]) for name, refs in left.items()}
            self._satisfy(left, near)
            self._left[key] = left
        if left:
            left = dict(left)
            self._satisfy(left, [n for n in range(len(hits)) if n not in near and n != number])
        return left

    def _satisfy(self, left: dict[bytes, tuple[Reference, ...]], providers: list[int]) -> None:
        """Take out of ``left`` what the providers have."""
        for number in providers:
            if not left:
                return
            provider = self.linkages[number]
            for name in left.keys() & provider.exports.keys():
                there = provider.exports[name]
                rest = [
                    reference
                    for reference in left[name]
                    if (reference.kind & COPY and number == 0)
                    or not self.finds(reference, there, provider.versions)
                ]
                if rest:
                    left[name] = tuple(rest)
                else:
                    del left[name]

    def _in_order(self, undefined: list[UndefinedSymbol]) -> Refusal | None:
        """Every look-up as the loader makes it, up to one that it does not survive."""
        for number in relocated(self.closure):
            scope = abort.scope(number, self.linkages)
            for reference in self.referring(number):
                found, at = abort.search(reference, scope, self.linkages, self.providers)
                if at is not None:
                    return abort.refusal(self.closure, reference, number, at)
                if not found and not reference.optional:
                    undefined.append(self.undefined(reference, number))
        return None


def _seen(reference: Reference, last: int | None) -> Reference:
    if last is None or reference.number <= last:
        return reference
    return reference._replace(version=None, hidden=False, file=None)
