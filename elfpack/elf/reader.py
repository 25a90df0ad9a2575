"""What decides loading, of an ELF file.

A file whose header, segments or dynamic section contradict themselves is :class:`Malformed`, never
a traceback.
"""

from __future__ import annotations

from functools import lru_cache

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile, Filter, Malformed
from elfpack.elf.layout import ElfFault, Layout, read_head
from elfpack.elf.strings import Strings, read_strings
from elfpack.light import TYPE_CHECKING
from elfpack.paths import PATH_LIMIT, decode

if TYPE_CHECKING:
    from typing import Final


_PAGE = 4096
"""The smallest page of any machine: what a file lacks of its last one reads as zeros."""


def read(source: Source) -> ElfFile | Malformed:
    """What decides loading, of an open file."""
    return read_laid_out(source)[0]


def read_laid_out(source: Source) -> tuple[ElfFile | Malformed, Layout | None]:
    """As :func:`read`, with the layout, for who reads more of the file."""
    try:
        layout, head = read_head(source)
        return _file(source, layout, head), layout
    except ElfFault as e:
        return Malformed(e.message, e.header, source.pread(64, 0)), None


def _file(source: Source, layout: Layout, head: bytes) -> ElfFile:
    header, parts = layout.header, layout.parts
    try:
        interpreter = None if parts.interpreter < 0 else _interpreter(source, layout, head)
        _refuse_cut(source, parts.end)
        if layout.tags:
            return _dynamic_file(source, layout, interpreter, _isa(source, layout, head))
    except ElfFault as e:
        raise ElfFault(e.message, header) from None
    has_dynamic, is_cut = layout.dynamic is not None, parts.end > source.size
    return ElfFile(header, interpreter, has_dynamic, parts.is_loadable, cut=is_cut)


def _refuse_cut(source: Source, end: int) -> None:
    """A file that ends before the last page of its segments: the first touch behind it kills the
    process."""
    if end > -(-source.size // _PAGE) * _PAGE:
        raise ElfFault(f"ELF file cut short: {source.size} bytes, its segments end at {end}")


_X86: Final = (c.EM_X86_64, c.EM_386)
_NOTES_MAX = 4096
"""Bytes of properties that are looked at: linkers write one note of some twenty."""
_NOTE_SEGMENTS = 64
"""Segments of notes in which they are looked for; linkers make two or three."""


def _isa(source: Source, layout: Layout, head: bytes) -> int:
    """The x86 ISA levels that the object needs: of the segments of notes that are aligned as
    property notes are, the last that has one. Source: glibc elf/dl-load.c,
    _dl_map_object_from_fd()."""
    if layout.header.machine not in _X86:
        return 0
    columns, align = layout.encoding.columns, layout.encoding.bits // 8
    for at in reversed(layout.parts.notes[-_NOTE_SEGMENTS:]):
        if layout.fields[at + columns.align] != align:
            continue
        offset = layout.fields[at + columns.offset]
        size = min(layout.fields[at + columns.filesz], _NOTES_MAX)
        raw = head[offset : offset + size]
        if len(raw) < size and offset < source.size:
            raw = source.pread(size, offset)
        if _ISA_MARK in raw:
            found = _isa_needed(raw, layout.encoding.order, align)
            if found is not None:
                return found
    return 0


_ISA_MARK: Final = b"\x02\x80\x00\xc0"
"""The type of the property, without which there is no need to parse."""


_SINGLE: Final = (c.DT_SONAME, c.DT_RPATH, c.DT_RUNPATH)
"""Of several, the last: glibc elf/get-dynamic-info.h."""
_FILTERS: Final = (c.DT_AUXILIARY, c.DT_FILTER)
_AUDIT: Final = (c.DT_AUDIT, c.DT_DEPAUDIT)
_RARE: Final = frozenset((*_FILTERS, *_AUDIT))


@lru_cache(maxsize=64)
def _isa_needed(raw: bytes, order: str, align: int) -> int | None:
    """What a segment of notes tells: those of one distribution's files are all alike."""
    from elfpack.elf.notes import isa_needed

    return isa_needed(raw, order, align)


def _dynamic_file(source: Source, layout: Layout, interpreter: str | None, isa: int) -> ElfFile:
    tags, (order, values) = layout.tags, layout.dynamic or ((), ())
    count = order.count(c.DT_NEEDED)
    if order[:count] == (c.DT_NEEDED,) * count:  # as all linkers write them
        wanted = list(values[:count])
    else:
        wanted = [v for tag, v in zip(order, values, strict=False) if tag == c.DT_NEEDED]
    single = [tag for tag in _SINGLE if tag in tags]
    wanted += [tags[tag] for tag in single]
    texts = read_strings(source, layout, wanted) if wanted else []
    named = dict(zip(single, texts[count:], strict=True))
    needed = tuple(texts[:count])
    filters, audit = _rare(source, layout) if _RARE & tags.keys() else ((), ())
    return ElfFile(
        layout.header,
        interpreter,
        True,
        layout.parts.is_loadable,
        named.get(c.DT_SONAME),
        needed,
        named.get(c.DT_RPATH),
        named.get(c.DT_RUNPATH),
        tags.get(c.DT_FLAGS_1, 0),
        c.DT_DEBUG in tags,
        filters,
        layout.parts.end > source.size,
        audit,
        isa,
        any(map(_is_musls, needed)),
    )


def _rare(source: Source, layout: Layout) -> tuple[tuple[Filter, ...], tuple[str, ...]]:
    """DT_AUXILIARY and DT_FILTER; DT_AUDIT and DT_DEPAUDIT."""
    filters: list[Filter] = []
    audit: list[str] = []
    needed = 0
    strings = Strings(source, layout)
    for tag, value in zip(*(layout.dynamic or ()), strict=False):
        if tag == c.DT_NEEDED:
            needed += 1
        elif tag in _FILTERS:
            filters.append(Filter(needed, strings.at(value), tag == c.DT_FILTER))
        elif tag in _AUDIT:
            audit.append(strings.at(value))
    return tuple(filters), tuple(audit)


def _is_musls(name: str) -> bool:
    return name == "libc.so" or name.startswith("libc.musl-")


def _interpreter(source: Source, layout: Layout, head: bytes) -> str:
    """PT_INTERP, the first one, by the kernel's checks: NUL-terminated, shorter than PATH_MAX.

    Source: Linux fs/binfmt_elf.c, load_elf_binary().
    """
    at, columns = layout.parts.interpreter, layout.encoding.columns
    start, size = layout.fields[at + columns.offset], layout.fields[at + columns.filesz]
    if size < 2 or size > PATH_LIMIT:
        raise ElfFault(f"ELF file with an interpreter name of {size} bytes (PT_INTERP)")
    raw = head[start : start + size]
    if len(raw) < size:
        raw = source.pread(size, start) if start < source.size else b""
    if len(raw) < size:
        raise ElfFault("ELF file cut short in the name of its interpreter (PT_INTERP)")
    if raw[-1]:
        raise ElfFault("ELF file with an interpreter name that does not end (PT_INTERP)")
    return decode(raw[: raw.index(b"\0")])
