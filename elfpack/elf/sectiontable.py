"""The section headers of an ELF file: read by lief, written anew for a file that lost some.

Source: gABI ch. 4, "Sections" and "String Table".
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Encoding, Layout
from elfpack.errors import RequestError

SHT_NULL, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOTE, SHT_NOBITS, SHT_REL = 0, 2, 3, 4, 7, 8, 9
SHT_DYNSYM, SHT_GROUP, SHT_SYMTAB_SHNDX = 11, 17, 18
SHF_ALLOC, SHF_INFO_LINK = 0x2, 0x40
SHN_LORESERVE: Final = 0xFF00
_PLAIN = {32: struct.Struct("<10I"), 64: struct.Struct("<IIQQQQIIQQ")}
_USUAL: Final = {
    ("<", 32): c.EM_386,
    ("<", 64): c.EM_X86_64,
    (">", 32): c.EM_PPC,
    (">", 64): c.EM_S390,
}
"""Machines of which lief believes class and byte order: of x32 it does not."""
_WORK: Final = 1 << 26
"""Bytes that may be looked at for names: headers, times the size of the table that has them.
Linked files have some forty of the one, and some hundred bytes of the other."""


class Section(NamedTuple):
    """One section header. Offsets and sizes in bytes."""

    name: bytes
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    align: int
    entry_size: int

    @property
    def allocated(self) -> bool:
        """Part of the memory image."""
        return bool(self.flags & SHF_ALLOC)

    @property
    def end(self) -> int:
        """Where its content ends in the file."""
        return self.offset + (0 if self.type in (SHT_NOBITS, SHT_NULL) else self.size)


class Table(NamedTuple):
    """All section headers of a file."""

    sections: tuple[Section, ...]
    """By index; the first is the reserved one."""
    names: int
    """The index of the section with the names."""
    start: int
    """Where the headers are in the file."""
    end: int


def need_lief() -> Any:
    """lief, which is loaded only when sections are to be read: that takes a quarter of a second.

    Raises:
        RequestError: it is not installed, or does not work here.
    """
    try:
        import lief
    except ImportError:
        raise RequestError(
            "lief is not installed", path="--strip", hint="pip install lief, or go without --strip"
        ) from None
    lief.logging.disable()  # of a file that is broken, elfpack tells itself
    return lief


def row_of(encoding: Encoding) -> struct.Struct:
    """One section header: name type flags address offset size link info align entry_size."""
    return struct.Struct(encoding.order + _PLAIN[encoding.bits].format[1:])


def read_table(source: Source, layout: Layout) -> Table | None:
    """The section headers; None for a file that has none.

    Raises:
        ElfFault: they contradict themselves, or each other.
    """
    encoding = layout.encoding
    row = row_of(encoding)
    header = encoding.header.unpack(source.pread(encoding.header.size, 0))
    start, size, count, names = header[6], header[11], header[12], header[13]
    if start == 0:
        return None
    if count == 0 or names >= SHN_LORESERVE:
        raise ElfFault("it has more than 65,279 sections")
    end = start + count * row.size
    if size != row.size or end > source.size or not 0 < names < count:
        raise ElfFault("its section headers are broken")
    rows = list(row.iter_unpack(source.pread(end - start, start)))
    for _, kind, _, _, offset, length, *_ in rows:
        if kind not in (SHT_NULL, SHT_NOBITS) and offset + length > source.size:
            raise ElfFault("a section of it lies outside the file")
    if rows[names][1] in (SHT_NULL, SHT_NOBITS) or rows[names][5] * count > _WORK:
        raise ElfFault("the names of its sections cannot be read")
    texts = source.pread(rows[names][5], rows[names][4])
    found = zip(_names(header, rows, texts, encoding), rows, strict=True)
    return Table(tuple(Section(name, *fields[1:]) for name, fields in found), names, start, end)


def _names(
    header: tuple[Any, ...], rows: list[tuple[int, ...]], texts: bytes, encoding: Encoding
) -> list[bytes]:
    """The names of sections, as lief reads them.

    lief is given a file of the headers alone, in which no section has content but the names: it
    would read symbols, notes and relocations too, at whatever place and of whatever number
    a hostile file says, and all of the file into memory.
    """
    lief = need_lief()
    row, names = row_of(encoding), header[13]
    start = encoding.header.size
    alone = [(*r[:1], SHT_NOBITS, *r[2:]) for r in rows]
    alone[names] = (rows[names][0], SHT_STRTAB, *rows[names][2:4], start, *rows[names][5:])
    changed = (
        *header[:2],
        _USUAL[encoding.order, encoding.bits],
        *header[3:5],
        0,
        start + len(texts),
    )
    changed += (*header[7:9], 0, 0, *header[11:])
    raw = encoding.header.pack(*changed) + texts + b"".join(row.pack(*r) for r in alone)
    try:
        binary = lief.ELF.parse(io.BytesIO(raw))  # to be held: its sections do not hold it
        found = [_raw(section.name) for section in binary.sections]
    except Exception:  # of every kind: lief has several, and None of a file that it gives up
        found = []
    if len(found) != len(rows):
        raise ElfFault("its section headers cannot be read")
    return found


def _raw(name: str | bytes) -> bytes:
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")


def dump(sections: Iterable[Section], encoding: Encoding, offsets: dict[bytes, int]) -> bytes:
    """Section headers as they are written; ``offsets`` are those of the names."""
    row = row_of(encoding)
    return b"".join(row.pack(offsets[section.name], *section[1:]) for section in sections)


def dump_names(names: Iterable[bytes]) -> tuple[bytes, dict[bytes, int]]:
    """A string table, and the offset of each name. A name that is the end of another is part of
    it (``.text`` of ``.rela.text``), as linkers do it."""
    data = bytearray(1)
    offsets = {b"": 0}
    last = b""
    # By their ends, the longer of two first: what a name is the end of stands right before it.
    for name in sorted(set(names), key=lambda n: n[::-1], reverse=True):
        if name and not last.endswith(name):
            last = name
            offsets[name] = len(data)
            data += name + b"\0"
        elif name:
            offsets[name] = offsets[last] + len(last) - len(name)
    return bytes(data), offsets
