"""What decides loading, of an ELF file.

A file whose header, segments or dynamic section contradict themselves is :class:`Malformed`, never
a traceback.
"""

from __future__ import annotations

from typing import Final

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile, Filter, Malformed
from elfpack.elf.layout import ElfFault, Layout, read_head
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
    try:
        interpreter = _interpreter(source, layout, head)
    except ElfFault as e:
        raise ElfFault(e.message, header) from None
    loadable = any(s.type == c.PT_LOAD for s in layout.segments)
    # A segment without content in the file maps nothing of it. Source: glibc elf/dl-map-segments.h.
    loads = [s for s in layout.segments if s.type == c.PT_LOAD and s.filesz]
    end = max([s.offset + s.filesz for s in loads], default=0)
    if end > -(-source.size // _PAGE) * _PAGE:  # the first touch behind it kills the process
        raise ElfFault(
            f"ELF file cut short: {source.size} bytes, its segments end at {end}", header
        )
    if not layout.dynamic:
        return ElfFile(
            header, interpreter, layout.dynamic is not None, loadable, cut=end > source.size
        )
    try:
        found = _dynamic_file(source, layout, interpreter, loadable)
    except ElfFault as e:
        raise ElfFault(e.message, header) from None
    isa = _isa(source, layout, head) if header.machine in _X86 else 0
    if isa or end > source.size:
        return found._replace(cut=end > source.size, isa=isa)
    return found


_X86: Final = (c.EM_X86_64, c.EM_386)
_NOTES_MAX = 4096
"""Bytes of properties that are looked at: linkers write one note of some twenty."""


def _isa(source: Source, layout: Layout, head: bytes) -> int:
    """The ISA levels that the object needs: of the segments of notes that are aligned as property
    notes are, the last that has one. Source: glibc elf/dl-load.c, _dl_map_object_from_fd()."""
    align = layout.encoding.bits // 8
    for segment in reversed(layout.segments):
        if segment.type != c.PT_NOTE or segment.align != align:
            continue
        size = min(segment.filesz, _NOTES_MAX)
        raw = head[segment.offset : segment.offset + size]
        if len(raw) < size and segment.offset < source.size:
            raw = source.pread(size, segment.offset)
        if _ISA_MARK in raw:
            from elfpack.elf.notes import isa_needed

            found = isa_needed(raw, layout.encoding.order, align)
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
    flags_1 = 0
    debug = False
    strings: Strings | None = None
    for tag, value in layout.dynamic or ():
        wanted = _WANTED.get(tag)
        if wanted is None:
            if tag == c.DT_FLAGS_1:
                flags_1 = value
            elif tag == c.DT_DEBUG:
                debug = True
            continue
        if strings is None:
            strings = Strings(source, layout)
        text = strings.at(value)
        if wanted == "needed":
            needed.append(text)
        elif wanted in ("auxiliary", "filter"):
            filters.append(Filter(len(needed), text, wanted == "filter"))
        elif wanted == "audit":
            audit.append(text)
        else:  # of several, the last: glibc elf/get-dynamic-info.h
            single[wanted] = text
    return ElfFile(
        layout.header,
        interpreter,
        True,
        loadable,
        single.get("soname"),
        tuple(needed),
        single.get("rpath"),
        single.get("runpath"),
        flags_1,
        debug,
        tuple(filters),
        audit=tuple(audit),
    )


def _interpreter(source: Source, layout: Layout, head: bytes) -> str | None:
    """PT_INTERP by the kernel's checks: the first one, NUL-terminated, shorter than PATH_MAX.

    Source: Linux fs/binfmt_elf.c, load_elf_binary().
    """
    for segment in layout.segments:
        if segment.type != c.PT_INTERP:
            continue
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
    return None
