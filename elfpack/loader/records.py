"""What passes between the rooms of the loader."""

from __future__ import annotations

from enum import Enum

from elfpack.elf.file import ElfFile, Filter
from elfpack.light import NamedTuple


class Kind(str, Enum):
    """How an object was found, in the words that users read."""

    PROGRAM = "program"
    INTERPRETER = "interpreter"
    PATH = "path"
    """The needed name has a slash: it is opened as it is."""
    RPATH = "rpath"
    RUNPATH = "runpath"
    ENVIRONMENT = "LD_LIBRARY_PATH"
    CACHE = "ld.so.cache"
    PATH_FILE = "path file"
    """musl's /etc/ld-musl-ARCH.path."""
    DEFAULT = "default path"

    def __str__(self) -> str:
        return self.value


class Element(NamedTuple):
    """One directory of a search path."""

    directory: str
    """Tokens expanded, ending in ``/``; empty for the working directory."""
    written: str
    """As the tag or variable has it: ``$ORIGIN/../lib``."""


class SearchList(NamedTuple):
    """One list of directories. A loader's error may end it, but not the search."""

    kind: Kind
    elements: tuple[Element, ...] = ()
    owner: str = ""
    """The path of the object whose tag it is."""
    files: tuple[str, ...] = ()
    """Whole paths instead of directories: the answer of the cache."""


class Via(NamedTuple):
    """How an object was found."""

    kind: Kind
    owner: str = ""
    """The path of the object whose DT_RPATH or DT_RUNPATH led there."""
    written: str = ""
    """The element of the search path as it is written."""
    hwcaps: str = ""
    """The subdirectory for CPU features that it was found in: ``glibc-hwcaps/x86-64-v3``."""


class Role(str, Enum):
    """What made an object be loaded."""

    NEEDED = "needed"
    PRELOAD = "preload"
    """LD_PRELOAD or /etc/ld.so.preload."""
    FILTER = "filter"
    """DT_FILTER of another object names it."""
    AUXILIARY = "auxiliary"
    """DT_AUXILIARY of another object names it."""

    def __str__(self) -> str:
        return self.value

    @classmethod
    def of(cls, filtered: Filter) -> Role:
        """That of what a filter asks for."""
        return cls.FILTER if filtered.required else cls.AUXILIARY


class Hit(NamedTuple):
    """The answer to one search. Shared by all closures that ask the same."""

    path: str
    """The path that the loader opens, links not resolved; relative if the search path is."""
    real_path: str
    """Where the file is, links resolved inside the root."""
    elf: ElfFile
    identity: tuple[int, int]
    via: Via

    @property
    def opened_as(self) -> str:
        """The path whose directory $ORIGIN stands for: a program's real path, as the kernel has
        it; a library's as it was opened, links not resolved, also if it is what was named.

        Source: glibc elf/dl-origin.c; elf/dl-object.c, _dl_new_object().
        """
        executed = self.via.kind is Kind.PROGRAM and self.elf.kind != "library"
        return self.real_path if executed else self.path


class Refusal(NamedTuple):
    """A candidate at which the loader stops instead of looking further."""

    path: str
    reason: str
    """In the loader's words."""
    needed_by: str = ""
    """The object that asked for it: the program as it was named, others by path."""
    by: str = "the loader"
    """Who stops: the loader, or the kernel at an interpreter."""

    def __str__(self) -> str:
        asked = f", needed by {self.needed_by}" if self.needed_by else ""
        return f"{self.by} stops at {self.path}: {self.reason}{asked}"


class Outcome(str, Enum):
    """What became of a candidate."""

    FOUND = "found"
    MISSING = "no such file"
    SKIPPED = "skipped"
    END_OF_LIST = "ends the list"
    FATAL = "the loader stops"

    def __str__(self) -> str:
        return self.value


class Probe(NamedTuple):
    """One candidate of a search, with its outcome. Made only when somebody asks why."""

    path: str
    via: Via
    outcome: Outcome
    detail: str = ""


class Scope(NamedTuple):
    """All that the answer to a search depends on besides the name and the loader."""

    rpath_chain: tuple[SearchList, ...] = ()
    """The RPATH lists that count for this object, its own first."""
    runpath: SearchList | None = None
    no_default: bool = False
    """DF_1_NODEFLIB."""
    secure_preload: bool = False
    """A preload of a set-id program: no cache, and the file itself has to be set-uid."""


EMPTY_SCOPE = Scope()
