"""Static programs that were linked with a glibc before 2.34: they open name services as libraries,
which are no part of them yet.

Source: glibc 2.31 nss/nsswitch.c, nss_load_library() and nss_files_functions (2.34: built in);
elf/dl-support.c for a static program's own dlopen(), which also loads libc.so.6 and the loader.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from elfpack import late
from elfpack.light import TYPE_CHECKING
from elfpack.runtime.module import AddFile, Addition, AddProgram, Evidence, Lacking, Object, View

if TYPE_CHECKING:
    from typing import Final

OPENS: Final = late.pattern(rb"\0(libnss_(?:%s\.so[^\0]{0,16})?)(?=\0)")
"""From what the name of a library is made: ``libnss_``, since 2.33 ``libnss_%s.so%s``."""
BUILT_IN: Final = late.pattern(rb"\0(/etc/ethers)(?=\0)")
"""What only the service ``files`` reads; where that is built in, all of it is."""
_LOADER: Final = late.pattern(r"ld(64|-linux[0-9a-z_-]*)?\.so\.[0-9]\Z")
"""Source: glibc shlib-versions, "ld=..."."""
_DIRECTORY: Final = late.pattern(
    rb"(?<=\0)(/(?:usr/)?lib[0-9a-z]{0,3}/(?:[0-9a-z_]+-linux-[0-9a-z]+/)?)\0"
)
"""What dlopen() of a static program looks through. Source: elf/Makefile, trusted-dirs.st."""

_OWN = ("files", "dns")
_STATE = "a static program of a glibc before 2.34 opens it, and the root has none of such a glibc"
_ADVICE = (
    "link the program with glibc 2.34 or later, or pack it inside the root that it was made in"
)


def openers(view: View, programs: Iterable[Object]) -> tuple[Object, ...]:
    """Those static programs whose glibc opens name services that later ones have built in."""
    return tuple(
        this for this in programs if view.holds(this, OPENS) and not view.holds(this, BUILT_IN)
    )


def modules(
    view: View,
    programs: tuple[Object, ...],
    services: Mapping[str, Evidence | None],
    requested: Container[str],
) -> Iterator[Addition]:
    """The libraries of services, where these programs look for them. What they need comes along;
    ``requested`` are the services that the user named."""
    directories = [text.decode() for this in programs for text in view.strings(this, _DIRECTORY)]
    found: dict[str, Evidence | None] = {}
    for service, evidence in services.items():
        library = f"libnss_{service}.so.2"
        place = next((d for d in directories if view.exists(d + library)), None)
        if place is None or not _is_whole(view, place + library, service):
            if service in _OWN:
                yield Lacking(library, service in requested, _ADVICE, evidence, _STATE)
            else:
                advice = f"install what provides the service {service}"
                yield Lacking(library, service in requested, advice, evidence)
            continue
        yield AddProgram(place + library, evidence)
        for path in loaders(view, place):
            found.setdefault(path, evidence)
    for path, evidence in found.items():
        yield AddFile(path, evidence)


def loaders(view: View, directory: str) -> list[str]:
    """The loader by the name that libc.so.6 needs it by. In a static program it is not loaded
    already, and found like any library."""
    names = [name for name, kind in view.entries(directory) if kind == "file"]
    return [directory + name for name in names if _LOADER.match(name)]


def _is_whole(view: View, path: str, service: str) -> bool:
    """Since 2.34 the libraries of ``files`` and ``dns`` are empty."""
    raw = view.read(path)
    return raw is None or b"_nss_" + service.encode() + b"_" in raw
