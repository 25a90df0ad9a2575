"""Version needs and definitions of an ELF file.

Source: Linux Standard Base, "Symbol Versioning"; glibc elf/dl-version.c.
"""

import struct
from typing import NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout, read_layout
from elfpack.elf.strings import Strings

_WEAK = 0x2
_BASE = 0x1
_STEP = 4096
"""Bytes of a table read at once."""


class Need(NamedTuple):
    """One version that an object wants from another (Vernaux)."""

    file: str
    """The needed name that has to provide it."""
    version: str
    number: int
    """The number that symbols of this file refer to it by."""
    weak: bool
    hash: int = 0
    """The hash of its name as stored: loaders compare both."""
    hidden: bool = False
    """It is satisfied by nothing but a symbol of this very version."""


class Definition(NamedTuple):
    """One version that an object defines (Verdef)."""

    version: str
    number: int
    base: bool
    """The name of the object itself, no version of a symbol."""
    hash: int = 0
    """The hash of its name as stored."""


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
    return laid_out_versions(source, read_layout(source))


def laid_out_versions(source: Source, layout: Layout) -> Versions:
    """As :func:`read_versions`, by a layout that is known."""
    if not layout.tags:
        return Versions()
    return versions_of(source, layout, Strings(source, layout))


def versions_of(source: Source, layout: Layout, strings: Strings) -> Versions:
    return Versions(_needs(source, layout, strings), _definitions(source, layout, strings))


class _Table:
    """The bytes from a table's address to the end of its segment, read as far as needed."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        self._source = source
        self._start = start
        self.size = size
        self._from = 0
        self._piece = b""

    def unpack(self, layout: struct.Struct, at: int) -> tuple[int, ...]:
        """
        Raises:
            ElfFault: the entry runs over the end.
        """
        inside = at - self._from
        if inside < 0 or inside + layout.size > len(self._piece):
            self._from, inside = at, 0
            self._piece = self._source.pread(min(_STEP, max(0, self.size - at)), self._start + at)
        if layout.size > len(self._piece) - inside:
            raise ElfFault("ELF file with a version table that runs over its end")
        return layout.unpack_from(self._piece, inside)


def _table(source: Source, layout: Layout, tag: int) -> _Table | None:
    address = layout.last(tag)
    if address is None:
        return None
    for s in layout.segments:
        if s.type == c.PT_LOAD and s.vaddr <= address < s.vaddr + s.filesz:
            start = s.offset + address - s.vaddr
            size = min(s.vaddr + s.filesz - address, max(0, source.size - start))
            return _Table(source, start, size)
    raise ElfFault("ELF file with a version table outside the file")


def _needs(source: Source, layout: Layout, strings: Strings) -> tuple[Need, ...]:
    table = _table(source, layout, c.DT_VERNEED)
    if table is None:
        return ()
    outer = struct.Struct(layout.encoding.order + "HHIII")
    inner = struct.Struct(layout.encoding.order + "IHHII")
    found: list[Need] = []
    at = 0
    # Both the next field and the count end the walk; each step goes forward, so that a table
    # that loops ends too.
    for _ in range(layout.last(c.DT_VERNEEDNUM) or 0):
        _, count, file, aux, following = table.unpack(outer, at)
        name = strings.at(file)
        inside = at + aux
        for _ in range(count):
            if len(found) * inner.size > table.size:  # entries that overlap would never end
                raise ElfFault("ELF file with a version table that repeats itself")
            value, flags, other, version, step = table.unpack(inner, inside)
            weak, hidden = bool(flags & _WEAK), bool(other & c.VERSYM_HIDDEN)
            number = other & ~c.VERSYM_HIDDEN
            found.append(Need(name, strings.at(version), number, weak, value, hidden))
            if step == 0:
                break
            inside += step
        if following == 0:
            break
        at += following
    return tuple(found)


def _definitions(source: Source, layout: Layout, strings: Strings) -> tuple[Definition, ...]:
    table = _table(source, layout, c.DT_VERDEF)
    if table is None:
        return ()
    outer = struct.Struct(layout.encoding.order + "HHHHIII")
    inner = struct.Struct(layout.encoding.order + "II")
    found: list[Definition] = []
    at = 0
    for _ in range(layout.last(c.DT_VERDEFNUM) or 0):
        _, flags, index, count, value, aux, following = table.unpack(outer, at)
        if count:
            name, _ = table.unpack(inner, at + aux)
            number, base = index & ~c.VERSYM_HIDDEN, bool(flags & _BASE)
            found.append(Definition(strings.at(name), number, base, value))
        if following == 0:
            break
        at += following
    return tuple(found)
