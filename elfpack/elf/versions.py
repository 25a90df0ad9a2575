"""Version needs and definitions of an ELF file.

Source: Linux Standard Base, "Symbol Versioning"; glibc elf/dl-version.c.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache, partial

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, Layout, read_layout
from elfpack.elf.strings import Strings, read_strings
from elfpack.light import NamedTuple

_WEAK = 0x2
_BASE = 0x1
_NUMBER = ~c.VERSYM_HIDDEN & 0xFFFF
_STEP = 4096
"""Bytes of a table read at first: most tables are no longer."""
_PIECE = 512
"""Bytes read behind those, wherever an entry is: a table may lead to and fro."""


_REPEATS = "ELF file with a version table that repeats itself"


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


class Compared(NamedTuple):
    """What a loader compares before it starts a program: names and their hashes as stored."""

    needs: dict[str, list[tuple[int, str]]] = {}
    """The versions that are wanted of each file, without the weak ones."""
    definitions: frozenset[tuple[int, str]] = frozenset()


def read_versions(source: Source) -> Versions:
    """Needs and definitions, in file order.

    Raises:
        ElfFault: a table lies outside the file.
    """
    layout = read_layout(source)
    if not layout.tags:
        return Versions()
    return _versions(source, layout, partial(read_strings, source, layout))


def versions_of(source: Source, layout: Layout, strings: Strings) -> Versions:
    """As :func:`read_versions`, for who has the strings at hand."""
    return _versions(source, layout, lambda offsets: [strings.at(offset) for offset in offsets])


def _versions(source: Source, layout: Layout, read: Callable[[list[int]], list[str]]) -> Versions:
    """The tables first, then all names at once, that of a file once for all its versions."""
    files, needs, definitions, asked = _tables(source, layout)
    if not asked:
        return Versions()
    names = iter(read(asked))
    of: list[str] = []
    for name, (_, count) in zip([next(names) for _ in files], files, strict=True):
        of += [name] * count
    return Versions(
        tuple(
            [
                _need(
                    (file, next(names), other & _NUMBER, flags & _WEAK != 0, value, other > _NUMBER)
                )
                for file, (value, flags, other, _, _) in zip(of, needs, strict=True)
            ]
        ),
        tuple(
            [
                _definition((next(names), index & _NUMBER, flags & _BASE != 0, value))
                for _, index, flags, value in definitions
            ]
        ),
    )


def read_compared(source: Source, layout: Layout) -> Compared:
    """Of an open file whose layout is known. A tree has thousands of versions: no record is made
    for each.

    Raises:
        ElfFault: a table lies outside the file.
    """
    files, needs, definitions, asked = _tables(source, layout)
    if not asked:
        return Compared()
    names = read_strings(source, layout, asked)
    found: dict[str, list[tuple[int, str]]] = {}
    first, behind = 0, len(files)
    for name, (_, count) in zip(names, files, strict=False):
        of_file = slice(behind + first, behind + first + count)
        rows = zip(needs[first : first + count], names[of_file], strict=True)
        versions = [(row[0], version) for row, version in rows if not row[1] & _WEAK]
        found.setdefault(name, []).extend(versions)
        first += count
    rest = zip(definitions, names[behind + first :], strict=True)
    return Compared(found, frozenset([(row[3], version) for row, version in rest]))


class _Table:
    """The bytes from a table's address to the end of its segment, read as far as needed."""

    def __init__(self, source: Source, start: int, size: int) -> None:
        self._source = source
        self._start = start
        self.size = size
        self.head = source.pread(min(_STEP, size), start)
        """The first of them, which are unpacked where they are."""
        self._from = 0
        self._piece = self.head

    def unpack(self, layout: struct.Struct, at: int) -> tuple[int, ...]:
        """
        Raises:
            ElfFault: the entry runs over the end.
        """
        inside = at - self._from
        if inside < 0 or inside + layout.size > len(self._piece):
            self._from, inside = at, 0
            self._piece = self._source.pread(min(_PIECE, max(0, self.size - at)), self._start + at)
        if layout.size > len(self._piece) - inside:
            raise ElfFault("ELF file with a version table that runs over its end")
        return layout.unpack_from(self._piece, inside)


def _table(source: Source, layout: Layout, tag: int) -> _Table | None:
    address = layout.tags.get(tag)
    if address is None:
        return None
    for low, high, delta in layout.parts.loads:
        if low <= address < high:
            start = address + delta
            if start >= source.size:
                break
            return _Table(source, start, min(high - address, source.size - start))
    raise ElfFault("ELF file with a version table outside the file")


_Files = list[tuple[int, int]]
_Needs = list[tuple[int, ...]]
_Definitions = list[tuple[int, int, int, int]]


def _tables(source: Source, layout: Layout) -> tuple[_Files, _Needs, _Definitions, list[int]]:
    """Files, needs and definitions, and the offsets of all their names, in this order."""
    files, needs = _needs(source, layout)
    definitions = _definitions(source, layout)
    names = [file for file, _ in files]
    names += [row[3] for row in needs]
    names += [row[0] for row in definitions]
    return files, needs, definitions, names


def _needs(source: Source, layout: Layout) -> tuple[_Files, _Needs]:
    """The offset of each file's name with the number of its versions; and all Vernaux, one after
    the other."""
    files: _Files = []
    found: _Needs = []
    table = _table(source, layout, c.DT_VERNEED)
    if table is None:
        return files, found
    outer, inner = _structs(layout.encoding.order)[:2]
    unpack, head, most = table.unpack, table.head, table.size // inner.size
    last, unpack_head = len(head) - inner.size, inner.unpack_from
    at = 0
    # Both the next field and the count end the walk; each step goes forward, so that a table
    # that loops ends too.
    for _ in range(layout.tags.get(c.DT_VERNEEDNUM, 0)):
        if len(files) > most:  # entries that overlap would never end
            raise ElfFault(_REPEATS)
        _, count, file, aux, following = unpack(outer, at)
        inside, before = at + aux, len(found)
        for _ in range(count):
            if len(found) > most:
                raise ElfFault(_REPEATS)
            row = unpack_head(head, inside) if inside <= last else unpack(inner, inside)
            found.append(row)
            if row[4] == 0:
                break
            inside += row[4]
        files.append((file, len(found) - before))
        if following == 0:
            break
        at += following
    return files, found


def _definitions(source: Source, layout: Layout) -> _Definitions:
    """Of each the offset of its name, its number, flags and hash."""
    table = _table(source, layout, c.DT_VERDEF)
    if table is None:
        return []
    _, _, outer, inner = _structs(layout.encoding.order)
    found: _Definitions = []
    at, most = 0, table.size // outer.size
    for _ in range(layout.tags.get(c.DT_VERDEFNUM, 0)):
        if len(found) > most:
            raise ElfFault(_REPEATS)
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
