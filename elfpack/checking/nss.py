"""The modules that ``nsswitch.conf`` names, where a program asks for what they would answer.

Only what is missed is told. ``files`` and ``dns`` are part of glibc since 2.34. The services that
distributions name by habit have nothing to say without their own data: ``db`` without databases,
``nis`` without a binding.

Source: glibc nss/nss_module.c, nss/nss_database.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from elfpack.checking.above import Judged
from elfpack.checking.survey import Survey
from elfpack.elf.layout import ElfFault, read_layout
from elfpack.elf.strings import Strings
from elfpack.errors import Finding
from elfpack.formats import nsswitch
from elfpack.loader.files import TEXT_LIMIT
from elfpack.loader.identify import GLIBC
from elfpack.loader.records import Hit
from elfpack.paths import decode, encode

_PATH = "/etc/nsswitch.conf"
_BUILT_IN = ("files", "dns")
_MOST = 64
"""Services that are looked for; glibc and all distributions together have some twenty."""
_Group = tuple[object, ...]
"""What programs have in common that find the same modules."""
_DATA = {
    "db": ("/var/db/", "/var/lib/misc/"),
    "hesiod": ("/etc/hesiod.conf",),
    "nis": ("/etc/yp.conf", "/var/yp/"),
    "nisplus": ("/var/nis/",),
}
"""What a service answers from; a directory counts if something is in it."""


def rule(seen: Survey) -> Iterator[Finding]:
    """Each service once, with a program that would ask it."""
    raw = seen.files.read_all(_PATH, TEXT_LIMIT)
    if not isinstance(raw, bytes):
        return
    named = nsswitch.parse(decode(raw))
    groups = _groups(seen)
    asked = dict.fromkeys(name for services in named.values() for name in services)
    lacking = {
        service: found
        for service in islice(asked, _MOST)
        if _has_data(seen, service) and (found := _lacking(seen, groups, service))
    }
    if not lacking:
        return
    from elfpack.runtime.databases import DATABASES  # with all modules, and little is lacking

    missing: dict[str, list[str]] = {}
    for database, services in named.items():
        for service in services if database in DATABASES else ():
            if service in lacking:
                missing.setdefault(service, []).append(database)
    if missing:
        yield from _told(seen, lacking, missing, _Importers(seen, DATABASES))


def _told(
    seen: Survey,
    lacking: dict[str, set[_Group]],
    missing: dict[str, list[str]],
    importers: _Importers,
) -> Iterator[Finding]:
    for service, databases in missing.items():
        library = _library(service)
        programs = (p for p in seen.programs if _is_glibc(p) and _group(p) in lacking[service])
        found = importers.first(programs, databases)
        if found is None:
            continue
        program, database, symbol, by = found
        told = (
            f"names {service} for {database}, and {library} is missing; {program.path} asks for it "
            f"({symbol}, imported by {by})"
        )
        words = f"{library}: cannot open shared object file: No such file or directory"
        yield Finding("missing-nss-module", _PATH, told, quote=words)


def _library(service: str) -> str:
    return f"libnss_{service}.so.2"


def _is_glibc(judged: Judged) -> bool:
    """Whether a program has its loader, and that is glibc's."""
    closure = judged.closure
    if closure.loader is None or closure.interpreter is None:
        return False
    return closure.loader.libc == GLIBC


def _group(judged: Judged) -> _Group:
    return judged.closure.loader, judged.at.elf.abi, judged.at.elf.rpath


def _groups(seen: Survey) -> dict[_Group, Judged]:
    """The programs that may find different modules, by the first of each kind."""
    groups: dict[_Group, Judged] = {}
    for judged in seen.programs:
        if _is_glibc(judged):
            groups.setdefault(_group(judged), judged)
    return groups


def _lacking(seen: Survey, groups: dict[_Group, Judged], service: str) -> set[_Group]:
    """The programs that would not find a service's module."""
    if "/" in service or "\0" in service:
        return set()
    found = set()
    for group, judged in groups.items():
        closure = judged.closure
        assert closure.loader is not None
        if service in _BUILT_IN and not (0, 0) < closure.loader.version < (2, 34):
            continue
        if seen.resolver.opened(closure, _library(service), judged.options) is None:
            found.add(group)
    return found


def _has_data(seen: Survey, service: str) -> bool:
    places = _DATA.get(service)
    if places is None:
        return True
    for path in places:
        found = seen.files.find(path)
        if isinstance(found, int):
            continue
        if not found.node.is_directory or seen.files.root.entries(found.path.rstrip("/")):
            return True
    return False


class _Importers:
    """Who imports the functions of a database. Each file is read once."""

    def __init__(self, seen: Survey, functions: Mapping[str, tuple[str, ...]]) -> None:
        """``functions`` that consult each database."""
        self._seen = seen
        self._functions = functions
        self._raw = {encode(name) for names in functions.values() for name in names}
        self._names: dict[object, frozenset[str]] = {}

    def first(
        self, programs: Iterable[Judged], databases: list[str]
    ) -> tuple[Judged, str, str, str] | None:
        """The first program that asks, what for, by which function, and who calls that."""
        wanted = {name: database for database in databases for name in self._functions[database]}
        for judged in programs:
            for hit in judged.closure.hits:
                for symbol in sorted(self._imports(hit) & wanted.keys()):
                    return judged, wanted[symbol], symbol, hit.path
        return None

    def _imports(self, hit: Hit) -> frozenset[str]:
        known = self._names.get(hit.identity)
        if known is None:
            own = (hit.elf.soname or "").startswith(("libc.so", "libnss_", "libresolv.so", "ld-"))
            known = frozenset() if own else self._read(hit)
            self._names[hit.identity] = known
        return known

    def _read(self, hit: Hit) -> frozenset[str]:
        place = self._seen.files.find(hit.real_path)
        if isinstance(place, int):
            return frozenset()
        try:
            source = self._seen.files.open(place)
        except OSError:
            return frozenset()
        try:
            # Names first: they are a small part of the tables, and most files have none of these.
            names = Strings(source, read_layout(source)).whole().split(b"\0")
            if not self._raw.intersection(names):
                return frozenset()
            from elfpack.elf.symbols import read_imports  # where something is lacking

            return frozenset(s.name for s in read_imports(source))
        except (OSError, ElfFault):
            return frozenset()
        finally:
            source.close()
