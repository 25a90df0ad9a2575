"""``/etc/ld.so.cache``: how a loader looks a name up in it, and how one is written.

Three layouts: new, old, and old with the new one behind it. Looked up by the loader's own binary
search over the bytes, because its comparison is not that of a dictionary: ``libx.so.01`` answers
for ``libx.so.1``.

Source: glibc sysdeps/generic/dl-cache.h; elf/dl-cache.c, _dl_load_cache_lookup(), search_cache(),
_dl_cache_libcmp().
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import PATH_LIMIT, decode, encode

if TYPE_CHECKING:
    from typing import Final


_OLD_MAGIC: Final = b"ld.so-1.7.0"
_NEW_MAGIC: Final = b"glibc-ld.so.cache1.1"
_OLD_HEADER, _OLD_ENTRY = 16, 12
_NEW_HEADER, _NEW_ENTRY = 48, 24
_EXTENSION_MAGIC: Final = 0xEAA42174
_TAG_HWCAPS = 1
_NAMED_HWCAPS = 1 << 62
_ISA_MASK = 0x3FF


class LdCache:
    """One cache file, as one loader reads it."""

    def __init__(self, raw: bytes, *, little: bool, bits: int) -> None:
        """A file that the loader would not accept answers every look-up with None."""
        self._raw = raw
        self._order = "<" if little else ">"
        self._new_entry = struct.Struct(self._order + "iIIIQ")
        self._base = 0
        """Where the strings count from."""
        self._entries = 0
        self.count = 0
        """Entries; 0 for a cache that is ignored."""
        self._new = False
        self._priorities: tuple[Sequence[str], list[int]] | None = None
        self._ranks: dict[int, list[int] | None] = {}
        """By the number of an entry; None for one whose name is not in the file."""
        self._room = len(raw)
        """How many numbers more they may have: names that overlap have no end of them."""
        self._answers: dict[tuple[object, ...], str | None] = {}
        self._open(raw, little, bits)

    def _open(self, raw: bytes, little: bool, bits: int) -> None:
        if raw.startswith(_NEW_MAGIC) and len(raw) > _NEW_HEADER:
            # Behind an old cache the count is not checked.
            if self._word(20) <= (len(raw) - _NEW_HEADER) // _NEW_ENTRY:
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
        # 0: written before glibc 2.33 told; 2 little, 3 big; anything else is refused.
        endian = self._raw[base + 28]
        if endian and endian & 3 != (2 if little else 3):
            return
        self._new = True
        self._base, self._entries, self.count = base, base + _NEW_HEADER, count

    def best(
        self,
        name: str,
        *,
        flags: tuple[int, ...],
        hwcaps: tuple[str, ...] = (),
        isa: int = 1,
        legacy: int = 0,
    ) -> str | None:
        """The path that the loader would open for ``name``; None if the cache has none.

        ``flags`` are the values of the loader's ABI, the preferred one first; ``hwcaps`` the names
        of the active glibc-hwcaps subdirectories, best first; ``isa`` the ISA levels of the CPU as
        bits; ``legacy`` the bits of older subdirectories that it may use.

        Source: glibc elf/dl-cache.c, search_cache().
        """
        wanted = rank(encode(name)[:PATH_LIMIT])
        # A damaged cache may have thousands of entries that are equal to thousands of names.
        key = (*wanted, flags, hwcaps, isa, legacy)
        if key not in self._answers:
            self._answers[key] = self._best(wanted, flags, hwcaps, isa, legacy)
        return self._answers[key]

    def _best(
        self,
        wanted: list[int],
        flags: tuple[int, ...],
        hwcaps: tuple[str, ...],
        isa: int,
        legacy: int,
    ) -> str | None:
        found = self._search(wanted)
        if found is None:
            return None
        best: bytes | None = None
        best_priority = 0
        for flag, value, hwcap in self._equal(wanted, *found):
            path = self._string(value)
            if flag not in flags or path is None:
                continue
            if hwcap >> 32 & ~_ISA_MASK == _NAMED_HWCAPS >> 32:
                priority = self._priority(hwcap, hwcaps, isa)
                if priority and (best is None or priority < best_priority):
                    best, best_priority = path, priority
                continue
            if best is not None and self._new:  # also: a subdirectory's copy before a plain one
                break
            if hwcap & ~legacy:
                continue
            best = path
            if flag == flags[0]:
                break
        return None if best is None else decode(best)

    def _search(self, wanted: list[int]) -> tuple[int, int, int] | None:
        """The first of the entries equal to ``wanted``, the one that the search met, and the last
        that it would still look at. The table is sorted downwards."""
        left, right = 0, self.count - 1
        ranks = self._ranks
        while left <= right:
            middle = (left + right) // 2
            key = ranks[middle] if middle in ranks else self._rank(middle)
            if key is None:
                return None
            if wanted == key:
                return self._first(middle, wanted), middle, right
            if wanted < key:
                left = middle + 1
            else:
                right = middle - 1
        return None

    def _first(self, index: int, wanted: list[int]) -> int:
        while index > 0 and self._rank(index - 1) == wanted:
            index -= 1
        return index

    def _rank(self, index: int) -> list[int] | None:
        if index in self._ranks:
            return self._ranks[index]
        name = self._string(self._entry(index)[1])
        ranked = None if name is None else rank(name)
        self._room -= len(ranked or ())
        if self._room > 0:
            self._ranks[index] = ranked
        return ranked

    def _equal(
        self, wanted: list[int], first: int, met: int, last: int
    ) -> Iterator[tuple[int, int, int]]:
        """Flags, value and hwcap of the entries equal to ``wanted``, in file order."""
        for index in range(first, last + 1):
            flags, _, value, hwcap = self._entry(index)
            if index > met and self._rank(index) != wanted:
                return
            yield flags, value, hwcap

    def _entry(self, index: int) -> tuple[int, int, int, int]:
        """Flags, key, value, hwcap."""
        if self._new:
            at = self._entries + index * _NEW_ENTRY
            if at + _NEW_ENTRY > len(self._raw):  # the rest of the page is zeros
                rest = self._raw[at:].ljust(_NEW_ENTRY, b"\0")
                return struct.unpack(self._order + "iII4xQ", rest)
            flags, key, value, _, hwcap = self._new_entry.unpack_from(self._raw, at)
            return flags, key, value, hwcap
        at = self._entries + index * _OLD_ENTRY
        flags, key, value = struct.unpack_from(self._order + "iII", self._raw, at)
        return flags, key, value, 0

    def _string(self, offset: int) -> bytes | None:
        # The loader holds offsets against the size of the whole file, since 2.33 also where the
        # strings of a new cache behind an old one count from its middle: zeros follow the file.
        start = self._base + offset
        if (offset if self._new else start) >= len(self._raw):
            return None
        # A longer one leads to no file, and thousands may share one string.
        end = self._raw.find(b"\0", start, start + PATH_LIMIT)
        return self._raw[start : start + PATH_LIMIT if end < 0 else end]

    def _word(self, at: int) -> int:
        if at + 4 > len(self._raw):
            return 0
        word: int = struct.unpack_from(self._order + "I", self._raw, at)[0]
        return word

    def _priority(self, hwcap: int, hwcaps: Sequence[str], isa: int) -> int:
        """1 for the best active subdirectory; 0 for one that is not active."""
        level = 1 << (hwcap >> 32 & _ISA_MASK & 31)
        if isa & level != level:
            return 0
        if self._priorities is None or self._priorities[0] != hwcaps:
            self._priorities = (hwcaps, self._merged(hwcaps))
        table = self._priorities[1]
        index = hwcap & 0xFFFFFFFF
        return table[index] if index < len(table) else 0

    def _merged(self, hwcaps: Sequence[str]) -> list[int]:
        """The priority of each name that the cache lists.

        Both lists are sorted, and walked together once: a name that is out of order has none.
        Source: glibc elf/dl-cache.c, glibc_hwcaps_priorities_init().
        """
        active = sorted((encode(name), number + 1) for number, name in enumerate(hwcaps))
        priorities: list[int] = []
        at = 0
        for offset in self._listed():
            if offset >= len(self._raw):
                break
            end = self._raw.find(b"\0", offset, offset + PATH_LIMIT)
            name = self._raw[offset : end if end >= 0 else offset + PATH_LIMIT]
            while at < len(active) and active[at][0] < name:
                at += 1
            if at < len(active) and active[at][0] == name:
                priorities.append(active[at][1])
                at += 1
            else:
                priorities.append(0)
        return priorities

    def _listed(self) -> Sequence[int]:
        """Offsets of the names of subdirectories, from the start of the file (ldconfig has them
        from the start of the strings, which is another place behind an old cache).

        Source: glibc sysdeps/generic/dl-cache.h, cache_extension_load().
        """
        size = len(self._raw)
        directory = self._word(self._base + 32)
        if not directory or directory % 4 or directory + 8 > size:
            return ()
        count = self._word(directory + 4)
        if self._word(directory) != _EXTENSION_MAGIC or directory + 8 + count * 16 > size:
            return ()
        start = length = 0
        for at in range(directory + 8, directory + 8 + count * 16, 16):
            offset, room = self._word(at + 8), self._word(at + 12)
            if offset + room > size:
                return ()
            if self._word(at) == _TAG_HWCAPS:
                start, length = offset, room
        if start % 4 or length % 4:
            return ()
        listed: tuple[int, ...] = struct.unpack_from(
            f"{self._order}{length // 4}I", self._raw, start
        )
        return listed


def rank(name: bytes) -> list[int]:
    """What names are compared by: runs of digits by their value, and above all else; other bytes
    as signed ones; then the NUL that ends them. Source: glibc elf/dl-cache.c,
    _dl_cache_libcmp()."""
    ranked: list[int] = []
    numbers = name.translate(_NUMBERS).split()
    words = [word for word in name.translate(_WORDS).split(b"\0") if word]
    if name[:1].isdigit():
        words.insert(0, b"")
    for word, number in zip_longest(words, numbers):
        if word:
            ranked += word if word.isascii() else struct.unpack(f"{len(word)}b", word)
        if number:
            ranked += (_NUMBER, _c_int(number))
    ranked.append(0)
    return ranked


_NUMBER: Final = 128
"""Stands before a number: more than any byte."""
_DIGITS: Final = b"0123456789"
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in _DIGITS)
_NUMBERS: Final = bytes.maketrans(_OTHERS, b" " * len(_OTHERS))
"""Leaves the numbers of a name, and spaces. A pattern would do, but only this would need any."""
_WORDS: Final = bytes.maketrans(_DIGITS, b"\0" * len(_DIGITS))
"""Leaves what is between them, and NULs, which no name has."""


def _c_int(digits: bytes) -> int:
    """The value that a C int has after all of them, digit by digit: it overflows, and all but the
    last 32 are shifted out of it, since 10 to that power is a multiple of 2 to it."""
    value = int(digits[-32:])
    if len(digits) < 10:
        return value
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


class Entry(NamedTuple):
    """One line of a cache that is written."""

    name: str
    path: str
    flags: int
    hwcaps: str = ""
    """The glibc-hwcaps subdirectory that it is for, such as ``x86-64-v3``."""
    isa: int = 0
    """The number of the highest x86 ISA level bit that the file needs."""


def dump(entries: Iterable[Entry], *, little: bool) -> bytes:
    """A cache of the new format with these entries, as ldconfig sorts them.

    Source: glibc elf/cache.c, save_cache() and compare().
    """
    order = "<" if little else ">"
    ranked = sorted(set(entries), key=lambda e: (e.flags, encode(e.path)), reverse=True)
    # Of one name and machine: subdirectories in ascending order, then the directory itself.
    ranked.sort(key=lambda e: (-e.flags, not e.hwcaps, encode(e.hwcaps)))
    ranked.sort(key=lambda e: rank(encode(e.name)), reverse=True)
    subdirectories = sorted({encode(e.hwcaps) for e in ranked if e.hwcaps})
    start = _NEW_HEADER + _NEW_ENTRY * len(ranked)
    texts = [encode(text) for e in ranked for text in (e.name, e.path)] + subdirectories
    strings = bytearray()
    offsets: dict[bytes, int] = {}
    for text in texts:
        if text not in offsets:
            offsets[text] = start + len(strings)
            strings += text + b"\0"
    size = len(strings)
    strings += bytes(-(start + size) % 4)
    extension = _extension(order, start + len(strings), [offsets[s] for s in subdirectories])
    where = start + len(strings) if extension else 0
    header = struct.pack(
        order + "20sIIB3xI12x", _NEW_MAGIC, len(ranked), size, 2 if little else 3, where
    )
    table = b"".join(
        struct.pack(
            order + "iIIIQ",
            *(e.flags, offsets[encode(e.name)], offsets[encode(e.path)], 0),
            _NAMED_HWCAPS | e.isa << 32 | subdirectories.index(encode(e.hwcaps)) if e.hwcaps else 0,
        )
        for e in ranked
    )
    return header + table + bytes(strings) + extension


def _extension(order: str, at: int, names: Sequence[int]) -> bytes:
    """The list of subdirectories, for a file position. Source: sysdeps/generic/dl-cache.h."""
    if not names:
        return b""
    head = struct.pack(
        order + "IIIIII", _EXTENSION_MAGIC, 1, _TAG_HWCAPS, 0, at + 24, 4 * len(names)
    )
    return head + struct.pack(f"{order}{len(names)}I", *names)
