"""Compiled locales, made small: a locale-archive, and the LC_CTYPE of a character set."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from elfpack.formats.localearchive import CATEGORIES


def ctype(charset: str, order: str = "<") -> bytes:
    """An LC_CTYPE that has only the name of its character set."""
    count = 20
    start = 8 + 4 * count
    items = [start] * count
    text = b"\0" + charset.encode() + b"\0"
    items[14] += 1
    return struct.pack(f"{order}II{count}I", 0x20090720, count, *items) + text


def archive(
    locales: Mapping[str, Mapping[str, bytes]],
    aliases: Mapping[str, str] | None = None,
    order: str = "<",
) -> bytes:
    """An archive of these locales. Its table of names is in no order of hashes."""
    names = [*locales, *(aliases or {})]
    texts = b"".join(name.encode() + b"\0" for name in names)
    table_at = 56
    text_at = table_at + 12 * (len(names) + 1)
    record_at = text_at + len(texts)
    size = 4 + 8 * len(CATEGORIES)
    data_at = record_at + size * len(locales)
    records, data = b"", b""
    for content in locales.values():
        places = []
        for category in CATEGORIES:
            raw = content.get(category, b"") if category else b""
            places += [data_at + len(data), len(raw)]
            data += raw
        records += struct.pack(f"{order}I{len(places)}I", 1, *places)
    table = b""
    for number, name in enumerate(names):
        record = list(locales).index((aliases or {}).get(name, name))
        offset = text_at + texts.index(name.encode() + b"\0")
        table += struct.pack(f"{order}III", number, offset, record_at + size * record)
    table += bytes(12)
    header = struct.pack(
        f"{order}14I",
        *(0xDE020109, 1, table_at, len(names), len(names) + 1, text_at, len(texts), len(texts)),
        *(record_at, len(locales), len(locales), 0, 0, 0),
    )
    return header + table + texts + records + data
