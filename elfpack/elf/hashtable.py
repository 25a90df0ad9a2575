"""The hash tables of an ELF file: how many symbols it has, and which of them a loader can find.

Source: gABI ch. 5 "Hash Table"; GNU hash: glibc elf/dl-setup_hash.c; musl ldso/dynlink.c.
"""

from __future__ import annotations

import struct

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout, read_table

_IS_ODD = bytes([0, 1]) * 128
"""For :meth:`bytes.translate`."""
_WORDS_64 = (c.EM_ALPHA, c.EM_S390)
"""Machines whose 64-bit files have a DT_HASH of 64-bit words."""


def entry(layout: Layout) -> struct.Struct:
    """One entry of the symbol table."""
    # 64 bits: name info other shndx value size; 32 bits: name value size info other shndx
    return struct.Struct(layout.encoding.order + ("IBBHQQ" if _wide(layout) else "IIIBBH"))


def _wide(layout: Layout) -> bool:
    return layout.encoding.bits == 64


def symbol_count(source: Source, layout: Layout) -> int:
    """Dynamic symbols in the file. No field has the number: the hash tables tell it."""
    if (address := layout.last(c.DT_HASH)) is not None:
        return _sysv(source, layout, address)[1]
    if (address := layout.last(c.DT_GNU_HASH)) is not None:
        found = _gnu_range(source, layout, address)
        # Where nothing is exported the linkers write an empty table, whose first symbol may be
        # any: GNU ld's is 1, however many are imported.
        return found.stop if found else max(found.start, _room(layout))
    if (number := layout.last(c.DT_MIPS_SYMTABNO)) is not None:
        return number
    return _room(layout)


def findable(source: Source, layout: Layout) -> range:
    """The symbols that a loader finds by name: those in the hash table that it looks into.

    Raises:
        ElfFault: the table lies outside the file.
    """
    if (address := layout.last(c.DT_GNU_HASH)) is not None:
        return _gnu_range(source, layout, address)
    if (address := layout.last(c.DT_HASH)) is not None:
        buckets, count = _sysv(source, layout, address)
        return range(1, count) if buckets else range(0)
    if layout.last(c.DT_MIPS_XHASH) is not None:
        return range(1, layout.last(c.DT_MIPS_SYMTABNO) or 0)
    return range(0)


_TABLES = (c.DT_STRTAB, c.DT_HASH, c.DT_GNU_HASH, c.DT_VERSYM, c.DT_VERDEF, c.DT_VERNEED)


def _room(layout: Layout) -> int:
    """Symbols that fit between the table's start and the next table: linkers lay them closely."""
    first = layout.last(c.DT_SYMTAB) or 0
    behind = [at for tag in _TABLES if (at := layout.last(tag)) is not None and at > first]
    return (min(behind) - first) // entry(layout).size if behind else 0


def _sysv(source: Source, layout: Layout, address: int) -> tuple[int, ...]:
    """Buckets and symbols of a DT_HASH."""
    wide = _wide(layout) and layout.header.machine in _WORDS_64
    word = struct.Struct(layout.encoding.order + ("QQ" if wide else "II"))
    return _at(source, layout, address, word)


def _gnu_range(source: Source, layout: Layout, address: int) -> range:
    """The symbols in a DT_GNU_HASH. They are the last of the symbol table."""
    order = layout.encoding.order
    buckets, first, blooms, _ = _at(source, layout, address, struct.Struct(order + "IIII"))
    start = layout.offset(address) or 0
    table = start + 16 + blooms * (8 if _wide(layout) else 4)
    if table + buckets * 4 > source.size:
        raise ElfFault("ELF file with a hash table outside the file")
    raw = read_table(source, buckets * 4, table, "hash table")
    last = max(struct.unpack(f"{order}{len(raw) // 4}I", raw), default=0)
    if last < first or not last:
        return range(first, first)
    # The chain of the last symbol ends with an odd hash. Chains are short: few words are looked at.
    at = table + buckets * 4 + (last - first) * 4
    while at < source.size:
        piece = source.pread(4096, at)
        low = piece[0 if order == "<" else 3 :: 4].translate(_IS_ODD)
        end = low.find(1)
        if end >= 0:
            return range(first, last + end + 1)
        if len(piece) < 4096:
            break
        last += len(low)
        at += len(piece)
    raise ElfFault("ELF file with a hash chain that does not end")


def _at(source: Source, layout: Layout, address: int, what: struct.Struct) -> tuple[int, ...]:
    start = layout.offset(address)
    raw = source.pread(what.size, start) if start is not None and start < source.size else b""
    if len(raw) < what.size:
        raise ElfFault("ELF file with a hash table outside the file")
    return what.unpack(raw)
