"""One thing that is to be put somewhere, before conflicts and parents are looked at."""

from collections.abc import Iterator

from elfpack.blob import Blob, Source
from elfpack.errors import unreadable
from elfpack.light import NamedTuple
from elfpack.loader.files import Files
from elfpack.planning.entry import Reason
from elfpack.root.walk import Place


class PutFile:
    """A regular file of the root: its place, and its content in the plan. One record for both, as
    there may be a great many."""

    __slots__ = ("capability", "directory", "files", "hops", "name", "node")

    def __init__(self, files: Files, place: Place, capability: bytes | None = None) -> None:
        self.files = files
        self.directory, self.name, self.node, self.hops = place
        self.capability = capability
        """``security.capability``, empty if it has none; None if that was not asked."""

    @property
    def place(self) -> Place:
        return Place(self.directory, self.name, self.node, self.hops)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PutFile) and self.place == other.place

    def __hash__(self) -> int:
        return hash(self.place)

    @property
    def size(self) -> int:
        return self.node.size

    @property
    def label(self) -> str:
        return f"{self.directory}/{self.name}"

    def open(self) -> Source:
        """
        Raises:
            InputError: it cannot be read, or changed since it was seen.
        """
        try:
            return self.files.open(self.place)
        except OSError as e:
            raise unreadable(self.label, e.errno or 0) from e

    def chunks(self) -> Iterator[bytes]:
        return Blob(self.size, self.open, self.label).chunks()


class PutLink(NamedTuple):
    target: str


class PutDirectory(NamedTuple):
    mode: int
    owner: tuple[int, int]


class PutText(NamedTuple):
    """A generated file."""

    content: bytes


What = PutFile | PutLink | PutDirectory | PutText


class Put(NamedTuple):
    path: str
    """In the image. Directories of it may turn out to be links of the plan."""
    what: What
    reason: Reason
    named: str | None = None
    """What the user called it, for what the user named: it wins over the rest."""
    yields: bool = False
    """Anything else for that path wins over it, without a word."""
