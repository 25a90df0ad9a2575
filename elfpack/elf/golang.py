"""What a program that is written in Go tells of itself: its build information, and the names of
the functions that are linked in.

By segments: no section header is looked at, so that a stripped program tells as much as any.

Source: Go debug/buildinfo/buildinfo.go, readRawBuildInfo(); runtime/debug/mod.go,
ParseBuildInfo(). For the names: debug/gosym/pclntab.go, parsePclnTab(); runtime/symtab.go,
pcHeader; cmd/link/internal/ld/pcln.go.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from sys import intern

from elfpack import late
from elfpack.blob import Source, is_hole
from elfpack.elf import constants as c
from elfpack.elf.layout import Layout, Segment, read_layout
from elfpack.elf.notes import read_notes
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import decode

if TYPE_CHECKING:
    from typing import Final

_FROM_C: Final = "crosscall2"
"""Source: runtime/cgo/asm_*.s."""


class Names(tuple[str, ...]):
    """Names in their order. A set of them would take six times the memory, and a root may have many
    programs."""

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        at = bisect_left(self, name)
        return at < len(self) and self[at] == name


class GoProgram(NamedTuple):
    version: str
    """``go1.19.8``; empty if it cannot be told."""
    settings: tuple[tuple[str, str], ...]
    """Build settings: ``("CGO_ENABLED", "0")``. Programs have them since Go 1.18."""
    functions: Names
    """The names of the functions that are linked in, or inlined into those that are:
    ``crypto/x509.(*CertPool).AddCert``. The linker leaves out what cannot be reached. Packages
    named after a host (``github.com/...``), which most of a large program is, are not listed."""

    @property
    def is_pure(self) -> bool:
        """Whether it surely has no C in it: cgo's way back into Go is not linked in."""
        return bool(self.functions) and _FROM_C not in self.functions


def read_go(source: Source) -> GoProgram | None:
    """The build information and the functions of a Go program; None if it is none.

    Of another program the notes and the writable segments are looked at once.

    Raises:
        ElfFault: the file is broken before its segments are reached.
    """
    layout = read_layout(source)
    information = _information(source, layout)
    if information is None and not _has_note(source):
        return None
    version, text = information or ("", "")
    return GoProgram(version, tuple(_settings(text)), _functions(source, layout))


# Build information

_MAGIC: Final = b"\xff Go buildinf:"
_MAGIC_ALIGN: Final = 16
_FIXED: Final = 32
"""Bytes before the strings, where they follow."""
_BIG_ENDIAN, _INLINE = 1, 2
_NOTE_BUILD_ID: Final = 4
_VERSION_MOST, _TEXT_MOST = 256, 1 << 20
_FRAME: Final = 16
"""Bytes of the marks before and after the modules' text."""
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}
_ESCAPE: Final = late.pattern(r"\\(.)")
_SETTING: Final = late.pattern(r'(?s)build\t("(?:[^"\\]|\\.)*"|`[^`]*`|[^=]*)=(.*)\Z')


def _has_note(source: Source) -> bool:
    """Before Go 1.13 the build id is the only mark. Source: cmd/link/internal/ld/elf.go."""
    return any(n.owner == "Go" and n.type == _NOTE_BUILD_ID for n in read_notes(source))


def _information(source: Source, layout: Layout) -> tuple[str, str] | None:
    """Version and modules' text; None without build information.

    The Go linker puts it first into its segment, GNU ld behind all other data.
    """
    data = [s for s in _loaded(layout) if s.flags & c.PF_W]
    for at, segment in _places(source, reversed(data), (_MAGIC,)):
        if (at - segment.offset + segment.vaddr) % _MAGIC_ALIGN:
            continue
        head = source.pread(_FIXED, at)
        if len(head) < _FIXED:
            continue
        if head[15] & _INLINE:
            version, rest = _inline(source, at + _FIXED, _VERSION_MOST)
            text, _ = _inline(source, rest, _TEXT_MOST)
        else:
            version, text = _pointed(source, layout, head)
        return decode(version), decode(_unframed(text))
    return None


