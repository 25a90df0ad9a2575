"""The protocol of a runtime module: the view it gets, and the additions it gives.

``propose`` is pure: same view, same additions, in the same order. It is asked again whenever the
additions made the set of objects grow, because what was added may be evidence itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple, Protocol

from elfpack.loader.records import Hit


class Evidence(NamedTuple):
    """A symbol that an object imports, or that a static program carries."""

    symbol: str
    object: str
    """The path of the object."""
    how: str = "imported by"
    """``imported by``, or ``carried by`` for a static program."""

    def __str__(self) -> str:
        return f"{self.symbol}, {self.how} {self.object}"


class AddFile(NamedTuple):
    """A file of the root at its own path, links on the way kept."""

    path: str
    evidence: Evidence | None


class AddObject(NamedTuple):
    """A shared object that is opened at run time, with all that it needs."""

    name: str
    """The name that it is opened by."""
    hit: Hit
    evidence: Evidence | None


class AddText(NamedTuple):
    """A file that elfpack makes."""

    path: str
    text: str
    evidence: Evidence | None


class AddDirectory(NamedTuple):
    path: str
    mode: int
    owner: tuple[int, int]
    evidence: Evidence | None


class Lacking(NamedTuple):
    """Something that was asked for and that the root has not."""

    what: str
    requested: bool
    """The user named it: that is a finding, status 1. Else a warning."""
    advice: str
    evidence: Evidence | None = None


Addition = AddFile | AddObject | AddText | AddDirectory | Lacking


class View(Protocol):
    """What a module may ask. Read-only."""

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The release of the glibc that programs are linked with; None if there is none."""

    def importers(self, symbols: Iterable[str], libc: str | None = None) -> tuple[Evidence, ...]:
        """Who imports these symbols: one piece of evidence a symbol, in the order given.

        Objects of the closures but glibc's own libraries, and what static programs carry. With
        ``libc`` only objects of programs that are linked with that libc, statically or not; a
        symbol that has a version must have one of that libc.
        """

    def exists(self, path: str) -> bool:
        """Whether the root has a regular file there."""

    def read(self, path: str) -> bytes | None:
        """The content of a file of the root; None if there is none."""

    def opened_by_libc(self, name: str) -> Hit | None:
        """The object that glibc's own dlopen() would find for a name.

        Source: glibc elf/dl-libc.c, __libc_dlopen_mode(): the search of an object that has no
        path of its own, with the program's DT_RPATH.
        """


class RuntimeModule(Protocol):
    name: ClassVar[str]
    """As ``--with`` and ``--without`` take it."""
    summary: ClassVar[str]
    """What it adds, one phrase."""
    when: ClassVar[str]
    """When it does so by itself, one phrase."""
    value: ClassVar[str | None]
    """What ``--with NAME=`` takes, for the help; None if it takes no value."""

    def parse(self, value: str) -> object:
        """A value of ``--with NAME=VALUE``, checked.

        Raises:
            ValueError: with a message that says what it should be.
        """

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        """What should be added.

        ``chosen`` is None if the user said nothing: evidence decides. Else the module is on, with
        these parsed values; an empty tuple for ``--with NAME`` alone.
        """
