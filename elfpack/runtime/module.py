"""The protocol of a runtime module: the view it gets, and the additions it gives.

``propose`` is pure: same view, same additions, in the same order. It is asked again whenever the
additions made the set of objects grow, because what was added may be evidence itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from elfpack.blob import Source
from elfpack.elf.golang import GoProgram
from elfpack.light import TYPE_CHECKING, NamedTuple, Protocol
from elfpack.loader.records import Hit

if TYPE_CHECKING:
    import re
    from typing import ClassVar, Final, Literal, TypeVar

    V = TypeVar("V")
    Role = Literal["program", "added", "library"]
    """What an object is to the user: a program that was named, or that a script or a module runs;
    an ELF file among what was added; a library of one of those."""


OPENED: Final = "opened by"
"""How a program has a file that it opened in a real run."""


class Evidence(NamedTuple):
    """What was seen, and where: a symbol that an object imports, a path that is compiled in."""

    symbol: str
    """What was seen; it stands in the bytes of the object."""
    object: str
    """What the object is called: a program as the user named it, a library by its file name."""
    how: str = "imported by"
    """How the object has it: ``imported by``, ``carried by`` for a static program, ``linked into``
    for a function of Go, ``compiled into`` for a string, ..."""

    def __str__(self) -> str:
        return f"{self.symbol}, {self.how} {self.object}"


class Object(NamedTuple):
    """An ELF file of the closures."""

    label: str
    """As :attr:`Evidence.object`."""
    hit: Hit
    role: Role
    libc: str | None
    """Of the program that loads it: ``glibc`` or ``musl``; None for a static program."""
    position: tuple[int, int]
    """The closure and the object's number in it; for the view."""

    @property
    def soname(self) -> str:
        """Its DT_SONAME, else its file name."""
        return self.hit.elf.soname or self.hit.real_path.rpartition("/")[2]


class Found(NamedTuple):
    """What a name is at run time, for who opens it."""

    hit: Hit
    opener: tuple[int, int | None]
    """The closure, and the number in it of the object that opens; None for libc itself."""


class AddFile(NamedTuple):
    """A file of the root at its own path, links on the way kept."""

    path: str
    evidence: Evidence | None
    yields: bool = False
    """As :attr:`AddLink.yields`."""


class AddObject(NamedTuple):
    """A shared object that is opened at run time, with all that it needs."""

    name: str
    """The name that it is opened by."""
    found: Found
    evidence: Evidence | None


class AddProgram(NamedTuple):
    """An ELF program, library or script of the root at its own path, with all that it needs."""

    path: str
    evidence: Evidence | None


class AddText(NamedTuple):
    """A file that elfpack makes."""

    path: str
    text: str
    evidence: Evidence | None


class AddBytes(NamedTuple):
    """The same for a file that is no text."""

    path: str
    content: bytes
    evidence: Evidence | None


class AddLink(NamedTuple):
    """A link that elfpack makes."""

    path: str
    target: str
    evidence: Evidence | None
    yields: bool = False
    """Left out without a word where anything else goes to that path."""


class AddDirectory(NamedTuple):
    path: str
    mode: int
    owner: tuple[int, int]
    evidence: Evidence | None
    yields: bool = False
    """As :attr:`AddLink.yields`."""


class Lacking(NamedTuple):
    """Something that was asked for and that the root has not."""

    what: str
    """If it is a needed name, ``--allow-missing`` may match it."""
    requested: bool
    """The user named it, or a program cannot be without: a finding, status 1. Else a warning."""
    advice: str
    evidence: Evidence | None = None
    state: str = "the root has none"
    """What is wrong with it."""


class Hint(NamedTuple):
    """What elfpack cannot know, or leaves out, and says: one note or warning, and a finding in
    JSON."""

    code: str
    """For JSON: ``dlopen-strings``."""
    path: str
    """What it is about."""
    message: str
    advice: str
    evidence: Evidence | None = None
    warning: bool = False
    """Something is wrong: a warning instead of a note."""


Addition = (
    AddFile | AddObject | AddProgram | AddText | AddBytes | AddLink | AddDirectory | Lacking | Hint
)