def _inline(source: Source, at: int, most: int) -> tuple[bytes, int]:
    """A string behind its length, a varint; and where the next one begins."""
    head = source.pread(10, at)
    size = used = 0
    for used, byte in enumerate(head):
        size |= (byte & 0x7F) << 7 * used
        if byte < 0x80:
            break
    start = at + used + 1
    return _read(source, start, min(size, most)), min(start + size, source.size)


def _pointed(source: Source, layout: Layout, head: bytes) -> tuple[bytes, bytes]:
    """Two Go strings by the addresses of their headers: address and length. In a position
    independent program they may be relocations, then nothing is told."""
    size = head[14]
    if size not in (4, 8):
        return b"", b""
    pair = struct.Struct((">" if head[15] & _BIG_ENDIAN else "<") + ("QQ" if size == 8 else "II"))
    found = []
    for header, most in zip(pair.unpack_from(head, 16), (_VERSION_MOST, _TEXT_MOST), strict=True):
        raw = _at_address(source, layout, header, pair.size)
        address, length = pair.unpack(raw) if len(raw) == pair.size else (0, 0)
        found.append(_at_address(source, layout, address, min(length, most)))
    return found[0], found[1]


def _at_address(source: Source, layout: Layout, address: int, size: int) -> bytes:
    at = layout.offset(address)
    return b"" if at is None else _read(source, at, size)


def _unframed(text: bytes) -> bytes:
    framed = len(text) > 2 * _FRAME and text[-_FRAME - 1 : -_FRAME] == b"\n"
    return text[_FRAME:-_FRAME] if framed else b""


def _settings(text: str) -> Iterator[tuple[str, str]]:
    for line in text.split("\n"):
        match = _SETTING.match(line)
        if match is not None:
            yield _unquoted(match[1]), _unquoted(match[2])


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "`" else text


# Functions

_GO_1_2, _GO_1_16, _GO_1_18, _GO_1_20 = 0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
_CANDIDATES: Final = 1000
"""What looks like the table and is none, before the search ends."""
_TABLE_MOST: Final = 1 << 27
"""Bytes of names, or of a table that holds them: ten times those of the largest programs."""
_FUNCTIONS_MOST: Final = 1 << 21
_KEPT_MOST: Final = 1 << 19
_NAME_MOST: Final = 4096
_PIECE: Final = 1 << 20


class _Table(NamedTuple):
    """A pclntab: the functions by their addresses."""

    magic: int
    start: int
    """Its offset in the file."""
    end: int
    """Where the segment ends in which it is."""
    words: tuple[int, ...]
    """What follows the first eight bytes, as many pointers as the header of any version has."""
    order: str
    """As struct has it."""


def _functions(source: Source, layout: Layout) -> Names:
    table = _table(source, layout)
    if table is None:
        return Names()
    pieces = _scattered(source, table) if table.magic == _GO_1_2 else _in_a_row(source, table)
    return Names(sorted(set(islice(chain.from_iterable(map(_listed, pieces)), _KEPT_MOST))))


def _listed(names: bytes) -> list[str]:
    """Of names with a NUL behind each those that are not of a package that is named after a host:
    ``example.org/a/b.F``. Interned: a thousand programs have the same ones, of Go's library."""
    found = dict.fromkeys(decode(names).split("\0"))
    return [
        intern(name)
        for name in found
        if name and ((slash := name.find("/")) < 0 or slash < name.find("."))
    ]


def _table(source: Source, layout: Layout) -> _Table | None:
    """The first that its numbers show to be one. A program keeps it with its constants, a
    position independent one with the data that is relocated."""
    order = layout.encoding.order
    magics = (_GO_1_20, _GO_1_18, _GO_1_16, _GO_1_2)
    needles = [struct.pack(order + "I", magic) + bytes(2) for magic in magics]
    loaded = sorted(_loaded(layout), key=lambda s: s.flags & c.PF_X)
    for at, segment in islice(_places(source, loaded, needles), _CANDIDATES):
        table = _header(source, layout, at, segment)
        if table is not None:
            return table
    return None


