"""``/etc/ld.so.cache``: how a loader looks a name up in it, and how one is written.

Three layouts: new, old, and old with the new one behind it. Looked up by the loader's own binary
search over the bytes, because its comparison is not that of a dictionary: ``libx.so.01`` answers
for ``libx.so.1``.

Source: glibc sysdeps/generic/dl-cache.h; elf/dl-cache.c, _dl_load_cache_lookup(), search_cache(),
_dl_cache_libcmp().
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import cmp_to_key
from typing import Final, NamedTuple

from elfpack.paths import decode, encode

_OLD_MAGIC: Final = b"ld.so-1.7.0"
_NEW_MAGIC: Final = b"glibc-ld.so.cache1.1"
_OLD_HEADER, _OLD_ENTRY = 16, 12
_NEW_HEADER, _NEW_ENTRY = 48, 24
_EXTENSION_MAGIC: Final = 0xEAA42174
_TAG_HWCAPS = 1
_NAMED_HWCAPS = 1 << 62
_DIGITS: Final = frozenset(b"0123456789")


class LdCache:
    """One cache file, as one loader reads it."""

    def __init__(self, raw: bytes, *, little: bool, bits: int) -> None:
        """A file that the loader would not accept answers every look-up with None."""
        self._raw = raw
        self._order = "<" if little else ">"
        self._base = 0
        """Where the strings count from."""
        self._entries = 0
        self.count = 0
        """Entries; 0 for a cache that is ignored."""
        self._new = False
        self._open(raw, little, bits)

    def _open(self, raw: bytes, little: bool, bits: int) -> None:
        if raw.startswith(_NEW_MAGIC) and len(raw) > _NEW_HEADER:
            self._open_new(0, little)
            return
        if not raw.startswith(_OLD_MAGIC) or len(raw) <= _OLD_HEADER:
            return
        count = self._word(12)
        if count > (len(raw) - _OLD_HEADER) // _OLD_ENTRY:
            return
        end = _OLD_HEADER + count * _OLD_ENTRY
        # ALIGN_CACHE: struct cache_file_new holds 64-bit values, aligned as the ABI has them.
        align = 8 if bits == 64 else 4
        behind = (end + align - 1) // align * align
        if raw[behind:].startswith(_NEW_MAGIC) and len(raw) >= behind + _NEW_HEADER:
            self._open_new(behind, little)
            return
        self._base, self._entries, self.count = end, _OLD_HEADER, count

    def _open_new(self, base: int, little: bool) -> None:
        count = self._word(base + 20)
        if count > (len(self._raw) - base - _NEW_HEADER) // _NEW_ENTRY:
            return
        # 0: written before glibc 2.33 told; 2 little, 3 big; anything else is refused.
        endian = self._raw[base + 28]
        if endian and endian & 3 != (2 if little else 3):
            return
        self._new = True
        self._base, self._entries, self.count = base, base + _NEW_HEADER, count

    def best(
        self, name: str, *, flags: Sequence[int], hwcaps: Sequence[str] = (), isa: int = 0
    ) -> str | None:
        """The path that the loader would open for ``name``; None if the cache has none.

        ``flags`` are the values of the loader's ABI, the preferred one first; ``hwcaps`` the names
        of the active glibc-hwcaps subdirectories, best first; ``isa`` the highest ISA level bit
        that the CPU has.
        """
        wanted = encode(name)
        index = self._search(wanted)
        if index is None:
            return None
        best: bytes | None = None
        best_priority = 0
        while index < self.count:
            entry = self._entry(index)
            key = self._string(entry[1])
            if key is None or compare(wanted, key) != 0:
                break
            index += 1
            if entry[0] not in flags:
                continue
            hwcap = entry[3]
            if hwcap & _NAMED_HWCAPS:
                priority = self._priority(hwcap, hwcaps, isa)
                if priority and (best is None or priority < best_priority):
                    best, best_priority = self._string(entry[2]), priority
                continue
            if best is not None:  # a subdirectory's copy goes before a plain one
                break
            if hwcap:  # a legacy subdirectory, whose CPU feature nobody promises
                continue
            best = self._string(entry[2])
            if entry[0] == flags[0]:
                break
        return None if best is None else decode(best)

    def _search(self, wanted: bytes) -> int | None:
        """The first of the entries equal to ``wanted``. The table is sorted downwards."""
        left, right = 0, self.count - 1
        while left <= right:
            middle = (left + right) // 2
            key = self._string(self._entry(middle)[1])
            if key is None:
                return None
            order = compare(wanted, key)
            if order == 0:
                return self._first(middle, wanted)
            if order < 0:
                left = middle + 1
            else:
                right = middle - 1
        return None

    def _first(self, index: int, wanted: bytes) -> int:
        while index > 0:
            key = self._string(self._entry(index - 1)[1])
            if key is None or compare(wanted, key) != 0:
                break
            index -= 1
        return index

    def _entry(self, index: int) -> tuple[int, int, int, int]:
        """Flags, key, value, hwcap."""
        if self._new:
            at = self._entries + index * _NEW_ENTRY
            flags, key, value, _, hwcap = struct.unpack_from(self._order + "iIIIQ", self._raw, at)
            return flags, key, value, hwcap
        at = self._entries + index * _OLD_ENTRY
        flags, key, value = struct.unpack_from(self._order + "iII", self._raw, at)
        return flags, key, value, 0

    def _string(self, offset: int) -> bytes | None:
        start = self._base + offset
        if start >= len(self._raw):
            return None
        end = self._raw.find(b"\0", start)
        return self._raw[start:] if end < 0 else self._raw[start:end]

    def _word(self, at: int) -> int:
        if at + 4 > len(self._raw):
            return 0
        word: int = struct.unpack_from(self._order + "I", self._raw, at)[0]
        return word

    def _priority(self, hwcap: int, hwcaps: Sequence[str], isa: int) -> int:
        """1 for the best active subdirectory; 0 for one that is not active."""
        level = hwcap >> 32 & 0x3FF
        if hwcap >> 42 & ~(1 << 20) or level > isa:
            return 0
        name = self._hwcaps_name(hwcap & 0xFFFFFFFF)
        return hwcaps.index(name) + 1 if name in hwcaps else 0

    def _hwcaps_name(self, index: int) -> str | None:
        directory = self._word(self._base + 32)
        if not directory or self._word(directory) != _EXTENSION_MAGIC:
            return None
        for number in range(min(self._word(directory + 4), len(self._raw) // 16)):
            at = directory + 8 + number * 16
            if self._word(at) == _TAG_HWCAPS and index < self._word(at + 12) // 4:
                # The loader counts these offsets from the start of the file, not from the strings.
                start = self._word(self._word(at + 8) + index * 4)
                end = self._raw.find(b"\0", start)
                return decode(self._raw[start:end]) if end >= 0 else None
        return None


def compare(p: bytes, q: bytes) -> int:
    """Below, equal to or above 0 as ``p`` is before, equal to or after ``q``: runs of digits by
    their value, all else as signed bytes. Source: glibc elf/dl-cache.c, _dl_cache_libcmp()."""
    if p == q:
        return 0
    i = j = 0
    while i < len(p):
        a = p[i]
        b = q[j] if j < len(q) else 0
        if a in _DIGITS:
            if b not in _DIGITS:
                return 1
            left, i = _number(p, i)
            right, j = _number(q, j)
            if left != right:
                return left - right
        elif b in _DIGITS:
            return -1
        elif a != b:
            return _signed(a) - _signed(b)
        else:
            i += 1
            j += 1
    return -_signed(q[j]) if j < len(q) else 0


_Rank = cmp_to_key(compare)


def _number(text: bytes, at: int) -> tuple[int, int]:
    value = 0
    while at < len(text) and text[at] in _DIGITS:
        value = (value * 10 + text[at] - 48) & 0xFFFFFFFF  # a C int, which overflows
        at += 1
    return (value - (1 << 32) if value >> 31 else value), at


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


class Entry(NamedTuple):
    """One line of a cache that is written."""

    name: str
    path: str
    flags: int


def dump(entries: Iterable[Entry], *, little: bool) -> bytes:
    """A cache of the new format with these entries, as ldconfig sorts them.

    Source: glibc elf/cache.c, save_cache() and compare().
    """
    order = "<" if little else ">"
    ranked = sorted(set(entries), key=lambda e: (e.flags, encode(e.path)), reverse=True)
    ranked.sort(key=lambda e: _Rank(encode(e.name)), reverse=True)
    start = _NEW_HEADER + _NEW_ENTRY * len(ranked)
    strings = bytearray()
    offsets: dict[str, int] = {}
    for entry in ranked:
        for text in (entry.name, entry.path):
            if text not in offsets:
                offsets[text] = start + len(strings)
                strings += encode(text) + b"\0"
    header = struct.pack(
        order + "20sIIB3xI12x",
        _NEW_MAGIC,
        len(ranked),
        len(strings),
        2 if little else 3,
        0,
    )
    table = b"".join(
        struct.pack(order + "iIIIQ", e.flags, offsets[e.name], offsets[e.path], 0, 0)
        for e in ranked
    )
    return header + table + bytes(strings)
