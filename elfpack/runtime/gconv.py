"""Conversion of character sets: the modules that glibc opens for iconv_open().

Source: glibc iconv/gconv_conf.c, __gconv_read_conf(): the cache if there is one, else
gconv-modules and gconv-modules.d (since 2.34); iconv/gconv_dl.c, __gconv_find_shlib(): libc's own
dlopen() of DIRECTORY/NAME.so. The directory is compiled in. musl has its conversions built in.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack import late
from elfpack.formats import gconv
from elfpack.formats.gconv import Modules
from elfpack.light import TYPE_CHECKING
from elfpack.paths import join
from elfpack.runtime import older_static
from elfpack.runtime.libc import directories
from elfpack.runtime.module import (
    AddFile,
    Addition,
    AddObject,
    AddProgram,
    AddText,
    Evidence,
    Hint,
    Lacking,
    View,
)
from elfpack.runtime.nearest import did_you_mean

if TYPE_CHECKING:
    from typing import ClassVar

_SYMBOL = "iconv_open"
_CONFIGURATION = "gconv-modules"
_CACHE = "gconv-modules.cache"
_COMPILED = f"/{_CACHE}"
_COMMON = ("UTF-16", "UTF-32", "UTF-7", "UNICODE", "ISO8859-1", "ISO8859-15", "CP1252")
"""What a library gets that does not say what it converts."""
# These convert for their callers' wide characters and domain names, between what is built in.
_CONTENT = ("libstdc++", "libunistring", "libidn2", "libpsl")
_NAME = late.pattern(r"[A-Za-z0-9][A-Za-z0-9_.:()+/-]*\Z")
_ADVICE = "install them (Debian: libc6, libc-gconv-modules-extra; Fedora: glibc-gconv-extra)"


class Gconv:
    """Conversion modules, and the configuration by which glibc finds them."""

    name: ClassVar[str] = "gconv"
    summary: ClassVar[str] = "glibc's modules for the conversion of character sets"
    when: ClassVar[str] = (
        "a program or an added object imports iconv_open, or a library does (a few common ones)"
    )
    value: ClassVar[str | None] = "CHARSET,CHARSET"
    needs_value: ClassVar[bool] = False
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        names = tuple(value.split(","))
        if not all(_NAME.match(name) for name in names):
            raise ValueError("write names of character sets, as in UTF-16,ISO8859-15")
        return names

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        everything, evidence = needs(view)
        if chosen is None and evidence is None:
            return
        names = tuple(dict.fromkeys(n for v in chosen or () if isinstance(v, tuple) for n in v))
        static = chosen is not None or _static(view)
        tops = directories(view, _COMPILED, static=static)
        if not tops and chosen is not None:
            yield Hint(
                "gconv-unused",
                "--with gconv",
                "no program here has glibc: none reads such modules",
                "musl has its conversions built in",
            )
        for top in tops:
            modules, files = _read(view, top)
            if names:
                yield from _named(view, top, modules, names)
            elif chosen is None and not everything:
                yield from _narrow(view, top, modules, _known(modules, _COMMON), evidence)
            elif modules.steps:
                yield from _whole(view, top, modules, files, evidence)
            else:
                what = join(top, _CONFIGURATION)
                yield Lacking(what, chosen is not None, _ADVICE, evidence)
            if static and view.glibc is None:
                yield from _loaders(view, top, evidence)


def _static(view: View) -> bool:
    """Whether a program converts that has glibc in it: it opens the modules all the same."""
    return any(this.libc is None for this, _ in view.importing((_SYMBOL,), "glibc"))


def _loaders(view: View, top: str, evidence: Evidence | None) -> Iterator[Addition]:
    """What the modules' libc.so.6 needs, where a static program has not loaded it."""
    for path in older_static.loaders(view, top.rpartition("/")[0] + "/"):
        yield AddFile(path, evidence)


def needs(view: View) -> tuple[bool, Evidence | None]:
    """Whether there is no telling which modules are needed, and who needs any."""
    library: Evidence | None = None
    for this, evidence in view.importing((_SYMBOL,), "glibc"):
        if this.role != "library":
            return True, evidence
        if library is None and this.soname.partition(".so")[0] not in _CONTENT:
            library = evidence
    return False, library


def _read(view: View, top: str) -> tuple[Modules, list[str]]:
    """The configuration of a directory, and its files in the order in which glibc reads them, but
    for that of ``gconv-modules.d``, which is the file system's."""
    below = f"{top}/{_CONFIGURATION}.d"
    paths = [join(top, _CONFIGURATION)]
    for name, kind in view.entries(below):
        path = join(below, name)
        if name.endswith(".conf") and len(name) > 5 and kind == "file" and view.link(path) is None:
            paths.append(path)
    found = [(path, raw) for path in paths if (raw := view.read(path)) is not None]
    return gconv.parse(raw for _, raw in found), [path for path, _ in found]


def _whole(
    view: View, top: str, modules: Modules, files: list[str], evidence: Evidence | None
) -> Iterator[Addition]:
    """The directory as it is: what a cache in it says of modules stays true."""
    for path in (*files, join(top, _CACHE)):
        if view.exists(path):
            yield AddFile(path, evidence)
    yield from _objects(view, top, modules, evidence)


def _known(modules: Modules, names: tuple[str, ...]) -> set[str]:
    return {charset for name in names for charset in gconv.charsets(modules, name) or ()}


def _named(view: View, top: str, modules: Modules, names: tuple[str, ...]) -> Iterator[Addition]:
    for name in names:
        if gconv.charsets(modules, name) is None:
            near = did_you_mean(name, gconv.names(modules)) if modules.steps else ""
            advice = near or f"{join(top, _CONFIGURATION)} has the names; {_ADVICE}"
            yield Lacking(f"character set {name}", True, advice)
    yield from _narrow(view, top, modules, _known(modules, names), None, requested=True)


def _narrow(
    view: View,
    top: str,
    modules: Modules,
    wanted: set[str],
    evidence: Evidence | None,
    *,
    requested: bool = False,
) -> Iterator[Addition]:
    """Some character sets, with a configuration that names no others, and no cache that does."""
    chosen = gconv.subset(modules, wanted)
    files = dict.fromkeys(step.file for step in chosen.steps)
    lacking = [file for file in files if not view.exists(join(top, file))]
    for file in lacking if requested else ():
        yield Lacking(join(top, file), True, _ADVICE)
    chosen = chosen._replace(steps=tuple(s for s in chosen.steps if s.file not in lacking))
    if chosen.steps:
        yield AddText(join(top, _CONFIGURATION), gconv.dump(chosen), evidence)
        yield from _objects(view, top, chosen, evidence)


def _objects(
    view: View, top: str, modules: Modules, evidence: Evidence | None
) -> Iterator[Addition]:
    for file in dict.fromkeys(step.file for step in modules.steps):
        path = join(top, file)
        found = view.opened_by_libc(path)
        for one in found:
            yield AddObject(path, one, evidence)
        if not found and view.exists(path):  # no program is packed, only libraries
            yield AddProgram(path, evidence)
