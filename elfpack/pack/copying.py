"""The pieces of a stream to a descriptor: large files from file to file in the kernel, what is
small together with its headers.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, groupby

from elfpack.blob import Blob, FileSource, Reading
from elfpack.pack.atomic import put, told

BLOCK = 1 << 18
"""Bytes that are read and written at once. More would no longer be in a processor's cache when
they are written."""
LARGE = 1 << 17
"""Bytes of a file that is copied by itself. One that is smaller is cheaper to read and to write
together with its header and with what is beside it."""
_STEP = 1 << 20
"""Bytes that the kernel copies in one call. Between two of them, progress is shown and a signal
gets through."""

Way = Callable[[int, int, int, int], int]
"""Copies from one file to the end of another: source, target, size, and the offset in the source.
Returns how many bytes it has written."""


def write_pieces(pieces: Iterable[bytes | Blob], fd: int, output: str) -> int:
    """All of it, to a descriptor. Returns the number of bytes.

    Only a file gets bytes that this process does not see: a pipe would hold pages of the source,
    and its reader get what is written to them after they were looked at.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: its reader is gone.
        InputError: a source changed since the plan was made.
    """
    buffer = memoryview(bytearray(BLOCK))
    with told(output), _Pipe() as pipe:
        ways = (pipe.pass_on, *IN_KERNEL)
        is_file = stat.S_ISREG(os.fstat(fd).st_mode)
        size = 0
        for is_large, group in groupby(pieces, _is_large if is_file else _is_nothing):
            if is_large:
                size += sum(_copied(piece, fd, ways, buffer) for piece in group)
            else:
                size += sum(put(block, fd) for block in blocks(group, buffer))
    return size


def _copied(piece: bytes | Blob, fd: int, ways: Sequence[Way], buffer: memoryview) -> int:
    assert isinstance(piece, Blob)
    with Reading(piece) as reading:
        while reading.run()[0]:
            copy_run(reading, fd, ways, buffer)
    return piece.size


def _is_nothing(_: bytes | Blob) -> bool:
    return False


def _is_large(piece: bytes | Blob) -> bool:
    return isinstance(piece, Blob) and piece.size >= LARGE


def blocks(pieces: Iterable[bytes | Blob], *buffers: memoryview) -> Iterator[memoryview]:
    """The stream in blocks as large as the buffers, which are filled in turn; only the last block
    is smaller. Files are read to where they are wanted."""
    filling = _Filling(buffers)
    for piece in pieces:
        if isinstance(piece, Blob):
            with Reading(piece) as reading:
                while size := reading.readinto(filling.room()):
                    if block := filling.grown(size):
                        yield block
            continue
        while piece:
            size = filling.put(piece)
            piece = piece[size:]
            if block := filling.grown(size):
                yield block
    if last := filling.rest():
        yield last


class _Filling:
    """The buffer whose turn it is, and how far it is filled."""

    def __init__(self, buffers: Sequence[memoryview]) -> None:
        self._buffers = cycle(buffers)
        self._buffer = next(self._buffers)
        self._filled = 0

    def room(self) -> memoryview:
        return self._buffer[self._filled :]

    def put(self, data: bytes) -> int:
        """As much of it as there is room for; returns how much."""
        size = min(len(data), len(self._buffer) - self._filled)
        self._buffer[self._filled : self._filled + size] = data[:size]
        return size

    def grown(self, size: int) -> memoryview | None:
        """So much was put there; returns a block that is full."""
        self._filled += size
        if self._filled < len(self._buffer):
            return None
        block, self._buffer, self._filled = self._buffer, next(self._buffers), 0
        return block

    def rest(self) -> memoryview:
        return self._buffer[: self._filled]


def copy_run(reading: Reading, fd: int, ways: Sequence[Way], buffer: memoryview) -> None:
    """What is of one kind from here on, to a file, by the first of the ways that can do it.

    What goes wrong in the kernel does not say on which side, or only that it cannot be done between
    these two files. The next way goes on from there; the last one reads and writes, and says all.

    Raises:
        OSError: it cannot be written.
        InputError: see :class:`elfpack.blob.Reading`.
    """
    left, is_hole = reading.run()
    end = reading.offset + left
    if isinstance(reading.source, FileSource) and not is_hole:
        _in_kernel(reading, reading.source.fileno(), end, fd, ways)
    while reading.offset < end:
        put(buffer[: reading.readinto(buffer)], fd)


def _in_kernel(reading: Reading, source: int, end: int, fd: int, ways: Sequence[Way]) -> None:
    for way in ways:
        try:
            while reading.offset < end:
                size = min(end - reading.offset, _STEP)
                done = way(source, fd, size, reading.offset)
                if not done:  # the end of the file; or of what this way knows of it
                    break
                reading.skip(done)
        except OSError:
            continue


def _by_range(source: int, fd: int, size: int, offset: int) -> int:
    """Within a file system; some only share the blocks, if they are blocks in both files."""
    return os.copy_file_range(source, fd, size, offset)


def _by_sending(source: int, fd: int, size: int, offset: int) -> int:
    """Between any two files."""
    return os.sendfile(fd, source, offset, size)


IN_KERNEL: tuple[Way, ...] = (_by_range, _by_sending)


class _Pipe:
    """A wide pipe for pages on their way from file to file, open from its first use on.

    The other ways have a pipe as well, in the kernel, which holds 64 kB; a file system that gets a
    megabyte at once takes two thirds of the time.
    """

    def __init__(self) -> None:
        self._ends: tuple[int, ...] = ()

    def __enter__(self) -> _Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def pass_on(self, source: int, fd: int, size: int, offset: int) -> int:
        """A :data:`Way`."""
        if not self._ends:
            self._open()
        left = size = os.splice(source, self._ends[1], size, offset)
        while left and (written := self._written(fd, left)):
            left -= written
        if left:  # which must not come before what is passed on next
            self._close()
        return size - left

    def _written(self, fd: int, size: int) -> int:
        try:
            return os.splice(self._ends[0], fd, size)
        except OSError:  # what was written before counts
            return 0

    def _open(self) -> None:
        self._ends = os.pipe()
        try:
            fcntl.fcntl(self._ends[1], fcntl.F_SETPIPE_SZ, _STEP)
        except OSError:  # a narrow one is slower than what the kernel does by itself
            self._close()
            raise

    def _close(self) -> None:
        ends, self._ends = self._ends, ()
        for end in ends:
            os.close(end)
