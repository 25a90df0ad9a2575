"""The name service switch: modules that libc opens, their configuration, the files they read.

Source: glibc nss/nss_database.c (defaults), nss/nss_module.c (built in since 2.34: files, dns).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from elfpack import late
from elfpack.formats import nsswitch
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.runtime import older_static
from elfpack.runtime.databases import (
    DATABASE_FILES,
    DATABASES,
    GO_DATABASES,
    RESOLVER_FILES,
    SERVICE_FILES,
)
from elfpack.runtime.module import (
    AddFile,
    Addition,
    AddObject,
    AddText,
    Evidence,
    Hint,
    Lacking,
    Object,
    View,
)

if TYPE_CHECKING:
    from typing import ClassVar

_CONFIGURATION = "/etc/nsswitch.conf"
_NETWORK = ("hosts", "networks")
"""The databases that the service dns answers for."""
_BUILT_IN = ("files", "dns")
_SERVICE = late.pattern(r"[A-Za-z0-9_]+\Z")
# musl reads these itself and knows no services. Source: musl src/network, src/passwd.
_MUSL_FILES = ("services",)
HOST = "host"
_USUAL = ("passwd", "group", "hosts", "services", "protocols")
"""The databases that ``--with nss`` configures if no evidence tells."""

Used = dict[str, Evidence | None]
"""Databases, and what shows that they are in use."""


class Nss:
    """Look-ups of hosts, services, users and groups."""

    name: ClassVar[str] = "nss"
    summary: ClassVar[str] = (
        "name service modules, /etc/nsswitch.conf and the files that look-ups read"
    )
    when: ClassVar[str] = "a function of a resolver or account database is imported"
    value: ClassVar[str | None] = "host|SERVICE,SERVICE"
    needs_value: ClassVar[bool] = False
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        services = tuple(value.split(","))
        if not all(_SERVICE.match(service) for service in services):
            raise ValueError("write 'host' or names of services, as in files,dns,sss")
        if HOST in services and len(services) > 1:
            raise ValueError("'host' stands alone: it takes the services of the root's own file")
        return services

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        who = _who(view)
        if chosen is not None and not who.anybody and not who.by_go:
            usual: Used = dict.fromkeys(_USUAL, None)
            loaded = view.glibc is not None
            who = _Who(usual if loaded else {}, {}, usual, {}, ())
        services = [s for value in chosen or () if isinstance(value, tuple) for s in value]
        lines = _configured(who, services)
        if services == [HOST]:
            yield from _as_host(view, who)
        elif lines:
            yield from _modules(view, who, services)
            yield from _configuration(lines, services)
        yield from _files(view, who)


class _Who(NamedTuple):
    """The databases that are in use, by who uses them."""

    dynamic: Used
    """Objects of programs that load glibc."""
    static: Used
    """Programs that have glibc in them."""
    anybody: Used
    """Those, and what has musl."""
    by_go: Used
    """Go's own resolver."""
    programs: tuple[Object, ...]
    """Those that have glibc in them, of these users."""

    @property
    def glibc(self) -> Used:
        return {**self.static, **self.dynamic}


def _who(view: View) -> _Who:
    dynamic: Used = {}
    static: Used = {}
    programs: dict[str, Object] = {}
    for database, functions in DATABASES.items():
        for this, evidence in view.importing(functions, "glibc"):
            (static if this.libc is None else dynamic).setdefault(database, evidence)
            if this.libc is None:
                programs[this.label] = this
    anybody, by_go = _databases(view, DATABASES), _databases(view, GO_DATABASES)
    return _Who(dynamic, static, anybody, by_go, tuple(programs.values()))


def _databases(view: View, table: Mapping[str, tuple[str, ...]]) -> Used:
    found = {database: view.importers(functions) for database, functions in table.items()}
    return {database: evidence[0] for database, evidence in found.items() if evidence}


def _configured(who: _Who, services: list[str]) -> Used:
    """The databases that ``nsswitch.conf`` is read for: musl has none, Go looks for hosts alone."""
    by_go = {name: who.by_go[name] for name in who.by_go if name == "hosts"}
    found = {**by_go, **(who.anybody if services else who.glibc), **who.glibc}
    if not found and who.anybody and all(e is None for e in who.anybody.values()):
        found = who.anybody  # nothing tells, and it was asked for
    return {name: found[name] for name in DATABASES if name in found}


def _line(database: str, services: list[str]) -> list[str]:
    """The services of a database's line: files first, so that /etc/hosts wins over DNS."""
    if services:
        return [s for s in services if s != "dns" or database in _NETWORK] or ["files"]
    return ["files", "dns"] if database in _NETWORK else ["files"]


