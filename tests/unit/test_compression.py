"""Compressed output: the same for any number of processors, and for any pieces of the input."""

from __future__ import annotations

import _thread
import random
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from gzip import decompress as gunzip

import pytest
import zstandard

from elfpack.formats import compression
from elfpack.formats.compression import gzip, zstd
from tests.nothreads import limited_threads

KILOBYTE, MEGABYTE = 1 << 10, 1 << 20


def _mixed(size: int) -> bytes:
    """Some that repeats from far away, and some that cannot be compressed."""
    rng = random.Random(1)
    text = b"".join(b"%d: %r\n" % (n, n * n) for n in range(9000))
    parts = [text, rng.randbytes(150 * KILOBYTE), bytes(200 * KILOBYTE), text[::-1]]
    return (b"".join(parts) * (size // sum(map(len, parts)) + 1))[:size]


DATA = _mixed(7 * MEGABYTE)


def _cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("most", [0, 2])
def test_same_bytes_where_no_thread_can_be_started(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of processes is none of what can be compressed."""
    expected = b"".join(gzip([DATA]))
    monkeypatch.setattr(compression, "processors", lambda: 4)
    with limited_threads(most, monkeypatch):
        assert b"".join(gzip(_cut(DATA, 100_000))) == expected


@pytest.mark.parametrize("compress", [gzip, zstd])
@pytest.mark.parametrize("processors", [1, 2, 3, 4, 8, 99])
@pytest.mark.parametrize("size", [10_001, 256 * KILOBYTE])
def test_same_bytes(
    compress: Callable[[Iterable[bytes]], Iterator[bytes]],
    processors: int,
    size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several blocks and jobs, the last one smaller."""
    data = DATA if compress is zstd else DATA[: MEGABYTE + 77]
    monkeypatch.setattr(compression, "processors", lambda: 2)
    first = b"".join(compress([data]))
    monkeypatch.setattr(compression, "processors", lambda: processors)
    assert b"".join(compress(_cut(data, size))) == first


@pytest.mark.parametrize(
    "size", [0, 1, 32 * KILOBYTE, 128 * KILOBYTE - 1, 128 * KILOBYTE, 128 * KILOBYTE + 1, MEGABYTE]
)
def test_gzip_is_one_member(size: int) -> None:
    """Which some readers stop behind."""
    data = DATA[:size]
    packed = b"".join(gzip(_cut(data, 50_000)))
    decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
    assert decoder.decompress(packed) == data
    assert decoder.eof
    assert decoder.unused_data == b""
    assert gunzip(packed) == data
    assert packed[3:8] == bytes(5)  # no name, no time
    assert struct.unpack("<II", packed[-8:]) == (zlib.crc32(data), size)


def test_gzip_is_as_small_as_from_one_thread() -> None:
    """Within a hundredth: each block knows what was before it."""
    data = DATA[: 2 * MEGABYTE]
    compressor = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    whole = compressor.compress(data) + compressor.flush()
    assert sum(map(len, gzip([data]))) < 1.01 * len(whole)


@pytest.mark.parametrize("processors", [1, 3])
def test_gzip_reads_no_further_than_it_has_threads_for(
    processors: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waits for them, or for somebody to take it, stays small."""
    monkeypatch.setattr(compression, "processors", lambda: processors)
    given = taken = most = 0

    def many() -> Iterator[bytes]:
        nonlocal given, most
        for _ in range(60):
            given += 1
            most = max(most, given - taken)
            yield bytes(128 * KILOBYTE)

    for _ in gzip(many()):
        taken += 1
    assert given == 60
    assert most <= 2 * processors + 2


@pytest.mark.parametrize("compress", [gzip, zstd])
def test_an_error_of_the_input_gets_through(
    compress: Callable[[Iterable[bytes]], Iterator[bytes]],
) -> None:
    def broken() -> Iterator[bytes]:
        yield DATA[: 3 * MEGABYTE]
        raise KeyError("source")

    before = _thread._count()
    with pytest.raises(KeyError):
        b"".join(compress(broken()))
    assert _thread._count() == before


def test_zstd_is_one_frame() -> None:
    packed = b"".join(zstd([DATA]))
    assert zstandard.frame_content_size(packed) == -1
    assert zstandard.get_frame_parameters(packed).has_checksum
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        assert reader.read() == DATA
