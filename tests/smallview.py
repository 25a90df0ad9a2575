"""A view for runtime modules that is a plain small class: a root and its objects, as far as a
module asks."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar

from elfpack.blob import BytesSource, Source
from elfpack.elf.file import ElfFile, Header
from elfpack.elf.golang import GoProgram
from elfpack.loader.records import Hit, Kind, Via
from elfpack.runtime.module import (
    AddBytes,
    AddDirectory,
    AddFile,
    Addition,
    AddLink,
    AddObject,
    AddProgram,
    AddText,
    Evidence,
    Found,
    Hint,
    Lacking,
    Object,
)

if TYPE_CHECKING:
    from elfpack.runtime.module import Role

V = TypeVar("V")
_HEADER = Header(b"\x7fELF\2\1\1" + bytes(9), 3, 62, 1, 0, 0, 56, 0, 0, 0)


@dataclass(frozen=True)
class Thing:
    """One object: its path, and what is in it."""

    path: str
    imports: tuple[str, ...] = ()
    role: Role = "program"
    libc: str | None = "glibc"
    static: bool = False
    """That libc is in it."""
    content: bytes = b""
    notes: tuple[tuple[str, int, bytes], ...] = ()
    go: GoProgram | None = None
    soname: str | None = None
    needed: tuple[str, ...] = ()
    machine: int = 62
    opens: tuple[str, ...] = ()
    """The names that its search would find, in ``/lib64``."""


@dataclass
class SmallView:
    things: tuple[Thing, ...] = ()
    glibc: tuple[int, int] | None = (2, 36)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    """Path and content; a content that starts with ``-> `` makes a link."""
    libraries: tuple[str, ...] = ()
    """The names that libc's own dlopen() would find, in ``/lib64``."""
    exclude: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def objects(self) -> tuple[Object, ...]:
        return tuple(_object(number, thing) for number, thing in enumerate(self.things))

    def _each(self, symbols: Iterable[str], libc: str | None) -> Iterator[tuple[Object, Evidence]]:
        for symbol in symbols:
            for number, thing in enumerate(self.things):
                how = ""
                if symbol in thing.imports and libc in (None, thing.libc):
                    how = "carried by" if thing.static else "imported by"
                elif thing.go is not None and symbol in thing.go.functions and libc is None:
                    how = "linked into"
                if how:
                    this = _object(number, thing)
                    yield this, Evidence(symbol, this.label, how)

    def importers(self, symbols: Iterable[str], libc: str | None = None) -> tuple[Evidence, ...]:
        found: dict[str, Evidence] = {}
        for _, evidence in self._each(symbols, libc):
            found.setdefault(evidence.symbol, evidence)
        return tuple(found.values())

    def importing(
        self, symbols: Iterable[str], libc: str | None = None
    ) -> tuple[tuple[Object, Evidence], ...]:
        found: dict[str, tuple[Object, Evidence]] = {}
        for this, evidence in self._each(symbols, libc):
            found.setdefault(this.label, (this, evidence))
        return tuple(found.values())

    def _thing(self, this: Object) -> Thing:
        return self.things[this.position[0]]

    def strings(
        self, this: Object, pattern: re.Pattern[bytes], *, whole: bool = False
    ) -> tuple[bytes, ...]:
        content = self._thing(this).content
        if whole:
            found = [text for text in content.split(b"\0") if pattern.search(text + b"\0")]
        else:
            group = 1 if pattern.groups else 0
            found = [match[group] for match in pattern.finditer(content)]
        return tuple(dict.fromkeys(found))

    def holds(self, this: Object, pattern: re.Pattern[bytes]) -> bool:
        return bool(self.strings(this, pattern))

    def has(self, this: Object, text: bytes) -> bool:
        return text in self._thing(this).content

    def notes(self, this: Object, owner: str, kind: int) -> tuple[bytes, ...]:
        return tuple(text for o, k, text in self._thing(this).notes if (o, k) == (owner, kind))

    def go(self, this: Object) -> GoProgram | None:
        return self._thing(this).go

    def exists(self, path: str) -> bool:
        return (self.real(path) or "") in self.files

    def entries(self, directory: str) -> tuple[tuple[str, str], ...]:
        top = (self.real(directory) or directory).rstrip("/") + "/"
        names = {path[len(top) :].split("/")[0] for path in self.files if path.startswith(top)}
        return tuple((name, self._kind(top + name)) for name in sorted(names))

    def _kind(self, path: str) -> str:
        real = self.real(path)
        if real in self.files:
            return "file"
        return "other" if real is None else "directory"

    def real(self, path: str) -> str | None:
        done = ""
        parts = [part for part in path.split("/") if part][::-1]
        for _ in range(100):
            if not parts:
                file = done in self.files and not path.endswith("/")
                there = file or any(p.startswith(done + "/") for p in self.files)
                return done if there else None
            here = f"{done}/{parts.pop()}"
            target = self.link(here)
            if target is None:
                done = here
                continue
            full = posixpath.normpath(posixpath.join(done or "/", target))
            parts += [part for part in full.split("/") if part][::-1]
            done = ""
        return None

    def link(self, path: str) -> str | None:
        directory, _, name = path.rpartition("/")
        if directory and path not in self.files:  # links on the way are followed
            path = f"{self.real(directory)}/{name}"
        content = self.files.get(path)
        if isinstance(content, str) and content.startswith("-> "):
            return content.removeprefix("-> ")
        return None

    def read(self, path: str, most: int = 1 << 20) -> bytes | None:
        content = self.files.get(self.real(path) or "")
        raw = content.encode() if isinstance(content, str) else content
        return raw if raw is not None and len(raw) <= most else None

    def derived(self, path: str, read: Callable[[Source], V]) -> V | None:
        content = self.read(path, 1 << 30)
        return None if content is None else read(BytesSource(content))

    def part(self, path: str, size: int, offset: int) -> bytes | None:
        raw = self.read(path, 1 << 40)
        return None if raw is None else raw[offset : offset + size]

    def variable(self, name: str) -> str:
        return self.variables.get(name, "")

    def absolute(self, path: str) -> str:
        return posixpath.join("/work", path)

    def dropped(self, path: str) -> bool:
        return any(fnmatchcase(path, glob) for glob in self.exclude if "/" in glob)

    def excluded(self, name: str) -> bool:
        return name in self.exclude

    def opened_by_libc(self, name: str) -> tuple[Found, ...]:
        return (Found(_hit(f"/lib64/{name}"), (0, None)),) if name in self.libraries else ()

    def opened_by(self, this: Object, name: str) -> Found | None:
        if self.loaded(this, name) or name not in self._thing(this).opens:
            return None
        return Found(_hit(f"/lib64/{name}"), this.position)

    def loaded(self, this: Object, name: str) -> bool:
        return any(name == posixpath.basename(thing.path) for thing in self.things)


