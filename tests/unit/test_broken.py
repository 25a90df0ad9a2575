"""Broken files, each made from a good one: a message, never another exception."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from elfpack.blob import BytesSource, Source
from elfpack.elf import constants as c
from elfpack.elf.debugfile import is_debug_file
from elfpack.elf.file import ElfFile, Malformed
from elfpack.elf.layout import ElfFault, read_layout
from elfpack.elf.notes import read_notes
from elfpack.elf.reader import read
from elfpack.elf.sections import defined_functions
from elfpack.elf.symbols import read_symbols
from elfpack.elf.versions import Compared, read_compared, read_versions
from tests.elfbuild import elf

INTERPRETER = "/lib64/ld-linux-x86-64.so.2"


def good(bits: int = 64, little: bool = True, table: str = "gnu") -> bytes:
    return elf(
        bits=bits,
        little=little,
        machine=c.EM_X86_64 if bits == 64 else c.EM_386,
        interpreter=INTERPRETER,
        needed=["libc.so.6", "libm.so.6"],
        soname="libx.so",
        runpath="/r",
        imports=["puts@V1", "sin@V2"],
        exports=["mine@@S1"],
        needs={"libc.so.6": ["V1"], "libm.so.6": ["V2"]},
        defines=["S1"],
        notes=[("GNU", 1, bytes(16))],
        functions=["main"],
        hash=table,
    )


class Strict(BytesSource):
    """Refuses what a file's pread() refuses, and what would take more memory than the file has."""

    least = 1 << 16
    """Bytes that may be asked for whatever the file has."""

    def pread(self, size: int, offset: int) -> bytes:
        assert 0 <= offset < 2**63
        assert 0 <= size <= max(self.size, self.least)
        return super().pread(size, offset)


def _compared(source: Source) -> Compared:
    return read_compared(source, read_layout(source))


def read_everything(raw: bytes) -> ElfFile | Malformed:
    """All readers over one file: only ElfFault may leave them."""
    source = Strict(raw)
    for reader in (read_symbols, read_versions, _compared, read_notes):
        try:
            reader(source)
        except ElfFault as e:
            assert e.message
    found = read(source)
    if isinstance(found, Malformed):
        assert found.message
        assert found.head == raw[:64]
    return found


@dataclass(frozen=True)
class Fault:
    name: str
    change: Callable[[bytes], bytes]
    message: str


def at(offset: int, layout: str, *values: int) -> Callable[[bytes], bytes]:
    """A change of fields at an offset."""

    def change(raw: bytes) -> bytes:
        new = struct.pack(layout, *values)
        return raw[:offset] + new + raw[offset + len(new) :]

    return change


def tag(number: int, value: int) -> Callable[[bytes], bytes]:
    """Another value for a dynamic tag of a 64-bit little-endian file."""

    def change(raw: bytes) -> bytes:
        offset = raw.index(struct.pack("<Q", number), _dynamic(raw))
        return at(offset + 8, "<Q", value)(raw)

    return change


def _dynamic(raw: bytes) -> int:
    return _segment(raw, c.PT_DYNAMIC)[2]


def _segment(raw: bytes, kind: int) -> tuple[int, ...]:
    for number in range(raw[56]):
        fields = struct.unpack_from("<IIQQQQQQ", raw, 64 + 56 * number)
        if fields[0] == kind:
            return fields
    raise AssertionError(kind)


def segment(kind: int, field: int, value: int) -> Callable[[bytes], bytes]:
    """Another value for a field of a program header: 2 offset, 3 address, 5 size in the file."""

    def change(raw: bytes) -> bytes:
        for number in range(raw[56]):
            start = 64 + 56 * number
            if struct.unpack_from("<I", raw, start)[0] == kind:
                return at(start + 8 * (field - 1), "<Q", value)(raw)
        raise AssertionError(kind)

    return change


def unterminated(raw: bytes) -> bytes:
    return raw.replace(INTERPRETER.encode() + b"\0", INTERPRETER.encode() + b"x")


