"""Header, segments and dynamic section of an ELF file, straight from its bytes.

By segments, as loaders do: section headers may be absent or lie. Nothing in the file is trusted:
each offset, size and count is held against the file before it is used.

Source: gABI ch. 4 and 5.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.file import Header
from elfpack.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final


MAGIC: Final = b"\x7fELF"
"""Of every ELF file the first bytes."""
HEAD = 2048
"""Bytes read at first: in nearly all files the header, the program headers and PT_INTERP."""


class Columns(NamedTuple):
    """Which fields of a program header are what. The first is its type."""

    offset: int
    vaddr: int
    filesz: int
    memsz: int
    align: int


class Encoding(NamedTuple):
    """Layouts for one class and byte order."""

    bits: int
    header: struct.Struct
    segment: struct.Struct
    order: str
    """``<`` or ``>``."""
    columns: Columns


def _encodings() -> dict[bytes, Encoding]:
    table = {}
    for data, order in ((1, "<"), (2, ">")):
        # After e_ident: type machine version entry phoff shoff flags ehsize phentsize phnum
        # shentsize shnum shstrndx
        table[bytes((1, data))] = Encoding(
            32,
            struct.Struct(order + "16sHHIIIIIHHHHHH"),
            struct.Struct(order + "IIIIIIII"),
            order,
            Columns(1, 2, 4, 5, 7),
        )
        table[bytes((2, data))] = Encoding(
            64,
            struct.Struct(order + "16sHHIQQQIHHHHHH"),
            struct.Struct(order + "IIQQQQQQ"),
            order,
            Columns(2, 3, 5, 6, 7),
        )
    return table


ENCODINGS: Final = _encodings()
"""By the bytes EI_CLASS and EI_DATA."""


class Segment(NamedTuple):
    """One program header, in the order of the 64-bit ones. Offsets and sizes in bytes."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


FIELDS = 8
"""Of a program header."""
_FEW = 128
"""Program headers that are unpacked in one go: the layout of all of them is kept, and has some 260
bytes for each."""
_STEP = 1 << 16
"""Bytes of a dynamic section that are taken at once: a real one has a few hundred, and nothing
behind its DT_NULL matters."""


class Parts(NamedTuple):
    """What decides loading of the program headers; each by the position of its first field."""

    loads: list[tuple[int, int, int]]
    """Of each PT_LOAD segment with content its first address, the one behind its last, and what
    has to be added to an address for its file offset."""
    end: int
    """Where the last of them ends in the file."""
    is_loadable: bool
    """There is a PT_LOAD segment."""
    dynamic: int
    """The last PT_DYNAMIC with content; -1 without one."""
    interpreter: int
    """The first PT_INTERP; -1 without one."""
    notes: list[int]


class Dynamic(NamedTuple):
    """The dynamic section up to DT_NULL."""

    tags: tuple[int, ...]
    values: tuple[int, ...]
    """Of each tag; there may be more."""


