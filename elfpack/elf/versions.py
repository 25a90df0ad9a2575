"""Version needs and definitions of an ELF file.

Source: Linux Standard Base, "Symbol Versioning"; glibc elf/dl-version.c.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.reader import ElfFault, Layout, Strings, read_layout

_HIDDEN = 0x8000
_WEAK = 0x2
_BASE = 0x1


class Need(NamedTuple):
    """One version that an object wants from another (Vernaux)."""

    file: str
    """The needed name that has to provide it."""
    version: str
    number: int
    """The number that symbols of this file refer to it by."""
    weak: bool


class Definition(NamedTuple):
    """One version that an object defines (Verdef)."""

    version: str
    number: int
    base: bool
    """The name of the object itself, no version of a symbol."""


class Versions(NamedTuple):
    needs: tuple[Need, ...] = ()
    definitions: tuple[Definition, ...] = ()

    def by_index(self) -> dict[int, str]:
        """The version that each index of DT_VERSYM stands for."""
        table = {d.number: d.version for d in self.definitions if not d.base}
        table.update((n.number, n.version) for n in self.needs)
        return table


def read_versions(source: Source) -> Versions:
    """Needs and definitions, in file order.

    Raises:
        ElfFault: a table lies outside the file.
    """
    layout = read_layout(source)
    return versions_of(source, layout, Strings(source, layout)) if layout.dynamic else Versions()


def versions_of(source: Source, layout: Layout, strings: Strings) -> Versions:
    return Versions(_needs(source, layout, strings), _definitions(source, layout, strings))


def _table(source: Source, layout: Layout, tag: int) -> bytes:
    """The bytes from a table's address to the end of its segment in the file."""
    address = layout.last(tag)
    if address is None:
        return b""
    for s in layout.segments:
        if s.type == c.PT_LOAD and s.vaddr <= address < s.vaddr + s.filesz:
            start = s.offset + address - s.vaddr
            size = min(s.vaddr + s.filesz - address, max(0, source.size - start))
            return source.pread(size, start)
    raise ElfFault("ELF file with a version table outside the file")


def _needs(source: Source, layout: Layout, strings: Strings) -> tuple[Need, ...]:
    raw = _table(source, layout, c.DT_VERNEED)
    if not raw:
        return ()
    outer = struct.Struct(layout.encoding.order + "HHIII")
    inner = struct.Struct(layout.encoding.order + "IHHII")
    found: list[Need] = []
    at = 0
    # Both the next field and the count end the walk; each step goes forward, so that a table
    # that loops ends too.
    for _ in range(layout.last(c.DT_VERNEEDNUM) or 0):
        _, count, file, aux, following = _unpack(outer, raw, at)
        name = strings.at(file)
        inside = at + aux
        for _ in range(count):
            if len(found) * inner.size > len(raw):  # entries that overlap would never end
                raise ElfFault("ELF file with a version table that repeats itself")
            _, flags, other, version, step = _unpack(inner, raw, inside)
            weak = bool(flags & _WEAK)
            found.append(Need(name, strings.at(version), other & ~_HIDDEN, weak))
            if step == 0:
                break
            inside += step
        if following == 0:
            break
        at += following
    return tuple(found)


def _definitions(source: Source, layout: Layout, strings: Strings) -> tuple[Definition, ...]:
    raw = _table(source, layout, c.DT_VERDEF)
    if not raw:
        return ()
    outer = struct.Struct(layout.encoding.order + "HHHHIII")
    inner = struct.Struct(layout.encoding.order + "II")
    found: list[Definition] = []
    at = 0
    for _ in range(layout.last(c.DT_VERDEFNUM) or 0):
        _, flags, index, count, _, aux, following = _unpack(outer, raw, at)
        if count:
            name, _ = _unpack(inner, raw, at + aux)
            found.append(Definition(strings.at(name), index & ~_HIDDEN, bool(flags & _BASE)))
        if following == 0:
            break
        at += following
    return tuple(found)


def _unpack(layout: struct.Struct, raw: bytes, at: int) -> tuple[int, ...]:
    if at + layout.size > len(raw):
        raise ElfFault("ELF file with a version table that runs over its end")
    return layout.unpack_from(raw, at)
