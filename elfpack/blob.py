"""Where bytes come from: a file that is open for reading, or bytes made by elfpack."""

import errno
import os
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from elfpack.errors import InputError

CHUNK = 1 << 20
"""Bytes read at once when a whole file is copied."""
_ZEROS = bytes(CHUNK)


class Source(Protocol):
    """A file open for reading at any offset. ``pread``, never a map: a map of a file that
    shrinks kills the process."""

    size: int
    """Bytes, as the file had when it was opened."""

    def pread(self, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes at ``offset``; fewer at the end of the file."""

    def changed(self) -> bool:
        """Whether the content may be another than it was when it was opened."""

    def close(self) -> None: ...


def chunks(source: Source) -> Iterator[bytes]:
    """A source from its start to its end."""
    offset = 0
    while piece := source.pread(CHUNK, offset):
        yield piece
        offset += len(piece)


class BytesSource:
    """Bytes in memory as a :class:`Source`."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = len(data)

    def pread(self, size: int, offset: int) -> bytes:
        return self._data[offset : offset + size]

    def changed(self) -> bool:
        return False

    def close(self) -> None:
        pass


class Ahead:
    """A source whose first bytes are read at once, for who asks for many small parts of them."""

    __slots__ = ("_head", "_source", "size")

    def __init__(self, source: Source, most: int) -> None:
        self._source = source
        self._head = source.pread(most, 0)
        self.size = source.size

    def pread(self, size: int, offset: int) -> bytes:
        end = offset + size
        if end <= len(self._head):
            return self._head[offset:end]
        return self._source.pread(size, offset)

    def changed(self) -> bool:
        return self._source.changed()

    def close(self) -> None:
        self._source.close()


class FileSource:
    """A file of the host, open for reading."""

    __slots__ = ("_fd", "_seen", "size")

    def __init__(self, fd: int, seen: os.stat_result | None = None) -> None:
        """Takes the descriptor over; ``seen`` is what ``os.fstat`` tells of it, if known."""
        self._fd = fd
        self._seen = os.fstat(fd) if seen is None else seen
        self.size = self._seen.st_size

    def pread(self, size: int, offset: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def changed(self) -> bool:
        """By the times that the kernel keeps. That of the last change of the inode tells of a file
        that was replaced or got its old time back, too."""
        now, seen = os.fstat(self._fd), self._seen
        return (now.st_size, now.st_mtime_ns, now.st_ctime_ns) != (
            seen.st_size,
            seen.st_mtime_ns,
            seen.st_ctime_ns,
        )

    def data(self, offset: int) -> tuple[int, int]:
        """Where the next data at or after an offset begins and ends; the rest is holes, which
        read as zeros. Source: lseek(2), SEEK_DATA."""
        if self._seen.st_blocks * 512 >= self.size:
            return offset, self.size
        try:
            begin = os.lseek(self._fd, offset, os.SEEK_DATA)
            return begin, min(os.lseek(self._fd, begin, os.SEEK_HOLE), self.size)
        except OSError as e:
            if e.errno == errno.ENXIO:  # none up to the end
                return self.size, self.size
            return offset, self.size  # the file system tells nothing of holes

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Blob(NamedTuple):
    """Content of a known size that can be opened again when it is written."""

    size: int
    open: Callable[[], Source]
    """Opens the content; refuses (:class:`InputError`) what is no longer the file that was seen."""
    label: str
    """What to call it in a message: a path, or what it was generated for."""
    watch: Callable[[int], object] | None = None
    """Told the number of bytes of each piece."""

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces. A file that changes meanwhile is an error."""
        for piece in self.pieces():
            if isinstance(piece, bytes):
                yield piece
                continue
            for offset in range(0, piece, CHUNK):
                yield _ZEROS[: piece - offset]

    def pieces(self) -> Iterator[bytes | int]:
        """As :meth:`chunks`; a number stands for a hole of so many bytes.

        Raises:
            InputError: it cannot be read, or changed since it was seen.
        """
        source = self.open()
        try:
            offset = 0
            while offset < self.size:
                piece = self._piece(source, offset)
                length = piece if isinstance(piece, int) else len(piece)
                if not length:
                    raise self._changed(f"ends after {offset} of {self.size} bytes: it changed")
                yield piece
                offset += length
                if self.watch is not None:
                    self.watch(length)
            if source.changed():
                raise self._changed("changed")
        finally:
            source.close()

    def _piece(self, source: Source, offset: int) -> bytes | int:
        begin, end = offset, self.size
        if isinstance(source, FileSource):
            begin, end = source.data(offset)
        if begin > offset:
            return min(begin, self.size) - offset
        try:
            return source.pread(min(CHUNK, end - offset), offset)
        except OSError as e:
            raise InputError(
                f"cannot be read: {os.strerror(e.errno or 0).lower()}",
                path=self.label,
                hint="check the disk that it is on",
            ) from e

    def _changed(self, what: str) -> InputError:
        return InputError(
            f"{what} while it was read", path=self.label, hint="run again when nothing writes to it"
        )


def from_bytes(data: bytes, label: str) -> Blob:
    """``data`` as a blob."""
    return Blob(len(data), lambda: BytesSource(data), label)
