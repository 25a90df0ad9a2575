"""One thing that is to be put somewhere, before conflicts and parents are looked at."""

from typing import NamedTuple

from elfpack.planning.entry import Reason
from elfpack.root.walk import Place


class PutFile(NamedTuple):
    """A regular file of the root."""

    place: Place


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
