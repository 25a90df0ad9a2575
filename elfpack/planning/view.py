"""What runtime modules see: the objects of all closures, their imports indexed once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

from elfpack.blob import Source
from elfpack.elf.constant import constants
from elfpack.elf.golang import GoProgram, read_go
from elfpack.elf.layout import ElfFault
from elfpack.elf.notes import Note, read_notes
from elfpack.elf.sections import defined_functions
from elfpack.elf.symbols import read_imports
from elfpack.errors import InputError
from elfpack.loader.closure import Closure
from elfpack.loader.files import TEXT_LIMIT, Files
from elfpack.loader.identify import GLIBC
from elfpack.loader.records import Hit
from elfpack.loader.resolve import Options, Resolver, loaded
from elfpack.paths import basename, join, matches
from elfpack.planning.config import PLAIN, ImageConfig
from elfpack.root.walk import Place
from elfpack.runtime.module import Evidence, Found, Object, Role

K = TypeVar("K")
V = TypeVar("V")
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


_Import = tuple[Object, str | None, str | None, str]
"""The object, the symbol's version, the libc of the program, and how the object has the symbol."""
_GO = "linked into"


class Seen(NamedTuple):
    """A closure, where it stands in the collection, and what its program is to the user."""

    number: int
    closure: Closure
    role: Role


