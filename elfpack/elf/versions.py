"""Version needs and definitions of an ELF file.

Source: Linux Standard Base, "Symbol Versioning"; glibc elf/dl-version.c.
"""

import struct
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout, read_layout
from elfpack.elf.strings import Strings, read_strings

_WEAK = 0x2
_BASE = 0x1
_STEP = 4096
"""Bytes of a table read at once."""


class Need(NamedTuple):
    """One version that an object wants from another (Vernaux)."""

    file: str
    """The needed name that has to provide it."""
    version: str
    number: int
    """The number that symbols of this file refer to it by."""
    weak: bool
    hash: int = 0
    """The hash of its name as stored: loaders compare both."""
    hidden: bool = False
    """It is satisfied by nothing but a symbol of this very version."""


class Definition(NamedTuple):
    """One version that an object defines (Verdef)."""

    version: str
    number: int
    base: bool
    """The name of the object itself, no version of a symbol."""
    hash: int = 0
    """The hash of its name as stored."""


_need, _definition = partial(tuple.__new__, Need), partial(tuple.__new__, Definition)
"""Made without a step in Python: a tree has thousands."""


class Versions(NamedTuple):
    needs: tuple[Need, ...] = ()
    definitions: tuple[Definition, ...] = ()

    def by_index(self) -> dict[int, str]:
        """The version that each index of DT_VERSYM stands for."""
        table = {d.number: d.version for d in self.definitions if not d.base}
        table.update((n.number, n.version) for n in self.needs)
        return table


def read_versions(source: Source) -> Versions:
    """Needs and definitions, in file order.

    Raises:
        ElfFault: a table lies outside the file.
    """
    return laid_out_versions(source, read_layout(source))


def laid_out_versions(source: Source, layout: Layout) -> Versions:
    """As :func:`read_versions`, by a layout that is known."""
    if not layout.tags:
        return Versions()
    return _versions(source, layout, partial(read_strings, source, layout))


def versions_of(source: Source, layout: Layout, strings: Strings) -> Versions:
    """As :func:`read_versions`, for who has the strings at hand."""
    return _versions(source, layout, lambda offsets: [strings.at(offset) for offset in offsets])


def _versions(source: Source, layout: Layout, read: Callable[[list[int]], list[str]]) -> Versions:
    """The tables first, then all names at once."""
    needs, definitions = _needs(source, layout), _definitions(source, layout)
    if not needs and not definitions:
        return Versions()
    asked = [row[0] for row in needs]
    asked += [row[1] for row in needs]
    asked += [row[0] for row in definitions]
    names = read(asked)
    count = len(needs)
    return Versions(
        tuple(
            [
                _need((file, version, other & ~c.VERSYM_HIDDEN, bool(flags & _WEAK), value, hidden))
                for file, version, (_, _, value, flags, other, hidden) in zip(
                    names, names[count:], needs, strict=False
                )
            ]
        ),
        tuple(
            [
                _definition((version, number & ~c.VERSYM_HIDDEN, bool(flags & _BASE), value))
                for version, (_, number, flags, value) in zip(
                    names[2 * count :], definitions, strict=True
                )
            ]
        ),
    )


class _Table:
    """The bytes from a table's address to the end of its segment, read as far as needed."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        self._source = source
        self._start = start
        self.size = size
        self._from = 0
        self._piece = b""

    def unpack(self, layout: struct.Struct, at: int) -> tuple[int, ...]:
        """
        Raises:
            ElfFault: the entry runs over the end.
        """
        inside = at - self._from
        if inside < 0 or inside + layout.size > len(self._piece):
            self._from, inside = at, 0
            self._piece = self._source.pread(min(_STEP, max(0, self.size - at)), self._start + at)
        if layout.size > len(self._piece) - inside:
            raise ElfFault("ELF file with a version table that runs over its end")
        return layout.unpack_from(self._piece, inside)


def _table(source: Source, layout: Layout, tag: int) -> _Table | None:
    address = layout.tags.get(tag)
    if address is None:
        return None
    for kind, _, offset, vaddr, _, filesz, _, _ in layout.rows:
        if kind == c.PT_LOAD and vaddr <= address < vaddr + filesz:
            start = offset + address - vaddr
            size = min(vaddr + filesz - address, max(0, source.size - start))
            return _Table(source, start, size)
    raise ElfFault("ELF file with a version table outside the file")


def _needs(source: Source, layout: Layout) -> list[tuple[int, int, int, int, int, bool]]:
    """Of each the offsets of the file's and the version's name, the hash, flags and number, and
    whether it is hidden."""
    table = _table(source, layout, c.DT_VERNEED)
    if table is None:
        return []
    outer, inner = _structs(layout.encoding.order)[:2]
    unpack, most = table.unpack, table.size // inner.size
    found: list[tuple[int, int, int, int, int, bool]] = []
    at = 0
    # Both the next field and the count end the walk; each step goes forward, so that a table
    # that loops ends too.
    for _ in range(layout.tags.get(c.DT_VERNEEDNUM, 0)):
        _, count, file, aux, following = unpack(outer, at)
        inside = at + aux
        for _ in range(count):
            if len(found) > most:  # entries that overlap would never end
                raise ElfFault("ELF file with a version table that repeats itself")
            value, flags, other, version, step = unpack(inner, inside)
            found.append((file, version, value, flags, other, bool(other & c.VERSYM_HIDDEN)))
            if step == 0:
                break
            inside += step
        if following == 0:
            break
        at += following
    return found


def _definitions(source: Source, layout: Layout) -> list[tuple[int, int, int, int]]:
    """Of each the offset of its name, its number, flags and hash."""
    table = _table(source, layout, c.DT_VERDEF)
    if table is None:
        return []
    _, _, outer, inner = _structs(layout.encoding.order)
    found: list[tuple[int, int, int, int]] = []
    at = 0
    for _ in range(layout.tags.get(c.DT_VERDEFNUM, 0)):
        _, flags, index, count, value, aux, following = table.unpack(outer, at)
        if count:
            name, _ = table.unpack(inner, at + aux)
            found.append((name, index, flags, value))
        if following == 0:
            break
        at += following
    return found


@cache
def _structs(order: str) -> tuple[struct.Struct, struct.Struct, struct.Struct, struct.Struct]:
    """Verneed, Vernaux, Verdef, Verdaux."""
    verneed, vernaux, verdef, verdaux = "HHIII", "IHHII", "HHHHIII", "II"
    return (
        struct.Struct(order + verneed),
        struct.Struct(order + vernaux),
        struct.Struct(order + verdef),
        struct.Struct(order + verdaux),
    )
