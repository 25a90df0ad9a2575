"""Compressed streams. The same bytes for the same input and the same version of the compressor."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator

_GZIP = 16 + zlib.MAX_WBITS
"""A gzip header, which zlib writes without a name and with time 0."""
_ZSTD_LEVEL = 3
_ZSTD_JOB = 8 << 20
"""Bytes that one thread compresses. Any number of threads gives the same bytes, if the jobs are
the same; no thread at all would give others. Source: zstd.h, ZSTD_c_nbWorkers, ZSTD_c_jobSize."""
_ZSTD_THREADS = 4
"""At most: each takes some 30 MB."""


def plain(chunks: Iterable[bytes]) -> Iterable[bytes]:
    """``chunks`` as they are."""
    return chunks


def gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """``chunks`` as one gzip stream of level 6."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        piece = compressor.compress(chunk)
        if piece:
            yield piece
    yield compressor.flush()


def zstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """``chunks`` as one zstd frame of level 3, with a checksum.

    Raises:
        ImportError: zstandard is not installed.
    """
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(
        _ZSTD_LEVEL,
        threads=min(os.cpu_count() or 1, _ZSTD_THREADS),
        job_size=_ZSTD_JOB,
        write_checksum=True,
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    for chunk in chunks:
        piece = compressor.compress(chunk)
        if piece:
            yield piece
    yield compressor.flush()