def _header(source: Source, layout: Layout, at: int, segment: Segment) -> _Table | None:
    order, size = layout.encoding.order, layout.encoding.bits // 8
    raw = source.pread(8 + 8 * size, at)
    if len(raw) < 8 + 8 * size or raw[6] not in (1, 2, 4) or raw[7] != size:
        return None
    words = struct.unpack(order + 8 * ("Q" if size == 8 else "I"), raw[8:])
    end = min(segment.offset + segment.filesz, source.size)
    (magic,) = struct.unpack_from(order + "I", raw)
    table = _Table(magic, at, end, words, order)
    # Each function has at least two numbers in the table: that bounds their count.
    least = 2 * (size if magic in (_GO_1_2, _GO_1_16) else 4)
    if not 0 < words[0] * least < end - at:
        return None
    if magic == _GO_1_2:
        return table
    first, behind = _names_of(table)
    return table if 8 < first < behind <= end - at else None


def _names_of(table: _Table) -> tuple[int, int]:
    """Where in the table the names begin, and where what follows them does."""
    first = 2 if table.magic == _GO_1_16 else 3
    return table.words[first], table.words[first + 1]


def _in_a_row(source: Source, table: _Table) -> Iterator[bytes]:
    """The names since Go 1.16: one after the other, each ends with a NUL. In pieces."""
    first, behind = _names_of(table)
    start, end = table.start + first, table.start + min(behind, first + _TABLE_MOST)
    rest = b""
    for at in range(start, end, _PIECE):
        names, _, rest = (rest + _read(source, at, min(_PIECE, end - at))).rpartition(b"\0")
        yield names
        rest = rest[:_NAME_MOST]


def _scattered(source: Source, table: _Table) -> Iterator[bytes]:
    """The names before Go 1.16: the table has the place of each function's record, and that, behind
    an address, the place of its name."""
    raw = _read(source, table.start, min(table.end - table.start, _TABLE_MOST))
    size, count = raw[7], min(table.words[0], _FUNCTIONS_MOST)
    pair = struct.Struct(table.order + ("QQ" if size == 8 else "II"))
    place = struct.Struct(table.order + "I")
    index = raw[8 + size : 8 + size + count * pair.size]
    index = index[: len(index) // pair.size * pair.size]
    known: set[int] = set()
    left = len(raw)  # names are parts of it, none of them twice
    for _, record in pair.iter_unpack(index):
        if record + size + 4 > len(raw):
            continue
        (at,) = place.unpack_from(raw, record + size)
        if at in known:
            continue
        known.add(at)
        end = raw.find(b"\0", at, at + _NAME_MOST)
        if end < 0:
            continue
        left -= end - at
        if left < 0:
            return
        yield raw[at:end]


# Places


def _loaded(layout: Layout) -> list[Segment]:
    return [s for s in layout.segments if s.type == c.PT_LOAD]


def _places(
    source: Source, segments: Iterable[Segment], needles: Iterable[bytes]
) -> Iterator[tuple[int, Segment]]:
    """Where in the file one of the needles is, segment by segment."""
    most = max(map(len, needles)) - 1
    left = 2 * source.size  # those of a file that a linker made do not overlap
    for segment in segments:
        end = min(segment.offset + segment.filesz, source.size)
        left -= max(0, end - segment.offset)
        if left < 0:
            return
        for start in range(segment.offset, end, _PIECE):
            if is_hole(source, start, start + _PIECE + most):
                continue
            raw = source.pread(min(_PIECE + most, end - start), start)
            for needle in needles:
                found = raw.find(needle)
                while found >= 0:
                    yield start + found, segment
                    found = raw.find(needle, found + 1)


def _read(source: Source, at: int, size: int) -> bytes:
    """What is there, fewer bytes at the end of the file."""
    left = source.size - at
    return source.pread(min(size, left), at) if left > 0 else b""
