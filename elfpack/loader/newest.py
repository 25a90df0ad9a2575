"""The newest version of each family that the objects of a closure ask for."""

from __future__ import annotations

import re
from functools import lru_cache

from elfpack.loader.closure import Closure
from elfpack.loader.linkages import Linkages

_VERSION = re.compile(r"([A-Za-z][A-Za-z0-9+]*(?:_[A-Za-z]+)*)_([0-9]+(?:\.[0-9]+)*)", re.ASCII)
_LONGEST = 64
"""Digits of a number of a version; more are none."""


def newest_versions(closure: Closure, linkages: Linkages) -> dict[str, str]:
    """``{"GLIBC": "2.34", "GLIBCXX": "3.4.29"}``, compared number by number, sorted by family.

    Names that are not a family and numbers, such as GLIBC_PRIVATE, are left out, and what an object
    asks for of a family that it defines itself: libc.so.6 and its loader are one release.
    """
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    for family, text in sorted(_wanted(closure, linkages)):
        number = tuple(map(int, text.split(".")))
        if family not in found or found[family][0] < number:
            found[family] = number, text
    return {family: text for family, (_, text) in found.items()}


def _wanted(closure: Closure, linkages: Linkages) -> set[tuple[str, str]]:
    """The families and numbers that the objects ask others for."""
    wanted: set[tuple[str, str]] = set()
    for hit in closure.hits:
        versions = linkages.versions(hit)
        own = {_parts(d.version)[0] for d in versions.definitions}
        parts = {_parts(need.version) for need in versions.needs}
        wanted |= {part for part in parts if part[0] and part[0] not in own}
    return wanted


@lru_cache(4096)  # a machine has some hundred, each asked for by most of its files
def _parts(version: str) -> tuple[str, str]:
    """A family and its number; two empty texts for what has none."""
    found = _VERSION.fullmatch(version)
    if found is None or len(found[2]) > _LONGEST:
        return "", ""
    return found[1], found[2]
