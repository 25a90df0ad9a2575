"""Compressed streams. The same bytes for the same input and the same version of the compressor."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_GZIP = 16 + zlib.MAX_WBITS
"""A gzip header, which zlib writes without a name and with time 0."""


def gzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """``chunks`` as one gzip stream of level 6."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        piece = compressor.compress(chunk)
        if piece:
            yield piece
    yield compressor.flush()