class ClosureView:
    """The view of one moment: made anew when objects were added. What was read is kept."""

    def __init__(
        self,
        resolver: Resolver,
        options: Options,
        seen: tuple[Seen, ...],
        contents: Contents,
        config: ImageConfig = PLAIN,
        dropped: tuple[str, ...] = (),
    ) -> None:
        """``dropped`` are the patterns of paths that the user drops."""
        self._resolver = resolver
        self._dropped = dropped
        self._options = options
        self._closures = {one.number: one.closure for one in seen}
        self._contents = contents
        self._config = config
        self._objects = tuple(_objects(seen))
        self._index: dict[str, list[_Import]] | None = None
        self._go: list[tuple[Object, GoProgram]] = []

    # The objects

    @property
    def glibc(self) -> tuple[int, int] | None:
        found = [
            closure.loader.version
            for closure in self._closures.values()
            if closure.loader is not None and closure.loader.libc == GLIBC
        ]
        return min((v for v in found if v > (0, 0)), default=(0, 0)) if found else None

    def objects(self) -> tuple[Object, ...]:
        return self._objects

    def importers(self, symbols: Iterable[str], libc: str | None = None) -> tuple[Evidence, ...]:
        found: dict[str, Evidence] = {}
        for _, evidence in self._each(symbols, libc):
            found.setdefault(evidence.symbol, evidence)
        return tuple(found.values())

    def importing(
        self, symbols: Iterable[str], libc: str | None = None
    ) -> tuple[tuple[Object, Evidence], ...]:
        found: dict[tuple[int, int], tuple[Object, Evidence]] = {}
        for this, evidence in self._each(symbols, libc):
            found.setdefault(this.hit.identity, (this, evidence))
        return tuple(found.values())

    def _each(self, symbols: Iterable[str], libc: str | None) -> Iterator[tuple[Object, Evidence]]:
        index = self._index
        if index is None:
            index = self._index = self._build()
        for symbol in symbols:
            for this, version, from_libc, how in index.get(symbol, ()):
                if libc is None or (from_libc == libc and _of(libc, version)):
                    yield this, Evidence(symbol, this.label, how)
            if libc is None and "." in symbol:
                for this, program in self._go:
                    if symbol in program.functions:
                        yield this, Evidence(symbol, this.label, _GO)

    def is_own(self, this: Object) -> bool:
        """Whether an object is one of glibc's own libraries, or the loader."""
        return is_glibc_own(this.hit, self._closures[this.position[0]])

    def programs(self, this: Object) -> tuple[Hit, ...]:
        """The programs that load an object."""
        return tuple(
            (closure.around or (closure,))[0].hits[0]
            for closure in self._closures.values()
            if any(hit.identity == this.hit.identity for hit in closure.hits)
        )

    def directories(self) -> set[str]:
        """Where the loaders look by themselves, real paths."""
        loaders = [c.loader for c in self._closures.values() if c.loader is not None]
        return {self.real(d) or "" for loader in loaders for d in loader.directories}

    def strings(
        self, this: Object, pattern: re.Pattern[bytes], *, whole: bool = False
    ) -> tuple[bytes, ...]:
        return self._contents.strings(this.hit, pattern, whole=whole)

    def notes(self, this: Object, owner: str, kind: int) -> tuple[bytes, ...]:
        found = self._contents.notes(this.hit)
        return tuple(n.description for n in found if n.owner == owner and n.type == kind)

    def go(self, this: Object) -> GoProgram | None:
        return self._contents.go(this.hit)

    def _build(self) -> dict[str, list[_Import]]:
        index: dict[str, list[_Import]] = {}
        for this in self._objects:
            closure = self._closures[this.position[0]]
            how = "imported by" if closure.loader is not None else "carried by"
            libc = this.libc
            program = self._contents.go(this.hit) if this.role != "library" else None
            if program is not None:
                self._go.append((this, program))
            if closure.loader is None and program is not None and program.is_pure:
                continue  # no libc is in it, and nothing of one
            if closure.loader is None:
                names, libc = self._contents.carried(this.hit)
                # Those of Go are told by what reads Go.
                entries: Iterable[tuple[str, str | None]] = (
                    (n, None) for n in names if program is None or "." not in n
                )
            elif is_glibc_own(this.hit, closure):
                continue
            else:
                entries = self._contents.imports(this.hit)
            for name, version in entries:
                index.setdefault(name, []).append((this, version, libc, how))
        return index

    # The root

    def exists(self, path: str) -> bool:
        place = self._resolver.files.find(path)
        return not isinstance(place, int) and place.node.is_regular

    def entries(self, directory: str) -> tuple[tuple[str, str], ...]:
        files = self._resolver.files
        top = files.walker.directory(directory)
        names = files.root.entries(top.rstrip("/")) if isinstance(top, str) else 0
        if isinstance(names, int):
            return ()
        return tuple((name, self._kind(f"{directory}/{name}")) for name in sorted(names))

    def _kind(self, path: str) -> str:
        place = self._resolver.files.find(path)
        if isinstance(place, int):
            return "other"
        if place.node.is_directory:
            return "directory"
        return "file" if place.node.is_regular else "other"

    def real(self, path: str) -> str | None:
        place = self._resolver.files.find(path)
        return None if isinstance(place, int) else place.path

    def link(self, path: str) -> str | None:
        place = self._resolver.files.walker.find(path, follow=False)
        return place.node.target if not isinstance(place, int) and place.node.is_link else None

    def read(self, path: str, most: int = TEXT_LIMIT) -> bytes | None:
        raw = self._resolver.files.read_all(path, most)
        return raw if isinstance(raw, bytes) else None

    def derived(self, path: str, read: Callable[[Source], V]) -> V | None:
        place = self._resolver.files.find(path)
        if isinstance(place, int) or not place.node.is_regular:
            return None
        return self._contents.derived(place, read)

    def part(self, path: str, size: int, offset: int) -> bytes | None:
        files = self._resolver.files
        place = files.find(path)
        if isinstance(place, int) or not place.node.is_regular:
            return None
        try:
            source = files.open(place)
        except OSError:
            return None
        try:
            return source.pread(size, offset)
        except OSError:
            return None
        finally:
            source.close()

    def variable(self, name: str) -> str:
        return self._config.variable(name)

    def absolute(self, path: str) -> str:
        return join(self._options.cwd, path)

    def dropped(self, path: str) -> bool:
        return matches(path, self._dropped)

    def excluded(self, name: str) -> bool:
        return matches(name, self._options.exclude)

    # What is opened at run time

    def opened_by_libc(self, name: str) -> tuple[Found, ...]:
        found: dict[tuple[int, int], Found] = {}
        for number, closure in self._closures.items():
            if closure.loader is None or closure.loader.libc != GLIBC or closure.kind == "library":
                continue
            hit = self._resolver.opened(closure, name, self._options)
            if hit is not None:
                found.setdefault(hit.identity, Found(hit, (number, None)))
        return tuple(found.values())

    def opened_by(self, this: Object, name: str) -> Found | None:
        closure = self._closures[this.position[0]]
        if closure.loader is None or self.loaded(this, name):
            return None
        hit = self._resolver.opened(closure, name, self._options, this.position[1])
        return None if hit is None else Found(hit, this.position)

    def loaded(self, this: Object, name: str) -> bool:
        return loaded(self._closures[this.position[0]], name) is not None


