"""Compressed streams, read: gzip, zstd, xz. Known by their first bytes, never by a name.

Output comes in pieces of bounded size, whatever the input claims: a small file that stands for a
very large one costs time, not memory.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator

from elfpack.formats.zstdframes import Frames
from elfpack.light import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any


_STEP = 1 << 20
"""Bytes of one piece of output, and the most that are put in at once."""
_NARROW = 1 << 12
"""Bytes that are put in behind the end of a member: what it leaves is copied, and each of many
members may have twenty bytes."""
_GZIP = 16 + zlib.MAX_WBITS
_MEMORY = 128 << 20
"""Bytes that xz may use, of which ``xz -9`` needs 65 MiB; and of zstd's window, the most that
``zstd -d`` takes without being asked."""
_MAGIC = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
)


class CompressionFault(Exception):
    """The stream is broken, or cannot be read here. Says what is wrong, and what to do."""

    def __init__(self, message: str, hint: str = "get the whole file") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def compression(head: bytes) -> str | None:
    """``gzip``, ``zstd`` or ``xz``, by the first bytes; None for anything else."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    # A skippable frame may come first. Source: RFC 8878, 3.1.2.
    if head[1:4] == b"\x2a\x4d\x18" and head[:1] and head[0] & 0xF0 == 0x50:
        return "zstd"
    return None


def decompress(kind: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The content of a compressed stream, all its members or frames, in pieces of up to a MiB.

    Raises:
        CompressionFault: it is cut short, damaged, followed by something else, or needs a library
            or more memory than there is.
    """
    return _READERS[kind](chunks)


def _gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Several members make one stream. Source: RFC 1952, 2.2; zeros may follow, as on a tape."""
    stream = zlib.decompressobj(_GZIP)
    first, step = True, _STEP
    for chunk in chunks:
        at = 0
        while at < len(chunk):
            data = chunk[at : at + step]
            at += len(data)
            if stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    continue
                stream, first = zlib.decompressobj(_GZIP), False
            try:
                piece = stream.decompress(data, _STEP)
            except zlib.error as e:
                raise _damaged("gzip", str(e), first) from e
            if piece:
                yield piece
            at -= len(stream.unused_data) + len(stream.unconsumed_tail)
            step = _wider(step, ended=stream.eof)
    if not stream.eof:
        yield stream.flush()
        if not stream.eof:
            raise CompressionFault("gzip-compressed data that is cut short")


def _xz(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Several streams, with zeros between them. Source: xz-file-format.txt, 2.2."""
    import lzma

    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY)
    first, step = True, _STEP
    for chunk in chunks:
        at = 0
        while at < len(chunk) or not (stream.eof or stream.needs_input):
            data = chunk[at : at + step] if stream.eof or stream.needs_input else b""
            at += len(data)
            if stream.eof:
                data = data.lstrip(b"\0")
                if not data:
                    continue
                stream, first = lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY), False
            try:
                piece = stream.decompress(data, _STEP)
            except lzma.LZMAError as e:
                raise _damaged("xz", str(e), first) from e
            if piece:
                yield piece
            at -= len(stream.unused_data)
            step = _wider(step, ended=stream.eof)
    if not stream.eof:
        raise CompressionFault("xz-compressed data that is cut short")


def _wider(step: int, *, ended: bool) -> int:
    """How much is put in next."""
    return _NARROW if ended else min(2 * step, _STEP)


class _Reading:
    """Chunks as a file that can be read once."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = b""
        self.frames = Frames()

    def read(self, size: int) -> bytes:
        if not self._left:
            self._left = next(self._chunks, b"")
            self.frames.passed(self._left)
        piece, self._left = self._left[:size], self._left[size:]
        return piece


def _zstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Several frames, some of which may be skipped. Source: RFC 8878, 3.1."""
    try:
        import zstandard
    except ImportError:
        raise CompressionFault(
            "zstd-compressed, and Python's zstandard is not installed",
            "pip install zstandard, or decompress it: zstd -d",
        ) from None
    source = _Reading(chunks)
    file: Any = source
    reader = zstandard.ZstdDecompressor(max_window_size=_MEMORY).stream_reader(
        file, read_size=_STEP, read_across_frames=True
    )
    try:
        while piece := reader.read(_STEP):
            yield piece
    except zstandard.ZstdError as e:
        raise _damaged("zstd", str(e), True) from e
    if not source.frames.whole:
        raise CompressionFault("zstd-compressed data that is cut short")


def _damaged(kind: str, detail: str, first: bool) -> CompressionFault:
    if not first and ("header" in detail or "format not supported" in detail):
        return CompressionFault(f"{kind}-compressed data with something else behind its end")
    detail = " ".join(detail.split()).rstrip(".").lower()
    if "memory" in detail:
        most = f"{_MEMORY >> 20} MiB"
        return CompressionFault(
            f"{kind}-compressed data that needs more than {most} of memory", "decompress it first"
        )
    return CompressionFault(f"{kind}-compressed data that is damaged: {detail}")


_READERS: dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]] = {
    "gzip": _gzip,
    "xz": _xz,
    "zstd": _zstd,
}
