"""What ``--strip`` makes of an ELF file: what is gone, what stays as it was, what is refused."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from elfpack.blob import BytesSource
from elfpack.elf import constants as c
from elfpack.elf import sectiontable as t
from elfpack.elf.edit import strip
from elfpack.elf.file import ElfFile
from elfpack.elf.layout import ElfFault, read_layout
from elfpack.elf.parts import Copy, Edit
from elfpack.elf.reader import read
from elfpack.elf.sectiontable import Section, Table, dump_names, read_table
from tests.elfbuild import elf
from tests.unit.test_broken import Strict
from tests.unit.test_reader import MACHINES

FIXTURES = Path(__file__).parents[1] / "fixtures"
DEBUG = sorted(FIXTURES.glob("*/debug"))
REAL = (FIXTURES / "x86_64" / "debug").read_bytes()
SYMBOLS = (".symtab", ".strtab", ".debug_info", ".debug_line", ".debug_str")


def edited(raw: bytes) -> bytes | None:
    """What becomes of a file; None if it stays."""
    edit = strip(Strict(raw))
    if edit is None:
        return None
    source = edit.apply(Strict(raw))
    assert source.size == edit.size
    return source.pread(source.size, 0)


def stripped(raw: bytes) -> bytes:
    found = edited(raw)
    assert found is not None
    return found


def table_of(raw: bytes) -> Table:
    found = read_table(BytesSource(raw), read_layout(BytesSource(raw)))
    assert found is not None
    return found


def names_of(raw: bytes) -> list[str]:
    return [section.name.decode() for section in table_of(raw).sections]


def record(raw: bytes) -> ElfFile:
    """What decides loading, without where things are in the file."""
    found = read(BytesSource(raw))
    assert isinstance(found, ElfFile), found
    return found._replace(header=found.header._replace(shoff=0, phoff=0))


def mapped(raw: bytes) -> Iterator[tuple[object, ...]]:
    """The segments with their content but for what the headers have of places in the file."""
    layout = read_layout(BytesSource(raw))
    header = layout.header
    blank = bytearray(raw)
    size = layout.encoding.header.size
    blank[:size] = bytes(size)
    table = header.phnum * header.phentsize
    blank[header.phoff : header.phoff + table] = bytes(table)
    for s in layout.segments:
        # PT_GNU_RELRO are addresses of others; its content is nothing of its own
        end = s.offset if s.type == c.PT_GNU_RELRO else s.offset + s.filesz
        yield (*s._replace(offset=0), bytes(blank[s.offset : end]))


def unharmed(before: bytes, after: bytes) -> None:
    """A loader cannot tell the two apart, and the second is no larger."""
    assert len(after) <= len(before)
    assert record(after) == record(before)
    assert list(mapped(after)) == list(mapped(before))


# Good files


@pytest.mark.parametrize("path", DEBUG, ids=lambda p: p.parent.name)
def test_real_program(path: Path) -> None:
    raw = path.read_bytes()
    after = stripped(raw)
    unharmed(raw, after)
    assert set(SYMBOLS) <= set(names_of(raw))
    assert not set(SYMBOLS) & set(names_of(after))
    # hello is the same program, linked with -s: that is as small as strip makes it.
    assert len(after) <= path.with_name("hello").stat().st_size
    assert after == stripped(raw)
    assert edited(after) is None


@pytest.mark.parametrize("path", DEBUG, ids=lambda p: p.parent.name)
def test_sections_that_stay_are_as_they_were(path: Path) -> None:
    raw = path.read_bytes()
    after = stripped(raw)
    before = {s.name: s for s in table_of(raw).sections}
    sections = table_of(after).sections
    for section in sections[1:-1]:
        old = before[section.name]
        assert section[1:4] == old[1:4]
        assert (section.size, section.align, section.entry_size) == (
            old.size,
            old.align,
            old.entry_size,
        )
        if section.type != t.SHT_NOBITS:
            assert after[section.offset : section.end] == raw[old.offset : old.end]
        link = table_of(raw).sections[old.link].name
        assert sections[section.link].name == (link if link != b".symtab" else b"")


@pytest.mark.parametrize(
    ("machine", "bits", "little", "name"), MACHINES, ids=lambda value: str(value)
)
def test_every_class_and_byte_order(machine: int, bits: int, little: bool, name: str) -> None:
    raw = elf(
        machine=machine,
        bits=bits,
        little=little,
        interpreter="/lib/ld.so",
        needed=["libc.so.6"],
        functions=["main", "other"],
        notes=[("GNU", 1, bytes(16))],
    )
    after = stripped(raw)
    unharmed(raw, after)
    assert names_of(after) == ["", ".shstrtab"]


@pytest.mark.parametrize(
    "raw",
    [
        *[(FIXTURES / machine.parent.name / "hello").read_bytes() for machine in DEBUG],
        *[path.read_bytes() for path in sorted((FIXTURES / "bare").iterdir())],
        *[path.read_bytes() for path in sorted(FIXTURES.glob("*/lib*"))],
        b"",
        b"\x7fELF",
        b"#!/bin/sh\n" * 20,
        REAL[:100],
        elf(sections=False),
        elf(type=c.ET_CORE, sections=False),
    ],
)
def test_what_has_nothing_to_drop_stays(raw: bytes) -> None:
    assert edited(raw) is None


def test_library_in_the_middle_of_everything() -> None:
    """A file that is read in any pieces is the same."""
    edit = strip(BytesSource(REAL))
    assert edit is not None
    source, whole = edit.apply(BytesSource(REAL)), stripped(REAL)
    for size in (1, 7, 64, 1000):
        for offset in range(0, len(whole) + 9, 31):
            assert source.pread(size, offset) == whole[offset : offset + size]


def test_original_that_became_shorter() -> None:
    edit = Edit((b"ab", 3, Copy(4, 6), b"yz"))
    assert edit.size == 13
    assert edit.apply(BytesSource(b"0123456789")).pread(20, 0) == b"ab\0\0\x00456789yz"
    assert edit.apply(BytesSource(b"012345")).pread(20, 0) == b"ab\0\0\x0045"


# Files that were changed


def rows_of(raw: bytes) -> tuple[list[Section], int]:
    table = table_of(raw)
    return list(table.sections), table.names


def with_rows(raw: bytes, rows: Sequence[Section], names: int, place: int | None = None) -> bytes:
    """The file with other section headers, behind all that it has or over the bytes at a place.
    The old ones are gone."""
    layout, table = read_layout(BytesSource(raw)), table_of(raw)
    found = bytearray(raw)
    for row in (table.sections[table.names], rows[names]):
        found[row.offset : row.end] = bytes(row.size)
    found[table.start : table.end] = bytes(table.end - table.start)
    texts, offsets = dump_names([row.name for row in rows])
    changed = rows[names]._replace(offset=len(found), size=len(texts))
    found += texts + bytes(-len(found + texts) % 8)
    headers = t.dump([*rows[:names], changed, *rows[names + 1 :]], layout.encoding, offsets)
    start = len(found) if place is None else place
    found[start : start + len(headers)] = headers
    fields = list(layout.encoding.header.unpack_from(raw))
    fields[6], fields[12], fields[13] = start, len(rows), names
    layout.encoding.header.pack_into(found, 0, *fields)
    return bytes(found)


def reordered(raw: bytes, first: Sequence[str]) -> bytes:
    """The file with these sections before all others, and the numbers that speak of them."""
    rows, names = rows_of(raw)
    front = [n for n, row in enumerate(rows) if row.name.decode() in first]
    order = [0, *front, *(n for n in range(1, len(rows)) if n not in front)]
    new = {old: number for number, old in enumerate(order)}
    moved = [
        rows[n]._replace(
            link=new[rows[n].link],
            info=new[rows[n].info] if rows[n].flags & t.SHF_INFO_LINK else rows[n].info,
        )
        for n in order
    ]
    return with_rows(raw, moved, new[names])


def test_symbols_before_what_is_mapped() -> None:
    raw = reordered(REAL, [".symtab", ".strtab", ".debug_info"])
    after = stripped(raw)
    unharmed(raw, after)
    assert len(after) == len(stripped(REAL))
    assert sorted(names_of(after)) == sorted(names_of(stripped(REAL)))


def test_a_section_that_dynamic_symbols_speak_of_keeps_its_number() -> None:
    raw = bytearray(reordered(REAL, [".symtab", ".strtab"]))
    names = names_of(bytes(raw))
    dynsym = next(s for s in table_of(bytes(raw)).sections if s.name == b".dynsym")
    struct.pack_into("<H", raw, dynsym.offset + 24 + 6, names.index(".text"))
    after = stripped(bytes(raw))
    unharmed(bytes(raw), after)
    assert names_of(after).index(".text") == names.index(".text")
    assert sorted(filter(None, names_of(after))) == sorted(filter(None, names_of(stripped(REAL))))


def test_names_in_the_string_table_of_symbols() -> None:
    """Some linkers have one table for both."""
    rows, names = rows_of(REAL)
    strtab = next(n for n, row in enumerate(rows) if row.name == b".strtab")
    rows[strtab] = rows[strtab]._replace(name=b".shstrtab")
    raw = with_rows(REAL, [row for n, row in enumerate(rows) if n != names], strtab)
    after = stripped(raw)
    unharmed(raw, after)
    assert names_of(after) == names_of(stripped(REAL))


def test_headers_that_are_mapped_stay_there() -> None:
    """Go has its section headers behind the program headers."""
    raw = elf(type=c.ET_EXEC, content=bytes(400), functions=["main"])
    layout = read_layout(BytesSource(raw))
    place = layout.segments[0].filesz - 400
    place += -place % 8
    raw = with_rows(raw, *rows_of(raw), place)
    after = stripped(raw)
    assert read_layout(BytesSource(after)).header.shoff == place
    assert record(after) == record(raw)
    assert names_of(after) == ["", ".shstrtab"]
    assert len(after) == layout.segments[0].filesz + len(b"\0.shstrtab\0")


def test_a_segment_behind_the_symbols_moves_down() -> None:
    """As patchelf makes them: its new segments stand behind all that was there."""
    raw = REAL.ljust(0x3000, b"\0")
    layout = read_layout(BytesSource(raw))
    number = next(n for n, s in enumerate(layout.segments) if s.type == c.PT_GNU_STACK)
    at = layout.header.phoff + number * layout.encoding.segment.size
    extra = layout.encoding.segment.pack(c.PT_LOAD, 6, 0x3000, 0x9000, 0x9000, 64, 64, 0x1000)
    raw = raw[:at] + extra + raw[at + len(extra) :] + b"data" * 16
    after = stripped(raw)
    unharmed(raw, after)
    moved = read_layout(BytesSource(after)).segments[number]
    assert moved.offset == 0x2000
    assert after[0x2000:0x2040] == b"data" * 16
    assert len(after) == 0x2040, "names and headers are in the room before it"


def test_lld_has_a_relro_segment_larger_than_its_content() -> None:
    raw = bytearray(REAL)
    layout = read_layout(BytesSource(REAL))
    number = next(n for n, s in enumerate(layout.segments) if s.type == c.PT_GNU_RELRO)
    at = layout.header.phoff + number * layout.encoding.segment.size
    struct.pack_into("<Q", raw, at + 32, len(raw) - layout.segments[number].offset)
    assert len(stripped(bytes(raw))) == len(stripped(REAL))


def test_a_segment_without_content_keeps_its_page() -> None:
    raw = bytearray(REAL)
    layout = read_layout(BytesSource(REAL))
    number = next(n for n, s in enumerate(layout.segments) if s.type == c.PT_GNU_STACK)
    at = layout.header.phoff + number * layout.encoding.segment.size
    row = (c.PT_LOAD, 6, 0x2010, 0x9010, 0x9010, 0, 64, 0x1000)
    layout.encoding.segment.pack_into(raw, at, *row)
    after = stripped(bytes(raw))
    assert read_layout(BytesSource(after)).segments[number].offset % 0x1000 == 0x10
    assert len(after) > read_layout(BytesSource(after)).segments[number].offset & -0x1000


# What is refused


@dataclass(frozen=True)
class Refused:
    name: str
    change: Callable[[bytes], bytes]
    message: str


def _overlay(raw: bytes) -> bytes:
    return raw + b"PK\x03\x04 a self-extracting archive"


def _between(raw: bytes) -> bytes:
    rows, names = rows_of(raw)
    return with_rows(raw + b"hidden", rows, names)


def _debug_only(raw: bytes) -> bytes:
    rows, names = rows_of(raw)
    hollow = [
        row._replace(type=t.SHT_NOBITS) if row.allocated and row.type != t.SHT_NOTE else row
        for row in rows
    ]
    return with_rows(raw, hollow, names)


def _header(field: int, value: int) -> Callable[[bytes], bytes]:
    """Another value for a field of the ELF header: 6 e_shoff, 11 e_shentsize, ..."""

    def change(raw: bytes) -> bytes:
        encoding = read_layout(BytesSource(raw)).encoding
        fields = list(encoding.header.unpack_from(raw))
        fields[field] = value
        return encoding.header.pack(*fields) + raw[encoding.header.size :]

    return change


def _far(number: int, kind: int) -> Callable[[bytes], bytes]:
    """A section header of another type, whose content is where no file has any."""

    def change(raw: bytes) -> bytes:
        table = table_of(raw)
        row = t.row_of(read_layout(BytesSource(raw)).encoding)
        at = table.start + number % len(table.sections) * row.size
        name, _, flags, address, _, _, *rest = row.unpack_from(raw, at)
        broken = row.pack(name, kind, flags, address, 1 << 63, 99, *rest)
        return raw[:at] + broken + raw[at + row.size :]

    return change


REFUSED = [
    Refused("names by an inactive header", _far(-1, t.SHT_NULL), "names of its sections cannot"),
    Refused("the reserved header has content", _far(0, t.SHT_STRTAB), "lies outside the file"),
    Refused("data behind it", _overlay, "are in none of its sections"),
    Refused("data between", _between, "are in none of its sections"),
    Refused("debug file", _debug_only, "of another file"),
    Refused("object file", _header(1, c.ET_REL), "an object file"),
    Refused("headers outside", _header(6, 1 << 40), "section headers are broken"),
    Refused("headers at the last address", _header(6, 2**64 - 1), "section headers are broken"),
    Refused("headers of another size", _header(11, 40), "section headers are broken"),
    Refused("more headers than file", _header(12, 0xFE00), "section headers are broken"),
    Refused("no header", _header(12, 0), "more than 65,279 sections"),
    Refused("no names", _header(13, 0), "section headers are broken"),
    Refused("names by a section that is not there", _header(13, 99), "headers are broken"),
    Refused("names in section 0", _header(13, 0xFFFF), "more than 65,279 sections"),
    Refused("cut in its section headers", lambda raw: raw[:-1], "section headers are broken"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: Refused) -> None:
    with pytest.raises(ElfFault, match=case.message):
        edited(case.change(REAL))


def test_data_behind_a_stripped_program_is_nothing_to_speak_of() -> None:
    assert edited((FIXTURES / "x86_64/hello").read_bytes() + b"an archive") is None


def test_zeros_behind_it_are_no_data() -> None:
    assert stripped(REAL + bytes(5000)) == stripped(REAL)


def harmless(raw: bytes) -> None:
    """Refused, left, or edited without harm, whatever is wrong with it."""
    try:
        after = edited(raw)
    except ElfFault as e:
        assert e.message
        return
    if after is not None:
        unharmed(raw, after)


VALUES = (0, 1, 2, 3, 0x40, 0xFF00, 0xFFFF, 0x7FFFFFFF, 2**31, 2**32 - 1, 2**63, 2**64 - 1)


@pytest.mark.parametrize("machine", ["x86_64", "mips", "s390x", "armhf"])
def test_any_value_in_any_section_header(machine: str) -> None:
    raw = (FIXTURES / machine / "debug").read_bytes()
    layout, table = read_layout(BytesSource(raw)), table_of(raw)
    row = t.row_of(layout.encoding)
    limit = 1 << layout.encoding.bits
    for number in range(len(table.sections)):
        at = table.start + number * row.size
        fields = list(row.unpack_from(raw, at))
        for field in range(10):
            wide = layout.encoding.bits == 64 and field in (2, 3, 4, 5, 8, 9)
            for value in VALUES:
                changed = [*fields[:field], value % (limit if wide else 1 << 32)]
                broken = row.pack(*changed, *fields[field + 1 :])
                harmless(raw[:at] + broken + raw[at + row.size :])


def test_cut_anywhere() -> None:
    for size in range(0, len(REAL), 13):
        harmless(REAL[:size])


def test_any_byte_of_the_headers_changed() -> None:
    layout = read_layout(BytesSource(REAL))
    end = layout.header.phoff + layout.header.phnum * layout.header.phentsize
    for offset in range(end):
        for byte in (0, 0x7F, 0xFF):
            harmless(REAL[:offset] + bytes((byte,)) + REAL[offset + 1 :])


def test_sections_that_overlap() -> None:
    rows, names = rows_of(REAL)
    wide = [
        row._replace(offset=0, size=len(REAL)) if n % 5 == 0 else row for n, row in enumerate(rows)
    ]
    harmless(with_rows(REAL, wide, names))


def test_very_many_names() -> None:
    """Long names, many times over, are not read over and over."""
    rows, names = rows_of(REAL)
    many = [*rows, *[Section(b"x" * 50_000, 1, 0, 0, 0, 0, 0, 0, 1, 0)] * 60_000]
    with pytest.raises(ElfFault, match="names of its sections"):
        edited(with_rows(REAL, many, names))


# The string table

NAMES = [
    ([], b"\0", {}),
    ([b".text", b".rela.text"], b"\0.rela.text\0", {b".text": 6, b".rela.text": 1}),
    ([b"a", b"ba", b"ca", b"a"], b"\0ca\0ba\0", {b"ca": 1, b"ba": 4, b"a": 5}),
    ([b"", b"x"], b"\0x\0", {b"": 0, b"x": 1}),
    ([b"\xff", b"a\xff"], b"\0a\xff\0", {b"\xff": 2}),
]


@pytest.mark.parametrize(("names", "table", "offsets"), NAMES)
def test_dump_names(names: list[bytes], table: bytes, offsets: dict[bytes, int]) -> None:
    made, found = dump_names(names)
    assert made == table
    assert found.items() >= offsets.items()
    assert all(made[found[n] :].startswith(n + b"\0") for n in names)
