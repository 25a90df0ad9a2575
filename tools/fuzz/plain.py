"""Changes that need no more than bytes, numbers at offsets, lines, words, or JSON."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from random import Random
from typing import Any

from tools.fuzz import values

Mutator = Callable[[bytes, Random, Sequence[bytes]], bytes]
"""Changes bytes; the last are others of the format, to be spliced in."""
_LONGEST = 1 << 20
"""Bytes that an input has at most: growth is not what is looked for here."""
_MOST_PLACES = 100_000
"""Values of a document that one of is changed."""


def times(random: Random) -> range:
    """How many changes: often one, seldom many."""
    return range(min(8, 1 + int(random.expovariate(0.8))))


def raw_bytes(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Bytes set, cut off, cut out, doubled, or replaced by a piece of another input."""
    change = random.choice((_flip, _cut, _cut_out, _double, _splice, _fill))
    return change(raw, random, others)[:_LONGEST]


def _flip(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    changed = bytearray(raw)
    for _ in range(random.choice((1, 1, 2, 16)) if raw else 0):
        changed[random.randrange(len(raw))] = random.choice((0, 1, 127, 128, 255, 10, 27, 47))
    return bytes(changed)


def _cut(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    return raw[: random.randrange(len(raw) + 1)]


def _piece(raw: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(raw) + 1)
    return start, min(len(raw), start + random.choice((1, 4, 16, 64, 512)))


def _cut_out(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    start, end = _piece(raw, random)
    return raw[:start] + raw[end:]


def _double(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    start, end = _piece(raw, random)
    return raw[:end] + raw[start:end] * random.choice((1, 2, 100)) + raw[end:]


def _splice(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    other = random.choice(others) if others else raw
    at, there = random.randrange(len(raw) + 1), random.randrange(len(other) + 1)
    return raw[:at] + other[there:]


def _fill(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    start, end = _piece(raw, random)
    return raw[:start] + random.choice((b"\0", b"\xff", b"A", b"/")) * (end - start) + raw[end:]


def numbers(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A table of numbers, in whatever byte order: some set to edge values."""
    changed = bytearray(raw)
    for _ in times(random):
        if random.random() < 0.2:
            changed = bytearray(raw_bytes(bytes(changed), random, others))
            continue
        form = random.choice("<>") + random.choice("HIIIQ")
        width = struct.calcsize(form)
        if len(changed) < width:
            continue
        # Heads are small, and say most.
        reach = len(changed) if random.random() < 0.5 else min(len(changed), 128)
        at = random.randrange(max(1, reach // width)) * width
        put_number(changed, at, form, random)
    return bytes(changed)


def put_number(
    raw: bytearray, at: int, form: str, random: Random, values_of: Sequence[int] = ()
) -> None:
    """Another value for a number at an offset, if it is in the file."""
    width = struct.calcsize(form)
    if at < 0 or at + width > len(raw):
        return
    old = struct.unpack_from(form, raw, at)[0]
    new = values.number(random, old, len(raw), list(values_of))
    struct.pack_into(form, raw, at, new & ((1 << 8 * width) - 1))


def lines(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A text of lines and words: some replaced, doubled, left out, moved, or from another one."""
    for _ in times(random):
        raw = random.choice(_LINES)(raw, random, others)[:_LONGEST]
    return raw


def _line(change: Callable[[list[bytes], int, Random], None]) -> Mutator:
    def mutate(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
        rows = raw.split(b"\n")
        change(rows, random.randrange(len(rows)), random)
        return b"\n".join(rows)

    return mutate


def _drop(rows: list[bytes], at: int, random: Random) -> None:
    del rows[at]


def _repeat(rows: list[bytes], at: int, random: Random) -> None:
    some = rows[at : at + random.choice((1, 1, 2, 3))]
    rows[at:at] = some * min(values.often(random), _LONGEST // (sum(map(len, some)) + 1) + 1)


def _move(rows: list[bytes], at: int, random: Random) -> None:
    rows.insert(random.randrange(len(rows)), rows.pop(at))


def _join(rows: list[bytes], at: int, random: Random) -> None:
    rows[at : at + 2] = [b"".join(rows[at : at + 2])]


def _word(rows: list[bytes], at: int, random: Random) -> None:
    """A word of a line, whatever stands between words."""
    separator = random.choice((b" ", b" ", b"\t", b":", b",", b"/", b'"', b"=", b"("))
    found = rows[at].split(separator)
    new = values.word(random) * random.choice((1, 1, 1, 40))
    place = random.randrange(len(found))
    found[place : place + random.choice((0, 1, 1))] = [new]
    rows[at] = separator.join(found)


def _other_line(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    rows = raw.split(b"\n")
    taken = random.choice(others or (raw,)).split(b"\n")
    rows.insert(random.randrange(len(rows) + 1), random.choice(taken))
    return b"\n".join(rows)


_LINES: tuple[Mutator, ...] = (
    *(_line(_drop), _line(_repeat), _line(_move), _line(_join), _line(_word), _line(_word)),
    *(_line(_word), _other_line, raw_bytes),
)


def document(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """JSON: values replaced, left out, doubled; what is none is changed as bytes."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return raw_bytes(raw, random, others)
    if random.random() < 0.1:
        return raw_bytes(raw, random, others)
    holder = [value]
    try:
        for _ in times(random):
            places = list(islice(_places(holder), _MOST_PLACES))
            random.choice((_replace, _replace, _remove, _again))(*random.choice(places), random)
        text = json.dumps(holder[0]).encode()
    except RecursionError:
        return b"[" * len(raw) + raw
    return random.choice((b"", b"", b"", b"", b"\xef\xbb\xbf", b" ")) + text


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each value as what holds it and its key."""
    pending = [value]
    while pending:
        holder = pending.pop()
        for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
            yield holder, key
            if isinstance(holder[key], (dict, list)):
                pending.append(holder[key])


def _replace(holder: Any, key: Any, random: Random) -> None:
    text = values.word(random).decode("utf-8", "surrogateescape")
    nested: Any = []
    for _ in range(random.choice((1, 3, 900))):
        nested = [nested]
    holder[key] = random.choice(
        (
            *(None, True, 0, -1, 1 << 63, 10**400, 1.5, float("inf"), "", text, text, [], {}),
            *([text] * 3, {text: text}, nested, [holder[key]], str(holder[key])[:100]),
        )
    )


def _remove(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder, dict) or len(holder) > 1:
        del holder[key]


def _again(holder: Any, key: Any, random: Random) -> None:
    if isinstance(holder, list) and len(holder) < 100:
        # Each is one of its own: in one that stands in many places the next would do so many times.
        text = json.dumps(holder[key])
        often = min(values.often(random), _LONGEST // len(text) + 1)
        holder.extend(json.loads(text) for _ in range(often))
    elif isinstance(holder, dict):
        name = values.word(random).decode("utf-8", "surrogateescape")
        holder[name] = json.loads(json.dumps(holder[key]))
