"""What Go programs tell of themselves, on bytes made as Go's linker lays them out."""

from __future__ import annotations

import random
import struct

import pytest

from elfpack.blob import BytesSource
from elfpack.elf import constants as c
from elfpack.elf.golang import GoProgram, Names, read_go
from elfpack.elf.layout import ElfFault
from tests.elfbuild import elf
from tests.gobuild import (
    GO_1_2,
    GO_1_18,
    GO_1_20,
    INFORMATION,
    MAGICS,
    NAMES,
    NOTE,
    SETTINGS,
    TEXT,
    go,
    inline,
    pclntab,
    pointed,
    program,
)
from tests.unit.test_broken import Strict


@pytest.mark.parametrize("sections", [True, False], ids=["sections", "no sections"])
@pytest.mark.parametrize("little", [True, False], ids=["little", "big"])
@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("version", MAGICS)
def test_every_layout(version: str, bits: int, little: bool, sections: bool) -> None:
    raw = go(version, bits, little, sections=sections, machine=c.EM_MIPS)
    assert read_go(BytesSource(raw)) == GoProgram(version, SETTINGS, Names(sorted(NAMES)))


def test_position_independent() -> None:
    found = read_go(BytesSource(go("go1.19.8", type=c.ET_DYN)))
    assert found == GoProgram("go1.19.8", SETTINGS, Names(sorted(NAMES)))


def test_relocated_build_information_tells_no_version() -> None:
    raw = program(pointed("go1.17", TEXT, 64, True, 1 << 40) + bytes(32))
    assert read_go(BytesSource(raw)) == GoProgram("", (), Names())


def test_another_program() -> None:
    assert read_go(BytesSource(elf(content=b"\xff Go build inf:"))) is None
    assert read_go(BytesSource(program(pclntab(GO_1_20, NAMES)))) is None


def test_build_information_that_does_not_begin_where_it_must() -> None:
    assert read_go(BytesSource(program(b"12345678" + inline("go1.20", "")))) is None


def test_behind_a_megabyte_of_data() -> None:
    for size in (1 << 20, (1 << 20) - 16, (1 << 20) + 16, 3 << 20):
        found = read_go(BytesSource(program(bytes(size) + inline("go1.20", TEXT))))
        assert found == GoProgram("go1.20", SETTINGS, Names()), size


def test_a_note_alone() -> None:
    raw = program(pclntab(GO_1_2, NAMES), notes=[NOTE])
    assert read_go(BytesSource(raw)) == GoProgram("", (), Names(sorted(NAMES)))
    assert read_go(BytesSource(elf(notes=[("GNU", 4, b"id")]))) is None


def test_packages_of_hosts_are_left_out() -> None:
    names = (
        *("github.com/a/b.F", "go.uber.org/zap.(*Logger).Info", "type:.eq.example.org/x.T"),
        *("os/user.Current", "vendor/golang.org/x/net/http2.F", "crosscall2", ""),
    )
    for magic in MAGICS.values():
        raw = program(pclntab(magic, names), notes=[NOTE])
        found = read_go(BytesSource(raw))
        assert found is not None
        assert set(found.functions) == {
            *("os/user.Current", "vendor/golang.org/x/net/http2.F", "crosscall2"),
        }


def test_whether_c_is_in_it() -> None:
    assert GoProgram("", (), Names(("main.main",))).is_pure
    assert not GoProgram("", (), Names(sorted({"main.main", "crosscall2"}))).is_pure
    assert not GoProgram("", (), Names()).is_pure


def test_what_looks_like_the_table_before_it() -> None:
    false = struct.pack("<IBBBB", GO_1_18, 0, 0, 1, 8)
    for before in (false, false + bytes(64), false + b"\xff" * 64, false * 500):
        block = before + bytes(-len(before) % 32)
        raw = program(block + pclntab(GO_1_18, NAMES), notes=[NOTE])
        assert read_go(BytesSource(raw)) == GoProgram("", (), Names(sorted(NAMES)))


def test_a_name_longer_than_any() -> None:
    names = ("main.first", "main." + "x" * 5000, "main.last")
    for magic in MAGICS.values():
        raw = program(pclntab(magic, names), notes=[NOTE])
        found = read_go(BytesSource(raw))
        assert found is not None
        assert {"main.first", "main.last"} <= set(found.functions)


def test_names_over_the_border_of_a_piece() -> None:
    names = [f"main.f{number:06}" for number in range(150_000)]
    raw = program(pclntab(GO_1_20, names), notes=[NOTE])
    found = read_go(BytesSource(raw))
    assert found is not None
    assert found.functions == Names(sorted(names))


# Hostile files


def _read(raw: bytes) -> GoProgram | None:
    """Only ElfFault may leave it, and no more is read than there is."""
    try:
        return read_go(Strict(raw))
    except ElfFault:
        return None


@pytest.mark.parametrize("version", MAGICS)
def test_cut_short(version: str) -> None:
    raw = go(version, sections=False)
    for size in range(len(raw)):
        _read(raw[:size])


@pytest.mark.parametrize("version", MAGICS)
def test_changed_bytes(version: str) -> None:
    raw = go(version, sections=False)
    dice = random.Random(version)
    for _ in range(2000):
        changed = bytearray(raw)
        for _ in range(dice.randrange(1, 6)):
            changed[dice.randrange(len(raw))] = dice.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF))
        _read(bytes(changed))


@pytest.mark.parametrize("version", MAGICS)
def test_numbers_that_lie(version: str) -> None:
    raw = go(version, sections=False)
    at = raw.index(struct.pack("<IBBBB", MAGICS[version], 0, 0, 1, 8)) + 8
    for word in range(8):
        for value in (0, 1, 7, len(raw), 1 << 31, 1 << 32, (1 << 63) - 1, (1 << 64) - 1):
            changed = bytearray(raw)
            struct.pack_into("<Q", changed, at + 8 * word, value)
            _read(bytes(changed))


def test_nothing_but_magics() -> None:
    """The search for the table ends."""
    for magic in MAGICS.values():
        head = struct.pack("<IBBBB", magic, 0, 0, 1, 8)
        raw = program(head * (1 << 18), notes=[NOTE])
        found = _read(raw)
        assert found is not None
        assert not found.functions


def test_functions_that_share_one_name_or_parts_of_it() -> None:
    """Names take no more room than there is in the file."""
    count = 50_000
    order = struct.pack("<IBBBBQ", GO_1_2, 0, 0, 1, 8, count)
    first = len(order) + 16 * count
    index = b"".join(struct.pack("<QQ", 0, first + 12 * n) for n in range(count))
    name = first + 12 * count
    records = b"".join(struct.pack("<QI", 0, name + n % 4000) for n in range(count))
    raw = program(order + index + records + b"n" * 4000 + b"\0", notes=[NOTE])
    found = _read(raw)
    assert found is not None
    assert 1 < sum(map(len, found.functions)) < len(raw)


def test_a_block_of_nothing() -> None:
    names = [""] * (1 << 20)
    raw = program(pclntab(GO_1_20, names), notes=[NOTE])
    assert _read(raw) == GoProgram("", (), Names())


@pytest.mark.parametrize(
    "tail", [b"", b"\xff" * 9, b"\xff" * 40, b"\x80" * 10 + b"\1", b"\x7f" + b"g" * 20]
)
def test_strings_that_do_not_end(tail: bytes) -> None:
    head = (INFORMATION + bytes((8, 2))).ljust(32, b"\0")
    found = _read(program(head + tail, sections=False))
    assert found is not None
    assert not found.settings
