"""What runtime modules see: the objects of all closures, their imports indexed once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from elfpack.blob import Source
from elfpack.elf.layout import ElfFault
from elfpack.elf.notes import read_notes
from elfpack.elf.sections import defined_functions
from elfpack.elf.symbols import read_imports
from elfpack.errors import InputError
from elfpack.loader.closure import Closure
from elfpack.loader.files import TEXT_LIMIT, Files
from elfpack.loader.identify import GLIBC
from elfpack.loader.records import Hit
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import basename
from elfpack.root.walk import Place
from elfpack.runtime.module import Evidence

# The libraries that glibc installs. What they import from each other is no evidence that the
# program needs it. Source: glibc shlib-versions, Makefiles' "extra-libs".
_GLIBC_OWN = frozenset(
    (
        *("libc.so.6", "libm.so.6", "libmvec.so.1", "libpthread.so.0", "libdl.so.2"),
        *("librt.so.1", "libutil.so.1", "libanl.so.1", "libresolv.so.2", "libnsl.so.1"),
        *("libthread_db.so.1", "libBrokenLocale.so.1", "libcidn.so.1", "libSegFault.so"),
        *("libnss_files.so.2", "libnss_dns.so.2", "libnss_compat.so.2", "libnss_db.so.2"),
        *("libnss_hesiod.so.2", "libc_malloc_debug.so.0", "libmemusage.so", "libpcprofile.so"),
    )
)
_NOTE_ABI_TAG = 1
# What a stripped static program shows of the look-ups that it carries: names of glibc's internal
# functions in assertions (nss/XXX-lookup.c), and names of files that only one function reads.
_LOOKUP = re.compile(rb"\0__nss_([a-z]+)_lookup2\0")
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
_READERS = {b"/etc/gai.conf": "getaddrinfo"}
_MUSL_READERS = {
    b"/etc/passwd": "getpwuid",
    b"/etc/group": "getgrgid",
    b"/etc/services": "getservbyname",
}


_Import = tuple[str, str | None, str | None, str]
"""The object, the symbol's version, the libc of the program, and how the object has the symbol."""


class Seen(NamedTuple):
    """An object and the closure that brought it."""

    hit: Hit
    label: str
    closure: Closure


class ClosureView:
    """The view of one moment: made anew when objects were added. Symbol tables are kept."""

    def __init__(
        self, resolver: Resolver, options: Options, closures: tuple[Closure, ...], imports: Imports
    ) -> None:
        self._resolver = resolver
        self._options = options
        self._closures = closures
        self._imports = imports
        self._seen = tuple(_objects(closures))
        self._index: dict[str, list[_Import]] | None = None

    @property
    def glibc(self) -> tuple[int, int] | None:
        for closure in self._closures:
            if closure.loader is not None and closure.loader.libc == GLIBC:
                return closure.loader.version
        return None

    def importers(self, symbols: Iterable[str], libc: str | None = None) -> tuple[Evidence, ...]:
        index = self._index
        if index is None:
            index = self._index = self._build()
        found = []
        for symbol in symbols:
            for label, version, from_libc, how in index.get(symbol, ()):
                if libc is None or (from_libc == libc and _of(libc, version)):
                    found.append(Evidence(symbol, label, how))
                    break
        return tuple(found)

    def exists(self, path: str) -> bool:
        place = self._resolver.files.find(path)
        return not isinstance(place, int) and place.node.is_regular

    def read(self, path: str) -> bytes | None:
        raw = self._resolver.files.read_all(path, TEXT_LIMIT)
        return raw if isinstance(raw, bytes) else None

    def opened_by_libc(self, name: str) -> Hit | None:
        for closure in self._closures:
            if closure.loader is None or closure.loader.libc != GLIBC or closure.kind == "library":
                continue
            hit = self._resolver.opened(closure, name, self._options)
            if hit is not None:
                return hit
        return None

    def _build(self) -> dict[str, list[_Import]]:
        index: dict[str, list[_Import]] = {}
        for seen in self._seen:
            libc = seen.closure.loader.libc if seen.closure.loader is not None else None
            how = "imported by" if libc is not None else "carried by"
            if libc is None:
                names, libc = self._imports.carried(seen.hit)
                entries: Iterable[tuple[str, str | None]] = ((n, None) for n in names)
            elif seen.hit.elf.soname in _GLIBC_OWN or seen.hit == seen.closure.interpreter:
                continue
            else:
                entries = self._imports.of(seen.hit)
            for name, version in entries:
                index.setdefault(name, []).append((seen.label, version, libc, how))
        return index


def _of(libc: str, version: str | None) -> bool:
    return version is None or libc != GLIBC or version.startswith("GLIBC_")


def _objects(closures: tuple[Closure, ...]) -> Iterable[Seen]:
    known: set[tuple[int, int]] = set()
    for closure in closures:
        for number, hit in enumerate(closure.hits):
            if hit.identity not in known:
                known.add(hit.identity)
                label = closure.label(number) if number == 0 else basename(hit.path)
                yield Seen(hit, label, closure)


class Imports:
    """The symbols that objects import, each object read once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._imports: dict[tuple[int, int], tuple[tuple[str, str | None], ...]] = {}
        self._carried: dict[tuple[int, int], tuple[frozenset[str], str | None]] = {}

    def of(self, hit: Hit) -> tuple[tuple[str, str | None], ...]:
        """Names and versions. Of an object whose symbol table is broken: none, it cannot run."""
        known = self._imports.get(hit.identity)
        if known is None:
            source = self._files.open(self._place(hit))
            try:
                known = tuple((s.name, s.version) for s in read_imports(source))
            except ElfFault:
                known = ()
            finally:
                source.close()
            self._imports[hit.identity] = known
        return known

    def carried(self, hit: Hit) -> tuple[frozenset[str], str | None]:
        """The functions in a static program, and the libc that it was linked with."""
        known = self._carried.get(hit.identity)
        if known is None:
            source = self._files.open(self._place(hit))
            try:
                known = _carried(source)
            finally:
                source.close()
            self._carried[hit.identity] = known
        return known

    def _place(self, hit: Hit) -> Place:
        place = self._files.find(hit.real_path)
        if isinstance(place, int):
            raise InputError("vanished while elfpack worked", path=hit.real_path)
        return place


def _carried(source: Source) -> tuple[frozenset[str], str | None]:
    try:
        # glibc's crt1.o puts the ABI tag into every program, musl's does not.
        notes = read_notes(source)
    except ElfFault:
        return frozenset(), None
    glibc = any(n.owner == "GNU" and n.type == _NOTE_ABI_TAG for n in notes)
    names = defined_functions(source) or _by_strings(source.pread(source.size, 0), glibc)
    return names, GLIBC if glibc else None


def _by_strings(raw: bytes, glibc: bool) -> frozenset[str]:
    found = {_CARRIED[m[1]] for m in _LOOKUP.finditer(raw) if glibc and m[1] in _CARRIED}
    readers = _READERS if glibc else _MUSL_READERS
    found.update(name for path, name in readers.items() if path + b"\0" in raw)
    return frozenset(found)