def _of(libc: str, version: str | None) -> bool:
    return version is None or libc != GLIBC or version.startswith("GLIBC_")


def is_glibc_own(hit: Hit, closure: Closure) -> bool:
    """Whether an object is one of glibc's own libraries, or the loader."""
    interpreter = closure.interpreter
    return hit.elf.soname in _GLIBC_OWN or (
        interpreter is not None and hit.identity == interpreter.identity
    )


def _objects(seen: tuple[Seen, ...]) -> Iterable[Object]:
    roles = {s.closure.hits[0].identity: s.role for s in reversed(seen) if s.closure.hits}
    known: set[tuple[int, int]] = set()
    for this in seen:
        closure = this.closure
        libc = closure.loader.libc if closure.loader is not None else None
        for number, hit in enumerate(closure.hits):
            if hit.identity not in known:
                known.add(hit.identity)
                label = closure.label(number) if number == 0 else basename(hit.path)
                role = roles.get(hit.identity, "library")
                yield Object(label, hit, role, libc, (this.number, number))


class Contents:
    """What is read in objects besides what loads them, each of it once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._imports: dict[tuple[int, int], tuple[tuple[str, str | None], ...]] = {}
        self._carried: dict[tuple[int, int], tuple[frozenset[str], str | None]] = {}
        self._notes: dict[tuple[int, int], tuple[Note, ...]] = {}
        self._go: dict[tuple[int, int], GoProgram | None] = {}
        self._strings: dict[tuple[tuple[int, int], bytes, bool], tuple[bytes, ...]] = {}
        self._derived: dict[tuple[tuple[int, int], object], Any] = {}

    def imports(self, hit: Hit) -> tuple[tuple[str, str | None], ...]:
        """Names and versions. Of an object whose symbol table is broken: none, it cannot run."""
        return self._once(
            self._imports,
            hit.identity,
            hit,
            lambda source: tuple([(s.name, s.version) for s in read_imports(source)]),
            (),
        )

    def carried(self, hit: Hit) -> tuple[frozenset[str], str | None]:
        """The functions in a static program, and the libc that it was linked with."""
        return self._once(self._carried, hit.identity, hit, _carried, (frozenset(), None))

    def notes(self, hit: Hit) -> tuple[Note, ...]:
        return self._once(self._notes, hit.identity, hit, read_notes, ())

    def go(self, hit: Hit) -> GoProgram | None:
        return self._once(self._go, hit.identity, hit, read_go, None)

    def strings(self, hit: Hit, pattern: re.Pattern[bytes], *, whole: bool) -> tuple[bytes, ...]:
        key = hit.identity, pattern.pattern, whole
        read = partial(constants, pattern=pattern, whole=whole)
        return self._once(self._strings, key, hit, read, ())

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
        source = self._files.open(self._place(hit))
        try:
            table[key] = read(source)
        except ElfFault:
            table[key] = broken
        finally:
            source.close()
        return table[key]

    def _place(self, hit: Hit) -> Place:
        place = self._files.find(hit.real_path)
        if isinstance(place, int):
            raise InputError("vanished while elfpack worked", path=hit.real_path)
        return place


def _carried(source: Source) -> tuple[frozenset[str], str | None]:
    # glibc's crt1.o puts the ABI tag into every program, musl's does not.
    notes = read_notes(source)
    glibc = any(n.owner == "GNU" and n.type == _NOTE_ABI_TAG for n in notes)
    names = defined_functions(source) or _by_strings(source.pread(source.size, 0), glibc)
    return names, GLIBC if glibc else None


def _by_strings(raw: bytes, glibc: bool) -> frozenset[str]:
    found = {_CARRIED[m[1]] for m in _LOOKUP.finditer(raw) if glibc and m[1] in _CARRIED}
    readers = _READERS if glibc else _MUSL_READERS
    found.update(name for path, name in readers.items() if path + b"\0" in raw)
    return frozenset(found)