class Layout(NamedTuple):
    """Where things are in a file."""

    header: Header
    encoding: Encoding
    fields: tuple[int, ...]
    """Those of all program headers, eight each, as they stand in the file."""
    parts: Parts
    dynamic: Dynamic | None
    """None without PT_DYNAMIC."""
    tags: dict[int, int]
    """The value of each tag; of several the last, as loaders fill a table by tag.

    Source: glibc elf/get-dynamic-info.h, elf_get_dynamic_info().
    """

    def offset(self, vaddr: int) -> int | None:
        """The file offset of a virtual address: the PT_LOAD segment that holds it decides."""
        return file_offset(self.parts.loads, vaddr)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The program headers in the order of the file."""
        rows = zip(*[iter(self.fields)] * FIELDS, strict=True)
        if self.encoding.bits == 64:
            return tuple([Segment(*row) for row in rows])
        return tuple(
            [
                Segment(kind, flags, offset, vaddr, paddr, filesz, memsz, align)
                for kind, offset, vaddr, paddr, filesz, memsz, flags, align in rows
            ]
        )

    def last(self, tag: int) -> int | None:
        """The value of a tag."""
        return self.tags.get(tag)


class ElfFault(Exception):
    """Internal to ``elf/``: the file contradicts itself. The message becomes a Malformed's."""

    def __init__(self, message: str, header: Header | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.header = header


def read_layout(source: Source) -> Layout:
    """Header, segments and dynamic section.

    Raises:
        ElfFault: the file is no ELF file, or broken.
    """
    return read_head(source)[0]


def read_head(source: Source) -> tuple[Layout, bytes]:
    """As :func:`read_layout`, with the first bytes of the file."""
    head = source.pread(HEAD, 0)
    header, encoding = _header(head)
    try:
        fields = _fields(source, head, header, encoding)
        parts = _parts(fields, encoding.columns)
        dynamic = _dynamic(source, fields, parts, encoding)
    except ElfFault as e:
        raise ElfFault(e.message, header) from None
    tags = dict(zip(*dynamic, strict=False)) if dynamic is not None else {}
    return Layout(header, encoding, fields, parts, dynamic, tags), head


def _header(head: bytes) -> tuple[Header, Encoding]:
    if head[:4] != MAGIC:
        raise ElfFault(what_is(head))
    encoding = ENCODINGS.get(head[4:6])
    if encoding is None:
        raise ElfFault(f"ELF file with unknown class or byte order ({head[4:6].hex(' ')})")
    if len(head) < encoding.header.size:
        raise ElfFault(
            f"ELF file cut short: {len(head)} bytes, its header has {encoding.header.size}"
        )
    (ident, kind, machine, version, entry, phoff, shoff, flags, _, phentsize, phnum, *_) = (
        encoding.header.unpack_from(head)
    )
    header = Header(ident, kind, machine, version, flags, phoff, phentsize, phnum, shoff, entry)
    return header, encoding


_OTHERS: Final = (
    (b"MZ", "a Windows program (PE), not an ELF file"),
    (b"\xcf\xfa\xed\xfe", "a macOS program (Mach-O), not an ELF file"),
    (b"\xce\xfa\xed\xfe", "a macOS program (Mach-O), not an ELF file"),
    (b"\xfe\xed\xfa\xcf", "a macOS program (Mach-O), not an ELF file"),
    (b"\xfe\xed\xfa\xce", "a macOS program (Mach-O), not an ELF file"),
    (b"\xca\xfe\xba\xbe", "a macOS universal program or a Java class, not an ELF file"),
    (b"!<arch>\n", "a static library (ar archive), not an ELF file"),
    (b"\x00asm", "a WebAssembly module, not an ELF file"),
    (b"\x1f\x8b", "gzip-compressed data, not an ELF file"),
    (b"PK\x03\x04", "a zip archive, not an ELF file"),
)


def what_is(head: bytes) -> str:
    """What a file that is no ELF file seems to be, by its first bytes."""
    if not head:
        return "empty file, not an ELF file"
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return name
    text = head.translate(None, bytes(range(0x20, 0x7F)) + b"\t\n\r\f")
    if b"\0" not in head and len(text) * 10 <= len(head):
        return "a text file, not an ELF file"
    return "not an ELF file"


def _fields(source: Source, head: bytes, header: Header, encoding: Encoding) -> tuple[int, ...]:
    count = header.phnum
    if count == 0:
        return ()
    if count == c.PN_XNUM:
        # The count would stand in section header 0. Neither glibc nor musl looks there.
        raise ElfFault("ELF file with more than 65,534 program headers, which no loader reads")
    layout = encoding.segment
    if header.phentsize != layout.size:
        raise ElfFault(f"ELF file with program headers of {header.phentsize} bytes")
    start, size = header.phoff, count * layout.size
    raw = head[start : start + size]
    if len(raw) < size:
        if start + size > source.size:
            raise ElfFault(
                f"ELF file cut short: {source.size} bytes, "
                f"its program headers end at {start + size}"
            )
        raw = source.pread(size, start)
        if len(raw) < size:
            raise ElfFault("ELF file cut short in its program headers")
    if count > _FEW:
        return tuple(chain.from_iterable(layout.iter_unpack(raw)))
    one = "IIQQQQQQ" if encoding.bits == 64 else "IIIIIIII"
    return _struct(encoding.order + one * count).unpack(raw)


@lru_cache(maxsize=64)
def _struct(form: str) -> struct.Struct:
    """Most files have one of a few numbers of program headers and dynamic entries."""
    return struct.Struct(form)


def _parts(fields: tuple[int, ...], columns: Columns) -> Parts:
    offset_at, vaddr_at, filesz_at = columns[:3]
    loads: list[tuple[int, int, int]] = []
    notes: list[int] = []
    end, is_loadable = 0, False
    dynamic = interpreter = -1
    for at, kind in zip(range(0, len(fields), FIELDS), fields[::FIELDS], strict=True):
        if kind > c.PT_NOTE:  # half of a file's, of no meaning here
            continue
        if kind == c.PT_LOAD:
            is_loadable = True
            size = fields[at + filesz_at]
            # One without content in the file maps nothing of it: glibc elf/dl-map-segments.h.
            if size:
                offset, address = fields[at + offset_at], fields[at + vaddr_at]
                loads.append((address, address + size, offset - address))
                end = max(end, offset + size)
        elif kind == c.PT_DYNAMIC:
            dynamic = at if fields[at + filesz_at] else dynamic
        elif kind == c.PT_INTERP:
            interpreter = at if interpreter < 0 else interpreter
        elif kind == c.PT_NOTE:
            notes.append(at)
    return Parts(loads, end, is_loadable, dynamic, interpreter, notes)


def file_offset(loads: list[tuple[int, int, int]], address: int) -> int | None:
    """The file offset of a virtual address: the PT_LOAD segment that holds it decides."""
    for first, behind, shift in loads:
        if first <= address < behind:
            return address + shift
    return None


def _dynamic(
    source: Source, fields: tuple[int, ...], parts: Parts, encoding: Encoding
) -> Dynamic | None:
    # Of several PT_DYNAMIC the last with content counts, and it is read at its address, not at
    # its offset. Source: glibc elf/dl-load.c, _dl_map_object_from_fd().
    at = parts.dynamic
    if at < 0:
        return None
    columns = encoding.columns
    address, room = fields[at + columns.vaddr], fields[at + columns.filesz]
    offset, memory = fields[at + columns.offset], fields[at + columns.memsz]
    for first, behind, shift in parts.loads:
        if first <= address < behind:
            offset = address + shift
            room = min(behind - address, max(room, memory))
            break
    if offset >= source.size:
        raise ElfFault(
            f"ELF file cut short: {source.size} bytes, its dynamic section is at {offset}"
        )
    room = min(room, source.size - offset)
    if room <= _STEP:
        return _entries(source.pread(room, offset), encoding)
    return _many_entries(source, offset, offset + room, encoding)


def _many_entries(source: Source, start: int, end: int, encoding: Encoding) -> Dynamic:
    tags: list[int] = []
    values: list[int] = []
    for offset in range(start, end, _STEP):
        part = _entries(source.pread(min(_STEP, end - offset), offset), encoding)
        tags += part.tags
        values += part.values[: len(part.tags)]
        if len(part.tags) < _STEP * 4 // encoding.bits:  # DT_NULL, or the end
            break
    return Dynamic(tuple(tags), tuple(values))


def _entries(raw: bytes, encoding: Encoding) -> Dynamic:
    size, form = (8, "Q") if encoding.bits == 64 else (4, "I")
    words = _struct(f"{encoding.order}{len(raw) // (2 * size) * 2}{form}").unpack_from(raw)
    tags = words[::2]
    try:
        return Dynamic(tags[: tags.index(c.DT_NULL)], words[1::2])
    except ValueError:
        return Dynamic(tags, words[1::2])


TABLE_MOST: Final = 1 << 28
"""Bytes of a table of names, symbols or relocations; the largest libraries have a quarter of it. A
file may be of any size and be one hole."""


def read_table(source: Source, size: int, offset: int, what: str) -> bytes:
    """All of a table; fewer bytes at the end of the file.

    Raises:
        ElfFault: it is larger than any.
    """
    if size > TABLE_MOST:
        raise ElfFault(f"ELF file with a {what} of {size} bytes")
    return source.pread(size, offset)


_SEGMENTS_MOST: Final = 1 << 24
"""Bytes of all segments of a type that are read whole: of notes, real files have some thousand."""


def segments_of(source: Source, layout: Layout, kind: int) -> Iterator[tuple[Segment, bytes]]:
    """Each segment of a type with its content, as much of it as the file holds. Those that overlap
    over and over, which no linker makes, end where they have more bytes than the file."""
    left = min(source.size, _SEGMENTS_MOST)
    for segment in layout.segments:
        if segment.type == kind and segment.offset < source.size:
            size = min(segment.filesz, source.size - segment.offset, left)
            left -= size
            yield segment, source.pread(size, segment.offset)
