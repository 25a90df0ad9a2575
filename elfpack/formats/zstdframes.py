"""Where the frames of a zstd stream end: a library that reads them does not tell an end that is cut
off from the end.

Source: RFC 8878, 3.1.1 and 3.1.2.
"""

from __future__ import annotations

from elfpack.light import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

_MAGIC: Final = 0xFD2FB528
_SKIPPABLE: Final = 0x184D2A50
"""But for the last four bits."""
_FRAME, _SKIPPED, _BLOCK = 5, 8, 3
"""Bytes by which each tells its length; a frame's magic number and descriptor."""
_RLE: Final = 1
_ID: Final = (0, 1, 2, 4)
_SIZE: Final = (0, 2, 4, 8)
"""Bytes of the dictionary's ID and of the content's size, by their flags in the descriptor."""


class Frames:
    """Steps from header to header while the bytes of a stream pass by."""

    def __init__(self) -> None:
        self._head = b""
        self._wanted = _FRAME
        self._skip = 0
        self._checksum = 0
        self._is_known = True

    @property
    def whole(self) -> bool:
        """Whether the stream may end here. What is no frame is the reader's to tell."""
        at_start = self._wanted == _FRAME and not self._head and not self._skip
        return at_start or not self._is_known

    def passed(self, piece: bytes) -> None:
        """The next bytes of the stream."""
        at = 0
        while at < len(piece) and self._is_known:
            if self._skip:
                step = min(self._skip, len(piece) - at)
                self._skip -= step
                at += step
                continue
            taken = piece[at : at + self._wanted - len(self._head)]
            self._head += taken
            at += len(taken)
            if len(self._head) == self._wanted:
                self._next()

    def _next(self) -> None:
        """The header is whole: what follows it is not looked at."""
        if self._wanted == _BLOCK:
            self._block(int.from_bytes(self._head, "little"))
        else:
            magic = int.from_bytes(self._head[:4], "little")
            if magic & ~0xF == _SKIPPABLE:
                self._skippable()
            elif magic == _MAGIC:
                self._frame(self._head[4])
            else:
                self._is_known = False

    def _block(self, header: int) -> None:
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        self._skip = 1 if kind == _RLE else size
        self._head = b""
        if last:
            self._skip += self._checksum
            self._wanted = _FRAME

    def _skippable(self) -> None:
        if self._wanted == _FRAME:
            self._wanted = _SKIPPED
            return
        self._skip = int.from_bytes(self._head[4:], "little")
        self._head, self._wanted = b"", _FRAME

    def _frame(self, descriptor: int) -> None:
        is_single = descriptor >> 5 & 1
        size = _SIZE[descriptor >> 6] or is_single
        window = 1 - is_single
        self._skip = window + _ID[descriptor & 3] + size
        self._checksum = 4 * (descriptor >> 2 & 1)
        self._head, self._wanted = b"", _BLOCK
