"""Parts of a file, files with holes, and streams, as sources that are read at any offset."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator
from itertools import accumulate

from elfpack.blob import CHUNK, Source, chunks
from elfpack.errors import InputError, RequestError
from elfpack.formats.decompression import CompressionFault, decompress
from elfpack.formats.tar import Segments

UNPACKED = 4 << 30
"""Bytes that may come out of what was named, if :data:`TIMES` its own are fewer: a small file that
stands for that many is made to waste time."""
TIMES = 64
"""What an archive may become, decompressed and with layers that many images share: of images a
few times its bytes."""
LISTED = 1 << 14
"""Files that may be listed of it, each for every image that has it, if that is more than one for
each :data:`EACH` of its bytes: a file costs some 0.1 ms."""
EACH = 32
"""Of hundreds of images on one base a file comes to some forty."""
TREE = 64
"""Files that cost as much as an image without any."""
_WORTH = 1 << 10
"""Bytes that may be unpacked for each file that may be listed, where a limit is given."""
PAGE = 4096
_BEHIND = 1 << 20
"""Bytes of a decompressed stream that are kept behind the place where it is read."""
_SMALL = 1 << 16
"""Bytes of a piece that is not put together with others."""
_MANY = 1 << 14
"""Pages of one read that are not kept."""
_UNKNOWN = 1 << 62
"""The size of a stream whose end was not seen yet."""


class Part:
    """A part of another source. Closing it leaves that open."""

    __slots__ = ("_magic", "_offset", "_whole", "size")

    def __init__(self, whole: Source, offset: int, size: int, magic: bytes = b"") -> None:
        """``magic``: its first bytes, if they are known."""
        self._whole = whole
        self._offset = offset
        self._magic = magic
        self.size = size

    def pread(self, size: int, offset: int) -> bytes:
        size = min(size, self.size - offset)
        if offset + size <= len(self._magic):
            return self._magic[offset : offset + size] if size > 0 else b""
        return self._whole.pread(size, self._offset + offset) if size > 0 else b""

    def changed(self) -> bool:
        return self._whole.changed()

    def close(self) -> None:
        pass


class Sparse:
    """A file with holes, whose pieces are stored one behind the other."""

    def __init__(self, stored: Source, segments: Segments, size: int) -> None:
        self._stored = stored
        self._segments = segments
        self._offsets = [offset for offset, _ in segments]
        self._starts = [0, *accumulate(length for _, length in segments)]
        self.size = size

    def pread(self, size: int, offset: int) -> bytes:
        end = min(offset + size, self.size)
        found = bytearray(max(0, end - offset))
        number = max(0, bisect_right(self._offsets, offset) - 1)
        while number < len(self._segments) and self._offsets[number] < end:
            start, length = self._segments[number]
            low, high = max(start, offset), min(start + length, end)
            if low < high:
                at = self._starts[number] + low - start
                piece = self._stored.pread(high - low, at)
                found[low - offset : low - offset + len(piece)] = piece
            number += 1
        return bytes(found)

    def changed(self) -> bool:
        return self._stored.changed()

    def close(self) -> None:
        pass


class Forward:
    """A stream that is read forward: decompressed data, a pipe.

    A place far behind the one that was read last costs a new start, so who reads many parts keeps
    what it needs, or holds a place. Nothing is written anywhere.
    """

    def __init__(self, begin: Callable[[], Iterator[bytes]], below: Source | None = None) -> None:
        """``begin`` starts the stream once more, or raises; ``below`` is closed with it."""
        self._begin = begin
        self._below = below
        self._pieces = begin()
        self._window: deque[bytes | bytearray] = deque()
        """Pieces as they came, small ones put together: what passes by is not copied."""
        self._first = 0
        """Where the first of them begins."""
        self._start = 0
        """From where on the window may be read."""
        self._end = 0
        self._held = _UNKNOWN
        self.size = _UNKNOWN

    def pread(self, size: int, offset: int) -> bytes:
        if offset < self._start:
            self._pieces = self._begin()
            self._window.clear()
            self._first = self._start = self._end = 0
        while self._end < offset + size:
            piece = next(self._pieces, None)
            if piece is None:
                self.size = self._end
                break
            self._append(piece)
            self._forget(min(offset, self._end, self._held) - _BEHIND)
        return self._cut(offset, min(offset + size, self._end))

    def hold(self, offset: int) -> None:
        """Keep what is read from here on, until :meth:`release`."""
        self._held = offset

    def release(self) -> None:
        self._held = _UNKNOWN

    def _append(self, piece: bytes) -> None:
        last = self._window[-1] if self._window else b""
        if len(piece) >= _SMALL:
            self._window.append(piece)
        elif isinstance(last, bytearray) and len(last) < _SMALL:
            last += piece
        else:
            self._window.append(bytearray(piece))
        self._end += len(piece)

    def _forget(self, bound: int) -> None:
        self._start = max(self._start, bound)
        while self._window and self._first + len(self._window[0]) <= self._start:
            self._first += len(self._window.popleft())

    def _cut(self, low: int, high: int) -> bytes:
        """Found from the end: most reads are of what came last."""
        found: list[bytes | bytearray] = []
        behind = self._end
        for piece in reversed(self._window):
            if behind <= low:
                break
            begin = behind - len(piece)
            if begin < high:
                found.append(piece[max(0, low - begin) : high - begin])
            behind = begin
        return bytes(found[0]) if len(found) == 1 else b"".join(reversed(found))

    def changed(self) -> bool:
        return self._below is not None and self._below.changed()

    def close(self) -> None:
        if self._below is not None:
            self._below.close()


class Budget:
    """The bytes that may still be unpacked of one archive, and the files that may be listed, again
    or for the first time."""

    def __init__(self, label: str, most: int | None = None) -> None:
        """``most``: bytes to unpack; by what those of the archive allow if it is None.

        Raises:
            RequestError: it is no number above 0.
        """
        if most is not None and not (isinstance(most, int) and most > 0):
            hint = "give a number of bytes, or leave it out"
            raise RequestError(f"cannot be {most!r}", path="max_unpacked", hint=hint)
        self._label = label
        self._bytes = most or UNPACKED
        self._files = max(LISTED, (most or 0) // _WORTH)
        self._is_fixed = most is not None
        self._unpacked = self._listed = self._earned = 0
        self._known: set[str] = set()

    def earn(self, path: str, size: int) -> None:
        """A file in the archive, or the archive itself, has so many bytes."""
        if path not in self._known and size < _UNKNOWN:
            self._known.add(path)
            self.passed(size)

    def passed(self, size: int) -> None:
        """So many more bytes of the archive are there: of a pipe, as they come."""
        self._earned += size
        if not self._is_fixed:
            self._bytes = max(UNPACKED, TIMES * self._earned)
            self._files = max(LISTED, self._earned // EACH)

    def spend(self, size: int) -> None:
        """So many bytes were unpacked.

        Raises:
            InputError: they are too many.
        """
        self._unpacked += size
        if self._unpacked > self._bytes:
            raise self._exceeded(f"unpacks to more than {_shown(self._bytes)}", self._bytes)

    def tree(self) -> None:
        """Files are listed for an image. Raises as :meth:`file` does."""
        self._listed += TREE - 1
        self.file()

    def file(self) -> None:
        """One was listed.

        Raises:
            InputError: there are too many for the size of the archive.
        """
        self._listed += 1
        if self._listed > self._files:
            what = f"lists more than {self._files} files, those of each of its images counted"
            raise self._exceeded(what, self._files * _WORTH)

    def _exceeded(self, what: str, allowed: int) -> InputError:
        # One number says both: what would allow more files allows no fewer bytes than now.
        number, unit = _shown(max(2 * allowed, self._bytes)).split()
        more = number + unit.removesuffix("iB").removesuffix("bytes")
        hint = f"if it is no bomb, allow more: --max-unpacked {more}"
        return InputError(what, path=self._label, hint=hint)


def _shown(size: int) -> str:
    """At least ``size`` bytes, with a unit."""
    for bits, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << bits:
            return f"{-(-size >> bits)} {unit}"
    return f"{size} bytes"


def inflated(packed: Source, kind: str, label: str, budget: Budget) -> Forward:
    """A compressed source as the bytes that it stands for."""

    def begin() -> Iterator[bytes]:
        try:
            for piece in decompress(kind, chunks(packed)):
                budget.spend(len(piece))
                yield piece
        except CompressionFault as e:
            raise InputError(e.message, path=label, hint=e.hint) from e

    return Forward(begin, packed)


def piped(fd: int, label: str, passed: Callable[[int], None]) -> Forward:
    """What comes through a pipe, which can be read once; ``passed`` is told of the bytes."""
    begun = False

    def begin() -> Iterator[bytes]:
        nonlocal begun
        if begun:
            raise InputError(
                "has to be read twice, which a pipe cannot be",
                path=label,
                hint="write it to a file, and name that",
            )
        begun = True
        while piece := os.read(fd, CHUNK):
            passed(len(piece))
            yield piece

    return Forward(begin)


class Touched:
    """A source that tells which pages of it were read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.size = source.size
        self.pages: set[int] = set()

    def pread(self, size: int, offset: int) -> bytes:
        end = min(offset + size, self.size)
        self.pages.update(range(offset // PAGE, -(-end // PAGE)))
        return self._source.pread(size, offset)

    def changed(self) -> bool:
        return self._source.changed()

    def close(self) -> None:
        pass


class Paged:
    """A source of which some pages are at hand. What else is read is kept with them."""

    def __init__(self, whole: Source, pages: dict[int, bytes], magic: bytes) -> None:
        self._whole = whole
        self._pages = pages
        self._magic = magic
        self.size = whole.size

    def pread(self, size: int, offset: int) -> bytes:
        end = min(offset + size, self.size)
        if end <= len(self._magic):
            return self._magic[offset:end]
        if end <= offset:
            return b""
        first, behind = offset // PAGE, -(-end // PAGE)
        missing = [n for n in range(first, behind) if n not in self._pages]
        if missing:
            low, high = missing[0], missing[-1] + 1
            raw = self._whole.pread((high - low) * PAGE, low * PAGE)
            if behind - first > _MANY:  # read whole, which nobody does twice
                kept = b"".join(self._pages[n] for n in range(first, low))
                kept += raw + b"".join(self._pages[n] for n in range(high, behind))
                return kept[offset - first * PAGE : end - first * PAGE]
            for n in range(low, high):
                self._pages[n] = raw[(n - low) * PAGE : (n - low + 1) * PAGE]
        found = b"".join([self._pages[n] for n in range(first, behind)])
        return found[offset - first * PAGE : end - first * PAGE]

    def changed(self) -> bool:
        return self._whole.changed()

    def close(self) -> None:
        pass
