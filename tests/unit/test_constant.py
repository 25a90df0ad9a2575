"""Strings that are compiled into a file."""

from __future__ import annotations

import random
import re
import struct

import pytest

from elfpack.blob import from_bytes
from elfpack.elf.constant import (
    LONGEST,
    MOST,
    constants,
    constants_and_paths,
    has,
    paths,
)
from elfpack.elf.layout import ElfFault
from tests.elfbuild import elf

NAME = re.compile(rb"\0(/[a-z]+)(?=\0)")
END = re.compile(rb"\.so(?=\0)")
PIECE = 1 << 18


def found(raw: bytes, pattern: re.Pattern[bytes] = NAME, *, whole: bool = False) -> list[bytes]:
    return list(constants(from_bytes(raw, "x").open(), pattern, whole=whole))


def segments(*parts: tuple[int, bytes]) -> bytes:
    """A file of nothing but segments with these flags and contents."""
    head = elf(dynamic=False)[:64]
    start = 64 + 56 * len(parts)
    table, body = b"", b""
    for flags, content in parts:
        at = start + len(body)
        table += struct.pack("<IIQQQQQQ", 1, flags, at, at, at, len(content), len(content), 1)
        body += content
    fields = bytearray(head)
    fields[32:40] = struct.pack("<Q", 64)
    fields[56:58] = struct.pack("<H", len(parts))
    return bytes(fields) + table + body


R, RX, RW, RWX = 4, 5, 6, 7


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ([(R, b"\0/a\0/b\0x/c\0")], ["/a", "/b"]),
        ([(R, b"\0/a\0/a\0/a\0")], ["/a"]),
        ([(RX, b"\0/code\0"), (R, b"\0/data\0"), (RW, b"\0/written\0")], ["/data"]),
        ([(RX, b"\0/both\0"), (RW, b"\0/written\0")], ["/both"]),
        ([(RWX, b"\0/all\0")], ["/all"]),
        ([(R, b"\0/a"), (R, b"bc\0")], []),
        ([(R, b"")], []),
        ([], []),
    ],
)
def test_segments(parts: list[tuple[int, bytes]], names: list[str]) -> None:
    assert [name.decode() for name in found(segments(*parts))] == names


@pytest.mark.parametrize("at", [0, 1, PIECE - 5, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE - 2])
def test_where_a_piece_ends(at: int) -> None:
    raw = segments((R, b"\1" * at + b"\0/name\0" + b"\1" * PIECE + b"\0/other\0"))
    assert found(raw) == [b"/name", b"/other"]
    raw = segments((R, b"\1" * at + b"\0libx.so\0" + b"\1" * 10))
    assert found(raw, END, whole=True) == [b"libx.so"]


def test_whole_strings() -> None:
    raw = segments((R, b"\0one.so\0two.so and more.so\0.so\0"))
    assert found(raw, END, whole=True) == [b"one.so", b"two.so and more.so", b".so"]


def test_a_string_that_never_ends() -> None:
    raw = segments((R, b"x" * (3 * LONGEST) + b".so\0good.so\0"))
    assert found(raw, END, whole=True) == [b"good.so"]
    raw = segments((R, b"first.so\0" + b"x" * LONGEST + b".so\0"))
    assert found(raw, END, whole=True) == [b"first.so"]


def test_at_most_a_thousand() -> None:
    raw = segments((R, b"\0" + b"".join(b"n%d.so\0" % n for n in range(MOST + 50))))
    assert len(found(raw, END, whole=True)) == MOST


def test_segments_that_overlap_or_lie_outside() -> None:
    raw = bytearray(segments((R, b"\0/a\0"), (R, b"\0/b\0"), (R, b"\0/c\0")))
    for number, (offset, size) in enumerate([(0, 2**62), (10, 2**63 - 1), (2**64 - 8, 2**64 - 1)]):
        at = 64 + 56 * number
        raw[at + 8 : at + 16] = struct.pack("<Q", offset)
        raw[at + 32 : at + 40] = struct.pack("<Q", size)
    assert found(bytes(raw)) == [b"/a", b"/b", b"/c"]


def test_a_file_that_is_none() -> None:
    with pytest.raises(ElfFault):
        found(b"text")


ALONE = re.compile(rb"\0(/[!-9;-~]{3,1000})(?=\0)")
LISTED = re.compile(rb"[\0:\"](/[!-9;-~]{3,1000}?)(?=[\0:\"])")


def test_first_match_is_enough() -> None:
    raw = segments((R, b"\0/a\0/b\0"))
    assert constants(from_bytes(raw, "x").open(), NAME, most=1) == (b"/a",)


@pytest.mark.parametrize("seed", range(200))
def test_paths_are_those_of_two_patterns(seed: int) -> None:
    """What is found from slash to slash in one go is what the patterns say."""
    dice = random.Random(seed)
    text = bytes(dice.choices(b'\0\0/:"ab\x80 ', [6, 6, 9, 2, 2, 9, 9, 1, 1], k=3000))
    found = paths(from_bytes(segments((R, text)), "x").open())
    assert found.alone == tuple(dict.fromkeys(ALONE.findall(text)))
    assert found.listed == tuple(dict.fromkeys(LISTED.findall(text)))


@pytest.mark.parametrize("at", [0, 1, PIECE - 9, PIECE - 2, PIECE - 1, PIECE, PIECE + 1])
def test_paths_where_a_piece_ends(at: int) -> None:
    text = b"\1" * at + b"\0/usr/lib\0/a/b:/c/d\0" + b"\1" * PIECE + b'"/e/f"'
    found = paths(from_bytes(segments((R, text)), "x").open())
    assert found.alone == (b"/usr/lib",)
    assert found.listed == (b"/usr/lib", b"/a/b", b"/c/d", b"/e/f")


def test_paths_of_two_segments_and_at_their_ends() -> None:
    found = paths(from_bytes(segments((R, b"/usr/lib\0/usr/x"), (R, b"/usr/y\0")), "x").open())
    assert found == ((), ())


def test_at_most_so_many_paths() -> None:
    text = b"\0" + b"".join(b"/usr/%d\0" % n for n in range(MOST + 50)) + b":/usr/x:"
    found = paths(from_bytes(segments((R, text)), "x").open())
    assert len(found.alone) == len(found.listed) == MOST


@pytest.mark.parametrize("many", [1, MOST + 3])
def test_both_in_one_reading(many: int) -> None:
    """Whichever of the two has enough first."""
    names = b"".join(b"\0lib%d.so" % number for number in range(many))
    listed = b"".join(b"\0/opt/%d" % number for number in range(many))
    for text in (names + b"\0/a/b:/c/d\0", listed + b"\0liba.so\0", b"\0/opt/lib.so\0"):
        source = from_bytes(segments((R, text)), "x").open()
        both = constants(source, END, whole=True), paths(source)
        assert constants_and_paths(source, END) == both


@pytest.mark.parametrize("at", [0, 1, PIECE - 3, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE - 4])
def test_a_text_is_found_wherever_a_pattern_is(at: int) -> None:
    content = bytearray(2 * PIECE)
    content[at : at + 4] = b"TEXT"
    for flags in (R, RW):
        source = from_bytes(segments((flags, bytes(content)), (R, b"")), "x").open()
        found = constants(source, re.compile(b"TEXT"))
        assert has(source, b"TEXT") == (found == (b"TEXT",))
        assert not has(source, b"TEXT\0more")
