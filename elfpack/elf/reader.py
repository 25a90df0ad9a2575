"""What decides loading, of an ELF file.

A file whose header, segments or dynamic section contradict themselves is :class:`Malformed`, never
a traceback.
"""

from __future__ import annotations

from typing import Final

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile, Filter, Malformed
from elfpack.elf.layout import ElfFault, Layout, Segment, read_head
from elfpack.elf.strings import Strings
from elfpack.paths import decode

_PATH_MAX = 4096
_PAGE = 4096
"""The smallest page of any machine: what a file lacks of its last one reads as zeros."""


def read(source: Source) -> ElfFile | Malformed:
    """What decides loading, of an open file."""
    try:
        layout, head = read_head(source)
        return _file(source, layout, head)
    except ElfFault as e:
        return Malformed(e.message, e.header, source.pread(64, 0))


def _file(source: Source, layout: Layout, head: bytes) -> ElfFile:
    header = layout.header
    align = layout.encoding.bits // 8
    loadable, end = False, 0
    named: Segment | None = None
    notes: list[Segment] = []
    for segment in layout.segments:
        if segment.type == c.PT_LOAD:
            loadable = True
            # One without content in the file maps nothing of it: glibc elf/dl-map-segments.h.
            if segment.filesz and segment.offset + segment.filesz > end:
                end = segment.offset + segment.filesz
        elif segment.type == c.PT_INTERP:
            named = named or segment
        elif segment.type == c.PT_NOTE and segment.align == align:
            notes.append(segment)
    try:
        interpreter = None if named is None else _interpreter(source, named, head)
        _refuse_cut(source, end)
        if not layout.dynamic:
            has_dynamic = layout.dynamic is not None
            return ElfFile(header, interpreter, has_dynamic, loadable, cut=end > source.size)
        found = _dynamic_file(source, layout, interpreter, loadable)
    except ElfFault as e:
        raise ElfFault(e.message, header) from None
    isa = _isa(source, layout, head, notes) if notes and header.machine in _X86 else 0
    if isa or end > source.size:
        return found._replace(cut=end > source.size, isa=isa)
    return found


def _refuse_cut(source: Source, end: int) -> None:
    """A file that ends before the last page of its segments: the first touch behind it kills the
    process."""
    if end > -(-source.size // _PAGE) * _PAGE:
        raise ElfFault(f"ELF file cut short: {source.size} bytes, its segments end at {end}")


_X86: Final = (c.EM_X86_64, c.EM_386)
_NOTES_MAX = 4096
"""Bytes of properties that are looked at: linkers write one note of some twenty."""


def _isa(source: Source, layout: Layout, head: bytes, notes: list[Segment]) -> int:
    """The ISA levels that the object needs: of the segments of notes that are aligned as property
    notes are, the last that has one. Source: glibc elf/dl-load.c, _dl_map_object_from_fd()."""
    for segment in reversed(notes):
        size = min(segment.filesz, _NOTES_MAX)
        raw = head[segment.offset : segment.offset + size]
        if len(raw) < size and segment.offset < source.size:
            raw = source.pread(size, segment.offset)
        if _ISA_MARK in raw:
            from elfpack.elf.notes import isa_needed

            found = isa_needed(raw, layout.encoding.order, segment.align)
            if found is not None:
                return found
    return 0


_ISA_MARK: Final = b"\x02\x80\x00\xc0"
"""The type of the property, without which there is no need to parse."""


_WANTED: Final = {
    c.DT_NEEDED: "needed",
    c.DT_SONAME: "soname",
    c.DT_RPATH: "rpath",
    c.DT_RUNPATH: "runpath",
    c.DT_AUXILIARY: "auxiliary",
    c.DT_FILTER: "filter",
    c.DT_AUDIT: "audit",
    c.DT_DEPAUDIT: "audit",
}


def _dynamic_file(
    source: Source, layout: Layout, interpreter: str | None, loadable: bool
) -> ElfFile:
    needed: list[str] = []
    filters: list[Filter] = []
    audit: list[str] = []
    single: dict[str, str] = {}
    wanted = [(_WANTED[tag], value) for tag, value in layout.dynamic or () if tag in _WANTED]
    strings = Strings(source, layout, [value for _, value in wanted]) if wanted else None
    for kind, value in wanted:
        assert strings is not None
        text = strings.at(value)
        if kind == "needed":
            needed.append(text)
        elif kind in ("auxiliary", "filter"):
            filters.append(Filter(len(needed), text, kind == "filter"))
        elif kind == "audit":
            audit.append(text)
        else:  # of several, the last: glibc elf/get-dynamic-info.h
            single[kind] = text
    return ElfFile(
        layout.header,
        interpreter,
        True,
        loadable,
        single.get("soname"),
        tuple(needed),
        single.get("rpath"),
        single.get("runpath"),
        layout.tags.get(c.DT_FLAGS_1, 0),
        c.DT_DEBUG in layout.tags,
        tuple(filters),
        audit=tuple(audit),
        of_musl=any(map(_is_musls, needed)),
    )


def _is_musls(name: str) -> bool:
    return name == "libc.so" or name.startswith("libc.musl-")


def _interpreter(source: Source, segment: Segment, head: bytes) -> str:
    """PT_INTERP, the first one, by the kernel's checks: NUL-terminated, shorter than PATH_MAX.

    Source: Linux fs/binfmt_elf.c, load_elf_binary().
    """
    start, size = segment.offset, segment.filesz
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
