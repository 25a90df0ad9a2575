"""Strings that are compiled into an ELF file: what stands in the segments that nobody writes to.

By segments, as loaders see it: a file without section headers tells as much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import read_layout

LONGEST = 4096
"""Bytes of a match, the NULs around it included."""
MOST = 1000
"""Different matches that are looked for."""
_PIECE = 1 << 20


def constants(source: Source, pattern: re.Pattern[bytes]) -> tuple[bytes, ...]:
    """Each different match of a pattern in the segments of a file that are not writable, in file
    order: its first group if it has one, else all of it.

    A match of more than :data:`LONGEST` bytes may be missed, and none is made of two segments.

    Raises:
        ElfFault: the file is broken before its segments are reached.
    """
    found: dict[bytes, None] = {}
    group = 1 if pattern.groups else 0
    for piece, end in _pieces(source):
        for match in pattern.finditer(piece):
            if match.start() >= end:
                break
            found[match[group]] = None
            if len(found) >= MOST:
                return tuple(found)
    return tuple(found)


def _pieces(source: Source) -> Iterator[tuple[bytes, int]]:
    """The bytes to look at, and up to where in them a match may begin: the next piece has the
    rest."""
    for start, end in _ranges(source):
        for at in range(start, end, _PIECE):
            size = min(_PIECE + LONGEST, end - at)
            raw = source.pread(size, at)
            yield raw, _PIECE if at + _PIECE < end else len(raw)


def _ranges(source: Source) -> list[tuple[int, int]]:
    """The parts of the file that are mapped and not written to, each byte once."""
    wanted = sorted(
        (s.offset, min(s.offset + s.filesz, source.size))
        for s in read_layout(source).segments
        if s.type == c.PT_LOAD and not s.flags & c.PF_W
    )
    found: list[tuple[int, int]] = []
    for start, end in wanted:
        if found and start < found[-1][1]:  # they overlap, which no linker does
            start = found[-1][1]
        if start < end:
            found.append((start, end))
    return found
