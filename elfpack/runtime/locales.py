"""Locales of glibc: the one asked for, as a directory that glibc reads, wherever the root has it.

A locale counts only if the environment names it, which nothing in an ELF file tells: so it comes
only when asked for. C and POSIX are built in; C.UTF-8 is a locale like any other. musl has one
locale, which is UTF-8.

Source: glibc locale/findlocale.c, _nl_find_locale(): the archive, locale.alias, directories.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack import late
from elfpack.formats import gconv, localearchive
from elfpack.formats.localearchive import Archive, ArchiveFault
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import join
from elfpack.runtime.gconv import needs
from elfpack.runtime.libc import directories
from elfpack.runtime.module import AddBytes, AddFile, Addition, AddLink, Hint, Lacking, View
from elfpack.runtime.nearest import did_you_mean

if TYPE_CHECKING:
    from typing import ClassVar

_ARCHIVE = "locale-archive"
_COMPILED = f"/{_ARCHIVE}"
_USUAL = "/usr/lib/locale"
_ALIASES = "/usr/share/locale/locale.alias"
_BUILT_IN = ("C", "POSIX")
_NAME = late.pattern(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,200}\Z")
_MESSAGES = "LC_MESSAGES"
_ALIKE = 0.75
"""Less, and C.utf8 looks like every other one."""


class Locale:
    """Locales for glibc's setlocale()."""

    name: ClassVar[str] = "locale"
    summary: ClassVar[str] = "a locale of glibc"
    when: ClassVar[str] = "only when asked for"
    value: ClassVar[str | None] = "NAME"
    needs_value: ClassVar[bool] = True
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        if not _NAME.match(value):
            raise ValueError("write the name of a locale, as in en_US.UTF-8")
        return value

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        names = [name for name in chosen or () if isinstance(name, str) and name not in _BUILT_IN]
        if not names:
            return
        tops = directories(view, _COMPILED)
        if not tops and any(this.libc == "glibc" for this in view.objects()):
            tops = (_USUAL,)
        if not tops:
            yield Hint(
                "locale-unused",
                names[0],
                "no program here reads glibc's locales, so it is left out",
                "musl needs none: it is UTF-8 always",
            )
            return
        for top in tops:
            archive = _archive(view, join(top, _ARCHIVE))
            if isinstance(archive, Hint):
                yield archive
                archive = None
            for name in names:
                yield from _locale(view, top, archive, name)
        if not any(view.variable(key) for key in ("LC_ALL", "LC_CTYPE", "LANG")):
            yield Hint(
                "locale-environment",
                names[0],
                "counts only where the environment names it",
                f"docker run --env LANG={names[0]}, or elfpack image --env LANG={names[0]}",
            )


class _Locale(NamedTuple):
    additions: list[Addition]
    ctype: bytes


def _archive(view: View, path: str) -> Archive | Hint | None:
    """The archive of a directory; None if there is none."""
    if not view.exists(path):
        return None
    try:
        return localearchive.read_archive(_reader(view, path))
    except ArchiveFault as e:
        return Hint("locale-archive", path, f"{e}: left aside, as glibc does", "localedef makes it")


def _reader(view: View, path: str) -> localearchive.Read:
    return lambda size, offset: view.part(path, size, offset) or b""


def _locale(view: View, top: str, archive: Archive | None, name: str) -> Iterator[Addition]:
    target = localearchive.expand(view.read(_ALIASES) or b"", name)
    if target is not None and "/" in target:
        target = None  # it would lead elsewhere
    wanted = [name] if target is None else [name, target]
    try:
        found = _in_archive(view, top, archive, wanted) or _in_directories(view, top, wanted[-1])
    except ArchiveFault as e:
        yield Lacking(f"locale {name}", True, f"{join(top, _ARCHIVE)} is broken: {e}")
        return
    if found is None:
        yield Lacking(f"locale {name}", True, _advice(view, top, archive, wanted[-1]))
        return
    yield from found.additions
    if target is not None:
        yield AddFile(_ALIASES, None)
    charset = localearchive.charset(found.ctype)
    if charset is not None and not gconv.is_built_in(charset) and not needs(view)[0]:
        yield Hint(
            "locale-charset",
            name,
            f"glibc converts its character set {charset} by a module, and may not take the locale "
            "without it",
            f"--with gconv={charset} brings it",
            warning=True,
        )


def _in_archive(view: View, top: str, archive: Archive | None, names: list[str]) -> _Locale | None:
    """A locale of the archive as the files that it was made of. Of a name and what it is an alias
    for the first that the archive has."""
    for name in names:
        normal = localearchive.normal(name)
        if archive is None or normal not in archive.names:
            continue
        content = localearchive.read_locale(_reader(view, join(top, _ARCHIVE)), archive, normal)
        # By the name that an alias stands for: what is an alias is looked up as that.
        directory = join(top, localearchive.normal(names[-1]))
        made: list[Addition] = [
            AddBytes(join(directory, _file(category)), raw, None)
            for category, raw in content.items()
        ]
        return _Locale(made, content.get("LC_CTYPE", b""))
    return None


def _file(category: str) -> str:
    return f"{category}/SYS_{category}" if category == _MESSAGES else category


def _in_directories(view: View, top: str, name: str) -> _Locale | None:
    """A locale that is a directory, at its own path, and by its normal name as well."""
    wanted = localearchive.split(name).codeset
    for candidate in localearchive.candidates(name):
        directory = join(top, candidate)
        ctype = view.read(join(directory, "LC_CTYPE"), localearchive.LONGEST)
        if ctype is None:
            continue
        charset = localearchive.charset(ctype) or ""
        named = localearchive.split(candidate).codeset or charset
        if wanted and not localearchive.same_codeset(wanted, named):
            return None
        paths = [
            join(directory, file)
            for category in localearchive.CATEGORIES
            for file in dict.fromkeys((category, _file(category)))
            if category and view.exists(join(directory, file))
        ]
        made: list[Addition] = [AddFile(path, None) for path in paths]
        normal = localearchive.normal(candidate)
        if normal != candidate and view.real(join(top, normal)) is None:
            made.append(AddLink(join(top, normal), candidate, None, yields=True))
        return _Locale(made, ctype)
    return None


def _advice(view: View, top: str, archive: Archive | None, name: str) -> str:
    """The nearest names, and how a locale is made."""
    names = [n for n, kind in view.entries(top) if kind == "directory"]
    names += archive.names if archive else ()
    near = did_you_mean(localearchive.normal(name), names, _ALIKE)
    parts = localearchive.split(name)
    codeset = parts.codeset if not localearchive.same_codeset(parts.codeset, "utf8") else ""
    made = f"localedef -i {parts._replace(codeset='')} -f {codeset or 'UTF-8'} {name}"
    return f"{near} If not, make it: {made}" if near else f"make it: {made} (Debian: locales)"
