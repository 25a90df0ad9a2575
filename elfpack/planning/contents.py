"""What is read in objects besides what loads them: imports, notes, strings, Go's own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from elfpack import late
from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.constant import Paths, constants, constants_and_paths, has, paths
from elfpack.elf.golang import GoProgram, read_go
from elfpack.elf.layout import ElfFault, Layout, read_layout
from elfpack.elf.notes import Note, notes_of, read_notes
from elfpack.elf.symbols import SymbolVersions, imported_names, symbol_versions
from elfpack.errors import InputError, unreadable
from elfpack.light import TYPE_CHECKING
from elfpack.loader.files import Files
from elfpack.loader.identify import GLIBC
from elfpack.loader.records import Hit
from elfpack.paths import decode, encode
from elfpack.root.walk import Place
from elfpack.runtime import older_static
from elfpack.runtime.module import Found

if TYPE_CHECKING:
    import re
    from typing import Any, TypeVar

    K = TypeVar("K")
    V = TypeVar("V")

_NOTE_ABI_TAG = 1
_STARTING_CODE = 1024
"""Bytes; what crti.o and crtbeginS.o have, with the ways to what they call, are some 300."""
# What a stripped static program shows of the look-ups that it carries: names of glibc's internal
# functions in assertions (nss/XXX-lookup.c), and names of files that only one function reads.
_LOOKUP = late.pattern(rb"\0(__nss_[a-z]+_lookup2)(?=\0)")
_CARRIED = {
    b"passwd": "getpwuid",
    b"group": "getgrgid",
    b"hosts": "gethostbyname",
    b"services": "getservbyname",
    b"protocols": "getprotobyname",
    b"networks": "getnetbyname",
    b"rpc": "getrpcbyname",
    b"ethers": "ether_hostton",
    b"netgroup": "innetgr",
    b"aliases": "getaliasbyname",
}
# One that was linked with a glibc before 2.34 has the names of the functions that it opens a name
# service for, and only those. Source: glibc 2.31 nss/getXXbyYY_r.c, DB_LOOKUP_FCT.
_OPENED = late.pattern(rb"(?<=\0)(get[0-9a-z]{2,20}_r)(?=\0)")
_READERS = {b"/etc/gai.conf": "getaddrinfo"}
_FILES = late.pattern(rb"(/etc/(?:gai\.conf|passwd|group|services))\0")
_MUSL_READERS = {
    b"/etc/passwd": "getpwuid",
    b"/etc/group": "getgrgid",
    b"/etc/services": "getservbyname",
}


class Contents:
    """What is read in objects besides what loads them, each of it once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._places: dict[tuple[int, int], Place] = {}
        self._linked: dict[tuple[int, int], _Linked] = {}
        self._tables: list[tuple[tuple[int, int], dict[bytes, int], list[tuple[bytes, int]]]] = []
        """As :attr:`_Linked.imports`, of the objects that were indexed, by their identities."""
        self._imported: dict[bytes, bytes] = {}
        """All their names, one object for each: few of those that are asked for are among them."""
        self._versions: dict[tuple[int, int], SymbolVersions | None] = {}
        self._carried: dict[tuple[int, int], tuple[Mapping[str, str], str | None]] = {}
        self._go: dict[tuple[int, int], GoProgram | None] = {}
        self._strings: dict[tuple[tuple[int, int], bytes, bool], tuple[bytes, ...]] = {}
        self._held: dict[tuple[tuple[int, int], bytes], tuple[bytes, ...]] = {}
        self._has: dict[tuple[tuple[int, int], bytes], bool] = {}
        self._paths: dict[tuple[int, int], Paths] = {}
        self.opened: dict[tuple[int, int | None, str], Found | None] = {}
        self.loaded: dict[tuple[int, str], bool] = {}
        """What views found out about closures, by their places in the collection, which stay."""
        self._derived: dict[tuple[tuple[int, int], object], Any] = {}

    def importing(self, symbol: str) -> Iterator[tuple[tuple[int, int], int]]:
        """The objects that import a symbol, of those that were indexed, by their identities; and
        the number of the symbol in each."""
        name = encode(symbol)
        if name not in self._imported:
            return
        for identity, numbers, more in self._tables:
            if name in numbers:
                yield identity, numbers[name]
                if more:
                    yield from ((identity, number) for other, number in more if other == name)

    def index(self, hit: Hit) -> None:
        """Note what an object imports. One whose symbol table is broken imports nothing: it cannot
        run."""
        linked = self._read(hit)
        if linked.indexed:
            return
        linked.indexed = True
        numbers, more = linked.imports
        one = self._imported.setdefault
        numbers = {one(name, name): number for name, number in numbers.items()}
        self._tables.append((hit.identity, numbers, more))
        linked.imports = {}, []

    def versions(self, hit: Hit) -> SymbolVersions | None:
        """The versions of imported symbols; None if a table is broken."""
        read = partial(symbol_versions, layout=self._layout(hit))
        return self._once(self._versions, hit.identity, hit, read, None)

    def carried(self, hit: Hit) -> tuple[Mapping[str, str], str | None]:
        """The functions in a static program, each with what shows it, and the libc that it was
        linked with."""
        return self._once(self._carried, hit.identity, hit, _carried, ({}, None))

    def notes(self, hit: Hit) -> tuple[Note, ...]:
        return self._read(hit).notes

    def go(self, hit: Hit) -> GoProgram | None:
        return self._once(self._go, hit.identity, hit, read_go, None)

    def strings(self, hit: Hit, pattern: re.Pattern[bytes], *, whole: bool) -> tuple[bytes, ...]:
        key = hit.identity, pattern.pattern, whole
        read = partial(constants, pattern=pattern, whole=whole, layout=self._layout(hit))
        return self._once(self._strings, key, hit, read, ())

    def holds(self, hit: Hit, pattern: re.Pattern[bytes]) -> bool:
        """Whether there is a match of a pattern: no other is looked for then."""
        read = partial(constants, pattern=pattern, most=1, layout=self._layout(hit))
        found = self._once(self._held, (hit.identity, pattern.pattern), hit, read, ())
        return bool(found)

    def has(self, hit: Hit, text: bytes) -> bool:
        """Whether these bytes are in the read-only data of an object."""
        read = partial(has, text=text, layout=self._layout(hit))
        return self._once(self._has, (hit.identity, text), hit, read, False)

    def is_data(self, hit: Hit) -> bool:
        """Whether a library holds data alone, as ICU's 30 MB: it needs no other, and has no more
        code than what compilers put into each."""
        layout = self._read(hit).layout
        if layout is None or hit.elf.kind != "library" or hit.elf.needed:
            return False
        loaded = [s for s in layout.segments if s.type == c.PT_LOAD]
        return sum(s.filesz for s in loaded if s.flags & c.PF_X) < _STARTING_CODE

    def paths(self, hit: Hit) -> Paths:
        read = partial(paths, layout=self._layout(hit))
        return self._once(self._paths, hit.identity, hit, read, Paths((), ()))

    def go_through(self, hit: Hit, pattern: re.Pattern[bytes]) -> None:
        """Read at once what :meth:`strings`, of whole ones, and :meth:`paths` will be asked for."""
        key = hit.identity, pattern.pattern, True
        if key not in self._strings and hit.identity not in self._paths:
            read = partial(constants_and_paths, pattern=pattern, layout=self._layout(hit))
            nothing: tuple[tuple[bytes, ...], Paths] = (), Paths((), ())
            both = self._once({}, key, hit, read, nothing)
            self._strings[key], self._paths[hit.identity] = both

    def _layout(self, hit: Hit) -> Layout | None:
        """The layout of a file that was read before."""
        linked = self._linked.get(hit.identity)
        return linked.layout if linked is not None else None

    def derived(self, place: Place, read: Callable[[Source], V]) -> V | None:
        """What ``read`` makes of a file; None if it cannot be read."""
        key = place.node.identity, read
        if key not in self._derived:
            try:
                source = self._files.open(place)
            except OSError:
                return None
            try:
                self._derived[key] = read(source)
            finally:
                source.close()
        answer: V = self._derived[key]
        return answer

    def _once(
        self, table: dict[K, V], key: K, hit: Hit, read: Callable[[Source], V], broken: V
    ) -> V:
        """What ``read`` makes of an object; ``broken`` if it cannot be read, and so cannot run."""
        if key in table:
            return table[key]
        place = self._place(hit)
        try:
            source = self._files.open(place)
            try:
                table[key] = read(source)
            finally:
                source.close()
        except ElfFault:
            table[key] = broken
        except OSError as e:  # it could be read a moment ago
            raise unreadable(hit.real_path, e.errno or 0) from e
        return table[key]

    def read_along(self, place: Place, source: Source, layout: Layout) -> None:
        """Read what is asked of every object, of a file that is open."""
        self._linked.setdefault(place.node.identity, _linked(source, layout))

    def _read(self, hit: Hit) -> _Linked:
        known = self._linked.get(hit.identity)
        return known or self._once(self._linked, hit.identity, hit, _opened, _Linked())

    def _place(self, hit: Hit) -> Place:
        known = self._places.get(hit.identity)
        if known is not None:
            return known
        place = self._files.find(hit.real_path)
        if isinstance(place, int):
            raise InputError("vanished while elfpack worked", path=hit.real_path)
        self._places[hit.identity] = place
        return place


