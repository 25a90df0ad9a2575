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
from collections.abc import Callable, Iterable, Iterator

from elfpack.blob import Source
from elfpack.errors import InputError
from elfpack.formats.tar import Member, Segments, TarFault, members
from elfpack.paths import encode
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

Probe = Callable[[Source], object]
"""Reads of an ELF file what will be read of it later."""


class ArchiveRoot:
    """Directories by their real paths, entries by their names."""

    def __init__(self, label: str, probe: Probe | None = None) -> None:
        self.label = label
        self._probe = probe
        self._entries = Entries()
        self._children: dict[str, dict[str, int]] = {"": {}}
        """The numbers of entries."""
        self._top = self._entries.add(stat.S_IFDIR | 0o755, 0, (0, -1))
        self._layers: list[Source] = []
        self._made = -2
        self._resolved: dict[str, str] = {}
        """Names of directories as members have them, and their real paths."""
        self._segments: dict[tuple[int, int], Segments] = {}
        self._capable: dict[tuple[int, int], bytes] = {}
        self._pages: dict[tuple[int, int], dict[int, bytes]] = {}
        self._kept = 0

    # What a root is asked

    def node(self, directory: str, name: str) -> Node | int:
        if not name:
            return self._entries.node(self._top)
        children = self._children.get(directory)
        if children is None:
            return errno.ENOENT
        entry = children.get(name)
        if entry is None:
            return errno.ENAMETOOLONG if len(name) > 63 and len(encode(name)) > 255 else 2
        return self._entries.node(entry)

    def entries(self, directory: str) -> tuple[str, ...] | int:
        children = self._children.get(directory)
        if children is None:
            return errno.ENOENT
        if all(map(str.isascii, children)):
            return tuple(sorted(children))
        return tuple(sorted(children, key=encode))

    def capabilities(
        self, directory: str, name: str, node: Node, source: Source | None = None
    ) -> bytes:
        entry = self._children[directory][name]
        return self._capable.get(self._entries.identity(entry), b"")

    def open(self, directory: str, name: str, node: Node) -> Source:
        entry = self._children.get(directory, {}).get(name)
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

    @property
    def is_stream(self) -> bool:
        """Whether a layer can only be read forward, by one at a time."""
        return any(isinstance(layer, Forward) for layer in self._layers)

    def close(self) -> None:
        """Let go of the layers. The tree cannot be read afterwards."""
        for layer in self._layers:
            layer.close()

    # How it is made

    def add_layer(self, source: Source, label: str, *, whiteouts: bool = True) -> None:
        """Put a tar over what is there. ``source`` is closed with the root.

        Raises:
            InputError: it is no tar, a broken one, or has members that no engine would unpack.
        """
        number = len(self._layers)
        self._layers.append(source)
        found: Iterable[Member] = self._members(source, label, number)
        if whiteouts:
            found = self._apply_whiteouts(list(found), label) if number else _visible(found)
        for member in found:
            self._add(number, member, label)

    def _members(self, source: Source, label: str, number: int) -> Iterator[Member]:
        """The members of a layer, the parts of compressed ones kept while they pass by."""
        last = 0
        try:
            for member in members(source.pread):
                last = member.offset + member.size
                if isinstance(source, Forward) and member.magic:
                    self._keep(source, member, number)
                yield member
            if isinstance(source, Forward):
                _drain(source, last, label)
        except TarFault as e:
            raise InputError(e.message, path=label, hint="get the whole file") from e
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

    def _add(self, layer: int, member: Member, label: str) -> None:
        raw = member.name.rstrip("/")
        before, _, name = raw.rpartition("/")
        if name in ("", ".", ".."):
            parts = _inside(member.name, member.name, label)
            if not parts:
                self._top = self._entry(layer, member)
                return
            before, name = "/".join(parts[:-1]), parts[-1]
        directory = self._resolved.get(before)
        if directory is None:
            directory = self._directory(_inside(before, member.name, label), member.name, label)
            self._resolved[before] = directory
        if member.type:
            self._put(directory, name, self._entry(layer, member))
        else:
            self._put(directory, name, self._linked(member, label))

    def _entry(self, layer: int, member: Member) -> int:
        key = (layer, member.offset)
        if member.segments is not None:
            self._segments[key] = member.segments
        if member.capability:
            self._capable[key] = member.capability
        mode = member.type | member.mode
        return self._entries.add(mode, member.size, key, member.link, member.magic)

    def _put(self, directory: str, name: str, entry: int) -> None:
        children, modes = self._children[directory], self._entries.modes
        before = children.get(name)
        if stat.S_ISDIR(modes[entry]):
            if before is not None and not stat.S_ISDIR(modes[before]):
                self._resolved.clear()
            self._children.setdefault(f"{directory}/{name}", {})
        elif before is not None and stat.S_IFMT(modes[before]) in (stat.S_IFDIR, stat.S_IFLNK):
            self._remove(directory, name)
        children[name] = entry

    def _remove(self, directory: str, name: str) -> None:
        """Take away an entry with all that is below it."""
        if self._children[directory].pop(name, None) is None:
            return
        self._resolved.clear()
        is_directory = self._entries.is_directory
        pending = [f"{directory}/{name}"]
        while pending:
            path = pending.pop()
            below = self._children.pop(path, {})
            pending += [f"{path}/{n}" for n, e in below.items() if is_directory(e)]

    def _directory(self, parts: list[str], member: str, label: str) -> str:
        """The real path of a directory, made as needed. Links are followed inside the tree."""
        here = ""
        for part in parts:
            entry = self._children[here].get(part)
            path = f"{here}/{part}"
            if entry is None:
                self._made -= 1
                made = self._entries.add(stat.S_IFDIR | 0o755, 0, (0, self._made))
                self._children[here][part] = made
                self._children[path] = {}
            elif stat.S_ISLNK(self._entries.modes[entry]):
                place = Walker(self).find(f"{path}/")
                if isinstance(place, int):
                    raise _refused(member, f"lies below {path}, a link that leads nowhere", label)
                path = place.path if place.name else ""
            elif not self._entries.is_directory(entry):
                raise _refused(member, f"lies below {path}, which is no directory", label)
            here = path
        return here

    def _linked(self, member: Member, label: str) -> int:
        """The file that a hard link is another name of."""
        parts = _inside(member.link, f"{member.name}, a hard link to {member.link},", label)
        entry = None
        if parts:
            place = Walker(self).find("/" + "/".join(parts), follow=False)
            if not isinstance(place, int):
                entry = self._children[place.directory].get(place.name)
        if entry is None:
            raise _refused(
                member.name, f"is a hard link to {member.link}, which is not there", label
            )
        if self._entries.is_directory(entry):
            raise _refused(member.name, f"is a hard link to {member.link}, a directory", label)
        return entry

    def _apply_whiteouts(self, found: list[Member], label: str) -> Iterator[Member]:
        """Take away what the whiteouts of a layer name in those below it, never in itself."""
        walker = Walker(self)
        for member in found:
            parts = _components(member.name)
            if not parts or not parts[-1].startswith(WHITEOUT):
                continue
            place = walker.find("/" + "/".join([*parts[:-1], "."]))
            if isinstance(place, int) or ".." in parts:
                continue
            directory = place.path if place.name else ""
            if parts[-1] == OPAQUE:
                for name in list(self._children[directory]):
                    self._remove(directory, name)
            elif not parts[-1].startswith(_META):
                self._remove(directory, parts[-1].removeprefix(WHITEOUT))
            walker = Walker(self)
        return _visible(found)


def _visible(found: Iterable[Member]) -> Iterator[Member]:
    """Without whiteouts, which are no files."""
    for member in found:
        if not member.name.rstrip("/").rpartition("/")[2].startswith(WHITEOUT):
            yield member


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
