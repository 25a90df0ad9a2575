"""Header, segments and dynamic section of an ELF file, straight from its bytes.

By segments, as loaders do: section headers may be absent or lie. Nothing in the file is trusted:
each offset, size and count is held against the file before it is used.

Source: gABI ch. 4 and 5.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.file import Header

HEAD = 2048
"""Bytes read at first: in nearly all files the header, the program headers and PT_INTERP."""


class Encoding(NamedTuple):
    """Layouts for one class and byte order."""

    bits: int
    header: struct.Struct
    segment: struct.Struct
    order: str
    """``<`` or ``>``."""


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
        )
        table[bytes((2, data))] = Encoding(
            64,
            struct.Struct(order + "16sHHIQQQIHHHHHH"),
            struct.Struct(order + "IIQQQQQQ"),
            order,
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


Row = tuple[int, int, int, int, int, int, int, int]
"""The fields of a :class:`Segment`, which is made for who asks: each file has a dozen."""


class Dynamic(NamedTuple):
    """The dynamic section up to DT_NULL."""

    tags: tuple[int, ...]
    values: tuple[int, ...]
    """Of each tag; there may be more."""


class Layout(NamedTuple):
    """Where things are in a file."""

    header: Header
    encoding: Encoding
    rows: Sequence[Row]
    """The program headers."""
    dynamic: Dynamic | None
    """None without PT_DYNAMIC."""
    tags: dict[int, int]
    """The value of each tag; of several the last, as loaders fill a table by tag.

    Source: glibc elf/get-dynamic-info.h, elf_get_dynamic_info().
    """

    def offset(self, vaddr: int) -> int | None:
        """The file offset of a virtual address: the PT_LOAD segment that holds it decides."""
        return file_offset(self.rows, vaddr)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The program headers in the order of the file."""
        return tuple([Segment(*row) for row in self.rows])

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
        rows = _rows(source, head, header, encoding)
        dynamic = _dynamic(source, rows, encoding)
    except ElfFault as e:
        raise ElfFault(e.message, header) from None
    tags = dict(zip(*dynamic, strict=False)) if dynamic is not None else {}
    return Layout(header, encoding, rows, dynamic, tags), head


def _header(head: bytes) -> tuple[Header, Encoding]:
    if head[:4] != b"\x7fELF":
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


def _rows(source: Source, head: bytes, header: Header, encoding: Encoding) -> Sequence[Row]:
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
    if encoding.bits == 64:
        return list(layout.iter_unpack(raw))
    return [
        (kind, flags, offset, vaddr, paddr, filesz, memsz, align)
        for kind, offset, vaddr, paddr, filesz, memsz, flags, align in layout.iter_unpack(raw)
    ]


def file_offset(rows: Sequence[Row], address: int) -> int | None:
    """The file offset of a virtual address: the PT_LOAD segment that holds it decides."""
    for kind, _, offset, vaddr, _, filesz, _, _ in rows:
        if kind == c.PT_LOAD and vaddr <= address < vaddr + filesz:
            return offset + address - vaddr
    return None


def _dynamic(source: Source, rows: Sequence[Row], encoding: Encoding) -> Dynamic | None:
    # Of several PT_DYNAMIC the last with content counts, and it is read at its address, not at
    # its offset. Source: glibc elf/dl-load.c, _dl_map_object_from_fd().
    chosen = None
    for row in rows:
        if row[0] == c.PT_DYNAMIC and row[5]:
            chosen = row
    if chosen is None:
        return None
    _, _, offset, address, _, room, memory, _ = chosen
    for kind, _, start, vaddr, _, filesz, _, _ in rows:
        if kind == c.PT_LOAD and vaddr <= address < vaddr + filesz:
            offset = start + address - vaddr
            room = min(vaddr + filesz - address, max(room, memory))
            break
    if offset >= source.size:
        raise ElfFault(
            f"ELF file cut short: {source.size} bytes, its dynamic section is at {offset}"
        )
    raw = source.pread(min(room, source.size - offset), offset)
    return _entries(raw, encoding)


def _entries(raw: bytes, encoding: Encoding) -> Dynamic:
    wide = encoding.bits == 64
    count = len(raw) // (16 if wide else 8) * 2
    words = struct.unpack_from(f"{encoding.order}{count}{'Q' if wide else 'I'}", raw)
    tags = words[::2]
    return Dynamic(tags[: tags.index(c.DT_NULL)] if c.DT_NULL in tags else tags, words[1::2])


def segments_of(source: Source, layout: Layout, kind: int) -> Iterator[tuple[Segment, bytes]]:
    """Each segment of a type with its content, as much of it as the file holds."""
    for segment in layout.segments:
        if segment.type == kind and segment.offset < source.size:
            size = min(segment.filesz, source.size - segment.offset)
            yield segment, source.pread(size, segment.offset)
