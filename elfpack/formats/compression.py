"""Compressed streams, by all processors. The same bytes for the same input and the same version of
the compressor, however many processors there are, and in whatever pieces the input comes.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterable, Iterator

from elfpack.processors import processors

Buffer = bytes | memoryview

_GZIP_HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
"""No name, time 0, made on Unix. Source: RFC 1952."""
_GZIP_LEVEL = 6
_GZIP_BLOCK = 1 << 17
"""Bytes that one thread compresses."""
_GZIP_WINDOW = 1 << 15
"""Bytes that deflate looks back."""
_GZIP_THREADS = 32
"""At most: each takes some 700 kB."""
_ZSTD_LEVEL = 3
_ZSTD_JOB = 2 << 20
"""Bytes that one thread compresses. Any number of threads gives the same bytes, if the jobs are
the same; no thread at all would give others. Source: zstd.h, ZSTD_c_nbWorkers, ZSTD_c_jobSize."""
_ZSTD_THREADS = 6
"""At most: each takes some 5 MB."""


def gzip(chunks: Iterable[Buffer]) -> Iterator[bytes]:
    """``chunks`` as one gzip stream of level 6.

    Its blocks are compressed side by side: each begins with the end of the one before it as its
    dictionary, and ends at a whole byte, so that one behind the other they are one stream. The
    decoder sees no border. Source: zlib.h, deflateSetDictionary() and Z_SYNC_FLUSH.
    """
    check = size = 0
    window = b""
    yield _GZIP_HEAD
    with _Threads(min(processors(), _GZIP_THREADS)) as threads:
        for block in _cut(chunks, _GZIP_BLOCK):
            yield from threads.give(block, window)
            window = block[-_GZIP_WINDOW:]
            check = zlib.crc32(block, check)
            size += len(block)
        yield from threads.rest()
    yield _deflated(b"", b"", zlib.Z_FINISH)
    yield struct.pack("<II", check, size & 0xFFFFFFFF)


def _deflated(block: bytes, window: bytes, end: int = zlib.Z_SYNC_FLUSH) -> bytes:
    compressor = zlib.compressobj(
        _GZIP_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, 0, window
    )
    return compressor.compress(block) + compressor.flush(end)


def _cut(chunks: Iterable[Buffer], size: int) -> Iterator[bytes]:
    """All of it in pieces of one size; only the last one is smaller."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        if len(kept) >= size:
            whole = len(kept) - len(kept) % size
            for start in range(0, whole, size):
                yield bytes(kept[start : start + size])
            del kept[:whole]
    if kept:
        yield bytes(kept)


class _Threads:
    """Blocks that are compressed meanwhile. What waits has a bound, and so has the memory."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._alone = False

    def __enter__(self) -> _Threads:
        from concurrent.futures import Future, ThreadPoolExecutor

        self._pool = ThreadPoolExecutor(self._count)
        self._waiting: deque[Future[bytes]] = deque()
        return self

    def give(self, block: bytes, window: bytes) -> Iterator[bytes]:
        """Compress a block; gives what has to be done before there is room for another."""
        if not self._alone:
            try:
                self._waiting.append(self._pool.submit(_deflated, block, window))
            except RuntimeError:  # no more threads: a limit of processes or of memory
                self._alone = True
        if self._alone:
            yield from self.rest()
            yield _deflated(block, window)
        while len(self._waiting) > 2 * self._count or (self._waiting and self._waiting[0].done()):
            yield self._waiting.popleft().result()

    def rest(self) -> Iterator[bytes]:
        while self._waiting:
            yield self._waiting.popleft().result()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)


def zstd(chunks: Iterable[Buffer]) -> Iterator[bytes]:
    """``chunks`` as one zstd frame of level 3, with a checksum.

    Raises:
        ImportError: zstandard is not installed.
    """
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(
        _ZSTD_LEVEL,
        threads=min(processors(), _ZSTD_THREADS),
        job_size=_ZSTD_JOB,
        write_checksum=True,
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    for chunk in chunks:
        piece = compressor.compress(chunk)
        if piece:
            yield piece
    yield compressor.flush()
