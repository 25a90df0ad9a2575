"""What decides loading, of an ELF file.

A file whose header, segments or dynamic section contradict themselves is :class:`Malformed`, never
a traceback.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile, Filter, Malformed
from elfpack.elf.layout import ElfFault, Layout, Row, read_head
from elfpack.elf.strings import read_strings
from elfpack.paths import decode

_PATH_MAX = 4096
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
    header = layout.header
    align = layout.encoding.bits // 8
    loadable, end = False, 0
    named: Row | None = None
    notes: list[Row] = []
    for row in layout.rows:
        kind, _, offset, _, _, filesz, _, alignment = row
        if kind == c.PT_LOAD:
            loadable = True
            # One without content in the file maps nothing of it: glibc elf/dl-map-segments.h.
            if filesz and offset + filesz > end:
                end = offset + filesz
        elif kind == c.PT_INTERP:
            named = named or row
        elif kind == c.PT_NOTE and alignment == align:
            notes.append(row)
    try:
        interpreter = None if named is None else _interpreter(source, named, head)
        _refuse_cut(source, end)
        cut = end > source.size
        if not layout.tags:
            return ElfFile(header, interpreter, layout.dynamic is not None, loadable, cut=cut)
        isa = _isa(source, layout, head, notes) if notes and header.machine in _X86 else 0
        return _dynamic_file(source, layout, interpreter, loadable, cut, isa)
    except ElfFault as e:
        raise ElfFault(e.message, header) from None


def _refuse_cut(source: Source, end: int) -> None:
    """A file that ends before the last page of its segments: the first touch behind it kills the
    process."""
    if end > -(-source.size // _PAGE) * _PAGE:
        raise ElfFault(f"ELF file cut short: {source.size} bytes, its segments end at {end}")


_X86: Final = (c.EM_X86_64, c.EM_386)
_NOTES_MAX = 4096
"""Bytes of properties that are looked at: linkers write one note of some twenty."""


def _isa(source: Source, layout: Layout, head: bytes, notes: list[Row]) -> int:
    """The ISA levels that the object needs: of the segments of notes that are aligned as property
    notes are, the last that has one. Source: glibc elf/dl-load.c, _dl_map_object_from_fd()."""
    for _, _, offset, _, _, filesz, _, align in reversed(notes):
        size = min(filesz, _NOTES_MAX)
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


_FILTERS: Final = (c.DT_AUXILIARY, c.DT_FILTER)
_AUDIT: Final = (c.DT_AUDIT, c.DT_DEPAUDIT)
_WANTED: Final = frozenset((c.DT_NEEDED, c.DT_SONAME, c.DT_RPATH, c.DT_RUNPATH, *_FILTERS, *_AUDIT))
"""The tags whose value is a string."""


@lru_cache(maxsize=64)
def _isa_needed(raw: bytes, order: str, align: int) -> int | None:
    """What a segment of notes tells: those of one distribution's files are all alike."""
    from elfpack.elf.notes import isa_needed

    return isa_needed(raw, order, align)


def _dynamic_file(
    source: Source, layout: Layout, interpreter: str | None, loadable: bool, cut: bool, isa: int
) -> ElfFile:
    needed: list[str] = []
    filters: list[Filter] = []
    audit: list[str] = []
    single: dict[int, str] = {}
    wanted = [entry for entry in zip(*(layout.dynamic or ()), strict=False) if entry[0] in _WANTED]
    texts = read_strings(source, layout, [value for _, value in wanted]) if wanted else []
    for (tag, _), text in zip(wanted, texts, strict=True):
        if tag == c.DT_NEEDED:
            needed.append(text)
        elif tag in _FILTERS:
            filters.append(Filter(len(needed), text, tag == c.DT_FILTER))
        elif tag in _AUDIT:
            audit.append(text)
        else:  # of several, the last: glibc elf/get-dynamic-info.h
            single[tag] = text
    return ElfFile(
        layout.header,
        interpreter,
        True,
        loadable,
        single.get(c.DT_SONAME),
        tuple(needed),
        single.get(c.DT_RPATH),
        single.get(c.DT_RUNPATH),
        layout.tags.get(c.DT_FLAGS_1, 0),
        c.DT_DEBUG in layout.tags,
        tuple(filters),
        cut,
        tuple(audit),
        isa,
        any(map(_is_musls, needed)),
    )


def _is_musls(name: str) -> bool:
    return name == "libc.so" or name.startswith("libc.musl-")


def _interpreter(source: Source, row: Row, head: bytes) -> str:
    """PT_INTERP, the first one, by the kernel's checks: NUL-terminated, shorter than PATH_MAX.

    Source: Linux fs/binfmt_elf.c, load_elf_binary().
    """
    _, _, start, _, _, size, _, _ = row
    if size < 2 or size > _PATH_MAX:
        raise ElfFault(f"ELF file with an interpreter name of {size} bytes (PT_INTERP)")
    raw = head[start : start + size]
    if len(raw) < size:
        raw = source.pread(size, start) if start < source.size else b""
    if len(raw) < size:
        raise ElfFault("ELF file cut short in the name of its interpreter (PT_INTERP)")
    if raw[-1]:
        raise ElfFault("ELF file with an interpreter name that does not end (PT_INTERP)")
    return decode(raw[: raw.index(b"\0")])
