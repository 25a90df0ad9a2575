"""Imported and exported dynamic symbols of an ELF file, with their versions.

Source: gABI ch. 5 "Symbol Table"; glibc elf/dl-lookup.c.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.hashtable import entry, symbol_count
from elfpack.elf.layout import ElfFault, Layout, read_layout, read_table
from elfpack.elf.strings import Strings, refuse_overlap
from elfpack.elf.versions import versions_of
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import decode

if TYPE_CHECKING:
    from typing import Final


class Symbol(NamedTuple):
    name: str
    version: str | None
    """None for a symbol without a version, or with the base version."""
    weak: bool
    hidden: bool = False
    """An exported symbol whose version is not the default one (``name@V``, not ``name@@V``)."""


class Symbols(NamedTuple):
    imported: tuple[Symbol, ...] = ()
    exported: tuple[Symbol, ...] = ()


def read_imports(source: Source) -> tuple[Symbol, ...]:
    """The imported symbols alone, which is quicker for a large library.

    Raises:
        ElfFault: a table lies outside the file.
    """
    return _read(source, exports=False).imported


def read_symbols(source: Source) -> Symbols:
    """All dynamic symbols but local ones, in file order.

    Raises:
        ElfFault: a table lies outside the file.
    """
    return _read(source, exports=True)


def _read(source: Source, *, exports: bool) -> Symbols:
    layout = read_layout(source)
    if layout.last(c.DT_SYMTAB) is None:
        return Symbols()
    strings = Strings(source, layout)
    raw = _symbol_table(source, layout)
    versions = versions_of(source, layout, strings).by_index()
    numbers = versym(source, layout, len(raw) // entry(layout).size)
    names = _Names(strings.whole(), versions, numbers)
    return _split(raw, layout, names, exports=exports)


_IS_ONE: Final = bytes([0]) + bytes([1]) * 255
"""For :meth:`bytes.translate`: what is not zero becomes one."""
_GLOBAL: Final = (c.STB_LOCAL + 1) << 4
"""The least of ``st_info`` of a symbol that is not local."""


def imported_names(source: Source, layout: Layout) -> tuple[list[bytes], list[int]]:
    """The names of the imported symbols alone, and their places in the symbol table, without making
    a record of each: what a thousand libraries import is asked for a few names.

    Raises:
        ElfFault: a table lies outside the file.
    """
    if not layout.dynamic or layout.last(c.DT_SYMTAB) is None:
        return [], []
    strings = Strings(source, layout).whole()
    find = strings.find
    raw = _symbol_table(source, layout)
    size = entry(layout).size
    wide = layout.encoding.bits == 64
    fields = struct.Struct(layout.encoding.order + ("IB19x" if wide else "I8xB3x"))
    offsets: list[int] = []
    places: list[int] = []
    for start, end in _undefined(raw, size, 6 if wide else 14):
        rows = fields.iter_unpack(raw[start * size : end * size])
        found = [(at, n) for n, (at, info) in enumerate(rows, start) if at and info >= _GLOBAL]
        offsets += [at for at, _ in found]
        places += [place for _, place in found]
    if offsets and max(offsets) > strings.rfind(b"\0"):
        raise ElfFault("ELF file with a symbol name outside its string table")
    refuse_overlap(strings, offsets)
    return [strings[at : find(b"\0", at)] for at in offsets], places


def _undefined(raw: bytes, size: int, section: int) -> Iterator[tuple[int, int]]:
    """The runs of symbols that are in no section; linkers put most of them first. ``section`` is
    where in an entry its number stands, two bytes, both zero for SHN_UNDEF."""
    halves = (int.from_bytes(raw[section + n :: size], "little") for n in (0, 1))
    numbers = (next(halves) | next(halves)).to_bytes(len(raw) // size, "little")
    marks = numbers.translate(_IS_ONE)
    end = 0
    while (start := marks.find(0, end)) >= 0:
        end = marks.find(1, start)
        if end < 0:
            end = len(marks)
        yield start, end


class SymbolVersions(NamedTuple):
    """The versions of the symbols of a file, by their places in its symbol table."""

    names: Mapping[int, str] = {}
    numbers: tuple[int, ...] = ()

    def of(self, place: int) -> str | None:
        number = self.numbers[place] if place < len(self.numbers) else 0
        return self.names.get(number & ~c.VERSYM_HIDDEN)


def symbol_versions(source: Source, layout: Layout | None = None) -> SymbolVersions:
    """The ``layout`` is read if it is not known.

    Raises:
        ElfFault: a table lies outside the file.
    """
    layout = layout or read_layout(source)
    if not layout.dynamic or layout.last(c.DT_SYMTAB) is None:
        return SymbolVersions()
    names = versions_of(source, layout, Strings(source, layout)).by_index()
    _, count = _symbol_range(source, layout)
    return SymbolVersions(names, versym(source, layout, count))


class _Names(NamedTuple):
    """What turns a symbol's numbers into names."""

    strings: bytes
    versions: dict[int, str]
    versym: tuple[int, ...]

    def symbol(self, index: int, name: int, weak: bool) -> Symbol:
        """
        Raises:
            ElfFault: the name is not in the string table.
        """
        end = self.strings.find(b"\0", name)
        if end < 0 or name >= len(self.strings):
            raise ElfFault("ELF file with a symbol name outside its string table")
        number = self.versym[index] if index < len(self.versym) else 0
        version = self.versions.get(number & ~c.VERSYM_HIDDEN)
        return Symbol(decode(self.strings[name:end]), version, weak, bool(number & c.VERSYM_HIDDEN))


def _split(raw: bytes, layout: Layout, names: _Names, *, exports: bool) -> Symbols:
    imported: list[Symbol] = []
    exported: list[Symbol] = []
    wide = layout.encoding.bits == 64
    refuse_overlap(names.strings, [fields[0] for fields in entry(layout).iter_unpack(raw)])
    for index, fields in enumerate(entry(layout).iter_unpack(raw)):
        if wide:
            name, info, other, section, _, _ = fields
        else:
            name, _, _, info, other, section = fields
        bind = info >> 4
        if not name or bind == c.STB_LOCAL:
            continue
        if section == c.SHN_UNDEF:
            imported.append(names.symbol(index, name, bind == c.STB_WEAK)._replace(hidden=False))
        elif exports and other & 3 not in (c.STV_HIDDEN, c.STV_INTERNAL):
            exported.append(names.symbol(index, name, bind == c.STB_WEAK))
    return Symbols(tuple(imported), tuple(exported))


def _symbol_table(source: Source, layout: Layout) -> bytes:
    start, count = _symbol_range(source, layout)
    size = entry(layout).size
    raw = read_table(source, count * size, start, "symbol table")
    return raw[: len(raw) // size * size]


def _symbol_range(source: Source, layout: Layout) -> tuple[int, int]:
    """Where the symbol table begins, and how many symbols it has."""
    start = layout.offset(layout.last(c.DT_SYMTAB) or 0)
    if start is None or start >= source.size:
        raise ElfFault("ELF file with a symbol table outside the file")
    return start, min(symbol_count(source, layout), (source.size - start) // entry(layout).size)


def versym(source: Source, layout: Layout, count: int) -> tuple[int, ...]:
    address = layout.last(c.DT_VERSYM)
    start = layout.offset(address) if address is not None else None
    if start is None or start >= source.size:
        return ()
    raw = read_table(source, count * 2, start, "table of versions")
    return struct.unpack(f"{layout.encoding.order}{len(raw) // 2}H", raw[: len(raw) // 2 * 2])
