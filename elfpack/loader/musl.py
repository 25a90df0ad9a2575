"""musl's ldso: which paths it tries for a name, and what it makes of each.

Source: musl 1.2 ldso/dynlink.c: load_library(), path_open(), fixup_rpath(), map_library().
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from elfpack import late
from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile, Malformed
from elfpack.elf.layout import ElfFault
from elfpack.elf.symbols import read_symbols
from elfpack.loader.files import TEXT_LIMIT
from elfpack.loader.records import EMPTY_SCOPE, Element, Hit, Kind, Outcome, Scope, SearchList
from elfpack.loader.system import System
from elfpack.paths import basename, decode

Verdict = tuple[Outcome, str]

# load_library(), reserved[]: "c.pthread.rt.m.dl.util.xnet."
_RESERVED = late.pattern(r"lib(c|pthread|rt|m|dl|util|xnet)\.")
_ORIGIN = late.pattern(r"\$ORIGIN|\$\{ORIGIN\}")
_DEFAULT_PATH = "/lib:/usr/local/lib:/usr/lib"


def reserved(name: str) -> str | None:
    """The kind of a name that stands for musl itself, such as ``m`` for ``libm.so.6``."""
    found = _RESERVED.match(name)
    return None if found is None else found[1]


class Musl:
    """The rules, with the system path of one root."""

    follows_filters = False
    subdirectories = ("",)
    """None for CPU features: the directory itself."""
    lists_preloaded_loader = True
    """A preload that is the loader itself counts as one that was loaded."""
    goes_on = True
    """What is wrong with one library is told, and the next is looked at: load_deps()."""
    follows_callers = False
    """dlopen() looks where the program would, whoever calls it."""
    longest = 511
    """Bytes of a path that is made of a directory and a name: path_open() has a buffer of
    2 * NAME_MAX + 2 bytes, and passes over what does not fit."""
    knows_sonames = False
    knows_vdso = False

    def __init__(self, system: System) -> None:
        self._system = system
        text = "" if system.secure else system.library_path
        self._environment = SearchList(Kind.ENVIRONMENT, _split(text))
        self._path: SearchList | None = None
        self._libcs: dict[tuple[int, int], bool] = {}

    def chain(self, hit: Hit, above: tuple[SearchList, ...]) -> tuple[SearchList, ...]:
        """The lists for what ``hit`` causes to be loaded: DT_RUNPATH, else DT_RPATH, both are
        inherited. A token other than $ORIGIN makes the whole text be ignored: fixup_rpath()."""
        elf = hit.elf
        text = elf.runpath if elf.runpath is not None else elf.rpath
        if text is None:
            return above
        if "$" in text:
            if self._system.secure and hit.via.kind is Kind.PROGRAM:
                return above  # whoever executes it chooses its path
            text = _with_origin(text, self._origin(hit))
        elements = _split(text)
        kind = Kind.RUNPATH if elf.runpath is not None else Kind.RPATH
        return (SearchList(kind, elements, hit.path), *above) if elements else above

    def _origin(self, hit: Hit) -> str:
        """The directory of an object; of a library as its path was opened, which may be relative.
        Source: fixup_rpath()."""
        if hit.via.kind is Kind.PROGRAM:
            return self._system.origin_of(hit)
        directory, slash, _ = hit.path.rpartition("/")
        return directory if slash else "."

    def scope(self, hit: Hit, chain: tuple[SearchList, ...]) -> Scope:
        """The chain has the object's own list already."""
        return Scope(chain)

    def preload_scope(self, chain: tuple[SearchList, ...], hit: Hit) -> Scope:
        """Nobody needs a preloaded object: no rpath counts. Source: load_preload()."""
        return EMPTY_SCOPE

    def expand(self, name: str, hit: Hit) -> str | None:
        """Tokens in needed names are not expanded."""
        return name

    def forbids(self, name: str) -> str | None:
        return None

    def steps(self, name: str, scope: Scope) -> Iterator[SearchList]:
        """The lists of places, in order. Source: load_library()."""
        # 1. LD_LIBRARY_PATH, before any rpath.
        if self._environment.elements:
            yield self._environment
        # 2. The rpath of the requester and of those that needed it, up to the program.
        yield from scope.rpath_chain
        # 3. The system path: the path file replaces the default.
        if self._path is None:
            self._path = self._system_path()
        yield self._path

    def _system_path(self) -> SearchList:
        loader = self._system.loader
        text = self._system.files.read_all(path_file(loader.path, loader.lib), TEXT_LIMIT)
        if isinstance(text, bytes):
            return SearchList(Kind.PATH_FILE, _split(_text(text)))
        # Unreadable for another reason than its absence: no system path at all.
        return SearchList(Kind.DEFAULT, _split(_DEFAULT_PATH) if text == errno.ENOENT else ())

    def judge_error(self, number: int, directory_exists: bool) -> Verdict:
        """An open that failed. Source: path_open(): any other error ends the whole search."""
        harmless = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENAMETOOLONG)
        if number in harmless:
            return Outcome.MISSING, "" if number == errno.ENOENT else os.strerror(number)
        return Outcome.FATAL, os.strerror(number)

    def judge_special(self, is_directory: bool) -> Verdict:
        """A candidate that is no regular file."""
        if is_directory:
            return Outcome.FATAL, "Is a directory"
        return Outcome.FATAL, "not a regular file: the loader would wait for it or fail to read it"

    def judge(self, content: ElfFile | Malformed, size: int) -> Verdict:
        """The first file that opens is taken; map_library() looks at its layout only."""
        wanted = self._system.abi
        header = content.header
        if header is None or header.bits != wanted.bits or header.little != wanted.little:
            return Outcome.FATAL, "Exec format error"
        # The machine is not looked at: ldso maps another's, and crashes in it.
        return Outcome.FOUND, ""

    def refuse(self, elf: ElfFile) -> str | None:
        """Why an object cannot be mapped. Source: map_library()."""
        if elf.header.type not in (c.ET_DYN, c.ET_EXEC) or not elf.dynamic or not elf.loadable:
            return "Exec format error"
        return None

    def stands_for(self, hit: Hit) -> str | None:
        """The name that an object is asked for by instead: one that is a libc itself, by what it
        exports, is never loaded beside this one. Source: load_library()."""
        known = self._libcs.get(hit.identity)
        if known is None:
            known = self._libcs[hit.identity] = self._is_libc(hit)
        return "libc.so" if known else None

    def _is_libc(self, hit: Hit) -> bool:
        place = self._system.files.find(hit.real_path)
        if isinstance(place, int):
            return False
        try:
            source = self._system.files.open(place)
        except OSError:
            return False
        try:
            names = {symbol.name for symbol in read_symbols(source).exported}
        except ElfFault:
            return False
        finally:
            source.close()
        return {"__libc_start_main", "stdin"} <= names

    def loaded(self, program: Hit, interpreter: str, soname: str | None) -> MuslLoaded:
        return MuslLoaded(interpreter)


