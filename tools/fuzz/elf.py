"""Changes of ELF files by the fields and tables of the gABI and the GNU extensions: each is found
from the headers, as a loader or a linker finds it, so that a change hits what means something.

Source: gABI ch. 4 and 5; LSB, "Symbol Versioning"; glibc elf/elf.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from tools.fuzz import plain, values

_MOST = 48
"""Records of a table that are looked at: enough of any kind."""
_LOAD, _DYNAMIC, _NOTE = 1, 2, 4
_STRTAB, _STRSZ = 5, 10


class Row(NamedTuple):
    """A record: where it is, and its fields as letters of :mod:`struct`."""

    at: int
    form: str

    def size(self) -> int:
        return struct.calcsize(f"={self.form}")


Table = list[Row]
_HEADER = {True: "HHIQQQIHHHHHH", False: "HHIIIIIHHHHHH"}
_SEGMENT = {True: "IIQQQQQQ", False: "IIIIIIII"}
_SECTION = {True: "IIQQQQIIQQ", False: "IIIIIIIIII"}
_ENTRY = {True: "QQ", False: "II"}
_SYMBOL = {True: "IBBHQQ", False: "IIIBBH"}
_RELA = {True: "QQQ", False: "III"}
_WORDS = {True: "I", False: "I"}
_POINTED = {
    6: _SYMBOL,  # DT_SYMTAB
    7: _RELA,
    17: _ENTRY,  # DT_REL
    23: _RELA,  # DT_JMPREL
    36: {True: "Q", False: "I"},  # DT_RELR
    4: _WORDS,  # DT_HASH
    0x6FFFFEF5: _WORDS,  # DT_GNU_HASH
    0x6FFFFFF0: {True: "H", False: "H"},  # DT_VERSYM
    0x6FFFFFFE: {True: "HHIII", False: "HHIII"},  # DT_VERNEED; what it points to is as long
    0x6FFFFFFC: {True: "HHHHIIIII", False: "HHHHIIIII"},  # DT_VERDEF with one DT_VERDAUX
}


class Seen(NamedTuple):
    """An ELF file, as far as its headers lead."""

    order: str
    wide: bool
    tables: list[Table]
    strings: tuple[int, int]
    """Where the dynamic string table begins and ends."""


def look(raw: bytes) -> Seen | None:
    """None if it has no ELF header."""
    if len(raw) < 52 or not raw.startswith(b"\x7fELF"):
        return None
    wide, order = raw[4] == 2, ">" if raw[5] == 2 else "<"
    tables: list[Table] = [[Row(4, "BBBBB")], [Row(16, _HEADER[wide])]]
    head = _fields(raw, order, tables[1][0])
    if not head:
        return None
    segments = _rows(raw, head[4], _SEGMENT[wide], head[9])
    tables += [segments, _rows(raw, head[5], _SECTION[wide], head[11])]
    seen = Seen(order, wide, tables, (0, 0))
    return _dynamic(raw, seen, [_fields(raw, order, row) for row in segments])


def _dynamic(raw: bytes, seen: Seen, segments: list[tuple[int, ...]]) -> Seen:
    offset, address, size = (2, 3, 5) if seen.wide else (1, 2, 4)
    strings = (0, 0)
    for fields in segments:
        if fields[0] == _NOTE:
            seen.tables.append(_notes(raw, seen.order, fields[offset], fields[size]))
        if fields[0] != _DYNAMIC:
            continue
        rows = _rows(raw, fields[offset], _ENTRY[seen.wide], _MOST)
        pairs = [_fields(raw, seen.order, row) for row in rows]
        tags = {pair[0]: pair[1] for pair in reversed(pairs)}
        at = {tag: _offset(segments, value, offset, address, size) for tag, value in tags.items()}
        seen.tables.append(rows)
        for tag, form in _POINTED.items():
            if tag in at:
                seen.tables.append(_rows(raw, at[tag], form[seen.wide], _MOST))
        start = min(len(raw), at.get(_STRTAB, 0))
        strings = start, min(len(raw), start + tags.get(_STRSZ, 0))
    return seen._replace(tables=[table for table in seen.tables if table], strings=strings)


def _offset(
    segments: list[tuple[int, ...]], value: int, offset: int, address: int, size: int
) -> int:
    """The offset in the file of an address."""
    for fields in segments:
        if fields[0] == _LOAD and fields[address] <= value < fields[address] + fields[size]:
            return value - fields[address] + fields[offset]
    return value


def _rows(raw: bytes, at: int, form: str, count: int) -> Table:
    """The records of a table, as far as they lie in the file."""
    size = struct.calcsize(f"={form}")
    found = [Row(at + size * n, form) for n in range(min(count, _MOST))]
    return [row for row in found if at > 0 and row.at + size <= len(raw)]


def _notes(raw: bytes, order: str, at: int, size: int) -> Table:
    rows: Table = []
    while len(rows) < _MOST and size >= 12 and at + 12 <= len(raw):
        rows.append(Row(at, "III"))
        name, description, _ = _fields(raw, order, rows[-1])
        step = 12 + (name + 3) // 4 * 4 + (description + 3) // 4 * 4
        at, size = at + step, size - step
    return rows


def _fields(raw: bytes, order: str, row: Row) -> tuple[int, ...]:
    if row.at + row.size() > len(raw):
        return ()
    return struct.unpack_from(order + row.form, raw, row.at)


def mutate(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """An ELF file with some fields, records or strings changed."""
    for _ in plain.times(random):
        seen = look(raw)
        if seen is None or random.random() < 0.07:
            raw = plain.raw_bytes(raw, random, others)
            continue
        changed = bytearray(raw)
        random.choice(_CHANGES)(changed, seen, random)
        raw = bytes(changed)
    return raw


def _set(raw: bytearray, seen: Seen, random: Random) -> None:
    """A field gets an edge value, or one that another field of the file has."""
    row = random.choice(random.choice(seen.tables))
    place = random.randrange(len(row.form))
    at = row.at + struct.calcsize(f"={row.form[:place]}")
    other = _fields(bytes(raw), seen.order, random.choice(random.choice(seen.tables)))
    plain.put_number(raw, at, seen.order + row.form[place], random, other)


def _two(seen: Seen, random: Random) -> tuple[Row, Row]:
    table = random.choice(seen.tables)
    return random.choice(table), random.choice(table)


def _swap(raw: bytearray, seen: Seen, random: Random) -> None:
    one, two = _two(seen, random)
    raw[one.at : one.at + one.size()], raw[two.at : two.at + two.size()] = (
        raw[two.at : two.at + two.size()],
        raw[one.at : one.at + one.size()],
    )


def _copy(raw: bytearray, seen: Seen, random: Random) -> None:
    """A record takes the place of another of its table."""
    one, two = _two(seen, random)
    raw[two.at : two.at + two.size()] = raw[one.at : one.at + one.size()]


def _remove(raw: bytearray, seen: Seen, random: Random) -> None:
    """The records behind one move up."""
    table = random.choice(seen.tables)
    row, last = random.choice(table), table[-1]
    end = last.at + last.size()
    rest = raw[row.at + row.size() : end]
    raw[row.at : end] = rest.ljust(end - row.at, b"\0")


def _string(raw: bytearray, seen: Seen, random: Random) -> None:
    """A name of the dynamic string table becomes another one, or has no end."""
    start, end = seen.strings
    if start >= end:
        return
    starts = [n + 1 for n in range(start, end - 1) if not raw[n]] or [start]
    at, new = random.choice(starts), values.word(random)
    new = new if random.random() < 0.3 else new + b"\0"
    raw[at : min(at + len(new), end)] = new[: end - at]


def _tag(raw: bytearray, seen: Seen, random: Random) -> None:
    """A dynamic tag becomes another one that somebody reads, with the value that it has."""
    tables = [t for t in seen.tables if t[0].form == _ENTRY[seen.wide] and len(t) > 1]
    if tables:
        row = random.choice(random.choice(tables))
        tag = random.choice((*_POINTED, *_TAGS)) & (2**64 - 1 if seen.wide else 2**32 - 1)
        struct.pack_into(seen.order + row.form[0], raw, row.at, tag)


_TAGS = (
    *(0, 1, _STRTAB, _STRSZ, 14, 15, 16, 29, 30, 0x6FFFFFFB, 0x7FFFFFFD, 0x7FFFFFFF),
    *(0x6FFFFEFC, 0x6FFFFEFB, 0x6FFFFFFF, 0x6FFFFFFD, 2, 8, 9, 18, 19, 20, 35, 37),
)
"""DT_NEEDED, DT_SONAME, DT_RPATH, DT_SYMBOLIC, DT_RUNPATH, DT_FLAGS, DT_FLAGS_1, DT_AUXILIARY,
DT_FILTER, DT_AUDIT, DT_DEPAUDIT, counts and sizes."""
_Change = Callable[[bytearray, Seen, Random], None]
_CHANGES: tuple[_Change, ...] = (_set, _set, _set, _set, _swap, _copy, _remove, _string, _tag)
