"""elfpack's reader, pyelftools and lief agree on every fixture and on every program here.

elfpack and lief read the dynamic section by segments, pyelftools the symbols by sections: each
way has its own faults.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lief
import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile

from elfpack.blob import FileSource
from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile
from elfpack.elf.reader import read
from elfpack.elf.symbols import Symbol, read_symbols
from elfpack.paths import decode

FIXTURES = Path(__file__).parent.parent / "fixtures"
PROGRAMS = Path("/usr/bin")
_HIDDEN = 0x8000


Names = frozenset[tuple[str, str | None]]


class View(NamedTuple):
    """What a reader says of a file."""

    bits: int
    little: bool
    machine: int
    type: int
    interpreter: str | None
    needed: tuple[str, ...]
    soname: str | None
    rpath: str | None
    runpath: str | None
    imported: Names | None
    exported: Names | None
    """Names and versions; None from a reader that needs sections, for a file that has none."""


def files(top: Path) -> Iterator[Path]:
    for directory, _, names in os.walk(top):
        for name in sorted(names):
            path = Path(directory, name)
            if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                with path.open("rb") as file:
                    if file.read(4) == b"\x7fELF":
                        yield path


def open_source(path: Path) -> FileSource:
    return FileSource(os.open(path, os.O_RDONLY), str(path))


def by_elfpack(path: Path) -> View | None:
    """None for a file that elfpack calls broken."""
    source = open_source(path)
    try:
        elf = read(source)
        if not isinstance(elf, ElfFile):
            return None
        symbols = read_symbols(source)
    finally:
        source.close()
    return View(
        *elf.abi[1:2],
        elf.header.little,
        elf.header.machine,
        elf.header.type,
        elf.interpreter,
        elf.needed,
        elf.soname,
        elf.rpath,
        elf.runpath,
        _names(symbols.imported),
        _names(symbols.exported),
    )


def _names(symbols: tuple[Symbol, ...]) -> Names:
    return frozenset((s.name, s.version) for s in symbols)


# pyelftools


def by_pyelftools(path: Path) -> View:
    with path.open("rb") as file:
        elf = ELFFile(file)
        tags: dict[str, list[str]] = {}
        interpreter = None
        for segment in elf.iter_segments():
            if segment.header.p_type == "PT_INTERP" and interpreter is None:
                interpreter = segment.get_interp_name()
            if isinstance(segment, DynamicSegment):
                for tag in segment.iter_tags():
                    name = tag.entry.d_tag
                    if name in ("DT_NEEDED", "DT_SONAME", "DT_RPATH", "DT_RUNPATH"):
                        tags.setdefault(name, []).append(getattr(tag, name[3:].lower()))
        imported, exported = _symbols(elf) if elf.num_sections() else (None, None)
        header = elf.header
        return View(
            elf.elfclass,
            elf.little_endian,
            _number(header.e_machine, "e_machine"),
            _number(header.e_type, "e_type"),
            interpreter,
            tuple(tags.get("DT_NEEDED", ())),
            _last(tags, "DT_SONAME"),
            _last(tags, "DT_RPATH"),
            _last(tags, "DT_RUNPATH"),
            imported,
            exported,
        )


def _last(tags: dict[str, list[str]], name: str) -> str | None:
    return tags[name][-1] if name in tags else None


def _number(value: Any, field: str) -> int:
    from elftools.elf import enums

    table = {"e_machine": enums.ENUM_E_MACHINE, "e_type": enums.ENUM_E_TYPE}[field]
    return int(table[value]) if isinstance(value, str) else int(value)


def _symbols(elf: Any) -> tuple[Names, ...]:
    sections = {type(s).__name__: s for s in elf.iter_sections() if s.name != ".symtab"}
    table = next((s for s in elf.iter_sections() if s.header.sh_type == "SHT_DYNSYM"), None)
    names: dict[int, str] = {}
    if (needs := sections.get("GNUVerNeedSection")) is not None:
        names.update({a.entry.vna_other: a.name for _, rows in needs.iter_versions() for a in rows})
    if (defines := sections.get("GNUVerDefSection")) is not None:
        for definition, rows in defines.iter_versions():
            if not definition.entry.vd_flags & 1:
                names[definition.entry.vd_ndx] = next(rows).name
    versym = sections.get("GNUVerSymSection")
    found: tuple[set[tuple[str, str | None]], ...] = (set(), set())
    for number, symbol in enumerate(table.iter_symbols() if table is not None else ()):
        entry = symbol.entry
        visible = entry.st_other.visibility not in ("STV_HIDDEN", "STV_INTERNAL")
        defined = entry.st_shndx != "SHN_UNDEF"
        if symbol.name and entry.st_info.bind != "STB_LOCAL" and (visible or not defined):
            index = versym.get_symbol(number).entry.ndx if versym is not None else 0
            version = names.get(index & ~_HIDDEN) if isinstance(index, int) else None
            found[defined].add((symbol.name, version))
    return tuple(map(frozenset, found))


# lief


def by_lief(path: Path) -> View:
    config = lief.ELF.ParserConfig()
    config.parse_relocations = config.parse_notes = config.parse_symtab_symbols = False
    config.parse_overlay = False
    binary = lief.ELF.parse(str(path), config)
    assert binary is not None
    single: dict[str, str] = {}
    needed = []
    for entry in binary.dynamic_entries:
        if isinstance(entry, lief.ELF.DynamicEntryLibrary):
            needed.append(str(entry.name))
        elif isinstance(entry, lief.ELF.DynamicSharedObject):
            single["soname"] = str(entry.name)
        elif isinstance(entry, lief.ELF.DynamicEntryRpath):
            single["rpath"] = str(entry.rpath)
        elif isinstance(entry, lief.ELF.DynamicEntryRunPath):
            single["runpath"] = str(entry.runpath)
    header = binary.header
    return View(
        64 if header.identity_class == lief.ELF.Header.CLASS.ELF64 else 32,
        header.identity_data == lief.ELF.Header.ELF_DATA.LSB,
        header.machine_type.value,
        header.file_type.value,
        binary.interpreter if binary.has_interpreter else None,
        tuple(needed),
        single.get("soname"),
        single.get("rpath"),
        single.get("runpath"),
        *_lief_symbols(binary),
    )


def _lief_symbols(binary: Any) -> tuple[Names, ...]:
    found: tuple[set[tuple[str, str | None]], ...] = (set(), set())
    for symbol in binary.dynamic_symbols:
        defined = symbol.shndx != 0
        # The other bits of st_other, which ppc64 uses, are more than lief's visibility takes.
        hidden = symbol.other & 3 in (c.STV_HIDDEN, c.STV_INTERNAL)
        name = symbol.name if isinstance(symbol.name, str) else decode(symbol.name)
        local = symbol.binding == lief.ELF.Symbol.BINDING.LOCAL
        if name and not local and not (defined and hidden):
            found[defined].add((name, _lief_version(symbol)))
    return tuple(map(frozenset, found))


def _lief_version(symbol: Any) -> str | None:
    version = symbol.symbol_version if symbol.has_version else None
    # 0 is local, 1 the base version: neither is the version of a symbol.
    if version is None or version.value & ~_HIDDEN < 2 or not version.has_auxiliary_version:
        return None
    return str(version.symbol_version_auxiliary.name)


def differences(path: Path) -> list[str]:
    """The fields in which the readers differ."""
    ours = by_elfpack(path)
    if ours is None:
        return ["elfpack calls it broken"]
    told = []
    for name, view in (("pyelftools", by_pyelftools(path)), ("lief", by_lief(path))):
        for field, mine, theirs in zip(View._fields, ours, view, strict=True):
            if mine != theirs and theirs is not None:
                told.append(
                    f"{path} {field}: {_short(mine, theirs)} {name}: {_short(theirs, mine)}"
                )
    return told


def _short(mine: Any, theirs: Any) -> str:
    return ascii(sorted(mine - theirs)[:5] if isinstance(mine, frozenset) else mine)


@pytest.mark.parametrize("top", [FIXTURES, PROGRAMS], ids=["fixtures", "usr-bin"])
def test_readers_agree(top: Path) -> None:
    lief.logging.disable()
    told = [line for path in files(top) for line in differences(path)]
    assert told == []
