"""Makes a minimal ELF file of any class, byte order and machine, from keyword arguments.

What it makes is read by every reader, and complete in what decides loading; nothing in it runs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

from elfpack.elf import constants as c
from elfpack.elf.file import Abi
from elfpack.loader.relocations import types_of
from elfpack.paths import encode

_HIDDEN = 0x8000
_PROTECTED = 3
_DATA = 1
"""A relocation type that is no PLT entry and no copy on any machine."""
_TEXT_INDEX = 1
"""A section number that is not SHN_UNDEF: the symbol is defined."""
_PT_PHDR = 6
_WIDE_HASH = (c.EM_ALPHA, c.EM_S390)


def elf(**options: object) -> bytes:
    """The bytes of an ELF file; the options are the fields of :class:`Spec`."""
    return _Builder(Spec(**options)).build()  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What is in the file. The defaults are a library of x86-64 that needs nothing."""

    bits: int = 64
    little: bool = True
    machine: int = c.EM_X86_64
    type: int = c.ET_DYN
    e_flags: int = 0
    osabi: int = 0
    abiversion: int = 0
    interpreter: str | None = None
    needed: Sequence[str] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    flags_1: int = 0
    debug: bool = False
    tags: Sequence[tuple[int, int | str]] = ()
    """Further dynamic tags; a text becomes an offset into the string table."""
    dynamic: bool | None = None
    """Whether there is a PT_DYNAMIC; by itself for ET_DYN and whatever has a tag."""
    imports: Sequence[str] = ()
    """``name`` or ``name@VERSION``, the version one of :attr:`needs`."""
    exports: Sequence[str] = ()
    """``name``, ``name@@VERSION`` or, not the default one, ``name@VERSION``."""
    weak: Sequence[str] = ()
    hidden: Sequence[str] = ()
    """Which of the names are weak, which have visibility hidden."""
    protected: Sequence[str] = ()
    local: Sequence[str] = ()
    canonical: Sequence[str] = ()
    """Exports that are not defined: they have the value of a PLT entry."""
    types: Mapping[str, int] = field(default_factory=dict)
    """STT_FUNC if a name has none here."""
    values: Mapping[str, int] = field(default_factory=dict)
    relocations: Sequence[str] = ()
    """``got:NAME``, ``plt:NAME``, ``copy:NAME``, in this order in each table."""
    needs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Version needs: the versions wanted of each needed name."""
    weak_versions: Sequence[str] = ()
    strict_versions: Sequence[str] = ()
    """Which of the needed versions are weak, which have the hidden bit."""
    defines: Sequence[str] = ()
    """Version definitions; the base version, named as the soname, goes before them."""
    hash: str = "gnu"
    """``gnu``, ``sysv`` or ``none``: which table tells how many symbols there are."""
    notes: Sequence[tuple[str, int, bytes]] = ()  # owner, type, description
    isa: int = 0
    """Bits of GNU_PROPERTY_X86_ISA_1_NEEDED."""
    content: bytes = b""
    """More bytes in the loaded segment, for what recognises a file by its strings."""
    functions: Sequence[str] = ()
    """Names in a static symbol table."""
    sections: bool = True

    @property
    def is_dynamic(self) -> bool:
        if self.dynamic is not None:
            return self.dynamic
        tagged = self.needed or self.rpath or self.runpath or self.soname or self.tags
        return self.type == c.ET_DYN or bool(tagged)


class _Strings:
    def __init__(self) -> None:
        self.data = bytearray(1)
        self._known = {"": 0}

    def add(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self.data)
            self.data += encode(text) + b"\0"
        return self._known[text]


class _Builder:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.order = "<" if spec.little else ">"
        self.wide = spec.bits == 64
        self.base = 0x400000 if spec.type == c.ET_EXEC else 0
        self.strings = _Strings()
        self.blobs: dict[str, bytes] = {}
        self.versions = {v: 2 + n for n, v in enumerate(spec.defines)}
        for version in (v for wanted in spec.needs.values() for v in wanted):
            self.versions.setdefault(version, 2 + len(self.versions))

    def pack(self, layout: str, *values: int | bytes) -> bytes:
        return struct.pack(self.order + layout, *values)

    def build(self) -> bytes:
        spec = self.spec
        if spec.interpreter is not None:
            self.blobs["interp"] = encode(spec.interpreter) + b"\0"
        if spec.notes:
            self.blobs["notes"] = b"".join(self._note(*note) for note in spec.notes)
        if spec.isa:
            self.blobs["property"] = self._property(spec.isa)
        tags = self._tags() if spec.is_dynamic else []
        at = self._place()
        if spec.is_dynamic:
            self.blobs["dynamic"] = self._dynamic(tags, at)
        self.blobs["content"] = spec.content
        at = self._place()
        end = max((at[n] + len(b) for n, b in self.blobs.items()), default=self._header_size())
        segments = b"".join(self._segments(at, end))
        image = bytearray(end)
        for name, blob in self.blobs.items():
            image[at[name] : at[name] + len(blob)] = blob
        sections, shoff, count = self._sections(end) if spec.sections else (b"", 0, 0)
        size = 64 if self.wide else 52
        image[size : size + len(segments)] = segments
        image[:size] = self._header(len(self._segment_names()), shoff, count)
        return bytes(image) + sections

    def _header(self, phnum: int, shoff: int, shnum: int) -> bytes:
        spec = self.spec
        encoding = (2 if self.wide else 1, 1 if spec.little else 2)
        ident = b"\x7fELF" + bytes((*encoding, 1, spec.osabi, spec.abiversion))
        phoff = (64 if self.wide else 52) if phnum else 0
        words = "HHIQQQIHHHHHH" if self.wide else "HHIIIIIHHHHHH"
        sizes = (64, 56, 64) if self.wide else (52, 32, 40)
        return ident.ljust(16, b"\0") + self.pack(
            words,
            *(spec.type, spec.machine, 1, 0, phoff, shoff, spec.e_flags),
            *(sizes[0], sizes[1], phnum, sizes[2], shnum, shnum and 1),
        )

    def _segment_names(self) -> list[str]:
        if self.spec.type == c.ET_REL:
            return []
        # A kernel-started PIE learns by PT_PHDR where it lies; it goes before any PT_LOAD.
        names = ["headers", "interp"] if self.spec.interpreter is not None else []
        names.append("load")
        names += ["dynamic"] if self.spec.is_dynamic else []
        names += ["notes"] if self.spec.notes else []
        return names + (["property"] if self.spec.isa else [])

    def _header_size(self) -> int:
        count = len(self._segment_names())
        return 64 + count * 56 if self.wide else 52 + count * 32

    def _place(self) -> dict[str, int]:
        """File offsets, each aligned to 8."""
        at, found = self._header_size(), {}
        for name, blob in self.blobs.items():
            at = (at + 7) // 8 * 8
            found[name] = at
            at += len(blob)
        found["dynamic"] = found.get("dynamic", (at + 7) // 8 * 8)
        return found

    def _segments(self, at: Mapping[str, int], end: int) -> Iterator[bytes]:
        kinds = {"interp": c.PT_INTERP, "dynamic": c.PT_DYNAMIC, "notes": c.PT_NOTE}
        kinds["property"] = c.PT_NOTE
        for name in self._segment_names():
            if name == "load":
                yield self._segment(c.PT_LOAD, 0, end, 0x1000)
            elif name == "headers":
                start = 64 if self.wide else 52
                yield self._segment(_PT_PHDR, start, self._header_size() - start, 8)
            else:
                align = 4 if name == "notes" else 8
                yield self._segment(kinds[name], at[name], len(self.blobs[name]), align)

    def _segment(self, kind: int, offset: int, size: int, align: int) -> bytes:
        address = self.base + offset
        if self.wide:
            return self.pack("IIQQQQQQ", kind, 7, offset, address, address, size, size, align)
        return self.pack("IIIIIIII", kind, offset, address, address, size, size, 7, align)

    def _sections(self, start: int) -> tuple[bytes, int, int]:
        """Section headers: null, .shstrtab and, with functions, .strtab and .symtab."""
        names = b"\0.shstrtab\0.strtab\0.symtab\0"
        strings = _Strings()
        symbols = self._symbol(0, 0, 0, 0)
        for function in self.spec.functions:
            symbols += self._symbol(strings.add(function), 0x12, 0, _TEXT_INDEX)
        entry = len(self._symbol(0, 0, 0, 0))
        body = [(1, 3, names, 0, 0)]
        if self.spec.functions:
            body += [(11, 3, bytes(strings.data), 0, 0), (19, 2, symbols, 2, entry)]
        word = "IIQQQQIIQQ" if self.wide else "IIIIIIIIII"
        headers, data = self.pack(word, *[0] * 10), b""
        for name, kind, blob, link, size in body:
            at = start + len(data)
            headers += self.pack(word, name, kind, 0, 0, at, len(blob), link, 1, 1, size)
            data += blob
        data += bytes(-(start + len(data)) % 8)
        return data + headers, start + len(data), len(body) + 1

    def _note(self, owner: str, kind: int, description: bytes) -> bytes:
        name = encode(owner) + b"\0"
        head = self.pack("III", len(name), len(description), kind)
        pad = [bytes(-len(part) % 4) for part in (name, description)]
        return head + name + pad[0] + description + pad[1]

    def _property(self, isa: int) -> bytes:
        description = self.pack("III", 0xC0008002, 4, isa)
        return self._note(
            "GNU", 5, description + bytes(-len(description) % (8 if self.wide else 4))
        )

    def _tags(self) -> list[tuple[int, int | str]]:
        """Tags and values; a text stands for the address of that blob."""
        spec, text = self.spec, self.strings.add
        tags: list[tuple[int, int | str]] = [(c.DT_NEEDED, text(n)) for n in spec.needed]
        paths = (c.DT_SONAME, spec.soname), (c.DT_RPATH, spec.rpath), (c.DT_RUNPATH, spec.runpath)
        for tag, value in (*paths, *spec.tags):
            if value is not None:
                tags.append((tag, text(value) if isinstance(value, str) else value))
        if spec.flags_1:
            tags.append((c.DT_FLAGS_1, spec.flags_1))
        if spec.debug:
            tags.append((c.DT_DEBUG, 0))
        tags += self._symbol_tables()
        # Behind the symbols, as linkers lay it: without a hash table that tells their number.
        symbols = self.blobs.pop("symbols", b"")
        self.blobs = {"symbols": symbols, "strings": bytes(self.strings.data), **self.blobs}
        return [*tags, (c.DT_STRTAB, "strings"), (c.DT_STRSZ, len(self.strings.data))]

    def _dynamic(self, tags: Sequence[tuple[int, int | str]], at: Mapping[str, int]) -> bytes:
        rows = [(t, v if isinstance(v, int) else self.base + at[v]) for t, v in tags]
        return b"".join(self.pack("QQ" if self.wide else "II", *row) for row in [*rows, (0, 0)])

    def _symbol_tables(self) -> Iterator[tuple[int, int | str]]:
        spec = self.spec
        names = [*spec.imports, *spec.exports]
        if not names and not self.versions:
            return
        table, versym = self._symbol(0, 0, 0, 0), self.pack("H", 0)
        for number, text in enumerate(names):
            name, at, version = text.partition("@")
            defined = number >= len(spec.imports)
            index = self.versions[version.lstrip("@")] if at else int(defined)
            if defined and at and not version.startswith("@"):
                index |= _HIDDEN
            section = _TEXT_INDEX if defined and name not in spec.canonical else c.SHN_UNDEF
            table += self._dynamic_symbol(name, section, 0x10 if defined else 0)
            versym += self.pack("H", index)
        yield from self._blob(c.DT_SYMTAB, "symbols", table)
        yield c.DT_SYMENT, len(self._symbol(0, 0, 0, 0))
        if spec.hash != "none":
            tag = c.DT_GNU_HASH if spec.hash == "gnu" else c.DT_HASH
            yield from self._blob(tag, "hash", self._hash([n.partition("@")[0] for n in names]))
        if self.versions:
            yield from self._blob(c.DT_VERSYM, "versym", versym)
        yield from self._version_tables()
        yield from self._relocations([text.partition("@")[0] for text in names])

    def _dynamic_symbol(self, name: str, section: int, value: int) -> bytes:
        spec = self.spec
        bind = c.STB_WEAK if name in spec.weak else c.STB_GLOBAL
        if name in spec.local:
            bind = c.STB_LOCAL
        other = _PROTECTED if name in spec.protected else 0
        if name in spec.hidden:
            other = c.STV_HIDDEN
        info = bind << 4 | spec.types.get(name, c.STT_FUNC)
        value = spec.values.get(name, value)
        return self._symbol(self.strings.add(name), info, other, section, value)

    def _relocations(self, names: Sequence[str]) -> Iterator[tuple[int, int | str]]:
        types = types_of(Abi(self.spec.machine, self.spec.bits, self.spec.little, 0))
        data, plt = b"", b""
        for text in self.spec.relocations:
            kind, _, name = text.partition(":")
            number = {"plt": types.jump_slot, "copy": types.copy, "got": _DATA}[kind]
            entry = self._relocation(names.index(name) + 1, number)
            data, plt = (data, plt + entry) if kind == "plt" else (data + entry, plt)
        if data:
            tag = c.DT_RELA if self.wide else c.DT_REL
            yield from self._blob(tag, "relocations", data)
            yield tag + 1, len(data)
            yield tag + 2, len(self._relocation(0, 0))
        if plt:
            yield from self._blob(c.DT_JMPREL, "plt", plt)
            yield c.DT_PLTRELSZ, len(plt)
            yield c.DT_PLTREL, c.DT_RELA if self.wide else c.DT_REL

    def _relocation(self, symbol: int, number: int) -> bytes:
        if not self.wide:
            return self.pack("II", 0, symbol << 8 | number)
        if self.spec.machine == c.EM_MIPS:
            return self.pack("QIBBBBq", 0, symbol, 0, 0, 0, number, 0)
        return self.pack("QQq", 0, symbol << 32 | number, 0)

    def _blob(self, tag: int, name: str, data: bytes) -> Iterator[tuple[int, int | str]]:
        self.blobs[name] = data
        yield tag, name

    def _symbol(self, name: int, info: int, other: int, section: int, value: int = 0) -> bytes:
        if self.wide:
            return self.pack("IBBHQQ", name, info, other, section, value, 0)
        return self.pack("IIIBBH", name, value, 0, info, other, section)

    def _hash(self, names: Sequence[str]) -> bytes:
        """With one bucket, in which all symbols are: then any order of symbols is right."""
        count, first = len(names) + 1, len(self.spec.imports) + 1
        if self.spec.hash == "sysv":
            word = "Q" if self.wide and self.spec.machine in _WIDE_HASH else "I"
            chain = [0, *range(2, count), 0][:count]
            return self.pack(word * (3 + count), 1, count, int(count > 1), *chain)
        hashes = [_gnu_hash(encode(n)) & ~1 for n in names[first - 1 :]]
        if hashes:
            hashes[-1] |= 1
        # Without a symbol in it GNU ld writes 1, whatever the number of imports.
        head = self.pack("IIII", 1, first if hashes else 1, 1, 0) + b"\xff" * (
            8 if self.wide else 4
        )
        return head + self.pack("I" * (1 + len(hashes)), first if hashes else 0, *hashes)

    def _version_tables(self) -> Iterator[tuple[int, int | str]]:
        spec, text, data = self.spec, self.strings.add, b""
        if spec.needs:
            last = list(spec.needs)[-1]
            for file, wanted in spec.needs.items():
                following = 0 if file == last else 16 + 16 * len(wanted)
                data += self.pack("HHIII", 1, len(wanted), text(file), 16, following)
                for left, version in zip(range(len(wanted))[::-1], wanted, strict=True):
                    number = self.versions[version]
                    number |= _HIDDEN if version in spec.strict_versions else 0
                    weak = 2 if version in spec.weak_versions else 0
                    step = 16 if left else 0
                    row = sysv_hash(version), weak, number, text(version), step
                    data += self.pack("IHHII", *row)
            yield from self._blob(c.DT_VERNEED, "verneed", data)
            yield c.DT_VERNEEDNUM, len(spec.needs)
        if spec.defines:
            data, names = b"", [spec.soname or "base", *spec.defines]
            for number, name in enumerate(names, start=1):
                step = 28 if number < len(names) else 0
                base = int(number == 1)
                data += self.pack("HHHHIII", 1, base, number, 1, sysv_hash(name), 20, step)
                data += self.pack("II", text(name), 0)
            yield from self._blob(c.DT_VERDEF, "verdef", data)
            yield c.DT_VERDEFNUM, len(names)


def sysv_hash(text: str) -> int:
    """The hash of a version's name. Source: gABI ch. 5, "Hash Table"."""
    value = 0
    for byte in encode(text):
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ high >> 24) & ~high
    return value


def _gnu_hash(name: bytes) -> int:
    return reduce(lambda value, byte: (value * 33 + byte) & 0xFFFFFFFF, name, 5381)
