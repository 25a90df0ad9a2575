"""Whether an ELF file is the debug half of another, which nothing loads.

Source: binutils, objcopy --only-keep-debug: what is loaded keeps its headers and loses its bytes.
"""

from __future__ import annotations

import struct

from elfpack.blob import Source
from elfpack.elf.layout import ENCODINGS

_SHT_NULL, _SHT_NOTE, _SHT_NOBITS = 0, 7, 8
_SHF_ALLOC = 2
_MOST = 4096
"""Sections that are looked at; the debug half of a large program has some 40."""


def is_debug_file(source: Source) -> bool:
    """Whether it has sections, and all that would be loaded but its notes have no content."""
    head = source.pread(64, 0)
    encoding = ENCODINGS.get(head[4:6])
    if head[:4] != b"\x7fELF" or encoding is None or len(head) < encoding.header.size:
        return False
    fields = encoding.header.unpack_from(head)
    start, entry, count = fields[6], fields[11], fields[12]
    section = struct.Struct(encoding.order + ("IIQQQQIIQQ" if encoding.bits == 64 else "10I"))
    if not start or entry != section.size or start >= source.size:
        return False
    raw = source.pread(min(min(count, _MOST) * section.size, source.size - start), start)
    raw = raw[: len(raw) // section.size * section.size]
    loaded = [kind for _, kind, flags, *_ in section.iter_unpack(raw) if flags & _SHF_ALLOC]
    return bool(loaded) and all(kind in (_SHT_NOBITS, _SHT_NOTE) for kind in loaded)
