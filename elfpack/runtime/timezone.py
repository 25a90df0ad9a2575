"""Time zones: the files that a libc reads for TZ, and /etc/localtime.

No symbol tells whether a program needs them: nearly every one that prints a date imports
localtime(), and is right with UTC until somebody sets TZ. So they come only when asked for.

Source: glibc time/tzfile.c, __tzfile_read(), its default_tzdir; musl src/time/__tz.c, do_tzset(),
its search.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack import late
from elfpack.light import TYPE_CHECKING
from elfpack.paths import join
from elfpack.runtime.libc import directories
from elfpack.runtime.module import AddFile, Addition, AddLink, Hint, Lacking, View
from elfpack.runtime.nearest import did_you_mean

if TYPE_CHECKING:
    from typing import ClassVar

_LOCALTIME = "/etc/localtime"
_USUAL = "/usr/share/zoneinfo"
# musl's search; the last two are read by Python (zoneinfo's TZPATH) and Go (time/zoneinfo_unix.go).
_PLACES = (
    _USUAL,
    "/share/zoneinfo",
    "/etc/zoneinfo",
    "/usr/lib/zoneinfo",
    "/usr/share/lib/zoneinfo",
)
_COMPILED = "/zoneinfo"
# The same zones twice more, with leap seconds counted and without: half of the bytes of the tree,
# for names that hardly anybody sets. What a link leads to comes along.
_COPIES = ("right", "posix")
_MAGIC = b"TZif"
"""Source: RFC 8536, section 3.1."""
_ZONE = late.pattern(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]*(/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)*\Z")


class Tz:
    """``zoneinfo`` and ``/etc/localtime``."""

    name: ClassVar[str] = "tz"
    summary: ClassVar[str] = "the time zone files and /etc/localtime, or one zone as local time"
    when: ClassVar[str] = "only when asked for"
    value: ClassVar[str | None] = "ZONE"
    needs_value: ClassVar[bool] = False
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        if not _ZONE.match(value):
            raise ValueError("write the name of a time zone, as in Europe/Paris")
        return value

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        if chosen is None:
            return
        tops = _tops(view)
        zones = [zone for zone in chosen if isinstance(zone, str)]
        if not tops:
            yield Lacking(_USUAL, True, "install it (Debian, Fedora and Alpine: tzdata)")
        elif zones:
            yield from _chosen(view, tops, zones)
        else:
            for top in tops:
                for path, to_directory in _files(view, top):
                    yield AddLink(path, to_directory, None) if to_directory else AddFile(path, None)
            yield from _local_time(view)


def _tops(view: View) -> tuple[str, ...]:
    """The directories of zones: those that the libcs have compiled in, else the first of the usual
    ones that the root has."""
    found = tuple(f"{above}/zoneinfo" for above in directories(view, _COMPILED))
    there = tuple(top for top in found if view.entries(top))
    return there or tuple(top for top in _PLACES if view.entries(top))[:1]


def _chosen(view: View, tops: tuple[str, ...], zones: list[str]) -> Iterator[Addition]:
    """These zones; the first of them is the local time."""
    local: str | None = None
    for zone in zones:
        paths = [path for path in (f"{top}/{zone}" for top in tops) if _is_zone(view, path)]
        for path in paths:
            yield AddFile(path, None)
        if not paths:
            near = did_you_mean(zone, [name for name in _names(view, tops) if name != zone])
            yield Lacking(f"time zone {zone}", True, near or f"ls {tops[0]} shows what there is")
        elif local is None:
            local = paths[0]
            yield AddLink(_LOCALTIME, local, None)


def _is_zone(view: View, path: str) -> bool:
    return (view.read(path) or b"").startswith(_MAGIC)


def _names(view: View, tops: tuple[str, ...]) -> Iterator[str]:
    for top in tops:
        for path, to_directory in _files(view, top):
            name = path[len(top) + 1 :]
            if not to_directory and "." not in name:
                yield name


def _files(view: View, top: str) -> Iterator[tuple[str, str]]:
    """The files below a directory, each with an empty text; and the links to directories that are
    among them anyway, each with its target."""
    packed = view.real(top)
    known: set[str] = set()
    stack = [top]
    while stack:
        directory = stack.pop()
        here = view.real(directory)
        if here is None or here in known:
            continue
        known.add(here)
        for name, kind in view.entries(directory):
            path = join(directory, name)
            target = view.link(path)
            if kind == "file":
                if path.endswith(_TABLES) or _is_zone(view, path):
                    yield path, ""
            elif kind != "directory" or (directory == top and name in _COPIES):
                continue
            elif target is not None and _among(view.real(path), packed):
                yield path, target
            elif not f"{packed}/".startswith(f"{view.real(path)}/".replace("//", "/")):
                # What leads above the zones leads to all the root.
                stack.append(path)


_TABLES = (".tab", ".zi", ".list", "/leapseconds", "/+VERSION", "/SECURITY")
"""What stands beside the zones."""


def _among(path: str | None, top: str | None) -> bool:
    """Whether a directory is among those below ``top`` that are packed."""
    if path is None or top is None or not path.startswith(f"{top}/"):
        return False
    return path[len(top) + 1 :].partition("/")[0] not in _COPIES


def _local_time(view: View) -> Iterator[Addition]:
    if _is_zone(view, _LOCALTIME):
        yield AddFile(_LOCALTIME, None)
    elif view.exists(_LOCALTIME):
        yield Hint(
            "local-time",
            _LOCALTIME,
            "is no time zone file, so it is left out",
            "--with tz=Europe/Paris, or another zone, makes one",
        )
