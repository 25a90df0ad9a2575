"""Damaged caches: the real loader and elfpack read the same out of them.

Each is a cache that ldconfig wrote, with bytes changed or cut off. The libraries are where only
the cache leads.
"""

from __future__ import annotations

import difflib
import os
import struct
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.oracle.compare import Verdict, compare_glibc, standing
from tests.oracle.figures import record
from tests.oracle.generate import FORMATS, Made
from tests.oracle.test_worlds import SEED, needs_root
from tests.worlds import LOADER

PART = "(c) damaged caches"
DAMAGED = 250
"""Damages of each format."""
NAMES = [f"lib{a}.so{b}" for a in "abcd" for b in ("", ".1", ".01", ".10", ".2")]
WORLD = {
    "/bin/exe": f"exe needs={','.join(NAMES)}",
    "/etc/ld.so.conf": "text /opt/a\\n/opt/b\\n",
    **{f"/opt/{'ab'[n % 2]}/{name}": f"lib soname={name}" for n, name in enumerate(NAMES)},
    **{f"/opt/b/{name}": f"lib soname={name}" for name in NAMES[:6]},
    **{f"/usr/lib/{name}": f"lib soname={name}" for name in NAMES[10:12]},
    "/opt/a/glibc-hwcaps/x86-64-v2/libhw.so.1": "lib soname=libhw.so.1",
}

_OLD, _NEW = b"ld.so-1.7.0", b"glibc-ld.so.cache1.1"
NUMBERS = (0, 1, 2, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x0303, 0x0003, 48, 16)


class Damage:
    """Ways to damage one cache; each returns its bytes anew."""

    def __init__(self, raw: bytes, random: Random) -> None:
        self.raw = raw
        self.random = random
        self.base = max(raw.find(_NEW), 0)
        if raw.startswith(_OLD):
            count = struct.unpack_from("<I", raw, 12)[0]
            self.old_end = 16 + 12 * count
        else:
            self.old_end = 0
        self.new_end = self.old_end
        if _NEW in raw:
            self.new_end = self.base + 48 + 24 * struct.unpack_from("<I", raw, self.base + 20)[0]

    def any(self) -> bytes:
        ways: list[Callable[[], bytes]] = [
            lambda: self.flip(0, 16 if self.raw.startswith(_OLD) else 48),
            lambda: self.flip(self.base, self.base + 48),
            lambda: self.flip(0, self.new_end),
            lambda: self.word(0, self.new_end),
            lambda: self.word(self.base + 48, self.new_end),
            lambda: self.word(self.base, self.base + 48),
            lambda: self.flip(self.new_end, len(self.raw)),
            lambda: self.flip(self.new_end, len(self.raw)),
            lambda: self.flip(len(self.raw) * 9 // 10, len(self.raw)),
            lambda: self.word(len(self.raw) * 9 // 10, len(self.raw)),
            self.cut,
            self.swap,
        ]
        return ways[self.random.randrange(len(ways))]()

    def flip(self, start: int, end: int) -> bytes:
        """One to four bytes become others."""
        raw = bytearray(self.raw)
        for _ in range(self.random.randint(1, 4)):
            raw[self._at(start, end)] = self.random.randrange(256)
        return bytes(raw)

    def word(self, start: int, end: int) -> bytes:
        """A 32-bit number becomes one that is at an edge, or a little off."""
        at = self._at(start, end - 4) // 4 * 4
        was = struct.unpack_from("<I", self.raw, at)[0]
        numbers = (*NUMBERS, len(self.raw), was + 1, was - 1, was + self.random.randint(-40, 40))
        number = numbers[self.random.randrange(len(numbers))] & 0xFFFFFFFF
        return self.raw[:at] + struct.pack("<I", number) + self.raw[at + 4 :]

    def cut(self) -> bytes:
        return self.raw[: self.random.randrange(len(self.raw))]

    def swap(self) -> bytes:
        """Two entries change places: the table is not sorted any more."""
        raw, size = bytearray(self.raw), 24 if _NEW in self.raw else 12
        start = self.base + 48 if _NEW in self.raw else 16
        first, second = (self._at(start, self.new_end) for _ in range(2))
        first, second = (start + (at - start) // size * size for at in (first, second))
        kept = bytes(raw[first : first + size])
        raw[first : first + size] = raw[second : second + size]
        raw[second : second + size] = kept
        return bytes(raw)

    def _at(self, start: int, end: int) -> int:
        return self.random.randrange(start, max(start + 1, min(end, len(self.raw))))


def damages(raw: bytes, random: Random, count: int) -> list[bytes]:
    return [Damage(raw, random).any() for _ in range(count)]


@needs_root
@pytest.mark.skipif(not Path(LOADER).exists(), reason=f"no {LOADER} here")
@pytest.mark.parametrize("form", FORMATS)
def test_damaged(form: str) -> None:
    made = Made(world=WORLD, cache=form)
    seed = int(os.environ.get("ELFPACK_SEED", SEED))
    differing, equal, died = [], 0, 0
    with standing(made, LOADER) as top:
        place = top / "etc/ld.so.cache"
        sound = place.read_bytes()
        for number, raw in enumerate([sound, *damages(sound, Random(seed), DAMAGED)]):
            place.unlink()
            place.write_bytes(raw)
            found = compare_glibc(made, top)
            died += found.died
            equal += found.equal and not found.died
            if not found.died and not found.equal:
                differing.append(_told(number, sound, raw, found))
    note = f"{died} more of the format {form} in which it died" if died else ""
    record(PART, equal, DAMAGED + 1 - died, note)
    assert not differing, "\n\n".join(differing)


def _told(number: int, sound: bytes, raw: bytes, found: Verdict) -> str:
    changed = [n for n, (a, b) in enumerate(zip(sound, raw, strict=False)) if a != b]
    lines = difflib.unified_diff(
        found.expected.split("\n"), found.got.split("\n"), n=0, lineterm=""
    )
    return "\n".join([f"damage {number}: bytes {changed}, size {len(raw)}", *list(lines)[2:]])