class MuslLoaded:
    """What is loaded already: by short name or by file, never by soname.

    Source: load_library(). The short name is that under which a search found the object.
    """

    def __init__(self, interpreter: str) -> None:
        self._interpreter = interpreter
        self._number = -1
        self._unnamed: dict[int, str] = {}
        """What was loaded by its path, and the short name that it may get."""
        self._names: dict[str, int] = {}
        self._files: dict[tuple[int, int], int] = {}

    def by_name(self, name: str) -> int | None:
        if _RESERVED.match(name) or name == self._interpreter:
            return self._number
        return None if "/" in name else self._names.get(name)

    def by_file(self, name: str, hit: Hit) -> int | None:
        """The object that has the same file. The name that led to it is not kept; but one that
        was loaded by its path is from now on known by the last component of that."""
        known = self._files.get(hit.identity)
        if known in self._unnamed and "/" not in name:
            self._names.setdefault(self._unnamed.pop(known), known)
        return known

    def add(self, number: int, name: str, hit: Hit) -> None:
        if "/" not in name:
            self._names[name] = number
        else:
            self._unnamed[number] = basename(hit.path)
        self._files.setdefault(hit.identity, number)

    def forget(self, number: int, hit: Hit) -> None:
        """Filters are not followed: nothing stands before the program."""

    def interpreter_is(self, number: int) -> None:
        self._number = number

    def copy(self) -> MuslLoaded:
        """One that goes its own way from here."""
        other = MuslLoaded(self._interpreter)
        other._number, other._unnamed = self._number, dict(self._unnamed)
        other._names, other._files = dict(self._names), dict(self._files)
        return other


def path_file(loader: str, arch: str = "") -> str:
    """The file that holds the system path, below the interpreter's prefix: its path without the
    last two components. Source: dynlink.c, load_library()."""
    prefix = loader.rpartition("/")[0].rpartition("/")[0]
    arch = arch or basename(loader).removeprefix("ld-musl-").removesuffix(".so.1")
    return f"{prefix}/etc/ld-musl-{arch}.path"


def system_path(raw: bytes) -> tuple[str, ...]:
    """The directories that a path file lists."""
    return tuple(element.written for element in _split(_text(raw)))


def _text(raw: bytes) -> str:
    return decode(raw.partition(b"\0")[0])


def _with_origin(text: str, origin: str) -> str:
    pieces = _ORIGIN.split(text)
    return "" if any("$" in piece for piece in pieces) else origin.join(pieces)


def _split(text: str) -> tuple[Element, ...]:
    """The elements of a path: separated by colons or newlines, empty ones left out."""
    parts = text.replace("\n", ":").split(":")
    return tuple(Element(part + "/", part) for part in parts if part)
