"""Where bytes come from: a file that is open for reading, or bytes made by elfpack."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from elfpack.errors import InputError

CHUNK = 1 << 20
"""Bytes read at once when a whole file is copied."""


class Source(Protocol):
    """A file open for reading at any offset. ``pread``, never a map: a map of a file that
    shrinks kills the process."""

    size: int
    """Bytes, as the file had when it was opened."""

    def pread(self, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes at ``offset``; fewer at the end of the file."""

    def close(self) -> None: ...


class BytesSource:
    """Bytes in memory as a :class:`Source`."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, size: int, offset: int) -> bytes:
        return self._data[offset : offset + size]

    def close(self) -> None:
        pass


class Blob(NamedTuple):
    """Content of a known size that can be opened again when it is written."""

    size: int
    open: Callable[[], Source]
    """Opens the content; refuses (:class:`InputError`) what is no longer the file that was seen."""
    label: str
    """What to call it in a message: a path, or what it was generated for."""

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces. A file that ends early is an error: it changed meanwhile."""
        source = self.open()
        try:
            offset = 0
            while offset < self.size:
                piece = self._read(source, min(CHUNK, self.size - offset), offset)
                if not piece:
                    raise InputError(
                        f"ends after {offset} of {self.size} bytes: it changed while it was read",
                        path=self.label,
                        hint="run again when nothing writes to it",
                    )
                yield piece
                offset += len(piece)
        finally:
            source.close()

    def _read(self, source: Source, size: int, offset: int) -> bytes:
        try:
            return source.pread(size, offset)
        except OSError as e:
            raise InputError(
                f"cannot be read: {os.strerror(e.errno or 0).lower()}",
                path=self.label,
                hint="check the disk that it is on",
            ) from e


def from_bytes(data: bytes, label: str) -> Blob:
    """``data`` as a blob."""
    return Blob(len(data), lambda: BytesSource(data), label)
