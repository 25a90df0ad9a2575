"""What only sections tell, by pyelftools: the static symbol table of a program, attributes."""

from __future__ import annotations

import io
import struct

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import read_table
from elfpack.light import TYPE_CHECKING
from elfpack.paths import decode

if TYPE_CHECKING:
    from typing import Any

_ENTRY_64 = 24
_NAME_MOST = 4096
_MOST = 1 << 16
"""Bytes of a section that :func:`section` reads."""


class _Stream(io.RawIOBase):
    """A :class:`Source` as the seekable stream that pyelftools reads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._source.size)[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        piece = self._source.pread(len(buffer), self._at) if self._at < self._source.size else b""
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)


_WORK = 1 << 20
"""Bytes of section headers and names that are looked at: linked files have some thousand, also if
each of many headers leads to a name as long as the file."""


class _Bounded(io.BufferedReader):
    """Ends what reads over and over."""

    left = _WORK

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.left -= len(found)
        if self.left < 0:
            raise ValueError("section headers that take no end")
        return found


def _opened(source: Source) -> Any:
    from elftools.elf.elffile import ELFFile

    return ELFFile(_Bounded(_Stream(source), 1 << 16))


def _content(source: Source, section: Any) -> bytes:
    """What a section holds, as it stands in the file: no linker compresses symbols."""
    return read_table(source, section["sh_size"], section["sh_offset"], "section")


def defined_functions(source: Source) -> frozenset[str]:
    """The names of the functions that a program's symbol table (.symtab) defines.

    Empty for a stripped program, and for one whose sections cannot be read: sections are a
    convenience that nothing needs to run.
    """
    try:
        file = _opened(source)
        section = file.get_section_by_name(".symtab")
        if section is None:
            return frozenset()
        symbols, names = _content(source, section), _content(source, section.stringtable)
        order = "<" if file.little_endian else ">"
        entry = struct.Struct(order + ("IBBHQQ" if file.elfclass == 64 else "IIIBBH"))
    except Exception:  # of every kind: it trusts the numbers that it reads
        return frozenset()
    # pyelftools would take seconds for the 100,000 symbols of a large program. The string table
    # alone does not tell: linkers keep a name that ends another one only inside that.
    index = 3 if entry.size == _ENTRY_64 else 5
    symbols = symbols[: len(symbols) // entry.size * entry.size]
    places = {e[0] for e in entry.iter_unpack(symbols) if e[index] != c.SHN_UNDEF}
    ends = ((at, names.find(b"\0", at, at + _NAME_MOST)) for at in places)
    return frozenset(decode(names[at:end]) for at, end in ends if end >= 0)


def section(source: Source, name: str) -> bytes:
    """The content of a section, at most 64 KiB of it; empty if there is none that can be read."""
    try:
        found = _opened(source).get_section_by_name(name)
        if found is None or found["sh_type"] == "SHT_NOBITS":
            return b""
        offset, size = found["sh_offset"], found["sh_size"]
    except Exception:  # of every kind: it trusts the numbers that it reads
        return b""
    return source.pread(min(size, _MOST), offset) if offset < source.size else b""