def _object(number: int, thing: Thing) -> Object:
    label = thing.path if thing.role != "library" else posixpath.basename(thing.path)
    libc = None if thing.static else thing.libc
    return Object(label, _hit(thing.path, thing), thing.role, libc, (number, 0))


def _hit(path: str, thing: Thing | None = None) -> Hit:
    elf = ElfFile(_HEADER)
    if thing is not None:
        header = _HEADER._replace(machine=thing.machine)
        elf = ElfFile(header)._replace(soname=thing.soname, needed=thing.needed)
    return Hit(path, path, elf, (1, hash(path)), Via(Kind.DEFAULT))


def glibc(*symbols: str, **more: object) -> SmallView:
    """A program of glibc that imports these."""
    return SmallView((Thing("/exe", symbols),), **more)  # type: ignore[arg-type]


def musl(*symbols: str, **more: object) -> SmallView:
    """A program of musl that imports these."""
    return SmallView((Thing("/exe", symbols, libc="musl"),), None, **more)  # type: ignore[arg-type]


def shown(additions: Iterable[Addition]) -> list[str]:
    """Additions as words, without the evidence."""
    return [_word(addition) for addition in additions]


def _word(addition: Addition) -> str:
    match addition:
        case AddFile():
            return f"file {addition.path}"
        case AddObject():
            return f"object {addition.name}"
        case AddProgram():
            return f"program {addition.path}"
        case AddText():
            return f"text {addition.path}"
        case AddBytes():
            return f"bytes {addition.path}"
        case AddLink():
            return f"link {addition.path} -> {addition.target}"
        case AddDirectory():
            return f"dir {addition.path} {addition.mode:o} {addition.owner}"
        case Lacking():
            return f"{'fault' if addition.requested else 'warning'} {addition.what}"
        case Hint():
            return f"hint {addition.code} {addition.path}"


def text(additions: Iterable[Addition], path: str) -> str:
    """The content of a text that was added."""
    return next(a.text for a in additions if isinstance(a, AddText) and a.path == path)
