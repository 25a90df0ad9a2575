"""The parts of an ELF file that are kept when something is cut out of it, and where they go.

What a segment names is one part and stays together. A part begins where it did, or lower if
something before it went: by multiples of its alignment, as the loader demands of a segment.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final, NamedTuple

from elfpack.blob import CHUNK, Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout, Segment
from elfpack.elf.sectiontable import Section, Table

_PAGE: Final = 4096
"""The smallest page of any machine."""
_FIXED: Final = 1 << 63


class Part(NamedTuple):
    """A part of a file. Offsets in bytes."""

    start: int
    end: int
    align: int
    """It moves by multiples of that many bytes, a power of two."""
    target: int = 0
    """Where it begins in the edited file."""

    @property
    def target_end(self) -> int:
        return self.target + self.end - self.start


class Copy(NamedTuple):
    """Bytes of the original."""

    start: int
    size: int


Piece = Copy | bytes | int
"""What an edited file is made of; a number stands for that many zeros."""


class Edit(NamedTuple):
    """How an edited file is made of the original, piece by piece."""

    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes of the edited file."""
        return sum(map(_length, self.pieces))

    def apply(self, source: Source) -> Source:
        """The edited file, read from the original; closing it closes the original."""
        return _Edited(source, self.pieces)


def _length(piece: Piece) -> int:
    if isinstance(piece, int):
        return piece
    return piece.size if isinstance(piece, Copy) else len(piece)


class _Edited:
    """A :class:`Source` of pieces."""

    def __init__(self, source: Source, pieces: tuple[Piece, ...]) -> None:
        self._source = source
        self._pieces = pieces
        self._starts = list(accumulate(map(_length, pieces), initial=0))
        self.size = self._starts[-1]

    def pread(self, size: int, offset: int) -> bytes:
        number = bisect_right(self._starts, offset) - 1
        found: list[bytes] = []
        while size > 0 and number < len(self._pieces):
            piece, at = self._pieces[number], offset - self._starts[number]
            wanted = min(size, _length(piece) - at)
            found.append(self._read(piece, at, wanted))
            if len(found[-1]) < wanted:  # the original ends early
                break
            size, offset, number = size - wanted, offset + wanted, number + 1
        return b"".join(found)

    def _read(self, piece: Piece, at: int, size: int) -> bytes:
        if isinstance(piece, int):
            return bytes(size)
        if isinstance(piece, Copy):
            return self._source.pread(size, piece.start + at)
        return piece[at : at + size]

    def changed(self) -> bool:
        return self._source.changed()

    def close(self) -> None:
        self._source.close()


def kept(source: Source, layout: Layout, sections: Iterable[Section]) -> list[Part]:
    """The headers, the segments and these sections as parts, in order, each with its place.

    Raises:
        ElfFault: a segment is not in the file.
    """
    mapped = _merged(_segments(source, layout))
    return _placed(_merged([*mapped, *_outside(sections, mapped)]))


def _segments(source: Source, layout: Layout) -> Iterator[Part]:
    """Headers and segments; they overlap."""
    header, encoding = layout.header, layout.encoding
    yield Part(0, encoding.header.size, _FIXED)
    if header.phnum:
        if header.phoff < encoding.header.size:
            raise ElfFault("its headers overlap")
        yield Part(header.phoff, header.phoff + header.phnum * encoding.segment.size, 8)
    for segment in layout.segments:
        if segment.type == c.PT_GNU_RELRO:  # addresses of others; lld's reach beyond their content
            continue
        align = max(_power(segment.align), _PAGE if segment.type == c.PT_LOAD else 1)
        start, end = segment.offset, segment.offset + segment.filesz
        if touched(segment, source.size):
            start -= start % _PAGE
        elif segment.filesz and end > source.size:
            raise ElfFault("a segment of it ends behind the end of the file")
        if end > start:
            yield Part(start, end, align)


