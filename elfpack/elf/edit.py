"""What changes an ELF file: the sections that nothing needs to run are cut out of it.

What a loader maps stays byte by byte; behind it come the sections that stay, and new section
headers. lief reads the section headers. It would write files too, but keeps the place of what was
removed, so that no file gets smaller, and each of its releases writes other bytes: this writes by
itself.

Source of what goes: binutils bfd/elf.c, _bfd_elf_make_section_from_shdr(), and
binutils/objcopy.c, is_strip_section_1().
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf import sectiontable as t
from elfpack.elf.file import ElfFile
from elfpack.elf.layout import ElfFault, Layout, Segment, read_head
from elfpack.elf.parts import Edit, Part, gap, inside, kept, moved, nothing_lost, pieces, touched
from elfpack.elf.reader import read
from elfpack.elf.sectiontable import Section, Table, read_table


def strip(source: Source) -> Edit | None:
    """How to drop the symbol and debug sections of an ELF file; None for a file that does not get
    smaller by that, or is none.

    Raises:
        ElfFault: there is something to drop, but it cannot be done safely.
        RequestError: lief is not installed.
    """
    try:
        layout = read_head(source)[0]
    except ElfFault:
        return None  # no ELF file, or broken: data
    if layout.header.type == c.ET_REL:
        raise ElfFault("an object file is nothing without its symbols")
    table = read_table(source, layout)
    if table is None:
        return None
    gone = _dropped(table)
    try:
        edit = _edit(source, layout, table, gone)
    except ElfFault:
        if gone:
            raise
        return None
    if edit.size > source.size or (edit.size == source.size and not gone):
        if gone:
            raise ElfFault("it would be larger without its symbols")
        return None
    _compare(source, edit)
    return edit


def _compare(source: Source, edit: Edit) -> None:
    """Hold the edited file against the original: a loader must see no difference."""
    before, after = read(source), read(edit.apply(source))
    if isinstance(before, ElfFile) and isinstance(after, ElfFile):
        header = before.header._replace(shoff=after.header.shoff, phoff=after.header.phoff)
        if before._replace(header=header) == after:
            return
    raise ElfFault("a loader would take it for another file")


# What goes

_DEBUG: Final = (
    *(b".debug", b".zdebug", b".gnu.debuglto_.debug_", b".gnu.linkonce.wi.", b".line", b".stab"),
    *(b".gdb_index", b".gnu_debugdata", b".gnu.build.attributes"),
)
"""How the names of debug sections begin. strip keeps .gnu_debugdata, which are compressed symbols,
and what does not repeat itself of .gnu.build.attributes, on how each function was compiled."""
_OF_SYMBOLS: Final = (t.SHT_REL, t.SHT_RELA, t.SHT_GROUP, t.SHT_SYMTAB_SHNDX)
"""Sections that are nothing without the symbol table that they link to."""


def _dropped(table: Table) -> frozenset[int]:
    """The indices of the sections that go."""
    sections = table.sections
    kinds = {s.type for s in sections if s.allocated and s.size}
    if t.SHT_NOBITS in kinds and kinds <= {t.SHT_NOBITS, t.SHT_NOTE}:
        raise ElfFault("it has the debug sections of another file, and nothing else")
    free = [n for n, s in enumerate(sections) if n and not s.allocated and n != table.names]
    symbols = {n for n in free if sections[n].type == t.SHT_SYMTAB}
    gone = {n for n in free if sections[n].name.startswith(_DEBUG)} | symbols
    gone |= {n for n in free if sections[n].type in _OF_SYMBOLS and sections[n].link in symbols}
    linked = {s.link for n, s in enumerate(sections) if n not in gone}
    strings = {sections[n].link for n in gone} - linked
    return frozenset(gone | {n for n in strings.intersection(free) if _is_strings(sections[n])})


def _is_strings(section: Section) -> bool:
    return section.type == t.SHT_STRTAB


# What stays

_NAMES: Final = b".shstrtab"
_NEW: Final = -1
"""Stands for the index that the new section with the names had before."""


def _edit(source: Source, layout: Layout, table: Table, gone: frozenset[int]) -> Edit:
    sections, encoding = table.sections, layout.encoding
    names = set() if sections[table.names].allocated else {table.names}
    stays = [n for n in range(1, len(sections)) if n not in gone and n not in names]
    parts = kept(source, layout, [sections[n] for n in stays])
    nothing_lost(source, parts, table)
    texts, offsets = t.dump_names([_NAMES, *(sections[n].name for n in stays)])
    index = _numbers(source, layout, sections, stays)
    size = t.row_of(encoding).size * (max(index.values()) + 1)
    place = _place(parts, layout, table, len(texts), size)
    rows = [_EMPTY] * (max(index.values()) + 1)
    rows[index[_NEW]] = Section(_NAMES, t.SHT_STRTAB, 0, 0, place.names, len(texts), 0, 0, 1, 0)
    for old in stays:
        rows[index[old]] = _row(sections[old], parts, index)
    raw, tail = t.dump(rows, encoding, offsets), texts
    patches = _headers(source, layout, parts, (place.table, len(rows), index[_NEW]))
    if place.replaced:
        patches[table.start] = raw.ljust(table.end - table.start, b"\0")
    else:
        tail = texts.ljust(place.table - place.names, b"\0") + raw
    return Edit(tuple(pieces(parts, patches, place.names, tail)))


class _Place(NamedTuple):
    """Where the new section headers and their names go."""

    names: int
    table: int
    replaced: bool = False
    """The headers take the place of the old ones, in a segment."""


def _place(parts: list[Part], layout: Layout, table: Table, texts: int, size: int) -> _Place:
    """Behind all parts, or before one that the old headers were before, if there is room.

    Go has its section headers in a segment, behind the program headers: they stay there.
    """
    word = layout.encoding.bits // 8
    start, end = gap(parts, table.start)
    if _in_place(parts, layout, table, size):
        return _Place(parts[-1].target_end, moved(parts, table.start), True)
    if end - start < texts + word + size:
        start = parts[-1].target_end
    return _Place(start, start + texts + -(start + texts) % word)


_EMPTY: Final = Section(b"", t.SHT_NULL, 0, 0, 0, 0, 0, 0, 0, 0)


def _in_place(parts: list[Part], layout: Layout, table: Table, size: int) -> bool:
    """Whether the new section headers fit where the old ones are in a segment: Go puts them into
    its first, behind the program headers."""
    header, encoding = layout.header, layout.encoding
    front = max(encoding.header.size, header.phoff + header.phnum * encoding.segment.size)
    return (
        front <= table.start
        and size <= table.end - table.start
        and inside(parts, table.start, table.end)
        and not any(s.offset < table.end and s.end > table.start for s in table.sections)
    )


def _numbers(
    source: Source, layout: Layout, sections: tuple[Section, ...], stays: list[int]
) -> dict[int, int]:
    """The new index of each section that stays, and of the new one.

    Those behind a gap move up; but not what dynamic symbols speak of, because they are part of
    the memory image. Then places may stay empty.
    """
    behind = [n for place, n in enumerate(stays, start=1) if n != place]
    fixed: set[int] = set()
    if any(sections[n].allocated for n in behind):
        tables = [s for s in sections if s.type == t.SHT_DYNSYM]
        if sum(s.size for s in tables) > source.size:
            raise ElfFault("its dynamic symbol tables overlap")
        fixed = set().union(*(_spoken_of(source, layout, s) for s in tables)).intersection(stays)
    free = iter([n for n in range(1, len(sections) + 1) if n not in fixed])
    return {0: 0} | {n: n if n in fixed else next(free) for n in (*stays, _NEW)}


def _spoken_of(source: Source, layout: Layout, section: Section) -> set[int]:
    """The sections that the symbols of a table are in."""
    row = struct.Struct(
        layout.encoding.order + ("6xH16x" if layout.encoding.bits == 64 else "14xH")
    )
    raw = source.pread(section.size, section.offset)
    return {n for (n,) in row.iter_unpack(raw[: len(raw) // row.size * row.size])}


def _row(section: Section, parts: list[Part], index: dict[int, int]) -> Section:
    info = section.info
    if section.flags & t.SHF_INFO_LINK or section.type in (t.SHT_REL, t.SHT_RELA):
        info = index.get(info, 0)
    offset, link = moved(parts, section.offset), index.get(section.link, 0)
    return section._replace(offset=offset, link=link, info=info)


def _headers(
    source: Source, layout: Layout, parts: list[Part], table: tuple[int, int, int]
) -> dict[int, bytes]:
    """The ELF header, and the program headers if something moved, by their offsets in the
    original; ``table`` are e_shoff, e_shnum and e_shstrndx."""
    encoding, phoff = layout.encoding, layout.header.phoff
    old = encoding.header.unpack(source.pread(encoding.header.size, 0))
    after = moved(parts, phoff) if layout.segments else phoff
    patches = {0: encoding.header.pack(*old[:5], after, table[0], *old[7:12], *table[1:])}
    row, at = encoding.segment, 2 if encoding.bits == 64 else 1  # where p_offset is
    raw = source.pread(row.size * len(layout.segments), phoff) if layout.segments else b""
    changed = b"".join(
        row.pack(*fields[:at], _offset(segment, parts, source.size), *fields[at + 1 :])
        for fields, segment in zip(row.iter_unpack(raw), layout.segments, strict=True)
    )
    if changed != raw:
        patches[phoff] = changed
    return patches


def _offset(segment: Segment, parts: list[Part], size: int) -> int:
    """Where a segment begins now. One without content keeps its offset, which has to agree with
    its address."""
    if segment.filesz or touched(segment, size):
        return moved(parts, segment.offset)
    return segment.offset
