"""ld.so.cache: the loader's comparison, its look-up in each layout, and what is written."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import pytest

from elfpack.formats.ldcache import Entry, LdCache, dump, rank

X86_64 = 0x0303


@pytest.mark.parametrize(
    ("p", "q", "sign"),
    [
        (b"liba.so.1", b"liba.so.1", 0),
        (b"liba.so.1", b"liba.so.2", -1),
        (b"liba.so.10", b"liba.so.9", 1),
        (b"liba.so.01", b"liba.so.1", 0),
        (b"liba.so.1", b"liba.so", 1),
        (b"liba.so", b"liba.so.1", -1),
        (b"lib1", b"liba", 1),
        (b"liba", b"lib1", -1),
        (b"lib", b"lib1", -1),
        (b"liba", b"libb", -1),
        (b"lib\xff", b"liba", -1),
        (b"lib4294967297", b"lib1", 0),
        (b"lib2147483648", b"lib1", -1),
        (b"lib9", b"lib\x7f", 1),
        (b"", b"", 0),
        (b"a", b"", 1),
        (b"", b"a", -1),
    ],
)
def test_order_of_names(p: bytes, q: bytes, sign: int) -> None:
    assert (rank(p) > rank(q)) - (rank(p) < rank(q)) == sign


def cache(raw: bytes, little: bool = True, bits: int = 64) -> LdCache:
    return LdCache(raw, little=little, bits=bits)


@pytest.mark.parametrize("little", [True, False])
def test_what_is_written_is_found(little: bool) -> None:
    names = [
        f"lib{stem}.so.{n}" for stem in ("a", "ab", "b", "z10", "z9", "\udcff") for n in range(12)
    ]
    raw = dump((Entry(name, f"/opt/{name}", X86_64) for name in names), little=little)
    for name in names:
        assert cache(raw, little).best(name, flags=(X86_64,)) == f"/opt/{name}"
    for name in ("liba.so", "liba.so.12", "", "zzz", "lib"):
        assert cache(raw, little).best(name, flags=(X86_64,)) is None
    assert cache(raw, not little).count == 0


def test_written_sorted_downwards_and_once() -> None:
    entries = [Entry("liba.so.1", "/a", X86_64), Entry("libb.so.9", "/b9", X86_64)]
    entries += [Entry("libb.so.10", "/b10", X86_64), entries[0]]
    raw = dump(entries, little=True)
    assert raw == dump(reversed(entries), little=True)
    keys = [struct.unpack_from("<I", raw, 48 + 24 * n + 4)[0] for n in range(3)]
    assert [raw[k : raw.index(b"\0", k)] for k in keys] == [
        b"libb.so.10",
        b"libb.so.9",
        b"liba.so.1",
    ]
    assert struct.unpack_from("<I", raw, 20) == (3,)
    assert raw[28] == 2


def test_an_empty_cache_is_taken() -> None:
    raw = dump([], little=True) + b"\0"
    assert cache(raw).best("liba.so", flags=(X86_64,)) is None


def test_leading_zeros_are_equal() -> None:
    raw = dump([Entry("libodd.so.01", "/x", X86_64)], little=True)
    assert cache(raw).best("libodd.so.1", flags=(X86_64,)) == "/x"


def test_entries_of_other_machines_are_passed_over() -> None:
    entries = [Entry("liba.so", f"/{flags:x}", flags) for flags in (0x0303, 0x0803, 0x0003, 0x0001)]
    raw = dump(entries, little=True)
    for wanted, path in [((0x0303,), "/303"), ((0x0803,), "/803"), ((0x0A03,), None)]:
        assert cache(raw).best("liba.so", flags=wanted) == path
    # i386 takes both, and the first in the file wins.
    assert cache(raw).best("liba.so", flags=(0x0003, 0x0001)) == "/3"


# Layouts that ldconfig writes and elfpack does not


@dataclass(frozen=True)
class Row:
    """An entry of a cache by its fields."""

    name: str
    path: str
    flags: int = X86_64
    hwcap: int = 0


def new(rows: list[Row], *, base: int = 0, endian: int = 2, hwcaps: tuple[str, ...] = ()) -> bytes:
    """The new format, its rows in the order given. ``base``: where it stands in the file."""
    start = 48 + 24 * len(rows)
    strings, table = bytearray(), b""
    for row in rows:
        key = start + len(strings)
        strings += row.name.encode() + b"\0"
        value = start + len(strings)
        strings += row.path.encode() + b"\0"
        table += struct.pack("<iIIIQ", row.flags, key, value, 0, row.hwcap)
    names = []
    for name in hwcaps:
        names.append(base + start + len(strings))
        strings += name.encode() + b"\0"
    strings += bytes(-(start + len(strings)) % 4)
    directory = base + start + len(strings) if hwcaps else 0
    head = struct.pack(
        "<20sIIB3xI12x", b"glibc-ld.so.cache1.1", len(rows), len(strings), endian, directory
    )
    extension = b""
    if hwcaps:
        extension = struct.pack("<IIIIII", 0xEAA42174, 1, 1, 0, directory + 24, 4 * len(names))
        extension += struct.pack(f"<{len(names)}I", *names)
    return head + table + bytes(strings) + extension


def old(rows: list[Row], *, align: int = 8, behind: bytes | None = None) -> bytes:
    """The old format; ``behind`` is the new one for a file that has both."""
    strings, table = bytearray(), b""
    for row in rows:
        key = len(strings)
        strings += row.name.encode() + b"\0"
        table += struct.pack("<iII", row.flags, key, len(strings))
        strings += row.path.encode() + b"\0"
    head = b"ld.so-1.7.0\0" + struct.pack("<I", len(rows)) + table
    if behind is None:
        return head + bytes(strings)
    return head + bytes(-len(head) % align) + behind


ROWS = [Row("libc.so", "/c"), Row("libb.so", "/b"), Row("liba.so", "/a")]


@pytest.mark.parametrize(
    ("raw", "bits"),
    [
        (new(ROWS), 64),
        (old(ROWS), 64),
        (old(ROWS), 32),
        (old(ROWS, align=8, behind=new(ROWS, base=56)), 64),
        (old(ROWS, align=4, behind=new(ROWS, base=52)), 32),
    ],
    ids=["new", "old", "old 32 bits", "both", "both 32 bits"],
)
def test_layouts(raw: bytes, bits: int) -> None:
    for row in ROWS:
        assert cache(raw, bits=bits).best(row.name, flags=(X86_64,)) == row.path
    assert cache(raw, bits=bits).best("libd.so", flags=(X86_64,)) is None


@pytest.mark.parametrize(
    ("byte", "taken"),
    [(0, True), (2, True), (6, True), (1, False), (3, False), (4, False), (5, False)],
)
def test_endian_byte(byte: int, taken: bool) -> None:
    """0 as a whole byte, or the right two bits; the other bits are for later."""
    assert (cache(new(ROWS, endian=byte)).count == 3) == taken


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"glibc-ld.so.cache1.1",
        new(ROWS)[:48],
        new(ROWS)[:100],
        b"ld.so-1.7.0\0" + struct.pack("<I", 2**32 - 1) + bytes(40),
        b"ld.so-1.7.0\0",
        b"glibc-ld.so.cache1.1" + b"\xff" * 200,
        bytes(500),
        b"text\n" * 40,
    ],
)
def test_a_corrupt_cache_answers_nothing(raw: bytes) -> None:
    assert cache(raw).best("libb.so", flags=(X86_64,)) is None


def test_any_byte_changed_never_raises() -> None:
    raw = new([*ROWS, Row("liba.so", "/a3", hwcap=1 << 62)], hwcaps=("x86-64-v3",))
    for offset in range(len(raw)):
        for byte in (0, 1, 0x80, 0xFF):
            broken = raw[:offset] + bytes((byte,)) + raw[offset + 1 :]
            cache(broken).best("liba.so", flags=(X86_64,), hwcaps=("x86-64-v3",), isa=15)


def test_bad_offset_ends_the_search() -> None:
    raw = bytearray(new(ROWS))
    raw[48 + 24 + 4 : 48 + 24 + 8] = b"\xff" * 4  # the key in the middle
    assert cache(bytes(raw)).best("liba.so", flags=(X86_64,)) is None


def test_a_table_that_is_not_sorted_is_searched_as_if_it_were() -> None:
    raw = new(ROWS[::-1])
    assert cache(raw).best("libb.so", flags=(X86_64,)) == "/b"
    assert cache(raw).best("liba.so", flags=(X86_64,)) is None


def test_of_equal_plain_entries_the_first_wins() -> None:
    raw = new([Row("liba.so", "/first"), Row("liba.so", "/second"), Row("liba.so", "/third")])
    assert cache(raw).best("liba.so", flags=(X86_64,)) == "/first"


def named(index: int, level: int = 0) -> int:
    return 1 << 62 | level << 32 | index


HWCAPS = ("x86-64-v2", "x86-64-v3")
VARIANTS = [
    Row("liba.so", "/v2/a", hwcap=named(0, 2)),
    Row("liba.so", "/v3/a", hwcap=named(1, 3)),
    Row("liba.so", "/a"),
    Row("liba.so", "/a-again"),
]


@pytest.mark.parametrize(
    ("active", "isa", "path"),
    [
        ((), 1, "/a"),
        (("x86-64-v2",), 7, "/v2/a"),
        (("x86-64-v3", "x86-64-v2"), 15, "/v3/a"),
        (("x86-64-v3", "x86-64-v2"), 7, "/v2/a"),
        (("x86-64-v4",), 0x3FF, "/a"),
    ],
)
def test_hwcaps_subdirectories(active: tuple[str, ...], isa: int, path: str) -> None:
    raw = new(VARIANTS, hwcaps=HWCAPS)
    assert cache(raw).best("liba.so", flags=(X86_64,), hwcaps=active, isa=isa) == path


def test_hwcaps_without_a_plain_copy() -> None:
    raw = new(VARIANTS[:2], hwcaps=HWCAPS)
    assert cache(raw).best("liba.so", flags=(X86_64,)) is None


def test_legacy_hwcaps_count_if_the_cpu_has_them() -> None:
    raw = new([Row("liba.so", "/tls/a", hwcap=1 << 63 | 4), Row("liba.so", "/a")])
    assert cache(raw).best("liba.so", flags=(X86_64,)) == "/a"
    assert cache(raw).best("liba.so", flags=(X86_64,), legacy=1 << 63) == "/a"
    assert cache(raw).best("liba.so", flags=(X86_64,), legacy=1 << 63 | 6) == "/tls/a"


def test_names_of_subdirectories_out_of_order_are_lost() -> None:
    """The loader walks both sorted lists once."""
    raw = new(VARIANTS, hwcaps=HWCAPS[::-1])
    active = ("x86-64-v3", "x86-64-v2")
    assert cache(raw).best("liba.so", flags=(X86_64,), hwcaps=active, isa=15) == "/v2/a"


def test_hwcaps_names_count_from_the_file() -> None:
    """ldconfig writes them from the new header on: in a file with both formats the loader reads
    garbage, and takes the plain copy."""
    both = old(ROWS[:1], behind=new(VARIANTS, base=0, hwcaps=HWCAPS))
    active = ("x86-64-v3", "x86-64-v2")
    assert cache(both).best("liba.so", flags=(X86_64,), hwcaps=active, isa=0x3FF) == "/a"
