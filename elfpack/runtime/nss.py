"""The name service switch: modules that libc opens, their configuration, the files they read.

Source: glibc nss/nss_database.c (defaults), nss/nss_module.c (built in since 2.34: files, dns).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

from elfpack.formats import nsswitch
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
    View,
)

_CONFIGURATION = "/etc/nsswitch.conf"
_NETWORK = ("hosts", "networks")
"""The databases that the service dns answers for."""
_BUILT_IN = ("files", "dns")
_SERVICE = re.compile(r"[A-Za-z0-9_]+\Z")
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
        used, by_go = _databases(view, DATABASES), _databases(view, GO_DATABASES)
        if chosen is not None and not used and not by_go:
            used = dict.fromkeys(_USUAL, None)
        services = [s for value in chosen or () if isinstance(value, tuple) for s in value]
        lines = _configured(view, used, by_go, services)
        if services == [HOST]:
            yield from _as_host(view, {**by_go, **used})
        elif lines:
            yield from _modules(view, used, services)
            yield from _configuration(lines, services)
        yield from _files(view, used, by_go)


def _databases(view: View, table: Mapping[str, tuple[str, ...]]) -> Used:
    found = {database: view.importers(functions) for database, functions in table.items()}
    return {database: evidence[0] for database, evidence in found.items() if evidence}


def _configured(view: View, used: Used, by_go: Used, services: list[str]) -> Used:
    """The databases that ``nsswitch.conf`` is read for: musl has none, Go looks for hosts alone."""
    by_libc = used if view.glibc is not None or services or _static_glibc(view) else {}
    by_both = {**{name: by_go[name] for name in by_go if name == "hosts"}, **by_libc}
    return {name: by_both[name] for name in DATABASES if name in by_both}


def _static_glibc(view: View) -> bool:
    return bool(view.importers(_all_functions(), "glibc"))


def _all_functions() -> Iterable[str]:
    return [function for functions in DATABASES.values() for function in functions]


def _line(database: str, services: list[str]) -> list[str]:
    """The services of a database's line: files first, so that /etc/hosts wins over DNS."""
    if services:
        return [s for s in services if s != "dns" or database in _NETWORK] or ["files"]
    return ["files", "dns"] if database in _NETWORK else ["files"]


def _configuration(lines: Used, services: list[str]) -> Iterator[Addition]:
    configured = {database: _line(database, services) for database in lines}
    yield AddText(_CONFIGURATION, nsswitch.dump(configured), next(iter(lines.values())))


def _modules(view: View, used: Used, services: list[str]) -> Iterator[Addition]:
    if view.glibc is None:  # static programs alone: files and dns are in them
        yield from _unopened(services)
        return
    wanted: Used = {}
    for database, evidence in used.items():
        for service in _line(database, services):
            wanted.setdefault(service, evidence)
    for service, evidence in wanted.items():
        yield from _module(view, service, evidence, requested=service in services)
        yield from _service_files(view, service, used, evidence)


def _unopened(services: list[str]) -> Iterator[Addition]:
    for service in dict.fromkeys(s for s in services if s not in _BUILT_IN):
        yield Hint(
            "nss-unopened",
            f"libnss_{service}.so.2",
            "left out: none of the programs loads glibc, which would open it",
            "name files and dns, which such programs have built in",
        )


def _module(
    view: View, service: str, evidence: Evidence | None, *, requested: bool
) -> Iterator[Addition]:
    library = f"libnss_{service}.so.2"
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


def _as_host(view: View, used: Used) -> Iterator[Addition]:
    """The root's own configuration, and every module that it names."""
    evidence = next(iter(used.values()))
    raw = view.read(_CONFIGURATION)
    if raw is None:
        advice = "name the services: --with nss=files,dns"
        yield Lacking(_CONFIGURATION, True, advice, evidence, _unread(view))
        return
    yield AddFile(_CONFIGURATION, evidence)
    if view.glibc is None:
        return
    named = nsswitch.parse(raw.decode("utf-8", "replace"))
    services = dict.fromkeys(s for line in named.values() for s in line if _SERVICE.match(s))
    for service in services:
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


def _files(view: View, used: Used, by_go: Used) -> Iterator[Addition]:
    """What is read for the databases in use."""
    for database, path in DATABASE_FILES.items():
        by_libc = database in used and (view.glibc is not None or _read_by_static(view, database))
        if (by_libc or database in by_go) and view.exists(path):
            yield AddFile(path, used[database] if by_libc else by_go[database])
    for path, functions in RESOLVER_FILES.items():
        found = view.importers(functions, "glibc")
        if found and view.exists(path):
            yield AddFile(path, found[0])


def _read_by_static(view: View, database: str) -> bool:
    """Without a dynamic glibc: musl reads few files, a static glibc those of its functions."""
    return database in _MUSL_FILES or bool(view.importers(DATABASES[database], "glibc"))
