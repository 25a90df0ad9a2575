"""What one object wants of others and what it gives them, by the rules of a libc.

A :class:`Linkage` is made once a file. What an object finds in itself is left out of what it
wants: it is part of every scope that it is looked up in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from elfpack.elf import constants as c
from elfpack.elf.file import Abi
from elfpack.elf.layout import ElfFault, Layout
from elfpack.elf.linking import Linking, Row
from elfpack.elf.relocations import Range, decoded
from elfpack.elf.strings import OVERLAP, most_bytes
from elfpack.elf.versions import Need, Versions
from elfpack.loader.relocations import COPY, PLT, types_of

Version = tuple[int, str]
"""Hash and name; loaders compare both."""
Versioned = dict[int, Version] | None
"""The versions of an object by index; None for an object that has none at all."""
Candidates = tuple[int, ...]
"""The definitions of one name in one object: for each its version index and these bits."""

UNDEFINED = 1 << 16
"""Not defined there; it may have a value all the same: the address of its PLT entry."""
UNUSABLE = 1 << 17
"""It ends the search in its object, and does not satisfy it."""
MIPS_PLT = 0x8
"""STO_MIPS_PLT, of st_other: an undefined symbol whose value is that of its PLT entry."""


_ALIKE = 256
"""Definitions of one name in one object, each of another version. Libraries have two or three."""


class Reference(NamedTuple):
    """One symbol that relocations of an object refer to, as one kind of relocation."""

    symbol: int
    name: bytes
    kind: int
    """:data:`COPY`, :data:`PLT` or 0."""
    optional: bool = False
    """Nothing is said if it is not found."""
    number: int = 0
    """Its version index."""
    version: Version | None = None
    hidden: bool = False
    """The base version does not do in place of the version."""
    file: str | None = None
    """The needed name that the version is wanted of."""
    protected: bool = False
    """Visibility protected: what is found is looked up once more, as for a call."""


class Linkage(NamedTuple):
    """What binds one object to others."""

    wants: dict[bytes, tuple[Reference, ...]]
    """By name, what has to be found in other objects."""
    exports: dict[bytes, Candidates]
    versions: Versioned
    needs: tuple[Need, ...] = ()
    definitions: frozenset[Version] | None = None
    """None without DT_VERDEF."""
    last_defined: int = 0
    """The highest index of a definition."""
    symbolic: bool = False
    """DT_SYMBOLIC: it is searched before all others for its own references."""
    relr: bool = False
    """Has DT_RELR."""


EMPTY = Linkage({}, {}, None)
"""Of a file without symbols."""


class Rules(NamedTuple):
    """How one libc reads symbols."""

    order: Callable[[Layout], list[Range]]
    """The relocations as the loader processes them."""
    refer: Callable[[Row, bytes, int], Reference | None]
    """A symbol by its entry, name and kind of relocation; None if it is not looked up."""
    exported: Callable[[int, int, int, int, bool], int | None]
    """The bits of a definition by its info, other, section, value, and whether the machine is
    MIPS; None if it is passed over."""
    finds: Callable[[Reference, Candidates, Versioned], bool]
    """Whether one of the definitions of a name satisfies a reference."""
    repeats: bool
    """What was looked up just before is looked up again."""


def linkage(linking: Linking, abi: Abi, rules: Rules) -> Linkage:
    """
    Raises:
        ElfFault: a name is not in the string table.
    """
    exports = _exports(linking, abi, rules)
    versions = _versioned(linking)
    wants: dict[bytes, list[Reference]] = {}
    left = most_bytes(len(linking.strings))
    met: set[Reference] = set()
    for reference in referring(linking.once(), abi, rules):
        if reference in met:
            continue
        met.add(reference)
        left -= len(reference.name)
        if left < 0:
            raise ElfFault(OVERLAP)
        own = None if reference.kind & COPY else exports.get(reference.name)
        if reference.optional or (own and rules.finds(reference, own, versions)):
            continue
        wants.setdefault(reference.name, []).append(reference)
    has = linking.layout.last
    defined = linking.versions.definitions
    return Linkage(
        {name: tuple(references) for name, references in wants.items()},
        exports,
        versions,
        linking.versions.needs,
        None if has(c.DT_VERDEF) is None else frozenset([(d.hash, d.version) for d in defined]),
        max([d.number for d in defined], default=0),
        has(c.DT_SYMBOLIC) is not None or bool((has(c.DT_FLAGS) or 0) & c.DF_SYMBOLIC),
        has(c.DT_RELR) is not None,
    )


def _exports(linking: Linking, abi: Abi, rules: Rules) -> dict[bytes, Candidates]:
    found: dict[bytes, Candidates] = {}
    several: dict[bytes, list[int]] = {}
    shared: dict[int, Candidates] = {}
    left = most_bytes(len(linking.strings))
    exported, strings = rules.exported, linking.strings
    mips = abi.machine == c.EM_MIPS
    numbers = linking.versym[linking.findable.start :]
    for position, (name, info, other, section, value) in enumerate(linking.rows()):
        bits = exported(info, other, section, value, mips)
        if bits is None:
            continue
        if position < len(numbers):
            bits |= numbers[position]
        end = strings.find(b"\0", name)
        text = strings[name:end] if end >= 0 else linking.name(name)
        left -= len(text)
        if left < 0:
            raise ElfFault(OVERLAP)
        if text in found:
            alike = several.setdefault(text, [*found[text]])
            alike.append(bits)
            if len(alike) > _ALIKE:
                raise ElfFault("ELF file that defines one symbol over and over")
        else:
            found[text] = shared.setdefault(bits, (bits,))
    found.update((text, tuple(candidates)) for text, candidates in several.items())
    return found


def _versioned(linking: Linking) -> Versioned:
    """A version without a hash is none. Source: glibc elf/dl-version.c,
    _dl_check_map_versions()."""
    if not linking.versym or not (linking.versions.needs or linking.versions.definitions):
        return None
    return {number: v for number, v in _table(linking.versions).items() if v[0]}


def _table(versions: Versions) -> dict[int, Version]:
    table = {need.number: (need.hash, need.version) for need in versions.needs}
    table.update((d.number, (d.hash, d.version)) for d in versions.definitions if not d.base)
    return table


def referring(linking: Linking, abi: Abi, rules: Rules) -> Iterator[Reference]:
    """What an object's relocations look up, in the loader's order.

    Raises:
        ElfFault: a symbol or its name lies outside the file.
    """
    before: tuple[int, int] | None = None
    for reference in _referring(linking, abi, rules):
        this = reference.symbol, reference.kind
        if rules.repeats or this != before:
            yield reference
        before = this


def _referring(linking: Linking, abi: Abi, rules: Rules) -> Iterator[Reference]:
    types = types_of(abi)
    versions = _table(linking.versions)
    needs = {need.number: need for need in linking.versions.needs}
    for index in linking.got:
        reference = _reference(linking, index, _got_kind(linking.row(index)), rules)
        if reference is not None:
            yield _with_version(reference, linking, versions, needs)
    known: dict[int, Reference | None] = {}
    for infos in linking.infos:
        for info in infos:
            if info in known:
                reference = known[info]
            else:
                index, kind = decoded(info, linking.layout)
                wanted = types.kind(kind) if index else None
                reference = None if wanted is None else _reference(linking, index, wanted, rules)
                if reference is not None:
                    reference = _with_version(reference, linking, versions, needs)
                known[info] = reference
            if reference is not None:
                yield reference


def _got_kind(row: Row) -> int:
    """A stub for lazy binding needs no address that others can compare.

    Source: glibc sysdeps/mips/dl-machine.h, elf_machine_got_rel().
    """
    stub = row.value and row.type == c.STT_FUNC and not row.other & MIPS_PLT
    return PLT if stub and row.section == c.SHN_UNDEF else 0


def _reference(linking: Linking, index: int, kind: int, rules: Rules) -> Reference | None:
    row = linking.row(index)
    found = rules.refer(row, linking.name(row.name), kind)
    return None if found is None else found._replace(symbol=index)


def _with_version(
    reference: Reference, linking: Linking, versions: dict[int, Version], needs: dict[int, Need]
) -> Reference:
    index = reference.symbol
    number = linking.versym[index] & ~c.VERSYM_HIDDEN if index < len(linking.versym) else 0
    version = versions.get(number)
    if version is None or not version[0]:
        return reference
    need = needs.get(number)
    hidden, file = (need.hidden, need.file) if need is not None else (False, None)
    return reference._replace(number=number, version=version, hidden=hidden, file=file)
