"""Where bytes come from: a file that is open for reading, or bytes made by elfpack."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator

from elfpack.errors import InputError, TroubleError
from elfpack.light import NamedTuple, Protocol

CHUNK = 1 << 20
"""Bytes read at once when a whole file is copied."""


_TROUBLE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO)
"""Errors that say nothing about a tree: a loader would not meet them, and no answer may rest on
them."""


MORE_FILES = "raise the limit of open files, ulimit -n"
"""What to do where there are too many."""


def refuse_trouble(error: OSError, path: str, what: str = "cannot be read") -> None:
    """What is our own trouble, not that of the file at ``path``, is no answer.

    Raises:
        TroubleError: it is.
    """
    number = error.errno or errno.EIO
    if number in _TROUBLE:
        raise TroubleError(
            f"{what}: {os.strerror(number).lower()}",
            path=path or "/",
            hint=MORE_FILES
            if number in (errno.EMFILE, errno.ENFILE)
            else "check the disk and the memory",
        ) from error


def let_go(fd: int) -> None:
    """Close what was only read: what goes wrong then says nothing of it."""
    try:
        os.close(fd)
    except OSError:
        pass


class Source(Protocol):
    """A file open for reading at any offset. ``pread``, never a map: a map of a file that
    shrinks kills the process."""

    size: int
    """Bytes, as the file had when it was opened."""

    def pread(self, size: int, offset: int) -> bytes:
        """Up to ``size`` bytes at ``offset``; fewer at the end of the file.

        Raises:
            TroubleError: see :func:`refuse_trouble`.
            OSError: it cannot be read.
        """

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

    __slots__ = ("_fd", "_label", "_seen", "size")

    def __init__(self, fd: int, label: str, seen: os.stat_result | None = None) -> None:
        """Takes the descriptor over; ``label`` is its name in messages, ``seen`` what ``os.fstat``
        tells of it, if known."""
        self._fd = fd
        self._label = label
        self._seen = os.fstat(fd) if seen is None else seen
        self.size = self._seen.st_size

    def pread(self, size: int, offset: int) -> bytes:
        try:
            found = os.pread(self._fd, size, offset)
            # Before a part that the disk cannot read, what was read so far is no error.
            while len(found) < size and offset + len(found) < self.size:
                more = os.pread(self._fd, size - len(found), offset + len(found))
                if not more:
                    break  # it was cut
                found += more
        except OSError as e:
            refuse_trouble(e, self._label)
            raise
        return found

    def changed(self) -> bool:
        """By the times that the kernel keeps. That of the last change of the inode tells of a file
        that was replaced or got its old time back, too."""
        now, seen = os.fstat(self._fd), self._seen
        return (now.st_size, now.st_mtime_ns, now.st_ctime_ns) != (
            seen.st_size,
            seen.st_mtime_ns,
            seen.st_ctime_ns,
        )

    def readinto(self, view: memoryview, offset: int) -> int:
        """As :meth:`pread`, to where the bytes shall be."""
        return os.preadv(self._fd, (view,), offset)

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

    def capabilities(self) -> bytes:
        """What ``security.capability`` holds; nothing if it is not there."""
        try:
            return os.getxattr(self._fd, "security.capability")
        except OSError as e:
            refuse_trouble(e, self._label)
            return b""  # it has none, or the file system knows none

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            let_go(self._fd)
            self._fd = -1


def is_hole(source: Source, start: int, end: int) -> bool:
    """Whether a part of a source is known to be a hole, of which nobody has to read the zeros."""
    return isinstance(source, FileSource) and source.data(start)[0] >= min(end, source.size)


class Content(Protocol):
    """Content of a known size that can be opened again when it is written."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def label(self) -> str:
        """What to call it in a message: a path, or what it was generated for."""

    def open(self) -> Source:
        """Opens it; refuses (:class:`InputError`) what is no longer the file that was seen."""

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces, see :meth:`Blob.chunks`."""


class Blob(NamedTuple):
    """A :class:`Content` while it is written, or of something that elfpack makes."""

    size: int
    open: Callable[[], Source]
    label: str
    watch: Callable[[int], object] | None = None
    """Told the number of bytes of each piece."""

    def chunks(self) -> Iterator[bytes]:
        """The content in pieces. A file that changes meanwhile is an error.

        Raises:
            InputError: it cannot be read, or changed since it was seen.
        """
        buffer = memoryview(bytearray(min(self.size, CHUNK)))
        with Reading(self) as reading:
            while size := reading.readinto(buffer):
                yield bytes(buffer[:size])


class Reading:
    """A blob that is open, and read once from its start to its end.

    A context: at its end, a blob that was read and is not the same any more is refused.

    Raises:
        InputError: it cannot be read, or changed since it was seen.
    """

    __slots__ = ("_blob", "_end", "_is_hole", "offset", "source")

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self.source = blob.open()
        self.offset = 0
        """Bytes that are read."""
        self._end = 0
        self._is_hole = False

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None and self.offset == self._blob.size and self.source.changed():
                raise self._changed("changed")
        finally:
            self.source.close()

    def run(self) -> tuple[int, bool]:
        """How many bytes from here on are of one kind, and whether that is a hole, which reads as
        zeros. 0 at the end."""
        size = self._blob.size
        if self.offset >= self._end and self.offset < size:
            begin, end = self.offset, size
            if isinstance(self.source, FileSource):
                begin, end = self.source.data(self.offset)
            self._is_hole = begin > self.offset
            end = begin if self._is_hole else end
            # Behind the end of a file that is too small there is nothing to be read, which tells.
            self._end = min(end, size) if end > self.offset else size
        return self._end - self.offset, self._is_hole

    def readinto(self, view: memoryview) -> int:
        """Read on; returns how much, 0 at the end."""
        left, is_hole = self.run()
        view = view[:left]
        if not left:
            return 0
        if is_hole:
            view[:] = bytes(len(view))
            self.skip(len(view))
            return len(view)
        try:
            size = self._read(view)
        except OSError as e:
            raise InputError(
                f"cannot be read: {os.strerror(e.errno or 0).lower()}",
                path=self._blob.label,
                hint="check the disk that it is on",
            ) from e
        if not size:
            so_far = f"ends after {self.offset} of {self._blob.size} bytes"
            raise self._changed(f"{so_far}: it changed")
        self.skip(size)
        return size

    def _read(self, view: memoryview) -> int:
        if isinstance(self.source, FileSource):
            return self.source.readinto(view, self.offset)
        piece = self.source.pread(len(view), self.offset)
        view[: len(piece)] = piece
        return len(piece)

    def skip(self, size: int) -> None:
        """So much was read, in whatever way."""
        self.offset += size
        if self._blob.watch is not None:
            self._blob.watch(size)

    def _changed(self, what: str) -> InputError:
        return InputError(
            f"{what} while it was read",
            path=self._blob.label,
            hint="run again when nothing writes to it",
        )


def from_bytes(data: bytes, label: str) -> Blob:
    """``data`` as a blob."""
    return Blob(len(data), lambda: BytesSource(data), label)
