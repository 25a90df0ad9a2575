"""The name service switch: modules that libc opens, their configuration, the files they read.

Source: glibc nss/nss_database.c (defaults), nss/nss_module.c (built in since 2.34: files, dns).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar

from elfpack.formats import nsswitch
from elfpack.runtime.databases import DATABASE_FILES, DATABASES, RESOLVER_FILES
from elfpack.runtime.module import (
    AddFile,
    Addition,
    AddObject,
    AddText,
    Evidence,
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
        used = _databases(view, forced=chosen is not None)
        if not used:
            return
        services = [s for value in chosen or () if isinstance(value, tuple) for s in value]
        if services == [HOST]:
            yield from _as_host(view, used)
        elif view.glibc is not None or services or _static_glibc(view):
            yield from _modules(view, used, services)
            yield from _configuration(used, services)
        yield from _files(view, used)


def _databases(view: View, *, forced: bool) -> dict[str, Evidence | None]:
    used: dict[str, Evidence | None] = {}
    for database, functions in DATABASES.items():
        found = view.importers(functions)
        if found:
            used[database] = found[0]
    if forced and not used:
        return dict.fromkeys(_USUAL, None)
    return used


def _static_glibc(view: View) -> bool:
    return bool(view.importers(_all_functions(), "glibc"))


def _all_functions() -> Iterable[str]:
    return [function for functions in DATABASES.values() for function in functions]


def _line(database: str, services: list[str]) -> list[str]:
    """The services of a database's line: files first, so that /etc/hosts wins over DNS."""
    if services:
        return [s for s in services if s != "dns" or database in _NETWORK] or ["files"]
    return ["files", "dns"] if database in _NETWORK else ["files"]


def _configuration(used: dict[str, Evidence | None], services: list[str]) -> Iterator[Addition]:
    lines = {database: _line(database, services) for database in used}
    yield AddText(_CONFIGURATION, nsswitch.dump(lines), next(iter(used.values())))


def _modules(
    view: View, used: dict[str, Evidence | None], services: list[str]
) -> Iterator[Addition]:
    if view.glibc is None:  # static programs alone: files and dns are in them
        return
    wanted: dict[str, Evidence | None] = {}
    for database, evidence in used.items():
        for service in _line(database, services):
            wanted.setdefault(service, evidence)
    for service, evidence in wanted.items():
        yield from _module(view, service, evidence, requested=service in services)


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


def _as_host(view: View, used: dict[str, Evidence | None]) -> Iterator[Addition]:
    """The root's own configuration, and every module that it names."""
    evidence = next(iter(used.values()))
    raw = view.read(_CONFIGURATION)
    if raw is None:
        yield Lacking(_CONFIGURATION, True, "name the services: --with nss=files,dns", evidence)
        return
    yield AddFile(_CONFIGURATION, evidence)
    named = nsswitch.parse(raw.decode("utf-8", "replace"))
    services = dict.fromkeys(s for line in named.values() for s in line if _SERVICE.match(s))
    for service in services:
        yield from _module(view, service, evidence, requested=False)


def _files(view: View, used: dict[str, Evidence | None]) -> Iterator[Addition]:
    for database, evidence in used.items():
        path = DATABASE_FILES.get(database)
        if path is None or (view.glibc is None and not _read_by_static(view, database)):
            continue
        if view.exists(path):
            yield AddFile(path, evidence)
    for path, functions in RESOLVER_FILES.items():
        found = view.importers(functions, "glibc")
        if found and view.exists(path):
            yield AddFile(path, found[0])


def _read_by_static(view: View, database: str) -> bool:
    """Without a dynamic glibc: musl reads few files, a static glibc those of its functions."""
    return database in _MUSL_FILES or bool(view.importers(DATABASES[database], "glibc"))