FAULTS = [
    Fault("empty", lambda raw: b"", "empty file"),
    Fault("text", lambda raw: b"#include <stdio.h>\n" * 9, "a text file"),
    Fault("other data", lambda raw: bytes(range(200)), "not an ELF file"),
    Fault("an archive", lambda raw: b"!<arch>\n" + raw, "static library"),
    Fault("a PE file", lambda raw: b"MZ" + raw, "Windows"),
    Fault("class 0", at(4, "B", 0), "unknown class"),
    Fault("class 3", at(4, "B", 3), "unknown class"),
    Fault("byte order 0", at(5, "B", 0), "unknown class or byte order"),
    Fault("the other class", at(4, "B", 1), ""),
    Fault("the other byte order", at(5, "B", 2), ""),
    Fault("phentsize of the other class", at(54, "<H", 32), "program headers of 32 bytes"),
    Fault("phentsize 0", at(54, "<H", 0), "program headers of 0 bytes"),
    Fault("program headers outside the file", at(32, "<Q", 1 << 40), "program headers end at"),
    Fault("program headers at the last address", at(32, "<Q", 2**64 - 1), "program headers end"),
    Fault("more program headers than the file", at(56, "<H", 0xFFFE), "program headers end at"),
    Fault("PN_XNUM", at(56, "<H", 0xFFFF), "more than 65,534 program headers"),
    Fault("a name outside the string table", tag(c.DT_SONAME, 1 << 40), "outside its string table"),
    Fault("a name over the table's end", tag(c.DT_STRSZ, 5), "a name that does not end"),
    Fault("no string table", tag(c.DT_STRTAB, 1 << 50), "without a dynamic string table"),
    Fault("dynamic section outside the file", segment(c.PT_DYNAMIC, 3, 1 << 40), ""),
    Fault("interpreter that does not end", unterminated, "does not end (PT_INTERP)"),
    Fault("interpreter without a name", segment(c.PT_INTERP, 5, 1), "name of 1 bytes"),
    Fault("endless interpreter", segment(c.PT_INTERP, 5, 2**64 - 1), "interpreter name of"),
    Fault("interpreter outside the file", segment(c.PT_INTERP, 2, 1 << 40), "cut short"),
    Fault("interpreter beyond any file", segment(c.PT_INTERP, 2, 2**64 - 9), "cut short"),
    Fault("nothing loaded", segment(c.PT_LOAD, 5, 0), "without a dynamic string table"),
    Fault("a segment at the last address", segment(c.PT_LOAD, 3, 2**64 - 1), "string table"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault(fault: Fault) -> None:
    raw = fault.change(good())
    found = read_everything(raw)
    defined_functions(Strict(raw))
    if fault.message:
        assert isinstance(found, Malformed), found
        assert fault.message in found.message


@pytest.mark.parametrize("offset", [2**63 - 8, 2**63, 2**64 - 8])
@pytest.mark.parametrize("kind", [c.PT_LOAD, c.PT_DYNAMIC, c.PT_INTERP, c.PT_NOTE])
def test_segment_at_an_offset_that_no_file_has(kind: int, offset: int) -> None:
    read_everything(segment(kind, 2, offset)(good()))


TABLES = [
    *(c.DT_SYMTAB, c.DT_GNU_HASH, c.DT_VERSYM, c.DT_VERNEED, c.DT_VERDEF, c.DT_VERNEEDNUM),
    *(c.DT_VERDEFNUM, c.DT_STRSZ, c.DT_STRTAB, c.DT_SONAME, c.DT_NEEDED, c.DT_RUNPATH),
]


@pytest.mark.parametrize("offset", [1 << 40, 2**63 - 8, 2**63, 2**64 - 8])
@pytest.mark.parametrize("number", TABLES)
def test_a_table_in_a_segment_at_an_offset_that_no_file_has(number: int, offset: int) -> None:
    away, raw = 1 << 50, good()
    for field, value in ((2, offset), (3, away), (5, 0x1000)):
        raw = segment(c.PT_NOTE, field, value)(raw)
    headers = range(64, 64 + 56 * raw[56], 56)
    start = next(n for n in headers if struct.unpack_from("<I", raw, n)[0] == c.PT_NOTE)
    read_everything(tag(number, away + 16)(at(start, "<I", c.PT_LOAD)(raw)))


@pytest.mark.parametrize("value", [0, 1, 8, 300, 0x7FFFFFFF, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("number", TABLES)
def test_any_value_of_any_tag(number: int, value: int) -> None:
    read_everything(tag(number, value)(good()))


@pytest.mark.parametrize("table", ["gnu", "sysv", "none"])
@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize("bits", [32, 64])
def test_cut_at_every_byte(bits: int, little: bool, table: str) -> None:
    raw = good(bits, little, table)
    for size in range(len(raw)):
        read_everything(raw[:size])


def test_cut_inside_the_headers_is_said() -> None:
    raw = good()
    for size in (*range(6, 64), 64, 65, 64 + 56, 64 + 4 * 56 - 1):
        found = read(BytesSource(raw[:size]))
        assert isinstance(found, Malformed)
        assert "cut short" in found.message


@pytest.mark.parametrize("byte", [0x00, 0x01, 0x80, 0xFF])
def test_any_byte_changed(byte: int) -> None:
    raw = good(table="sysv" if byte & 1 else "gnu")
    for offset in range(len(raw)):
        read_everything(raw[:offset] + bytes((byte,)) + raw[offset + 1 :])


@pytest.mark.parametrize("step", [1, 16, 2**32 - 16])
@pytest.mark.parametrize("field", [8, 12])
def test_version_table_that_loops(step: int, field: int) -> None:
    """A next field that leads back or nowhere, with a count that would never end."""
    raw = good()
    start = _blob(raw, c.DT_VERNEED)
    broken = tag(c.DT_VERNEEDNUM, 2**63)(at(start + field, "<I", step)(raw))
    read_everything(broken)
    entries = at(start + 2, "<H", 0xFFFF)(at(start + 16 + 12, "<I", step)(raw))
    read_everything(entries)


def _blob(raw: bytes, number: int) -> int:
    offset = raw.index(struct.pack("<Q", number), _dynamic(raw))
    value: int = struct.unpack_from("<Q", raw, offset + 8)[0]
    return value


def test_header_of_a_broken_file_is_kept() -> None:
    """Loaders judge by the header before they look further."""
    found = read(BytesSource(tag(c.DT_SONAME, 1 << 40)(good())))
    assert isinstance(found, Malformed)
    assert found.header is not None
    assert found.header.machine == c.EM_X86_64


def test_section_headers_may_lie() -> None:
    raw = at(40, "<Q", 2**64 - 1)(at(58, "<HHH", 1, 0xFFFF, 0xFFFF)(good()))
    assert isinstance(read_everything(raw), ElfFile)
    assert defined_functions(Strict(raw)) == frozenset()
    assert not is_debug_file(Strict(at(60, "<H", 0xFFFF)(good())))
