"""The notes of an ELF file, from its PT_NOTE segments.

Source: gABI ch. 5 "Note Section"; alignment of 8: Linux x86-64 psABI, .note.gnu.property.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import Layout, read_layout, segments_of
from elfpack.light import NamedTuple
from elfpack.paths import decode

_PROPERTIES = 5
"""NT_GNU_PROPERTY_TYPE_0."""
_ISA_NEEDED = 0xC0008002
"""GNU_PROPERTY_X86_ISA_1_NEEDED."""


class Note(NamedTuple):
    owner: str
    type: int
    description: bytes


def read_notes(source: Source) -> tuple[Note, ...]:
    """All notes in file order; a segment that contradicts itself ends at the fault.

    Raises:
        ElfFault: the file is broken before its notes are reached.
    """
    return notes_of(source, read_layout(source))


def notes_of(source: Source, layout: Layout) -> tuple[Note, ...]:
    """As :func:`read_notes`, of a file whose layout is known."""
    found: list[Note] = []
    for segment, raw in segments_of(source, layout, c.PT_NOTE):
        align = 8 if segment.align == 8 else 4
        found.extend(_notes(raw, layout.encoding.order, align))
    return tuple(found)


def isa_needed(raw: bytes, order: str, align: int) -> int | None:
    """The x86 ISA levels that an object needs, as bits, from a segment of notes; None if it has
    no property note. Of several, which old linkers made, none counts.

    Source: glibc sysdeps/x86/dl-prop.h, _dl_process_property_note().
    """
    notes = [
        note.description
        for note in _notes(raw, order, align)
        if note.owner == "GNU" and note.type == _PROPERTIES
    ]
    if len(notes) != 1:
        return 0 if notes else None
    head = struct.Struct(order + "III")
    at = last = 0
    while at + head.size <= len(notes[0]):
        kind, size, value = head.unpack_from(notes[0], at)
        if kind < last or kind > _ISA_NEEDED:  # they are in ascending order
            break
        if kind == _ISA_NEEDED:
            return int(value) if size == 4 else 0
        last = kind
        at = _up(at + 8 + size, align)
    return 0


def _notes(raw: bytes, order: str, align: int) -> Iterator[Note]:
    head = struct.Struct(order + "III")
    at = 0
    while at + head.size <= len(raw):
        owner_size, size, kind = head.unpack_from(raw, at)
        start = _up(at + head.size + owner_size, align)
        if start + size > len(raw):
            return
        owner = raw[at + head.size : at + head.size + owner_size].rstrip(b"\0")
        yield Note(decode(owner), kind, raw[start : start + size])
        at = _up(start + size, align)


def _up(at: int, align: int) -> int:
    return (at + align - 1) // align * align
