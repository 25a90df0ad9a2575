"""Malformed ELF files, each made from a good one by one change.

Every field that decides anything is set to every value at which a reader could fall: zero, one,
the largest, one that is negative for who takes it as signed, one that overflows when it is added.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from elfpack.elf import constants as c
from tests.elfbuild import elf

INTERPRETER = "/lib64/ld-linux-x86-64.so.2"
_EDGES = {
    "B": (0, 3, 0x7F, 0xFF),
    "H": (0, 1, 0x7FFF, 0xFFFE, 0xFFFF),
    "I": (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    "Q": (0, 1, 0x7FFFFFFF, 2**32, 2**63 - 1, 2**63, 2**64 - 1),
}


class Field(NamedTuple):
    """A field: its name, its offset and its form for :mod:`struct`."""

    name: str
    offset: int
    form: str


_HEADER = (
    *(Field("class", 4, "B"), Field("data", 5, "B"), Field("version", 6, "B")),
    *(Field("osabi", 7, "B"), Field("type", 16, "H"), Field("machine", 18, "H")),
    *(Field("phoff", 32, "Q"), Field("shoff", 40, "Q"), Field("flags", 48, "I")),
    *(Field("ehsize", 52, "H"), Field("phentsize", 54, "H"), Field("phnum", 56, "H")),
    *(Field("shentsize", 58, "H"), Field("shnum", 60, "H"), Field("shstrndx", 62, "H")),
)
_SEGMENT = (
    *(Field("type", 0, "I"), Field("offset", 8, "Q"), Field("vaddr", 16, "Q")),
    *(Field("filesz", 32, "Q"), Field("memsz", 40, "Q"), Field("align", 48, "Q")),
)
_SEGMENTS = {
    "load": c.PT_LOAD,
    "dynamic": c.PT_DYNAMIC,
    "interp": c.PT_INTERP,
    "note": c.PT_NOTE,
}
_TAGS = {
    "needed": c.DT_NEEDED,
    "strtab": c.DT_STRTAB,
    "strsz": c.DT_STRSZ,
    "soname": c.DT_SONAME,
    "runpath": c.DT_RUNPATH,
    "symtab": c.DT_SYMTAB,
    "gnu_hash": c.DT_GNU_HASH,
    "versym": c.DT_VERSYM,
    "verneed": c.DT_VERNEED,
    "verneednum": c.DT_VERNEEDNUM,
    "verdef": c.DT_VERDEF,
    "verdefnum": c.DT_VERDEFNUM,
}
_TABLES = {
    # Elf64_Verneed and the Elf64_Vernaux behind it
    "verneed": (
        c.DT_VERNEED,
        "HHIIIIHHII",
        ("version", "cnt", "file", "aux", "next", "hash", "flags", "other", "name", "anext"),
    ),
    # Elf64_Verdef and the Elf64_Verdaux behind it
    "verdef": (
        c.DT_VERDEF,
        "HHHHIIIII",
        ("version", "flags", "ndx", "cnt", "hash", "aux", "next", "name", "anext"),
    ),
    "gnu_hash": (c.DT_GNU_HASH, "IIII", ("nbuckets", "symoffset", "bloom_size", "bloom_shift")),
    "hash": (c.DT_HASH, "II", ("nbucket", "nchain")),
}
_INTERPRETERS = {
    "empty": "",
    "relative": "ld-linux-x86-64.so.2",
    "dots": "../../../../../lib64/ld.so",
    "longer than a path": "/" + "a/" * 2100 + "ld.so",
    "newline": "/lib64/ld\n.so",
    "escape sequence": "/lib64/\x1b]0;owned\x07\x1b[2J",
    "not UTF-8": "/lib64/\udcff\udcfe",
    "directory": "/lib64",
    "itself": "/bin/interp-itself",
    "device": "/dev/zero",
    "FIFO": "/fifos/interp",
}


def good(**more: object) -> bytes:
    """What the others are made from: it has every part that elfpack reads."""
    return elf(
        **{
            "interpreter": INTERPRETER,
            "needed": ["libc.so.6", "libm.so.6"],
            "soname": "libgood.so",
            "runpath": "$ORIGIN/../lib",
            "imports": ["puts@V1", "sin@V2"],
            "exports": ["mine@@S1"],
            "needs": {"libc.so.6": ["V1"], "libm.so.6": ["V2"]},
            "defines": ["S1"],
            "notes": [("GNU", 1, bytes(16)), ("FDO", 0x407C0C0A, b'[{"soname":["libd.so"]}]\0')],
            "functions": ["main"],
            **more,
        }
    )


def malformed() -> Iterator[tuple[str, bytes]]:
    """All of them, each with a name of its own that can be a file's."""
    for part in (_headers, _segments, _tags, _tables, _notes, _strings, _cuts, _others):
        yield from part()


def _set(raw: bytes, field: Field, value: int) -> bytes:
    new = struct.pack("<" + field.form, value)
    return raw[: field.offset] + new + raw[field.offset + len(new) :]