def _configuration(lines: Used, services: list[str]) -> Iterator[Addition]:
    configured = {database: _line(database, services) for database in lines}
    yield AddText(_CONFIGURATION, nsswitch.dump(configured), next(iter(lines.values())))


def _modules(view: View, who: _Who, services: list[str]) -> Iterator[Addition]:
    named = [service for service in services if service not in _BUILT_IN]
    if not who.glibc and not who.dynamic:
        yield from _unopened(named)
        return
    by_static = {s: e for s, e in _wanted(who.static, services).items() if s in named}
    older = older_static.openers(view, who.programs)
    if older:
        by_static = _wanted(who.static, services)
    if by_static:
        yield from older_static.modules(view, older or who.programs, by_static, services)
    for service, evidence in _wanted(who.dynamic, services).items():
        yield from _module(view, service, evidence, requested=service in services)
    for service, evidence in _wanted(who.glibc, services).items():
        yield from _service_files(view, service, who.glibc, evidence)


def _wanted(used: Used, services: list[str]) -> Used:
    """The services of the databases in use."""
    wanted: Used = {}
    for database, evidence in used.items():
        for service in _line(database, services):
            wanted.setdefault(service, evidence)
    return wanted


def _unopened(services: list[str]) -> Iterator[Addition]:
    for service in dict.fromkeys(services):
        yield Hint(
            "nss-unopened",
            f"libnss_{service}.so.2",
            "left out: none of the programs has glibc, which would open it",
            "name files and dns, which such programs have built in",
        )


def _module(
    view: View, service: str, evidence: Evidence | None, *, requested: bool
) -> Iterator[Addition]:
    library = f"libnss_{service}.so.2"
    if view.excluded(library):
        return
    there = view.opened_by_libc(library)
    for one in there:
        yield AddObject(library, one, evidence)
    if there:
        return
    if service not in _BUILT_IN:
        yield Lacking(library, requested, f"install what provides the service {service}", evidence)
    elif view.glibc is not None and (0, 0) < view.glibc < (2, 34):
        yield Lacking(library, requested, "glibc before 2.34 looks nothing up without it", evidence)


def _service_files(
    view: View, service: str, used: Used, evidence: Evidence | None
) -> Iterator[Addition]:
    """What another service than files reads; never accounts."""
    paths = SERVICE_FILES.get(service, ())
    if service == "db":
        paths = tuple(f"/var/db/{database}.db" for database in used if database in DATABASE_FILES)
    for path in paths:
        if view.exists(path):
            yield AddFile(path, evidence)


def _as_host(view: View, who: _Who) -> Iterator[Addition]:
    """The root's own configuration, and every module that it names."""
    used = {**who.by_go, **who.anybody}
    evidence = next(iter(used.values()))
    raw = view.read(_CONFIGURATION)
    if raw is None:
        advice = "name the services: --with nss=files,dns"
        yield Lacking(_CONFIGURATION, True, advice, evidence, _unread(view))
        return
    yield AddFile(_CONFIGURATION, evidence)
    named = nsswitch.parse(raw.decode("utf-8", "replace"))
    services = dict.fromkeys(s for line in named.values() for s in line if _SERVICE.match(s))
    older = older_static.openers(view, who.programs)
    others: Used = {s: evidence for s in services if older or s not in _BUILT_IN}
    if who.static and others:
        yield from older_static.modules(view, older or who.programs, others, ())
    for service in services if who.dynamic else ():
        yield from _module(view, service, evidence, requested=False)
        yield from _service_files(view, service, used, evidence)


def _unread(view: View) -> str:
    """Why there is no configuration to read."""
    directory, _, name = _CONFIGURATION.rpartition("/")
    kind = dict(view.entries(directory)).get(name)
    if kind is None:
        return "the root has none"
    target = view.link(_CONFIGURATION)
    if target is not None and view.real(_CONFIGURATION) is None:
        return f"is a link to {target}, which leads nowhere"
    if kind == "file":
        return "cannot be read, or has more than 1 MiB"
    return "is a directory" if kind == "directory" else "is no regular file"


def _files(view: View, who: _Who) -> Iterator[Addition]:
    """What is read for the databases in use: musl knows few files."""
    used = {
        **{name: e for name, e in who.anybody.items() if e is None or name in _MUSL_FILES},
        **who.by_go,
        **who.glibc,
    }
    for database, path in DATABASE_FILES.items():
        if database in used and view.exists(path):
            yield AddFile(path, used[database])
    for path, functions in RESOLVER_FILES.items():
        found = view.importers(functions, "glibc")
        if found and view.exists(path):
            yield AddFile(path, found[0])
