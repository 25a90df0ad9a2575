"""What changes an ELF file: the sections that nothing needs to run are cut out of it.

What a loader maps stays byte by byte: the parts of the file that segments name are copied, and
behind the last one come the sections that stay and new section headers. lief reads the section
headers and would write files too, but what it writes keeps the place of what was removed and is
never smaller, and differs from one release of it to the next: so this writes by itself.

Source of what goes: binutils bfd/elf.c, _bfd_elf_make_section_from_shdr(), and
binutils/objcopy.c, is_strip_section_1().
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final, NamedTuple

from elfpack.blob import CHUNK, Source
from elfpack.elf import constants as c
from elfpack.elf import sectiontable as t
from elfpack.elf.file import ElfFile
from elfpack.elf.layout import ElfFault, Layout, Segment, read_head
from elfpack.elf.reader import read
from elfpack.elf.sectiontable import Section, Table, read_table

_PAGE: Final = 4096
"""The smallest page of any machine."""
_FIXED: Final = 1 << 63


class Part(NamedTuple):
    """A part of a file that is kept."""

    start: int
    end: int
    align: int
    """It may move by multiples of that many bytes, a power of two."""
    target: int = 0
    """Where it begins in the edited file."""


class Copy(NamedTuple):
    """Bytes of the original."""

    start: int
    size: int


Piece = Copy | bytes | int
"""What an edited file is made of; a number stands for that many zeros."""


class Edit(NamedTuple):
    """How an edited file is made of the original: piece by piece."""

    pieces: tuple[Piece, ...]

    @property
    def size(self) -> int:
        """Bytes of the edited file."""
        return sum(map(_length, self.pieces))

    def apply(self, source: Source) -> Source:
        """The edited file, read from the original. Closing it closes the original."""
        return _Edited(source, self.pieces)


def _length(piece: Piece) -> int:
    if isinstance(piece, int):
        return piece
    return piece.size if isinstance(piece, Copy) else len(piece)


class _Edited:
    """A :class:`Source` of pieces."""

    def __init__(self, source: Source, pieces: tuple[Piece, ...]) -> None:
        self._source = source
        self._pieces = pieces
        self._starts = list(accumulate(map(_length, pieces), initial=0))
        self.size = self._starts[-1]

    def pread(self, size: int, offset: int) -> bytes:
        number = max(0, bisect_right(self._starts, offset) - 1)
        found: list[bytes] = []
        while size > 0 and number < len(self._pieces):
            piece, at = self._pieces[number], offset - self._starts[number]
            wanted = min(size, _length(piece) - at)
            part = self._read(piece, at, wanted)
            found.append(part)
            if len(part) < wanted:  # the original became shorter
                break
            size, offset, number = size - wanted, offset + wanted, number + 1
        return b"".join(found)

    def _read(self, piece: Piece, at: int, size: int) -> bytes:
        if isinstance(piece, int):
            return bytes(size)
        if isinstance(piece, Copy):
            return self._source.pread(size, piece.start + at)
        return piece[at : at + size]

    def close(self) -> None:
        self._source.close()


def strip(source: Source) -> Edit | None:
    """How to drop the symbol and debug sections of a program or library; None if nothing gets
    smaller by that, and for what no loader loads: an object file is nothing without its symbols.

    Raises:
        ElfFault: there is something to drop, but not safely.
        RequestError: lief is not installed.
    """
    try:
        layout = read_head(source)[0]
    except ElfFault:
        return None  # broken, or no ELF file: data
    if layout.header.type not in (c.ET_EXEC, c.ET_DYN):
        return None
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
    if edit.size >= source.size:
        return None
    _same(source, edit)
    return edit


def _same(source: Source, edit: Edit) -> None:
    """Hold the edited file against the original: the loader must see no difference."""
    before, after = read(source), read(edit.apply(source))
    if isinstance(before, ElfFile) and isinstance(after, ElfFile):
        moved = before.header._replace(shoff=after.header.shoff, phoff=after.header.phoff)
        if before._replace(header=moved) == after:
            return
    raise ElfFault("a loader would see it otherwise without them")


# What goes

_DEBUG: Final = (
    *(b".debug", b".zdebug", b".gnu.debuglto_.debug_", b".gnu.linkonce.wi."),
    *(b".line", b".stab", b".gdb_index", b".gnu_debugdata", b".gnu.build.attributes"),
)
"""How the names of debug sections begin. strip keeps .gnu_debugdata, compressed symbols, and of
.gnu.build.attributes, which tells how each function was compiled, what does not repeat itself."""
_OF_SYMBOLS: Final = (t.SHT_REL, t.SHT_RELA, t.SHT_GROUP, t.SHT_SYMTAB_SHNDX)
"""Sections that are nothing without the symbol table that they link to."""


def _dropped(table: Table) -> frozenset[int]:
    """The indices of the sections that go."""
    sections = table.sections
    _not_debug_only(sections)
    free = [n for n, s in enumerate(sections) if n and not s.allocated and n != table.names]
    symbols = {n for n in free if sections[n].type == t.SHT_SYMTAB}
    gone = symbols | {
        n
        for n in free
        if sections[n].name.startswith(_DEBUG)
        or (sections[n].type in _OF_SYMBOLS and sections[n].link in symbols)
    }
    linked = {s.link for n, s in enumerate(sections) if n not in gone}
    strings = {sections[n].link for n in gone} - linked
    gone |= {n for n in free if n in strings and sections[n].type == t.SHT_STRTAB}
    return frozenset(gone)


def _not_debug_only(sections: tuple[Section, ...]) -> None:
    """Refuse the debug file of a program: its segments have their content elsewhere."""
    kinds = {s.type for s in sections if s.allocated and s.size}
    if t.SHT_NOBITS in kinds and not kinds - {t.SHT_NOBITS, t.SHT_NOTE}:
        raise ElfFault("it has the debug sections of another file, and nothing else")


# What stays, and where


def _edit(source: Source, layout: Layout, table: Table, gone: frozenset[int]) -> Edit:
    sections = table.sections
    stays = [
        n
        for n in range(1, len(sections))
        if n not in gone and (n != table.names or sections[n].allocated)
    ]
    parts = _placed(_merged(_parts(source, layout, [sections[n] for n in stays])))
    _nothing_lost(source, parts, table)
    end = parts[-1].target + parts[-1].end - parts[-1].start
    names, offsets = t.dump_names([sections[n].name for n in stays] + [_NAMES])
    named = Section(_NAMES, t.SHT_STRTAB, 0, 0, end, len(names), 0, 0, 1, 0)
    rows = _rows(sections, stays, parts, named)
    word = layout.encoding.bits // 8
    start = _up(end + len(names), word)
    patches = _patches(source, layout, parts, (start, len(rows), rows.index(named)))
    tail = names + bytes(start - end - len(names)) + t.dump(rows, layout.encoding, offsets)
    return Edit((*_pieces(parts, patches), tail))


_NAMES: Final = b".shstrtab"


def _parts(source: Source, layout: Layout, sections: list[Section]) -> Iterator[Part]:
    """Headers, segments, and sections that stay; they overlap."""
    header, encoding = layout.header, layout.encoding
    yield Part(0, encoding.header.size, _FIXED)
    if header.phnum:
        if header.phoff < encoding.header.size:
            raise ElfFault("its headers overlap")
        yield Part(header.phoff, header.phoff + header.phnum * header.phentsize, 8)
    for segment in layout.segments:
        part = _part(segment)
        if part.end > source.size:
            raise ElfFault("a segment of it ends behind the end of the file")
        if part.end > part.start:
            yield part
    for section in sections:
        if section.end > section.offset:
            yield Part(section.offset, section.end, _power(section.align))


def _part(segment: Segment) -> Part:
    loaded = segment.type == c.PT_LOAD
    align = max(_power(segment.align), _PAGE if loaded else 1)
    if segment.filesz or not loaded:
        return Part(segment.offset, segment.offset + segment.filesz, align)
    # Linux maps the page that a segment without content begins in, and clears the rest of it:
    # it has to be there. Source: fs/binfmt_elf.c, elf_map() and padzero().
    return Part(segment.offset - segment.offset % _PAGE, segment.offset, align)


def _power(align: int) -> int:
    """An alignment; what is none fixes its part where it is."""
    return max(1, align) if align & (align - 1) == 0 else _FIXED


def _merged(parts: Iterable[Part]) -> list[Part]:
    """Parts in order; those that overlap are one."""
    merged: list[Part] = []
    for part in sorted(parts):
        if merged and part.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Part(last.start, max(last.end, part.end), max(last.align, part.align))
        else:
            merged.append(part)
    return merged


def _placed(parts: list[Part]) -> list[Part]:
    """Each part as low as its alignment allows. Only what had something dropped before it moves,
    and never up."""
    placed: list[Part] = []
    end = 0
    for part in parts:
        target = end + (part.start - end) % part.align
        placed.append(part._replace(target=target))
        end = target + part.end - part.start
    return placed


def _nothing_lost(source: Source, parts: list[Part], table: Table) -> None:
    """Refuse to drop what neither a segment nor a section speaks of: a program may look for it."""
    known = [(part.start, part.end) for part in parts]
    known += [(s.offset, s.end) for s in table.sections if s.end > s.offset]
    known += [(table.start, table.end), (source.size, source.size)]
    end = 0
    for start, stop in sorted(known):
        if start > end and not _zeros(source, end, start):
            raise ElfFault(
                f"{start - end} bytes at {end} belong to none of its sections, as the data of "
                "self-extracting programs does"
            )
        end = max(end, stop)


def _zeros(source: Source, start: int, end: int) -> bool:
    while start < end:
        piece = source.pread(min(CHUNK, end - start), start)
        if not piece or piece.strip(b"\0"):
            return False
        start += len(piece)
    return True


# The edited file


def _rows(
    sections: tuple[Section, ...], stays: list[int], parts: list[Part], named: Section
) -> list[Section]:
    """The new section headers. Those of the memory image keep their index: dynamic symbols have
    it. The others take the places that are free."""
    fixed = {n: n for n in stays if sections[n].allocated}
    free = iter([n for n in range(1, len(sections) + 1) if n not in fixed])
    moved = {n: next(free) for n in stays if n not in fixed}
    index = {0: 0, **fixed, **moved}
    place = next(free)
    rows = [sections[0]] + [_EMPTY] * max(*index.values(), place)
    rows[place] = named
    for old, new in index.items():
        if old:
            rows[new] = _row(sections[old], parts, index)
    return rows


_EMPTY: Final = Section(b"", t.SHT_NULL, 0, 0, 0, 0, 0, 0, 0, 0)


def _row(section: Section, parts: list[Part], index: dict[int, int]) -> Section:
    info = section.info
    if section.flags & t.SHF_INFO_LINK or section.type in (t.SHT_REL, t.SHT_RELA):
        info = index.get(info, 0)
    return section._replace(
        offset=_moved(section.offset, parts), link=index.get(section.link, 0), info=info
    )


def _moved(offset: int, parts: list[Part]) -> int:
    """Where what was at an offset is now; what was in no part is said to be at its end."""
    number = bisect_right(parts, offset, key=lambda part: part.start) - 1
    part = parts[number]
    return part.target + min(offset, part.end) - part.start


def _patches(
    source: Source, layout: Layout, parts: list[Part], table: tuple[int, int, int]
) -> dict[int, bytes]:
    """The headers that change, by their offsets in the original."""
    encoding, phoff = layout.encoding, layout.header.phoff
    start, count, names = table
    old = encoding.header.unpack(source.pread(encoding.header.size, 0))
    phoff = _moved(phoff, parts) if layout.segments else phoff
    new = (*old[:5], phoff, start, *old[7:12], count, names)
    patches = {0: encoding.header.pack(*new)}
    row = encoding.segment
    at = 2 if encoding.bits == 64 else 1
    size = row.size * len(layout.segments)
    raw = source.pread(size, layout.header.phoff) if size else b""
    moved = b"".join(
        row.pack(*fields[:at], _segment(segment, parts), *fields[at + 1 :])
        for fields, segment in zip(row.iter_unpack(raw), layout.segments, strict=True)
    )
    if moved != raw:
        patches[layout.header.phoff] = moved
    return patches


def _segment(segment: Segment, parts: list[Part]) -> int:
    if segment.filesz or (segment.type == c.PT_LOAD):
        return _moved(segment.offset, parts)
    return segment.offset


def _pieces(parts: list[Part], patches: dict[int, bytes]) -> Iterator[Piece]:
    end = 0
    for part in parts:
        if part.target > end:
            yield part.target - end
        at = part.start
        for offset, patch in sorted(patches.items()):
            if part.start <= offset < part.end:
                if offset > at:
                    yield Copy(at, offset - at)
                yield patch
                at = offset + len(patch)
        if part.end > at:
            yield Copy(at, part.end - at)
        end = part.target + part.end - part.start


def _up(at: int, align: int) -> int:
    return (at + align - 1) // align * align