_Imports = tuple[dict[bytes, int], list[tuple[bytes, int]]]


class _Linked:
    """What is asked of every object that is loaded."""

    __slots__ = ("imports", "indexed", "layout", "notes")

    def __init__(
        self,
        layout: Layout | None = None,
        notes: tuple[Note, ...] = (),
        imports: _Imports = ({}, []),
    ) -> None:
        self.layout = layout
        self.notes = notes
        self.imports = imports
        """The numbers of the imported symbols by their names; and what more there is of a name,
        as of one that is imported in two versions. Until they are indexed."""
        self.indexed = False


def _opened(source: Source) -> _Linked:
    return _linked(source, read_layout(source))


def _linked(source: Source, layout: Layout) -> _Linked:
    notes = notes_of(source, layout)
    try:
        return _Linked(layout, notes, _by_name(*imported_names(source, layout)))
    except ElfFault:
        return _Linked(layout, notes)


def _by_name(names: list[bytes], numbers: list[int]) -> _Imports:
    found = dict(zip(reversed(names), reversed(numbers), strict=True))  # the first of a name stays
    if len(found) == len(names):
        return found, []
    return found, [row for row in zip(names, numbers, strict=True) if found[row[0]] != row[1]]


def _carried(source: Source) -> tuple[Mapping[str, str], str | None]:
    from elfpack.elf.sections import defined_functions  # late: few programs are static

    # glibc's crt1.o puts the ABI tag into every program, musl's does not.
    notes = read_notes(source)
    glibc = any(n.owner == "GNU" and n.type == _NOTE_ABI_TAG for n in notes)
    named = {name: name for name in defined_functions(source)}
    return named or _by_strings(source, glibc), GLIBC if glibc else None


def _by_strings(source: Source, glibc: bool) -> dict[str, str]:
    """Of a stripped program: functions by strings that only they have."""
    found: dict[str, str] = {}
    for text in constants(source, _LOOKUP) if glibc else ():
        database = text[len(b"__nss_") : -len(b"_lookup2")]
        if database in _CARRIED:
            found.setdefault(_CARRIED[database], decode(text))
    opens, built_in = older_static.OPENS, older_static.BUILT_IN
    if glibc and constants(source, opens) and not constants(source, built_in):
        found.update((name, name) for name in map(decode, constants(source, _OPENED)))
    readers = _READERS if glibc else _MUSL_READERS
    for path in constants(source, _FILES):
        if path in readers:
            found.setdefault(readers[path], decode(path))
    return found
