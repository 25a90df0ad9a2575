"""Which symbols the relocations of an ELF file refer to, in the order in which loaders meet them.

Source: gABI ch. 5 "Relocation"; glibc elf/dynamic-link.h, elf/do-rel.h; musl ldso/dynlink.c,
reloc_all().
"""

from __future__ import annotations

import sys
from array import array
from typing import NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout, read_table


class Relocation(NamedTuple):
    """What r_info holds."""

    symbol: int
    """Index in the symbol table; 0 for none."""
    type: int


class Range(NamedTuple):
    """Relocations that are processed one after the other."""

    address: int
    size: int
    """Bytes."""
    rela: bool


def glibc_order(layout: Layout) -> list[Range]:
    """DT_REL, then DT_RELA, each without the relative ones at its beginning, and DT_JMPREL behind
    the one that it is like: some linkers count it as part of that one."""
    found = []
    for rela, tag, size_tag, count_tag in (
        (False, c.DT_REL, c.DT_RELSZ, c.DT_RELCOUNT),
        (True, c.DT_RELA, c.DT_RELASZ, c.DT_RELACOUNT),
    ):
        address, size = layout.last(tag) or 0, 0
        relative = 0
        if address:
            size = layout.last(size_tag) or 0
            relative = (layout.last(count_tag) or 0) * _entry(layout, rela)
        plt = _plt(layout)
        if plt is not None and plt.rela == rela:
            if address and address + size == plt.address + plt.size:
                size -= plt.size
            found.append(Range(address + relative, size - relative, rela))
            found.append(plt)
        else:
            found.append(Range(address + relative, size - relative, rela))
    return [one for one in found if one.size > 0]


def musl_order(layout: Layout) -> list[Range]:
    """DT_JMPREL, DT_REL, DT_RELA."""
    plt = _plt(layout)
    found = [] if plt is None else [plt]
    for rela, tag, size_tag in (
        (False, c.DT_REL, c.DT_RELSZ),
        (True, c.DT_RELA, c.DT_RELASZ),
    ):
        found.append(Range(layout.last(tag) or 0, layout.last(size_tag) or 0, rela))
    return [one for one in found if one.size > 0]


def _plt(layout: Layout) -> Range | None:
    kind = layout.last(c.DT_PLTREL)
    if kind is None:
        return None
    address, size = layout.last(c.DT_JMPREL) or 0, layout.last(c.DT_PLTRELSZ) or 0
    return Range(address, size, kind == c.DT_RELA)


def _entry(layout: Layout, rela: bool) -> int:
    return layout.encoding.bits // 8 * (3 if rela else 2)


def read_infos(source: Source, layout: Layout, ranges: list[Range]) -> list[array[int]]:
    """The r_info of each relocation of the ranges, as it is stored.

    Raises:
        ElfFault: a range lies outside the file.
    """
    return [_infos(source, layout, one) for one in ranges]


def _infos(source: Source, layout: Layout, wanted: Range) -> array[int]:
    start = layout.offset(wanted.address)
    entry = _entry(layout, wanted.rela)
    size = wanted.size // entry * entry
    if start is None or start + size > source.size:
        raise ElfFault("ELF file with relocations outside the file")
    words = array("Q" if layout.encoding.bits == 64 else "I")
    words.frombytes(read_table(source, size, start, "table of relocations"))
    if layout.header.little != (sys.byteorder == "little"):
        words.byteswap()
    # An entry is r_offset, r_info and, in a RELA, r_addend.
    return words[1 :: 3 if wanted.rela else 2]


def decoded(info: int, layout: Layout) -> Relocation:
    """Symbol and type. A MIPS64 has three types, of which the first counts here, and stores them
    as bytes whatever its byte order."""
    header = layout.header
    if header.bits == 32:
        return Relocation(info >> 8, info & 0xFF)
    if header.machine == c.EM_MIPS:
        if header.little:
            return Relocation(info & 0xFFFFFFFF, info >> 56)
        return Relocation(info >> 32, info & 0xFF)
    if header.machine == c.EM_SPARCV9:  # the rest of the lower half is data of the type
        return Relocation(info >> 32, info & 0xFF)
    return Relocation(info >> 32, info & 0xFFFFFFFF)