def _each(kind: str, raw: bytes, field: Field) -> Iterator[tuple[str, bytes]]:
    for value in _EDGES[field.form]:
        yield f"{kind}-{field.name}-{value:#x}", _set(raw, field, value)


def _headers() -> Iterator[tuple[str, bytes]]:
    for field in _HEADER:
        yield from _each("header", good(), field)


def _segments() -> Iterator[tuple[str, bytes]]:
    raw = good()
    for name, kind in _SEGMENTS.items():
        start = _segment(raw, kind)
        for field in _SEGMENT:
            yield from _each(name, raw, field._replace(offset=start + field.offset))


def _segment(raw: bytes, kind: int) -> int:
    """Where the first program header of a type stands."""
    starts = (64 + 56 * n for n in range(raw[56]))
    return next(s for s in starts if struct.unpack_from("<I", raw, s)[0] == kind)


def _tag(raw: bytes, tag: int) -> int:
    """Where the first dynamic entry with that tag stands."""
    (offset,) = struct.unpack_from("<Q", raw, _segment(raw, c.PT_DYNAMIC) + 8)
    while struct.unpack_from("<Q", raw, offset)[0] != tag:
        offset += 16
    return int(offset)


def _tags() -> Iterator[tuple[str, bytes]]:
    raw = good()
    for name, tag in _TAGS.items():
        at = _tag(raw, tag)
        yield from _each("tag", raw, Field(name, at + 8, "Q"))
        yield f"tag-{name}-gone", _set(raw, Field(name, at, "Q"), 0x6FFFFFF0)


def _tables() -> Iterator[tuple[str, bytes]]:
    for name, (tag, forms, fields) in _TABLES.items():
        raw = good(hash="sysv") if name == "hash" else good()
        (offset,) = struct.unpack_from("<Q", raw, _tag(raw, tag) + 8)
        for field, form in zip(fields, forms, strict=True):
            yield from _each(name, raw, Field(field, offset, form))
            offset += struct.calcsize(form)


def _notes() -> Iterator[tuple[str, bytes]]:
    raw = good()
    (offset,) = struct.unpack_from("<Q", raw, _segment(raw, c.PT_NOTE) + 8)
    for name in ("namesz", "descsz", "type"):
        yield from _each("notes", raw, Field(name, offset, "I"))
        offset += 4
    for name, text in {
        "not JSON": b"{{{{",
        "deep": b"[" * 50_000,
        "numbers": b"[1, 2, 3]",
        "soname is a number": b'[{"soname": 9}]',
        "path": b'[{"soname": ["/../../outside/lib/libevil.so"], "priority": "required"}]',
    }.items():
        yield f"dlopen-{name}", elf(notes=[("FDO", 0x407C0C0A, text + b"\0")], soname="libn.so")


def _strings() -> Iterator[tuple[str, bytes]]:
    for name, text in _INTERPRETERS.items():
        yield f"interpreter-{name}", good(interpreter=text)
    path = INTERPRETER.encode()
    yield "interpreter-does-not-end", good().replace(path + b"\0", path + b"x")
    for what in ("soname", "runpath", "rpath"):
        yield f"{what}-huge", good(**{what: "x" * 70_000})
        yield f"{what}-steers", good(**{what: "\x1b[2J\n\r\x9b\u202e"})
    yield "needed-itself", good(needed=["needed-itself"] * 9)
    yield "needed-many", good(needed=[f"lib{n}.so" for n in range(200)])
    yield "runpath-many", good(runpath=":".join(f"/d{n}" for n in range(200)))
    yield "runpath-tokens", good(runpath=":".join(["$ORIGIN/${LIB}/$PLATFORM/${ORIGIN"] * 30))


def _cuts() -> Iterator[tuple[str, bytes]]:
    raw = good()
    for size in (0, 1, 4, 5, 16, 52, 63, 64, 65, 120, 176, 400, len(raw) // 2, len(raw) - 1):
        yield f"cut-{size}", raw[:size]


def _others() -> Iterator[tuple[str, bytes]]:
    changes: dict[str, Callable[[bytes], bytes]] = {
        "big-endian-flag": lambda raw: _set(raw, Field("data", 5, "B"), 2),
        "32-bit-flag": lambda raw: _set(raw, Field("class", 4, "B"), 1),
        "all-ones-behind-ident": lambda raw: raw[:16] + b"\xff" * (len(raw) - 16),
        "all-zeros-behind-ident": lambda raw: raw[:16] + bytes(len(raw) - 16),
        "segments-are-the-header": lambda raw: _set(raw, Field("phoff", 32, "Q"), 0),
        "sections-are-segments": lambda raw: _set(raw, Field("shoff", 40, "Q"), 64),
        "twice": lambda raw: raw + raw,
    }
    for name, change in changes.items():
        yield name, change(good())
    yield "core", elf(type=4)
    yield "unknown-machine", elf(machine=0xBEEF)