def touched(segment: Segment, size: int) -> bool:
    """Whether a segment without content has some all the same, in a file of ``size`` bytes: Linux
    maps the page that it begins in and clears the rest, so that page has to be there.

    Source: Linux fs/binfmt_elf.c, elf_map() and padzero().
    """
    empty = segment.type == c.PT_LOAD and not segment.filesz
    return empty and segment.offset % _PAGE != 0 and segment.offset <= size


def _power(align: int) -> int:
    """An alignment; a number that is none fixes its part where it is."""
    return max(1, align) if align & (align - 1) == 0 else _FIXED


def _outside(sections: Iterable[Section], mapped: list[Part]) -> Iterator[Part]:
    """The content of sections that is not in segments anyway."""
    for section in sections:
        if section.end > section.offset and not inside(mapped, section.offset, section.end):
            yield Part(section.offset, section.end, _power(section.align))


def inside(parts: list[Part], start: int, end: int) -> bool:
    """Whether one part has all of that."""
    return end <= _at(parts, start).end


def _at(parts: list[Part], offset: int) -> Part:
    """The last part that begins at or before an offset; the first one begins at 0."""
    return parts[bisect_right(parts, offset, key=lambda part: part.start) - 1]


def _merged(parts: Iterable[Part]) -> list[Part]:
    """Parts in order; those that overlap are one."""
    merged: list[Part] = []
    for part in sorted(parts):
        if merged and part.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Part(last.start, max(last.end, part.end), max(last.align, part.align))
        else:
            merged.append(part)
    return merged


def _placed(parts: list[Part]) -> list[Part]:
    """Each part as low as its alignment allows, which is never above where it was."""
    placed: list[Part] = []
    end = 0
    for part in parts:
        placed.append(part._replace(target=end + (part.start - end) % part.align))
        end = placed[-1].target_end
    return placed


def moved(parts: list[Part], offset: int) -> int:
    """Where what was at an offset is now; what is in no part is said to be at the end of one."""
    part = _at(parts, offset)
    return part.target + min(offset, part.end) - part.start


def nothing_lost(source: Source, parts: list[Part], table: Table) -> None:
    """Hold what is not in the parts against the sections.

    Raises:
        ElfFault: something is there that no section names: a program may look for it.
    """
    known = [(part.start, part.end) for part in parts]
    known += [(s.offset, s.end) for s in table.sections if s.end > s.offset]
    known += [(table.start, table.end), (source.size, source.size)]
    end = 0
    for start, stop in sorted(known):
        if start > end and not _zeros(source, end, start):
            raise ElfFault(
                f"{start - end} bytes at {end} are in none of its sections, as the data of "
                "self-extracting programs is"
            )
        end = max(end, stop)


def _zeros(source: Source, start: int, end: int) -> bool:
    while start < end:
        piece = source.pread(min(CHUNK, end - start), start)
        if not piece or piece.strip(b"\0"):
            return False
        start += len(piece)
    return True


def gap(parts: list[Part], offset: int) -> tuple[int, int]:
    """What is free in the edited file behind the part that an offset is in or behind."""
    number = bisect_right(parts, offset, key=lambda part: part.start)
    start = parts[number - 1].target_end
    return start, parts[number].target if number < len(parts) else start


def pieces(
    parts: list[Part], patches: Mapping[int, bytes], place: int, more: bytes
) -> Iterator[Piece]:
    """The parts at their places, and ``more`` at its ``place``, between or behind them. Patches
    are by their offsets in the original; none overlaps another or the end of a part."""
    end = 0
    waiting = sorted(patches.items(), reverse=True)
    for part in [*parts, Part(0, 0, 1, place + len(more))]:
        if end <= place < part.target:
            yield from (place - end, more)
            end = place + len(more)
        if part.target > end:
            yield part.target - end
        at = part.start
        while waiting and waiting[-1][0] < part.end:
            offset, patch = waiting.pop()
            if offset > at:
                yield Copy(at, offset - at)
            yield patch
            at = offset + len(patch)
        if part.end > at:
            yield Copy(at, part.end - at)
        end = part.target_end
