"""The tree that a tar, or the layers of an image, would unpack to. Nothing is unpacked.

Members are taken as a container engine takes them: names are relative to the top whether they
begin with a slash or not, links on the way to a member are followed inside the tree, of two
members of one name the later counts, and whiteouts take away what a lower layer has.

What a member holds is read where it stands in the archive. A compressed archive can only be read
forward, so that its index keeps the pages of ELF files that the caller is going to read, the first
page of scripts, and what is in ``/etc``. What else is asked for is decompressed once more: slow,
and rare.

Source: OCI image-spec, layer.md; moby pkg/archive, UnpackLayer(); containerd pkg/archive, apply().
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Callable, Iterator

from elfpack.blob import Source
from elfpack.errors import InputError
from elfpack.formats.tar import Member, Read, Segments, TarFault, members
from elfpack.paths import PATH_LIMIT, encode
from elfpack.root.entries import Entries
from elfpack.root.node import Node
from elfpack.root.streams import PAGE, Forward, Paged, Part, Sparse, Touched
from elfpack.root.walk import Walker

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_META = ".wh..wh."
_WHOLE = 128 << 20
"""Bytes of a compressed ELF file that is looked at in memory."""
_TEXT = 1 << 20
"""Bytes of a file in ``/etc`` that is kept."""
_KEPT = 512 << 20
"""Bytes that are kept of compressed archives in all."""
_DRAIN = 64 << 20
"""Bytes that may stand behind the end of an archive."""
_NO_CHILDREN: dict[str, int] = {}
_REMEMBERED = 1 << 12
"""Names of directories that are remembered."""
_LOOKS, _LOOKS_EACH = 1 << 20, 64
"""Look-ups that a tree may need while it is made, and for each of its files: links that lead to
links, in a name of two thousand directories, would make any number of them."""
_MADE, _MADE_EACH = 1 << 16, 16
"""Directories that no member stands for, likewise: a name of 4,095 bytes makes two thousand."""

Probe = Callable[[Source], object]
"""Reads of an ELF file what will be read of it later."""


class ArchiveRoot:
    """Directories by the numbers of their entries, entries by their names. Paths are not kept: in a
    deep tree they are longer than all else."""

    def __init__(self, label: str, probe: Probe | None = None) -> None:
        self.label = label
        self._probe = probe
        self._entries = Entries()
        self._children: dict[int, dict[str, int]] = {}
        """Of each directory that has any, by the number of its entry."""
        self._top = self._entries.add(stat.S_IFDIR | 0o755, 0, (0, -1))
        self._layers: list[Source] = []
        self._made = 0
        """Directories that no member stands for."""
        self._looks = 0
        self._known: dict[str, dict[str, int]] = {}
        """The children of directories that were asked for, by their real paths."""
        self._resolved: dict[str, int] = {}
        """Names of directories as members have them, and the directories' numbers."""
        self._walker = Walker(self)
        self._segments: dict[tuple[int, int], Segments] = {}
        self._capable: dict[tuple[int, int], bytes] = {}
        self._pages: dict[tuple[int, int], dict[int, bytes]] = {}
        self._kept = 0

    # What a root is asked

    def node(self, directory: str, name: str) -> Node | int:
        self._looks += 1
        if not name:
            return self._entries.node(self._top)
        children = self._known.get(directory)
        if children is None:
            children = self._below(directory)
            if children is None:
                return errno.ENOENT
        entry = children.get(name)
        if entry is None:
            return errno.ENAMETOOLONG if len(name) > 63 and len(encode(name)) > 255 else 2
        return self._entries.node(entry)

    def entries(self, directory: str) -> tuple[str, ...] | int:
        children = self._below(directory)
        if children is None:
            return errno.ENOENT
        if all(map(str.isascii, children)):
            return tuple(sorted(children))
        return tuple(sorted(children, key=encode))

    def capabilities(
        self, directory: str, name: str, node: Node, source: Source | None = None
    ) -> bytes:
        entry = self._child(directory, name)
        return b"" if entry is None else self._capable.get(self._entries.identity(entry), b"")

    def open(self, directory: str, name: str, node: Node) -> Source:
        entry = self._child(directory, name)
        if entry is None or not stat.S_ISREG(self._entries.modes[entry]):
            raise OSError(errno.EINVAL, "not a regular file")
        key = number, offset = self._entries.identity(entry)
        layer, size = self._layers[number], self._entries.size(entry)
        segments = self._segments.get(key)
        if segments is not None:
            stored = Part(layer, offset, sum(length for _, length in segments))
            return Sparse(stored, segments, size)
        magic = self._entries.magic(entry)
        part = Part(layer, offset, size, magic)
        if isinstance(layer, Forward):
            return Paged(part, self._pages.get(key, {}), magic)
        return part

    def _child(self, directory: str, name: str) -> int | None:
        """The number of an entry."""
        if not name:
            return self._top
        return (self._below(directory) or _NO_CHILDREN).get(name)

    def _below(self, directory: str) -> dict[str, int] | None:
        """The entries of a directory; None if there is none of that real path."""
        children = self._known.get(directory)
        if children is not None:
            return children
        here = self._top
        for part in directory.split("/")[1:]:
            entry = self._children.get(here, _NO_CHILDREN).get(part)
            if entry is None or not self._entries.is_directory(entry):
                return None
            here = entry
        children = self._children.get(here)
        if children is None:
            return _NO_CHILDREN
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[directory] = children
        return children

    @property
    def is_stream(self) -> bool:
        """Whether a layer can only be read forward, by one at a time."""
        return any(isinstance(layer, Forward) for layer in self._layers)

    def close(self) -> None:
        """Let go of the layers. The tree cannot be read afterwards."""
        for layer in self._layers:
            layer.close()

    # How it is made

    def add_layer(
        self,
        source: Source,
        label: str,
        *,
        whiteouts: bool = True,
        spend: Callable[[int], None] | None = None,
        count: Callable[[], None] | None = None,
    ) -> None:
        """Put a tar over what is there. ``source`` is closed with the root; ``spend`` is told of
        the bytes that are read to list it, ``count`` of each member.

        Raises:
            InputError: it is no tar, a broken one, or has members that no engine would unpack; and
                what ``spend`` and ``count`` raise.
        """
        number = len(self._layers)
        self._layers.append(source)
        # Whiteouts take away what lower layers have, wherever in their own they stand: a layer
        # above another is put in its place when all of them are seen.
        names: list[str] = []
        entries: list[int | str] = []
        read = source.pread if spend is None else _counted(source.pread, spend)
        for member in self._members(source, read, label, number):
            if count is not None:
                count()
            entry = self._entry(number, member) if member.type else member.link
            if whiteouts and _last(member.name).startswith(WHITEOUT):
                if number:
                    self._white_out(member, label)
            elif whiteouts and number:
                names.append(member.name)
                entries.append(entry)
            else:
                self._add(member.name, entry, label)
        for name, entry in zip(names, entries, strict=True):
            self._add(name, entry, label)

    def _members(self, source: Source, read: Read, label: str, number: int) -> Iterator[Member]:
        """The members of a layer, the parts of compressed ones kept while they pass by."""
        last = 0
        try:
            for member in members(read):
                last = member.offset + member.size
                if isinstance(source, Forward) and member.magic:
                    self._keep(source, member, number)
                yield member
            if isinstance(source, Forward):
                _drain(source, last, label)
        except TarFault as e:
            raise InputError(e.message, path=label, hint=e.hint) from e
        except OSError as e:
            raise InputError(
                f"cannot be read: {(e.strerror or str(e)).lower()}",
                path=label,
                hint="check the disk that it is on",
            ) from e

    def _keep(self, source: Forward, member: Member, number: int) -> None:
        if self._kept >= _KEPT or member.segments is not None:
            return
        size, offset = member.size, member.offset
        pages: set[int] | range = range(0)
        if member.magic == b"\x7fELF":
            source.hold(offset)
            pages = {0} | self._probed(source, member)
        elif member.magic.startswith(b"#!"):
            pages = range(1)
        elif size <= _TEXT and _components(member.name)[:1] == ["etc"]:
            pages = range(-(-size // PAGE))
        if pages:
            part = Part(source, offset, size)
            self._pages[number, offset] = {n: part.pread(PAGE, n * PAGE) for n in pages}
            self._kept += PAGE * len(pages)
            source.release()

    def _probed(self, source: Forward, member: Member) -> set[int]:
        """The pages of an ELF file that will be read, all of it being held."""
        size, offset = member.size, member.offset
        if self._probe is None or size > _WHOLE or not source.pread(1, offset + size - 1):
            return set()
        touched = Touched(Part(source, offset, size))
        self._probe(touched)
        return touched.pages

    def _add(self, shown: str, what: int | str, label: str) -> None:
        """Put an entry, or the file that a hard link leads to, where a member's name says."""
        before, _, name = shown.rstrip("/").rpartition("/")
        if name in ("", ".", ".."):
            parts = _inside(shown, shown, label)
            if not parts:
                self._put_top(what)
                return
            before, name = "/".join(parts[:-1]), parts[-1]
        directory = self._resolved.get(before)
        if directory is None:
            directory = self._directory(_inside(before, shown, label), shown, label)
            if len(self._resolved) >= _REMEMBERED:
                self._resolved.clear()
            self._resolved[before] = directory
        self._put(
            directory, name, self._linked(shown, what, label) if isinstance(what, str) else what
        )

    def _entry(self, layer: int, member: Member) -> int:
        key = (layer, member.offset)
        if member.segments is not None:
            self._segments[key] = member.segments
        if member.capability:
            self._capable[key] = member.capability
        mode = member.type | member.mode
        return self._entries.add(mode, member.size, key, member.link, member.magic)

    def _put_top(self, what: int | str) -> None:
        if isinstance(what, int) and self._entries.is_directory(what):
            self._entries.modes[self._top] = self._entries.modes[what]

    def _put(self, directory: int, name: str, entry: int) -> None:
        children, modes = self._children.setdefault(directory, {}), self._entries.modes
        before = children.get(name)
        if before is not None and before != entry:
            if stat.S_ISDIR(modes[entry]) and stat.S_ISDIR(modes[before]):
                modes[before] = modes[entry]  # what is in it stays
                return
            self._remove(directory, name)
        children[name] = entry

    def _remove(self, directory: int, name: str) -> None:
        """Take away an entry with all that is below it."""
        entry = self._children.get(directory, _NO_CHILDREN).pop(name, None)
        if entry is None:
            return
        if stat.S_IFMT(self._entries.modes[entry]) not in (stat.S_IFDIR, stat.S_IFLNK):
            return  # nobody passes through it
        self._forget()
        pending = [entry]
        while pending:
            pending += self._children.pop(pending.pop(), _NO_CHILDREN).values()

    def _forget(self) -> None:
        """What was found by paths may not be there any more."""
        self._resolved.clear()
        self._known.clear()
        self._walker = Walker(self)

    def _directory(self, parts: list[str], member: str, label: str) -> int:
        """The number of a directory, made as needed. Links are followed inside the tree."""
        here, path = self._top, ""
        self._looks += len(parts)
        for part in parts:
            entry = self._children.get(here, _NO_CHILDREN).get(part)
            path = f"{path}/{part}"
            if entry is None:
                entry = self._make(here, part)
            elif stat.S_ISLNK(self._entries.modes[entry]):
                place = self._walker.find(f"{path}/")
                if isinstance(place, int):
                    raise _refused(member, f"lies below {path}, a link that leads nowhere", label)
                path = place.path if place.name else ""
                found = self._child(place.directory, place.name)
                assert found is not None
                entry = found
            elif not self._entries.is_directory(entry):
                raise _refused(member, f"lies below {path}, which is no directory", label)
            here = entry
        self._check_effort(path, member, label)
        return here

    def _make(self, directory: int, name: str) -> int:
        self._made += 1
        made = self._entries.add(stat.S_IFDIR | 0o755, 0, (0, -2 - self._made))
        self._children.setdefault(directory, {})[name] = made
        return made

    def _check_effort(self, path: str, member: str, label: str) -> None:
        """
        Raises:
            InputError: names and links make more of a tree than any that somebody unpacks.
        """
        files = len(self._entries.modes)
        if len(path) >= PATH_LIMIT:
            raise _refused(member, "lies deeper than a path can be long", label)
        if self._made > _MADE + _MADE_EACH * (files - self._made):
            raise _refused(member, "is one of too few for so many directories", label)
        if self._looks > _LOOKS + _LOOKS_EACH * files:
            raise _refused(member, "lies behind too many links and directories", label)

    def _linked(self, member: str, link: str, label: str) -> int:
        """The file that a hard link is another name of."""
        parts = _inside(link, f"{member}, a hard link to {link},", label)
        entry = None
        if parts:
            place = self._walker.find("/" + "/".join(parts), follow=False)
            self._check_effort("", member, label)
            if not isinstance(place, int):
                entry = self._child(place.directory, place.name)
        if entry is None:
            raise _refused(member, f"is a hard link to {link}, which is not there", label)
        if self._entries.is_directory(entry):
            raise _refused(member, f"is a hard link to {link}, a directory", label)
        return entry

    def _white_out(self, member: Member, label: str) -> None:
        """Take away what a whiteout names."""
        parts = _components(member.name)
        if ".." in parts:
            return
        place = self._walker.find("/" + "/".join([*parts[:-1], "."]))
        self._check_effort("", member.name, label)
        directory = None if isinstance(place, int) else self._child(place.directory, place.name)
        if directory is None:
            return
        if parts[-1] == OPAQUE:
            for name in list(self._children.get(directory, _NO_CHILDREN)):
                self._remove(directory, name)
        elif not parts[-1].startswith(_META):
            self._remove(directory, parts[-1].removeprefix(WHITEOUT))


def _last(name: str) -> str:
    """The last component of a member's name."""
    return name.rstrip("/").rpartition("/")[2]


def _components(name: str) -> list[str]:
    return [part for part in name.split("/") if part not in ("", ".")]


def _inside(name: str, shown: str, label: str) -> list[str]:
    """The components of a name, ``..`` taken by its text alone, as engines do."""
    kept: list[str] = []
    for part in _components(name):
        if part != "..":
            kept.append(part)
        elif kept:
            kept.pop()
        else:
            raise _refused(shown, "leads outside", label)
    return kept


def _refused(member: str, what: str, label: str) -> InputError:
    return InputError(
        f"its member {member} {what}", path=label, hint="make the archive anew, without it"
    )


def _counted(read: Read, spend: Callable[[int], None]) -> Read:
    def counted(size: int, offset: int) -> bytes:
        raw = read(size, offset)
        spend(len(raw))
        return raw

    return counted


def _drain(source: Forward, offset: int, label: str) -> None:
    """Read to the end of a stream, for its checksum stands there."""
    limit = offset + _DRAIN
    while piece := source.pread(1 << 20, offset):
        offset += len(piece)
        if offset > limit:
            raise InputError(
                f"more than {_DRAIN >> 20} MiB behind the end of the tar",
                path=label,
                hint="make the archive anew",
            )
