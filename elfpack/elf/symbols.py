"""Imported and exported dynamic symbols of an ELF file, with their versions.

Source: gABI ch. 5 "Symbol Table", "Hash Table"; glibc elf/dl-lookup.c; GNU hash: glibc
elf/dl-setup_hash.c.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout, read_layout
from elfpack.elf.strings import Strings
from elfpack.elf.versions import versions_of
from elfpack.paths import decode

_WORDS_64 = (c.EM_ALPHA, c.EM_S390)
"""Machines whose 64-bit files have a DT_HASH of 64-bit words."""


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
    if not layout.dynamic or layout.last(c.DT_SYMTAB) is None:
        return Symbols()
    strings = Strings(source, layout)
    raw = _symbol_table(source, layout)
    versions = versions_of(source, layout, strings).by_index()
    versym = _versym(source, layout, len(raw) // _symbol(layout).size)
    names = _Names(strings.whole(), versions, versym)
    return _split(raw, layout, names, exports=exports)


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
    wide = _wide(layout)
    for index, fields in enumerate(_symbol(layout).iter_unpack(raw)):
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


def _symbol(layout: Layout) -> struct.Struct:
    # 64 bits: name info other shndx value size; 32 bits: name value size info other shndx
    return struct.Struct(layout.encoding.order + ("IBBHQQ" if _wide(layout) else "IIIBBH"))


def _wide(layout: Layout) -> bool:
    return layout.encoding.bits == 64


def _symbol_table(source: Source, layout: Layout) -> bytes:
    size = _symbol(layout).size
    start = layout.offset(layout.last(c.DT_SYMTAB) or 0)
    if start is None or start >= source.size:
        raise ElfFault("ELF file with a symbol table outside the file")
    count = min(_count(source, layout), (source.size - start) // size)
    raw = source.pread(count * size, start)
    return raw[: len(raw) // size * size]


def _count(source: Source, layout: Layout) -> int:
    """Dynamic symbols in the file. No field has the number: the hash tables tell it."""
    if (address := layout.last(c.DT_HASH)) is not None:
        wide = _wide(layout) and layout.header.machine in _WORDS_64
        word = struct.Struct(layout.encoding.order + ("QQ" if wide else "II"))
        return _at(source, layout, address, word)[1]
    if (address := layout.last(c.DT_GNU_HASH)) is not None:
        return _gnu_count(source, layout, address)
    if (number := layout.last(c.DT_MIPS_SYMTABNO)) is not None:
        return number
    return _room(layout)


_TABLES = (c.DT_STRTAB, c.DT_HASH, c.DT_GNU_HASH, c.DT_VERSYM, c.DT_VERDEF, c.DT_VERNEED)


def _room(layout: Layout) -> int:
    """Symbols that fit between the table's start and the next table: linkers lay them closely."""
    first = layout.last(c.DT_SYMTAB) or 0
    behind = [at for tag in _TABLES if (at := layout.last(tag)) is not None and at > first]
    return (min(behind) - first) // _symbol(layout).size if behind else 0


def _gnu_count(source: Source, layout: Layout, address: int) -> int:
    order = layout.encoding.order
    buckets, first, blooms, _ = _at(source, layout, address, struct.Struct(order + "IIII"))
    start = layout.offset(address) or 0
    table = start + 16 + blooms * (8 if _wide(layout) else 4)
    if table + buckets * 4 > source.size:
        raise ElfFault("ELF file with a hash table outside the file")
    raw = source.pread(buckets * 4, table)
    last = max(struct.unpack(f"{order}{len(raw) // 4}I", raw), default=0)
    if last < first:
        # Nothing is exported. The linkers write an empty table then, whose first symbol may be
        # any: GNU ld's is 1, however many are imported.
        return max(first, _room(layout))
    # The chain of the last symbol ends with an odd hash. Read in pieces: chains are short.
    at = table + buckets * 4 + (last - first) * 4
    while at < source.size:
        piece = source.pread(4096, at)
        words = struct.unpack(f"{order}{len(piece) // 4}I", piece[: len(piece) // 4 * 4])
        for number, word in enumerate(words):
            if word & 1:
                return last + number + 1
        if len(piece) < 4096:
            break
        last += len(words)
        at += len(piece)
    raise ElfFault("ELF file with a hash chain that does not end")


def _at(source: Source, layout: Layout, address: int, what: struct.Struct) -> tuple[int, ...]:
    start = layout.offset(address)
    raw = source.pread(what.size, start) if start is not None and start < source.size else b""
    if len(raw) < what.size:
        raise ElfFault("ELF file with a hash table outside the file")
    return what.unpack(raw)


def _versym(source: Source, layout: Layout, count: int) -> tuple[int, ...]:
    address = layout.last(c.DT_VERSYM)
    start = layout.offset(address) if address is not None else None
    if start is None or start >= source.size:
        return ()
    raw = source.pread(count * 2, start)
    return struct.unpack(f"{layout.encoding.order}{len(raw) // 2}H", raw[: len(raw) // 2 * 2])
