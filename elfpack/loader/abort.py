"""Where glibc ends the process over versions, before or while it looks symbols up.

Source: glibc elf/dl-lookup.c, check_match(), the assertion that releases before 2.41 have;
elf/dl-version.c, _dl_check_map_versions(), DT_RELR.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.loader.closure import Closure
from elfpack.loader.glibc_symbols import meets
from elfpack.loader.linkage import UNUSABLE, Linkage, Reference
from elfpack.loader.records import Refusal
from elfpack.loader.relocations import COPY
from elfpack.paths import decode

_TAKES_ANY = (2, 41)
"""The first glibc that takes an unversioned symbol from the object that should version it."""
_WANTS_MARKER = (2, 36)
"""The first glibc that knows DT_RELR."""
_MARKER = "GLIBC_ABI_DT_RELR"


def without_marker(closure: Closure, linkages: list[Linkage]) -> Refusal | None:
    """The first object that has DT_RELR and does not ask libc.so for it."""
    assert closure.loader is not None
    if (0, 0) < closure.loader.version < _WANTS_MARKER:
        return None
    for number, linkage in enumerate(linkages):
        if not linkage.relr or not linkage.needs:
            continue
        asks = any(need.version == _MARKER for need in linkage.needs)
        if not asks and any(n.startswith("libc.so.") for n in closure.hits[number].elf.needed):
            return Refusal(closure.label(number), f"has DT_RELR and does not ask for {_MARKER}")
    return None


def possible(closure: Closure, linkages: list[Linkage], providers: dict[str, int]) -> bool:
    """Whether an object wants versions of one that has none at all."""
    assert closure.loader is not None
    if not (0, 0) < closure.loader.version < _TAKES_ANY:
        return False
    wanted = {providers.get(need.file) for linkage in linkages for need in linkage.needs}
    return any(n is not None and linkages[n].versions is None for n in wanted)


def scope(number: int, linkages: list[Linkage]) -> list[int]:
    """The objects that are searched for what one refers to, in order."""
    every = list(range(len(linkages)))
    return [number, *every] if linkages[number].symbolic else every


def search(
    reference: Reference, scope: list[int], linkages: list[Linkage], providers: dict[str, int]
) -> tuple[bool, int | None]:
    """Whether a symbol is found; beside it the object at which the loader ends the process."""
    for number, there in _candidates(reference, scope, linkages):
        versions = linkages[number].versions
        found = meets(reference, there, versions)
        if found is None:
            continue
        wanted = providers.get(reference.file or "") if reference.version is not None else None
        if versions is None and wanted == number:
            return False, number
        if not found & UNUSABLE:
            return True, None
    return False, None


def _candidates(
    reference: Reference, scope: list[int], linkages: list[Linkage]
) -> Iterator[tuple[int, tuple[int, ...]]]:
    for number in scope:
        there = linkages[number].exports.get(reference.name)
        if there is not None and not (reference.kind & COPY and number == 0):
            yield number, there


def refusal(closure: Closure, reference: Reference, number: int, provider: int) -> Refusal:
    """What the assertion comes down to."""
    version = reference.version[1] if reference.version is not None else ""
    wanted = f"{decode(reference.name)}, version {version},"
    path = closure.hits[provider].path
    return Refusal(closure.label(number), f"wants {wanted} of {path}, which has no versions")
