"""What runtime modules see: the objects of all closures, their imports indexed once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from elfpack import late
from elfpack.blob import Source
from elfpack.elf.constant import MOST, Paths
from elfpack.elf.golang import GoProgram
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.loader.closure import Closure
from elfpack.loader.files import TEXT_LIMIT
from elfpack.loader.identify import GLIBC
from elfpack.loader.records import Hit
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import basename, encode, join, matches
from elfpack.planning.config import PLAIN, ImageConfig
from elfpack.planning.contents import Contents
from elfpack.runtime.module import Evidence, Found, Object

if TYPE_CHECKING:
    import re
    from typing import TypeVar

    from elfpack.runtime.module import Role

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
_Import = tuple[Object, str | None, str | None, str, str]
"""The object, the symbol's version, the libc of the program, how the object has the symbol, and
what shows it."""
_GO = "linked into"
_RELEASE = late.pattern(rb"\bstable release version ([0-9]{1,4}\.[0-9]{1,4})\b")
"""Source: glibc csu/version.c, banner."""


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
        self._programs: list[tuple[int, Callable[[str], Hit | None]]] | None = None
        self._index: dict[str, tuple[_Import, ...]] = {}
        """Who has a symbol, for each that was asked for."""
        self._linked: dict[tuple[int, int], int] | None = None
        """The numbers of the objects whose imports count."""
        self._carried: list[tuple[int, str | None, Mapping[str, str]]] = []
        """The numbers of static programs, their libc, and what shows each symbol that they have."""
        self._go: list[tuple[Object, GoProgram]] = []

    # The objects

    @property
    def glibc(self) -> tuple[int, int] | None:
        found = [
            self._release(closure)
            for closure in self._closures.values()
            if closure.loader is not None and closure.loader.libc == GLIBC
        ]
        return min((v for v in found if v > (0, 0)), default=(0, 0)) if found else None

    def _release(self, closure: Closure) -> tuple[int, int]:
        """That of the loader; one before 2.33 does not tell, but its libc.so.6 does."""
        loader = closure.loader
        if loader is not None and loader.version > (0, 0):
            return loader.version
        libc = next((hit for hit in closure.hits if hit.elf.soname == "libc.so.6"), None)
        texts = self._contents.strings(libc, _RELEASE, whole=False) if libc is not None else ()
        major, _, minor = texts[0].partition(b".") if texts else (b"0", b"", b"0")
        return int(major), int(minor)

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
        for symbol in symbols:
            rows = self._index.get(symbol)
            if rows is None:
                rows = self._index[symbol] = tuple(self._rows(symbol))
            for this, version, from_libc, how, shown in rows:
                if libc is None or (from_libc == libc and _of(libc, version)):
                    yield this, Evidence(shown, this.label, how)
            if libc is None and "." in symbol:
                for this, program in self._go:
                    if symbol in program.functions:
                        yield this, Evidence(symbol, this.label, _GO)

    def is_own(self, this: Object) -> bool:
        """Whether an object is one of glibc's own libraries, or the loader."""
        return is_glibc_own(this.hit, self._closures[this.position[0]])

    def is_data(self, this: Object) -> bool:
        """Whether an object is data alone: it opens nothing."""
        return self._contents.is_data(this.hit)

    def programs(self, this: Object) -> tuple[Hit, ...]:
        """The programs that load an object."""
        return tuple(
            (closure.around or (closure,))[0].hits[0]
            for closure in self._closures.values()
            if any(hit.identity == this.hit.identity for hit in closure.hits)
        )

    def directories(self) -> set[str]:
        """Where the loaders look by themselves, real paths."""
        loaders = {id(c.loader): c.loader for c in self._closures.values()}
        known = {d for loader in loaders.values() if loader is not None for d in loader.directories}
        return {self.real(d) or "" for d in known}

    def strings(
        self, this: Object, pattern: re.Pattern[bytes], *, whole: bool = False
    ) -> tuple[bytes, ...]:
        return self._contents.strings(this.hit, pattern, whole=whole)

    def holds(self, this: Object, pattern: re.Pattern[bytes]) -> bool:
        return self._contents.holds(this.hit, pattern)

    def has(self, this: Object, text: bytes) -> bool:
        return self._contents.has(this.hit, text)

    def go_through(self, this: Object, pattern: re.Pattern[bytes]) -> None:
        """Who will ask for :meth:`paths`, and for whole :meth:`strings`, has both read at once."""
        self._contents.go_through(this.hit, pattern)

    def paths(self, this: Object) -> Paths:
        """The paths that are compiled into an object."""
        return self._contents.paths(this.hit)

    def names(self, this: Object, path: str) -> bool:
        """Whether a string of an object is that path."""
        found, wanted = self.paths(this).alone, encode(path)
        if wanted in found or len(found) < MOST:
            return wanted in found
        import re  # late: files with so many paths are rare

        pattern = late.pattern(rb"/(?<=\0/)" + re.escape(wanted[1:]) + rb"(?=\0)")
        return self.holds(this, pattern)

    def notes(self, this: Object, owner: str, kind: int) -> tuple[bytes, ...]:
        found = self._contents.notes(this.hit)
        return tuple(n.description for n in found if n.owner == owner and n.type == kind)

    def go(self, this: Object) -> GoProgram | None:
        return self._contents.go(this.hit)

    def _rows(self, symbol: str) -> Iterator[_Import]:
        """Who has a symbol, in the order of the objects."""
        if self._linked is None:
            self._linked = dict(self._sorted())
        found: list[tuple[int, _Import]] = []
        for identity, place in self._contents.importing(symbol):
            number = self._linked.get(identity)
            if number is None:
                continue
            this = self._objects[number]
            versions = self._contents.versions(this.hit)
            if versions is not None:
                row = (this, versions.of(place), this.libc, "imported by", symbol)
                found.append((number, row))
        for number, libc, shown in self._carried:
            if symbol in shown:
                this = self._objects[number]
                found.append((number, (this, None, libc, "carried by", shown[symbol])))
        for _, row in sorted(found, key=lambda pair: pair[0]):
            yield row

    def _sorted(self) -> Iterator[tuple[tuple[int, int], int]]:
        """The objects whose imports count, with their numbers; the others are kept beside."""
        for number, this in enumerate(self._objects):
            closure = self._closures[this.position[0]]
            program = self._contents.go(this.hit) if this.role != "library" else None
            if program is not None:
                self._go.append((this, program))
            if closure.loader is not None:
                if not is_glibc_own(this.hit, closure):
                    self._contents.index(this.hit)
                    yield this.hit.identity, number
            elif program is None or not program.is_pure:  # else no libc is in it
                names, libc = self._contents.carried(this.hit)
                if program is not None:  # what is Go's is told by what reads Go
                    names = {name: shown for name, shown in names.items() if "." not in name}
                self._carried.append((number, libc, names))

    # The root

    def exists(self, path: str) -> bool:
        place = self._resolver.files.find(path)
        return not isinstance(place, int) and place.node.is_regular

    def entries(self, directory: str) -> tuple[tuple[str, str], ...]:
        names = self.names_in(directory)
        return tuple((name, self._kind(f"{directory}/{name}")) for name in names)

    def names_in(self, directory: str) -> tuple[str, ...]:
        """The names in a directory of the root, sorted."""
        files = self._resolver.files
        top = files.walker.directory(directory)
        names = files.root.entries(top.rstrip("/")) if isinstance(top, str) else 0
        return () if isinstance(names, int) else tuple(sorted(names))

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
        # Nothing is kept for each program: the searches keep what they found, and a root may have
        # a thousand programs, each of which may open hundreds of modules.
        found: dict[tuple[int, int], Found] = {}
        for number, opens in self._openers():
            hit = opens(name)
            if hit is not None and hit.identity not in found:
                found[hit.identity] = Found(hit, (number, None))
        return tuple(found.values())

    def _openers(self) -> Sequence[tuple[int, Callable[[str], Hit | None]]]:
        """The programs whose glibc opens libraries by itself, and what it would find."""
        if self._programs is None:
            self._programs = [
                (number, self._resolver.opener(closure, self._options))
                for number, closure in self._closures.items()
                if closure.loader is not None
                and closure.loader.libc == GLIBC
                and closure.kind != "library"
            ]
        return self._programs

    def opened_by(self, this: Object, name: str) -> Found | None:
        known = self._contents.opened
        key = *this.position, name
        if key not in known:
            known[key] = self._opened_by(this, name)
        return known[key]

    def _opened_by(self, this: Object, name: str) -> Found | None:
        closure = self._closures[this.position[0]]
        if closure.loader is None or self._resolver.is_loaded(closure, name):
            return None
        hit = self._resolver.opened(closure, name, self._options, this.position[1])
        return None if hit is None else Found(hit, this.position)

    def loaded(self, this: Object, name: str) -> bool:
        known = self._contents.loaded
        key = this.position[0], name
        if key not in known:
            known[key] = self._resolver.is_loaded(self._closures[this.position[0]], name)
        return known[key]


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
