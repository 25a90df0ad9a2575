"""The newest version of each family that the objects of a closure ask for."""

from __future__ import annotations

import re

from elfpack.loader.closure import Closure
from elfpack.loader.linkages import Linkages

_VERSION = re.compile(r"([A-Za-z][A-Za-z0-9+]*(?:_[A-Za-z]+)*)_([0-9]+(?:\.[0-9]+)*)", re.ASCII)
_LONGEST = 64
"""Digits of a number of a version; more are none."""


def newest_versions(closure: Closure, linkages: Linkages) -> dict[str, str]:
    """``{"GLIBC": "2.34", "GLIBCXX": "3.4.29"}``, compared number by number, sorted by family.

    Names that are not a family and numbers, such as GLIBC_PRIVATE, are left out.
    """
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    wanted = {need.version for hit in closure.hits for need in linkages.needs(hit)}
    for version in sorted(wanted):
        parts = _VERSION.fullmatch(version)
        if parts is None or len(parts[2]) > _LONGEST:
            continue
        number = tuple(map(int, parts[2].split(".")))
        if parts[1] not in found or found[parts[1]][0] < number:
            found[parts[1]] = number, parts[2]
    return {family: found[family][1] for family in sorted(found)}
