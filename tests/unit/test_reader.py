"""The reader on good files: every class, byte order and kind."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from elfpack.blob import BytesSource
from elfpack.elf import constants as c
from elfpack.elf import layout as layout_module
from elfpack.elf.file import ElfFile, Filter
from elfpack.elf.layout import read_layout
from elfpack.elf.notes import Note, read_notes
from elfpack.elf.reader import read
from elfpack.elf.sections import defined_functions
from tests.elfbuild import elf
from tests.worlds import elf_of

MACHINES = [
    (c.EM_X86_64, 64, True, "x86_64"),
    (c.EM_X86_64, 32, True, "x86_64"),
    (c.EM_386, 32, True, "i686"),
    (c.EM_AARCH64, 64, True, "aarch64"),
    (c.EM_AARCH64, 64, False, "aarch64_be"),
    (c.EM_ARM, 32, True, "armv7l"),
    (c.EM_ARM, 32, False, "armv7b"),
    (c.EM_PPC, 32, False, "ppc"),
    (c.EM_PPC64, 64, True, "ppc64le"),
    (c.EM_PPC64, 64, False, "ppc64"),
    (c.EM_S390, 64, False, "s390x"),
    (c.EM_S390, 32, False, "s390"),
    (c.EM_MIPS, 32, False, "mips"),
    (c.EM_MIPS, 64, True, "mips64"),
    (c.EM_RISCV, 64, True, "riscv64"),
    (c.EM_LOONGARCH, 64, True, "loongarch64"),
    (0x1234, 64, True, "em4660"),
]


def file_of(raw: bytes) -> ElfFile:
    found = read(BytesSource(raw))
    assert isinstance(found, ElfFile), found
    return found


@pytest.mark.parametrize("sections", [True, False], ids=["sections", "no sections"])
@pytest.mark.parametrize(
    ("machine", "bits", "little", "name"), MACHINES, ids=lambda value: str(value)
)
def test_every_class_and_byte_order(
    machine: int, bits: int, little: bool, name: str, sections: bool
) -> None:
    found = file_of(
        elf(
            machine=machine,
            bits=bits,
            little=little,
            sections=sections,
            interpreter="/lib/ld.so",
            needed=["libb.so", "liba.so", "libb.so"],
            soname="libs.so",
            rpath="$ORIGIN",
            runpath="/r:",
            flags_1=c.DF_1_NODEFLIB,
            debug=True,
            e_flags=0x5000400,
        )
    )
    assert found.abi == (machine, bits, little, 0x5000400)
    assert found.header.machine_name == name
    assert found.interpreter == "/lib/ld.so"
    assert found.needed == ("libb.so", "liba.so", "libb.so")
    assert (found.soname, found.rpath, found.runpath) == ("libs.so", "$ORIGIN", "/r:")
    assert (found.flags_1, found.debug) == (c.DF_1_NODEFLIB, True)


@dataclass(frozen=True)
class Kind:
    name: str
    spec: str
    kind: str


KINDS = [
    Kind("position-dependent", "exec needs=libc.so.6", "executable"),
    Kind("position-dependent without libraries", "exec", "executable"),
    Kind("a PIE", "exe needs=libc.so.6", "pie"),
    Kind("a PIE of linkers before DF_1_PIE", "lib interp=/ld.so debug", "pie"),
    Kind("an old PIE without DT_DEBUG", "lib interp=/ld.so", "pie"),
    Kind("a library that is runnable", "lib interp=/ld.so soname=libc.so.6", "library"),
    Kind("a library with a soname and DT_DEBUG", "lib soname=libx.so debug", "library"),
    Kind("a plugin", "lib", "library"),
    Kind("a static program", "static", "static"),
    Kind("a static PIE", "static-pie", "static-pie"),
    Kind("an object file", "rel", "object"),
]


@pytest.mark.parametrize("case", KINDS, ids=lambda case: case.name)
def test_kind(case: Kind) -> None:
    spec = case.spec.replace(" debug", "")
    raw = elf_of(spec)
    if spec != case.spec:
        raw = elf(interpreter="/ld.so" if "interp" in spec else None, debug=True, **_soname(spec))
    assert file_of(raw).kind == case.kind


def _soname(spec: str) -> dict[str, str]:
    return {"soname": "libx.so"} if "soname" in spec else {}


def test_core_dump_is_an_object() -> None:
    assert file_of(elf(type=c.ET_CORE)).kind == "object"


def test_of_several_paths_the_last_counts() -> None:
    found = file_of(elf(runpath="/a", tags=[(c.DT_RUNPATH, "/b"), (c.DT_RPATH, "/c")], rpath="/d"))
    assert (found.runpath, found.rpath) == ("/b", "/c")


def test_filters_stand_where_they_are() -> None:
    tags = [(c.DT_AUXILIARY, "libaux.so"), (c.DT_FILTER, "libflt.so")]
    found = file_of(elf(needed=["liba.so"], tags=tags))
    assert found.filters == (Filter(1, "libaux.so", False), Filter(1, "libflt.so", True))


def test_audit() -> None:
    found = file_of(elf(tags=[(c.DT_AUDIT, "a.so:b.so"), (c.DT_DEPAUDIT, "c.so")]))
    assert found.audit == ("a.so:b.so", "c.so")


def test_names_that_are_not_utf8_come_through() -> None:
    name = b"lib\xff.so".decode("utf-8", "surrogateescape")
    assert file_of(elf(needed=[name], soname=name)).needed == (name,)


def test_string_table_larger_than_one_read() -> None:
    long = [f"lib{'x' * 300}{n}.so" for n in range(200)]
    assert file_of(elf(needed=long)).needed == tuple(long)


def test_no_dynamic_section() -> None:
    assert not file_of(elf(dynamic=False)).dynamic


@pytest.mark.parametrize("bits", [32, 64])
def test_notes(bits: int) -> None:
    notes = [("GNU", 1, b"abcdef"), ("", 7, b""), ("FDO", 0x407C0C0A, b"[]\0")]
    raw = elf(bits=bits, notes=notes)
    assert read_notes(BytesSource(raw)) == tuple(Note(*note) for note in notes)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x1000, 24])
def test_note_beyond_its_segment_ends_the_notes(size: int) -> None:
    raw = elf(notes=[("GNU", 1, b"abcd"), ("GNU", 3, b"efgh")])
    at = raw.index(b"GNU\0efgh") - 12
    broken = raw[: at + 4] + size.to_bytes(4, "little") + raw[at + 8 :]
    assert [note.type for note in read_notes(BytesSource(broken))] == [1]


def test_note_segment_beyond_the_file() -> None:
    raw = elf(notes=[("GNU", 1, b"abcd")], dynamic=False, sections=False)
    assert read_notes(BytesSource(raw[: raw.index(b"abcd") + 3])) == ()


def test_functions_of_a_static_program() -> None:
    raw = elf(type=c.ET_EXEC, functions=["main", "getaddrinfo"])
    assert {"main", "getaddrinfo"} <= defined_functions(BytesSource(raw))


@pytest.mark.parametrize("little", [True, False], ids=["little", "big"])
@pytest.mark.parametrize("bits", [64, 32])
def test_a_function_named_as_the_end_of_another(bits: int, little: bool) -> None:
    """Linkers keep its name only inside the longer one; what is undefined is not carried."""
    raw = elf(functions=["__getpwuid_r", "undefined"], bits=bits, little=little)
    order = "<" if little else ">"
    layout, place = ("IBBHQQ", 3) if bits == 64 else ("IIIBBH", 5)
    first, second = ([1, 0x12, 0, 1, 0, 0] if bits == 64 else [1, 0, 0, 0x12, 0, 1] for _ in "12")
    second[0] = 1 + len("__getpwuid_r") + 1
    for row, index, value in ((first, 0, 3), (second, place, 0)):
        old = struct.pack(order + layout, *row)
        row[index] = value
        assert raw.count(old) == 1
        raw = raw.replace(old, struct.pack(order + layout, *row))
    assert defined_functions(BytesSource(raw)) == {"getpwuid_r"}


@pytest.mark.parametrize("spec", ["static", "static nosections"])
def test_functions_of_a_stripped_program(spec: str) -> None:
    assert defined_functions(BytesSource(elf_of(spec))) == frozenset()


def _dynamic_of(count: int) -> bytes:
    """A file whose dynamic section is one of so many entries, and none of them DT_NULL."""
    ident = b"\x7fELF\2\1\1" + bytes(9)
    head = struct.pack("<16sHHIQQQIHHHHHH", ident, 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    start, size = 64 + 56, 16 * count
    segment = struct.pack("<IIQQQQQQ", c.PT_DYNAMIC, 4, start, 0x1000, 0, size, size, 8)
    entries = struct.pack("<QQ", c.DT_DEBUG, 0) * count
    return head + segment + entries


def test_nothing_behind_the_end_of_a_dynamic_section_is_read() -> None:
    raw = bytearray(_dynamic_of(1 << 17))
    end = 64 + 56 + 16 * 5000
    raw[end : end + 16] = bytes(16)
    read_bytes = 0

    class Counted(BytesSource):
        def pread(self, size: int, offset: int) -> bytes:
            nonlocal read_bytes
            found = super().pread(size, offset)
            read_bytes += len(found)
            return found

    layout = read_layout(Counted(bytes(raw)))
    assert layout.dynamic is not None
    assert layout.dynamic.tags == (c.DT_DEBUG,) * 5000
    assert read_bytes < len(raw) // 10


def test_a_long_dynamic_section_without_an_end() -> None:
    layout = read_layout(BytesSource(_dynamic_of(10_000)))
    assert layout.dynamic is not None
    assert layout.dynamic.tags == (c.DT_DEBUG,) * 10_000
    assert len(layout.dynamic.values) == 10_000


@pytest.mark.parametrize("bits", [32, 64])
def test_many_program_headers_leave_no_layout_behind(bits: int) -> None:
    raw = bytearray(elf(bits=bits, interpreter="/lib/ld.so", needed=["liba.so"]))
    at, place, size = (32, 56, 56) if bits == 64 else (28, 44, 32)
    (start,) = struct.unpack_from("<Q" if bits == 64 else "<I", raw, at)
    (count,) = struct.unpack_from("<H", raw, place)
    headers = bytes(raw[start : start + count * size])
    struct.pack_into("<Q" if bits == 64 else "<I", raw, at, len(raw))
    struct.pack_into("<H", raw, place, 65_534)
    unused = struct.pack("<I", 0x6474E551) + bytes(size - 4)
    raw += headers + unused * (65_534 - count)
    kept = layout_module._struct.cache_info().misses
    found = file_of(bytes(raw))
    assert found.needed == ("liba.so",) and found.interpreter == "/lib/ld.so"
    assert layout_module._struct.cache_info().misses <= kept + 1  # the dynamic section's
