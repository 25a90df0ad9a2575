"""Strings that are compiled into an ELF file: what stands in the segments that nobody writes to.

By segments, as loaders see it: a file without section headers tells as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elfpack import late
from elfpack.blob import Source, is_hole
from elfpack.elf import constants as c
from elfpack.elf.layout import Layout, read_layout
from elfpack.light import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import re
    from typing import Final

LONGEST = 4096
"""Bytes of a match, the NULs around it included."""
MOST = 10_000
"""Different matches that are looked for."""
_PIECE = 1 << 18
"""Bytes looked at at once: they stay in the processor's cache from the reading to the looking."""


def constants(
    source: Source,
    pattern: re.Pattern[bytes],
    *,
    whole: bool = False,
    most: int = MOST,
    layout: Layout | None = None,
) -> tuple[bytes, ...]:
    """Each different match of a pattern in the read-only data of a file, in file order, up to
    ``most``. The ``layout`` is read if it is not known.

    A match is the pattern's first group if it has one, else all of it; with ``whole`` it reaches
    from the NUL before it to the NUL behind it, so that a quick pattern for the end of a string
    finds all of it. A match of more than :data:`LONGEST` bytes may be missed, and none is made of
    two segments.

    Raises:
        ElfFault: the file is broken before its segments are reached.
    """
    strings = _Strings(pattern, whole=whole, most=most)
    _go_through(source, layout, strings)
    return tuple(strings.found)


def has(source: Source, text: bytes, layout: Layout | None = None) -> bool:
    """Whether these bytes are in the read-only data of a file.

    Raises:
        ElfFault: the file is broken before its segments are reached.
    """
    look = _Text(text)
    _go_through(source, layout, look)
    return look.found


def constants_and_paths(
    source: Source, pattern: re.Pattern[bytes], layout: Layout | None = None
) -> tuple[tuple[bytes, ...], Paths]:
    """What :func:`constants` finds of whole strings, and :func:`paths`, in one reading."""
    strings, listed = _Strings(pattern, whole=True, most=MOST), _Paths()
    _go_through(source, layout, strings, listed)
    return tuple(strings.found), listed.found()


class Paths(NamedTuple):
    """The absolute paths that are compiled into a file, each once, in file order."""

    alone: tuple[bytes, ...]
    """Strings that are nothing but a path."""
    listed: tuple[bytes, ...]
    """Those, and what stands in a list or in quotes."""


# A slash is rare: it is looked for first, and what stands before it only where there is one. The
# NUL behind a path may be the one before the next.
_LISTED: Final = late.pattern(rb"/(?<=[\0:\"]/)[!-9;-~]{3,1000}?(?=[\0:\"])")
_ALONE: Final = late.pattern(rb"/[!-9;-~]{3,1000}(?=\0)")


def paths(source: Source, layout: Layout | None = None) -> Paths:
    """The paths in the read-only data of a file, :data:`MOST` different ones of each kind.

    Raises:
        ElfFault: the file is broken before its segments are reached.
    """
    found = _Paths()
    _go_through(source, layout, found)
    return found.found()


class _Look(Protocol):
    def at(self, piece: bytes, begin: int, end: int) -> bool:
        """Look at a piece of a file, see :func:`_pieces`; returns whether that was enough."""


def _go_through(source: Source, layout: Layout | None, *looks: _Look) -> None:
    left: Sequence[_Look] = looks
    for piece in _pieces(source, layout):
        left = [look for look in left if not look.at(*piece)]
        if not left:
            break


class _Text:
    """Bytes that are looked for as they are, which needs no ``re``."""

    def __init__(self, text: bytes) -> None:
        self.found = False
        self._text = text

    def at(self, piece: bytes, begin: int, end: int) -> bool:
        self.found = 0 <= piece.find(self._text, begin) < end
        return self.found


class _Strings:
    """Matches of a pattern, as :func:`constants` tells."""

    def __init__(self, pattern: re.Pattern[bytes], *, whole: bool, most: int) -> None:
        self.found: dict[bytes, None] = {}
        self._pattern = pattern
        self._group = 1 if pattern.groups else 0
        self._is_whole = whole
        self._most = most

    def at(self, piece: bytes, begin: int, end: int) -> bool:
        for match in self._pattern.finditer(piece, begin):
            if match.start() >= end:
                break
            text = _whole(piece, match) if self._is_whole else match[self._group]
            if text is not None:
                self.found[text] = None
            if len(self.found) >= self._most:
                return True
        return False


class _Paths:
    def __init__(self) -> None:
        self._alone: dict[bytes, None] = {}
        self._listed: dict[bytes, None] = {}

    def found(self) -> Paths:
        return Paths(tuple(self._alone), tuple(self._listed))

    def at(self, piece: bytes, begin: int, end: int) -> bool:
        alone, listed = self._alone, self._listed
        for match in _LISTED.finditer(piece, begin):
            start = match.start()
            if start >= end:
                break
            if len(listed) < MOST:
                listed[match[0]] = None
            if piece[start - 1] == 0 and len(alone) < MOST:
                whole = _ALONE.match(piece, start)
                if whole is not None:
                    alone[whole[0]] = None
        return len(listed) >= MOST and len(alone) >= MOST


def _whole(piece: bytes, match: re.Match[bytes]) -> bytes | None:
    """The string around a match; None for one that is too long to name anything."""
    low = max(0, match.start() - LONGEST)
    start = piece.rfind(b"\0", low, match.start()) + 1
    end = piece.find(b"\0", match.start(), match.end() + LONGEST)
    if end < 0 or (not start and low):
        return None
    return piece[start:end]


def _pieces(source: Source, layout: Layout | None) -> Iterator[tuple[bytes, int, int]]:
    """The bytes to look at, and from where up to where in them a match may begin: what is before
    and behind belongs to the pieces beside it."""
    for start, end in _ranges(source, layout or read_layout(source)):
        for at in range(start, end, _PIECE):
            if is_hole(source, at, at + _PIECE + LONGEST):
                continue
            before = min(LONGEST, at - start)
            raw = source.pread(min(before + _PIECE + LONGEST, end - at + before), at - before)
            yield raw, before, before + _PIECE


def _ranges(source: Source, layout: Layout) -> list[tuple[int, int]]:
    """The parts of the file that hold constants, each byte once: segments that are neither
    written to nor executed; in a file without any, as older linkers make them, all that are not
    written to, or all (``ld -N``)."""
    loaded = [s for s in layout.segments if s.type == c.PT_LOAD]
    kept = [s for s in loaded if not s.flags & c.PF_W]
    data = [s for s in kept if not s.flags & c.PF_X]
    chosen = data or kept or loaded
    wanted = sorted((s.offset, min(s.offset + s.filesz, source.size)) for s in chosen)
    found: list[tuple[int, int]] = []
    for start, end in wanted:
        if found and start < found[-1][1]:  # they overlap, which no linker does
            start = found[-1][1]
        if start < end:
            found.append((start, end))
    return found
