"""The ELF files of a root, each read once."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable

from elfpack.blob import Ahead, Source
from elfpack.elf import reader
from elfpack.elf.file import ElfFile, Malformed
from elfpack.elf.layout import MAGIC, ElfFault
from elfpack.light import TYPE_CHECKING
from elfpack.root.node import Root
from elfpack.root.walk import Place, Walker

if TYPE_CHECKING:
    from elfpack.elf.layout import Layout
    from elfpack.elf.versions import Compared

_AHEAD = 1 << 14
"""Bytes at the start of a file; in most they hold the notes and all that is asked of symbols."""
LOADER_LIMIT = 16 << 20
"""Bytes of a loader; real ones have less than two million."""
TEXT_LIMIT = 1 << 20
"""Bytes of a list of names or directories."""
CACHE_LIMIT = 256 << 20
"""Bytes of an ld.so.cache; a large machine's has a million."""

PRELOAD_FILE = "/etc/ld.so.preload"
"""A fixed path, whatever the loader's system configuration directory is."""

Content = ElfFile | Malformed | int
"""What a regular file holds; an errno if it cannot be read."""


class Files:
    """Look-ups and ELF records of one root. Tables only gain entries."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.walker = Walker(root)
        self._content: dict[tuple[int, int], Content] = {}
        self.compared: dict[tuple[int, int], Compared] = {}
        """By identity, of what was studied; empty for a file whose version tables are broken."""
        self.also: Callable[[Place, Source, Layout], object] | None = None
        """Reads more of each ELF file while it is open, which may happen in any thread."""

    def find(self, path: str) -> Place | int:
        """The file at an absolute guest path, links followed; an errno if there is none."""
        return self.walker.find(path)

    def content(self, place: Place) -> Content:
        """The ELF record of a regular file."""
        known = self._content.get(place.node.identity)
        if known is None:
            known = self._content.setdefault(place.node.identity, self._read(place))
        return known

    def look(self, place: Place) -> tuple[ElfFile | int | None, bytes]:
        """Of a file that is added: its ELF record, None if it is none, an errno if it cannot be
        read; and its capabilities. It is opened once for both. What is no ELF file is not
        remembered: there may be a great many, and nobody asks for them again."""
        identity = place.node.identity
        try:
            source = self.open(place)
        except OSError as e:
            return e.errno or errno.EIO, b""
        try:
            capability = self.root.capabilities(place.directory, place.name, place.node, source)
            known = self._content.get(identity)
            if known is None and source.pread(len(MAGIC), 0) == MAGIC:
                known = self._content.setdefault(identity, reader.read(source))
        except OSError as e:
            return e.errno or errno.EIO, b""
        finally:
            source.close()
        return None if isinstance(known, Malformed) else known, capability

    def study(self, place: Place, source: Source) -> Content:
        """As :meth:`content`, for a file that is open: its version tables are read along."""
        identity = place.node.identity
        known = self._content.get(identity)
        if known is None:
            from elfpack.elf.versions import Compared, read_compared  # most need no versions

            compared = Compared()
            try:
                known, layout = reader.read_laid_out(source)
            except OSError as e:
                known, layout = e.errno or errno.EIO, None
            if layout is not None:
                try:
                    compared = read_compared(source, layout)
                except (OSError, ElfFault):
                    pass  # as if it had none
            self.compared.setdefault(identity, compared)
            known = self._content.setdefault(identity, known)
        return known

    def adopt(self, other: Files, identities: Iterable[tuple[int, int]]) -> None:
        """Take over what was read of files that are in this root as they are in the other."""
        for identity in identities:
            known = other._content.get(identity)
            if known is not None and not isinstance(known, int):
                self._content[identity] = known

    def open(self, place: Place) -> Source:
        """The bytes of a regular file.

        Raises:
            OSError, InputError: it cannot be read, or changed.
        """
        return self.root.open(place.directory, place.name, place.node)

    def read_all(self, path: str, most: int) -> bytes | int:
        """The content of a regular file by its guest path, or an errno: EFBIG for one of more than
        ``most`` bytes."""
        place = self.find(path)
        if isinstance(place, int):
            return place
        if not place.node.is_regular:
            return errno.EISDIR if place.node.is_directory else errno.EINVAL
        if place.node.size > most:
            return errno.EFBIG
        try:
            source = self.open(place)
        except OSError as e:
            return e.errno or errno.EIO
        try:
            return source.pread(source.size, 0)
        except OSError as e:
            return e.errno or errno.EIO
        finally:
            source.close()

    def _read(self, place: Place) -> Content:
        try:
            source = self.open(place)
        except OSError as e:
            return e.errno or errno.EIO
        try:
            if self.also is None:
                return reader.read(source)
            return self._read_also(place, source, self.also)
        except OSError as e:
            return e.errno or errno.EIO
        finally:
            source.close()

    def _read_also(
        self, place: Place, source: Source, also: Callable[[Place, Source, Layout], object]
    ) -> Content:
        source = Ahead(source, _AHEAD)
        content, layout = reader.read_laid_out(source)
        if layout is not None:
            try:
                also(place, source, layout)
            except (OSError, ElfFault):
                pass  # who needs it opens the file again, and is told
        return content
