"""What the programs of a plan run on."""

from __future__ import annotations

from collections.abc import Iterable

from elfpack.elf import constants as c
from elfpack.elf.platform import platform
from elfpack.errors import unreadable
from elfpack.formats.oci import Platform
from elfpack.loader.closure import Closure
from elfpack.loader.files import Files
from elfpack.planning.entry import Placed


def platforms(programs: Iterable[Placed], files: Files) -> tuple[tuple[Platform, str], ...]:
    """Each platform, and the name of the first program of it. Of two variants the newer counts:
    the older is part of it."""
    found: dict[tuple[str, str], tuple[Platform, str]] = {}
    for placed in programs:
        closure = placed.closure
        if not closure.hits:
            continue
        made = platform(closure.hits[0].elf.header, _arm(closure, files))
        before = found.setdefault(made[:2], (made, closure.name))
        if made.variant > before[0].variant:
            found[made[:2]] = (made, before[1])
    return tuple(found.values())


def _arm(closure: Closure, files: Files) -> int | None:
    """The ARM architecture that a program and its interpreter are for. Not its libraries: those
    are marked with the newest CPU that they have code for, and look before they use it."""
    if closure.hits[0].elf.header.machine != c.EM_ARM:
        return None
    from elfpack.elf.arm import version

    newest = 0
    for hit in (closure.hits[0], closure.interpreter):
        place = files.find(hit.real_path) if hit is not None else 0
        if isinstance(place, int):
            continue
        try:
            source = files.open(place)
        except OSError as e:
            raise unreadable(place.path, e.errno or 0) from e
        try:
            newest = max(newest, version(source) or 0)
        finally:
            source.close()
    return newest or None
