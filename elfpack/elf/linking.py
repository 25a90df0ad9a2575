"""What binds one ELF file to others: its symbols, their versions, and its references to them.

Read only when symbols are asked for. All that is read is held against the file first.

Source: gABI ch. 5; glibc elf/dl-lookup.c, elf/dl-version.c.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.hashtable import findable
from elfpack.elf.layout import ElfFault, Layout, read_layout, read_table
from elfpack.elf.relocations import Range, decoded, read_infos
from elfpack.elf.strings import Strings
from elfpack.elf.symbols import versym
from elfpack.elf.versions import Versions, versions_of

Order = Callable[[Layout], list[Range]]


class Row(NamedTuple):
    """One entry of the symbol table."""

    name: int
    """Offset into the string table."""
    info: int
    """Binding and type."""
    other: int
    """Visibility, and bits of the machine."""
    section: int
    """SHN_UNDEF for one that the file does not define."""
    value: int

    @property
    def binding(self) -> int:
        return self.info >> 4

    @property
    def type(self) -> int:
        return self.info & 0xF

    @property
    def visibility(self) -> int:
        return self.other & 3


class Linking(NamedTuple):
    """Symbols, versions and references of one file."""

    layout: Layout
    table: bytes
    """The symbol table, as far as something refers to it."""
    strings: bytes
    versym: tuple[int, ...]
    """The version index of each symbol; empty without DT_VERSYM."""
    versions: Versions
    findable: range
    """The symbols that a loader finds by name."""
    infos: Sequence[Iterable[int]]
    """The r_info of all relocations but relative ones, in the loader's order."""

    def row(self, index: int) -> Row:
        """
        Raises:
            ElfFault: there is no such symbol.
        """
        entry, wide = _entry(self.layout)
        if (index + 1) * entry.size > len(self.table):
            raise ElfFault("ELF file with a relocation for a symbol that it does not have")
        fields = entry.unpack_from(self.table, index * entry.size)
        return Row(*fields) if wide else _row_32(*fields)

    def rows(self) -> Iterator[tuple[int, int, int, int, int]]:
        """The symbols that a loader finds by name, each as the fields of a :class:`Row`."""
        entry, wide = _entry(self.layout)
        wanted = self.findable
        raw = self.table[wanted.start * entry.size : wanted.stop * entry.size]
        fields = entry.iter_unpack(raw)
        # A NamedTuple for each symbol of a large library costs more than all else.
        return fields if wide else (_row_32(*one) for one in fields)

    def name(self, offset: int) -> bytes:
        """
        Raises:
            ElfFault: it is not in the string table.
        """
        end = self.strings.find(b"\0", offset)
        if end < 0:
            raise ElfFault("ELF file with a symbol name outside its string table")
        return self.strings[offset:end]

    @property
    def got(self) -> range:
        """MIPS: the symbols of the global offset table, which need no relocations."""
        if self.layout.header.machine != c.EM_MIPS:
            return range(0)
        last = self.layout.last
        return range(last(c.DT_MIPS_GOTSYM) or 0, last(c.DT_MIPS_SYMTABNO) or 0)

    def once(self) -> Linking:
        """The same with each relocation that says the same once."""
        return self._replace(infos=[dict.fromkeys(chain.from_iterable(self.infos))])


def read_linking(source: Source, order: Order) -> Linking | None:
    """None for a file without a symbol table, which binds to nothing.

    Raises:
        ElfFault: a table lies outside the file.
    """
    layout = read_layout(source)
    address = layout.last(c.DT_SYMTAB) if layout.tags else None
    if address is None:
        return None
    strings = Strings(source, layout)
    infos = read_infos(source, layout, order(layout))
    found = findable(source, layout)
    count = max(found.stop if found else 0, _referred(infos, layout) + 1)
    if layout.header.machine == c.EM_MIPS:
        count = max(count, layout.last(c.DT_MIPS_SYMTABNO) or 0)
    size = count * _entry(layout)[0].size
    start = layout.offset(address)
    if start is None or start + size > source.size:
        raise ElfFault("ELF file with a symbol table outside the file")
    table = read_table(source, size, start, "symbol table")
    numbers = versym(source, layout, count)
    versions = versions_of(source, layout, strings)
    return Linking(layout, table, strings.whole(), numbers, versions, found, infos)


def _referred(infos: list[array[int]], layout: Layout) -> int:
    """The last symbol that a relocation refers to."""
    if layout.header.machine == c.EM_MIPS:
        return max((decoded(i, layout).symbol for infos_ in infos for i in infos_), default=0)
    # Elsewhere the symbol's number is the upper part of r_info.
    return max((decoded(max(one), layout).symbol for one in infos if one), default=0)


def _entry(layout: Layout) -> tuple[struct.Struct, bool]:
    """A symbol without its size, and whether its fields stand as in a :class:`Row`."""
    wide = layout.encoding.bits == 64
    return struct.Struct(layout.encoding.order + ("IBBHQ8x" if wide else "II4xBBH")), wide


def _row_32(name: int, value: int, info: int, other: int, section: int) -> Row:
    return Row(name, info, other, section, value)