class View(Protocol):
    """What a module may ask. Read-only; every answer is the same when asked again."""

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The oldest release of the glibcs that programs are linked with; None if there is none,
        (0, 0) if it cannot be told."""

    def objects(self) -> tuple[Object, ...]:
        """Every ELF file of the closures, each once, programs before their libraries."""

    def importers(self, symbols: Iterable[str], libc: str | None = None) -> tuple[Evidence, ...]:
        """Who imports these symbols: one piece of evidence a symbol, in the order given.

        Objects of the closures but glibc's own libraries, what static programs carry, and the
        functions of Go programs (``net.goLookupIPCNAMEOrder``), which have no libc. With ``libc``
        only objects of programs that are linked with that libc, statically or not; a symbol that
        has a version must have one of that libc.
        """

    def importing(
        self, symbols: Iterable[str], libc: str | None = None
    ) -> tuple[tuple[Object, Evidence], ...]:
        """As :meth:`importers`, but every object, each with the first of the symbols it has."""

    def strings(
        self, this: Object, pattern: re.Pattern[bytes], *, whole: bool = False
    ) -> tuple[bytes, ...]:
        """Each different match of a pattern in the read-only data of an object, in file order, at
        most ten thousand.

        A match is the first group, if the pattern has one, else all of it; with ``whole`` the
        string that it is in, from NUL to NUL. The pattern must not match more than 4096 bytes.
        One that begins with a literal byte is much quicker.
        """

    def holds(self, this: Object, pattern: re.Pattern[bytes]) -> bool:
        """Whether :meth:`strings` would find any."""

    def has(self, this: Object, text: bytes) -> bool:
        """Whether the read-only data of an object have these bytes."""

    def notes(self, this: Object, owner: str, kind: int) -> tuple[bytes, ...]:
        """The descriptions of an object's notes of an owner and a type, in file order."""

    def go(self, this: Object) -> GoProgram | None:
        """What is known of a program that is written in Go; None for any other."""

    def exists(self, path: str) -> bool:
        """Whether the root has a regular file there, links followed."""

    def entries(self, directory: str) -> tuple[tuple[str, str], ...]:
        """The names in a directory of the root, sorted, each with what it is, links followed:
        ``file``, ``directory``, or ``other`` (also a link that leads nowhere). Empty if there is
        no such directory."""

    def real(self, path: str) -> str | None:
        """The path of a file or directory of the root with all links followed; None if there is
        none."""

    def link(self, path: str) -> str | None:
        """The text of a link of the root; None if there is none at that path."""

    def read(self, path: str, most: int = 1 << 20) -> bytes | None:
        """The content of a file of the root; None if there is none, or it has more than ``most``
        bytes."""

    def derived(self, path: str, read: Callable[[Source], V]) -> V | None:
        """What a function makes of the bytes of a file of the root; None if there is no file, or
        it cannot be read. It is called once a file: its answer must depend on nothing else."""

    def part(self, path: str, size: int, offset: int) -> bytes | None:
        """Up to ``size`` bytes of a file of the root, from ``offset`` on; fewer at its end, None
        if there is no such file."""

    def variable(self, name: str) -> str:
        """A variable of the environment that the image will have; empty if there is none."""

    def absolute(self, path: str) -> str:
        """A path that the user wrote, from the working directory."""

    def dropped(self, path: str) -> bool:
        """Whether the user drops a path that would be added: ``--exclude`` with a slash."""

    def excluded(self, name: str) -> bool:
        """Whether the user excludes a needed name."""

    def opened_by_libc(self, name: str) -> tuple[Found, ...]:
        """The objects that glibc's own dlopen() would find for a name: one for each glibc and
        machine among the programs.

        Source: glibc elf/dl-libc.c, __libc_dlopen_mode(): the search of an object that has no
        path of its own, with the program's DT_RPATH.
        """

    def opened_by(self, this: Object, name: str) -> Found | None:
        """The object that dlopen() would find for a name that ``this`` opens, by its search
        path; None also for what is loaded already.

        Source: glibc elf/dl-open.c, dl_open_worker_begin(); musl ldso/dynlink.c, dlopen().
        """

    def loaded(self, this: Object, name: str) -> bool:
        """Whether a name is that of an object which is loaded where ``this`` is."""


class RuntimeModule(Protocol):
    name: ClassVar[str]
    """As ``--with`` and ``--without`` take it."""
    summary: ClassVar[str]
    """What it adds, one phrase."""
    when: ClassVar[str]
    """When it does so by itself, one phrase; for one that never does: ``only when asked for``."""
    value: ClassVar[str | None]
    """What ``--with NAME=`` takes, for the help, several forms apart by ``|``; None if it takes no
    value."""
    needs_value: ClassVar[bool]
    """``--with NAME`` alone says too little."""
    sees_own: ClassVar[bool]
    """What the module itself brought is evidence for it: the notes of a library that a note named.
    Others must not see it, or what they add could take the place of what made them add it."""

    def parse(self, value: str) -> object:
        """A value of ``--with NAME=VALUE``, checked; hashable.

        Raises:
            ValueError: with a message that says what it should be.
        """

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        """What should be added.

        ``chosen`` is None if the user said nothing: evidence decides. Else the module is on, with
        these parsed values; an empty tuple for ``--with NAME`` alone.

        Raises:
            ElfpackError: what the user named is of no use.
        """
