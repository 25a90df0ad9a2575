"""The dynamic string table of an ELF file. Source: gABI ch. 5, "String Table"."""

from __future__ import annotations

from collections.abc import Sequence

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout, file_offset, read_table
from elfpack.paths import decode

_WHOLE_STRINGS = 32768
"""A string table up to this size is read at once; of a larger one only what is asked for."""
_STRING_STEP = 256
_NEAR = 8192
"""Bytes in which a few strings have to lie to be read at once."""
_FEW = 256
"""Strings that are a few; each may then be as long as all of those bytes."""


def most_bytes(size: int) -> int:
    """More than all names have that a file with a string table of ``size`` bytes refers to. Linkers
    let names that end alike share their bytes; a file of which thousands of names are the ends of
    one long string would take no end of memory."""
    return (1 << 20) + 32 * size


OVERLAP = "ELF file with names that overlap over and over"
"""What is wrong with a file whose names have more than those."""


def refuse_overlap(strings: bytes, offsets: Sequence[int]) -> None:
    """Hold the names at these offsets against :func:`most_bytes`, before any of them is copied. One
    outside the table counts for nothing.

    Raises:
        ElfFault: they have more.
    """
    left = most_bytes(len(strings))
    if len(offsets) * len(strings) <= left:  # so it is with most libraries
        return
    find = strings.find
    for at in offsets:
        left -= max(0, find(b"\0", at) - at)
        if left < 0:
            raise ElfFault(OVERLAP)


def _table(source: Source, layout: Layout) -> tuple[int, int]:
    """The offset of the table in the file, and its size."""
    address = layout.tags.get(c.DT_STRTAB)
    start = None if address is None else file_offset(layout.parts.loads, address)
    if start is None or start >= source.size:
        raise ElfFault("ELF file without a dynamic string table in it (DT_STRTAB)")
    # DT_STRSZ may be absent: loaders do not read it. The file is the bound then.
    room = source.size - start
    return start, min(room, layout.tags.get(c.DT_STRSZ, room))


def read_strings(source: Source, layout: Layout, offsets: Sequence[int]) -> list[str]:
    """The strings at one or more offsets, as those of a dynamic section: most often they lie side
    by side, and one read suffices.

    Raises:
        ElfFault: as :class:`Strings`.
    """
    start, size = _table(source, layout)
    first, last = min(offsets), max(offsets)
    if last >= size or last - first >= _NEAR or len(offsets) > _FEW:
        strings = Strings(source, layout)
        return [strings.at(offset) for offset in offsets]
    raw = source.pread(min(size, last + _STRING_STEP) - first, start + first)
    found = []
    for offset in offsets:
        end = raw.find(b"\0", offset - first)
        if end < 0:
            strings = Strings(source, layout)
            return [strings.at(offset) for offset in offsets]
        found.append(raw[offset - first : end].decode("utf-8", "surrogateescape"))
    return found


class Strings:
    """The dynamic string table of a file, by offsets into it."""

    def __init__(self, source: Source, layout: Layout) -> None:
        """
        Raises:
            ElfFault: there is none, or it lies outside the file.
        """
        start, self._size = _table(source, layout)
        self._source = source
        self._start = start
        self._left = most_bytes(self._size)
        self._whole = source.pread(self._size, start) if self._size <= _WHOLE_STRINGS else None

    def whole(self) -> bytes:
        """All of the table.

        Raises:
            ElfFault: it is larger than any.
        """
        if self._whole is None:
            self._whole = read_table(self._source, self._size, self._start, "string table")
        return self._whole

    def at(self, offset: int) -> str:
        """The string at an offset.

        Raises:
            ElfFault: it begins or ends outside the table, or all that were asked for overlap over
                and over.
        """
        return decode(self.raw(offset))

    def raw(self, offset: int) -> bytes:
        """As :meth:`at`, not decoded."""
        if offset >= self._size:
            raise ElfFault(f"ELF file with a name outside its string table (at {offset})")
        if self._whole is not None:
            end = self._whole.find(b"\0", offset)
            if end < 0:
                raise ElfFault(f"ELF file with a name that does not end (at {offset})")
            found = self._whole[offset:end]
        else:
            found = self._far(offset)
        self._left -= len(found)
        if self._left < 0:
            raise ElfFault(OVERLAP)
        return found

    def _far(self, offset: int) -> bytes:
        """A string of a large table: read in growing steps, so that work stays linear in it."""
        step = _STRING_STEP
        while True:
            step = min(step, self._size - offset)
            piece = self._source.pread(step, self._start + offset)
            end = piece.find(b"\0")
            if end >= 0:
                return piece[:end]
            if offset + step >= self._size or len(piece) < step:
                raise ElfFault(f"ELF file with a name that does not end (at {offset})")
            step *= 4
