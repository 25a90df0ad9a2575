"""The dynamic string table of an ELF file. Source: gABI ch. 5, "String Table"."""

from __future__ import annotations

from collections.abc import Sequence

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout
from elfpack.paths import decode

_WHOLE_STRINGS = 32768
"""A string table up to this size is read at once; of a larger one only what is asked for."""
_STRING_STEP = 256
_NEAR = 8192
"""Bytes in which all names that are wanted have to lie to be read at once."""


class Strings:
    """The dynamic string table of a file, by offsets into it."""

    def __init__(self, source: Source, layout: Layout, wanted: Sequence[int] | None = None) -> None:
        """``wanted`` are the offsets that will be asked for, if no others will.

        Raises:
            ElfFault: there is none, or it lies outside the file.
        """
        address = layout.last(c.DT_STRTAB)
        start = layout.offset(address) if address is not None else None
        if start is None or start >= source.size:
            raise ElfFault("ELF file without a dynamic string table in it (DT_STRTAB)")
        size = layout.last(c.DT_STRSZ)
        # DT_STRSZ may be absent: loaders do not read it. The file is the bound then.
        self._size = min(source.size - start, size if size is not None else source.size)
        self._source = source
        self._start = start
        self._whole: bytes | None = None
        self._near = b""
        """The table from an offset on, which is where the names that are wanted begin."""
        self._from = 0
        if wanted is None:
            if self._size <= _WHOLE_STRINGS:
                self._whole = source.pread(self._size, start)
        else:
            self._from, last = min(wanted), max(wanted)
            if last < self._size and last - self._from < _NEAR:
                self._near = source.pread(
                    min(self._size, last + _STRING_STEP) - self._from, start + self._from
                )

    def whole(self) -> bytes:
        """All of the table."""
        if self._whole is None:
            self._whole = self._source.pread(self._size, self._start)
        return self._whole

    def at(self, offset: int) -> str:
        """The string at an offset.

        Raises:
            ElfFault: it begins or ends outside the table.
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
            return self._whole[offset:end]
        start = offset - self._from
        end = self._near.find(b"\0", start) if start >= 0 else -1
        return self._near[start:end] if end >= 0 else self._far(offset)

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
