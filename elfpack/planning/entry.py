"""The entries of an image and the reason for each, and the plan that holds them."""

import stat
from collections.abc import Callable

from elfpack.blob import Blob, Content
from elfpack.elf.file import Abi
from elfpack.errors import Finding
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.loader.closure import Closure
from elfpack.loader.hwcaps import BASELINE
from elfpack.loader.records import Hit
from elfpack.planning.config import PLAIN, ImageConfig

if TYPE_CHECKING:
    from elfpack.formats.oci import Platform

SET_ID = stat.S_ISUID | stat.S_ISGID


class Reason(NamedTuple):
    """Why something is in the image. Rendered to text by ``report/``."""

    source: str
    """``program``, ``interpreter``, ``library``, ``link``, ``parent``, ``added``, ``mkdir``,
    ``workdir``, ``volume``, ``ld.so.cache``, or the name of a runtime module."""
    evidence: str = ""
    """A needed name, a symbol, a database: what was seen."""
    because_of: str = ""
    """The path of the object or entry where it was seen."""
    how: str = ""
    """How that object has the symbol, for the reason of a runtime module."""


class Directory(NamedTuple):
    path: str
    """Absolute, normal; no component before the last is a link in the plan."""
    reason: Reason
    mode: int = 0o755
    owner: tuple[int, int] = (0, 0)


class Symlink(NamedTuple):
    path: str
    reason: Reason
    target: str


class Regular(NamedTuple):
    path: str
    reason: Reason
    blob: Content
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    """Another only where a set-id bit is kept: that bit is worth what the owner is."""
    capability: bytes = b""
    """The value of ``security.capability``, where it is kept."""
    identity: tuple[int, int] | None = None
    """Device and inode of the source; None for generated content."""
    edited: bool = False
    """The content is made of the source's, not the same."""


class HardLink(NamedTuple):
    """A second name of a regular file of the plan."""

    path: str
    reason: Reason
    target: str
    """The path of the first name."""
    mode: int
    """The file's, as owner and capability are: who unpacks a tar may set them once more by this
    name."""
    identity: tuple[int, int]
    owner: tuple[int, int] = (0, 0)
    capability: bytes = b""


Entry = Directory | Symlink | Regular | HardLink
"""One path of the image."""


class Placed(NamedTuple):
    """A closure and where its program is in the image."""

    closure: Closure
    path: str
    objects: tuple[str, ...] = ()
    """Where each of the closure's hits is in the image."""
    aliases: tuple[str, ...] = ()
    """Where the file of each of the closure's aliases is."""
    named: bool = True
    """The user named it; False for what an added file or a module brought."""
    cpu: str = BASELINE
    """The CPU that it was looked up for."""
    script: str | None = None
    """Where in the image the script is that comes down to this program."""


class Opened(NamedTuple):
    """An object that is opened at run time, by its name."""

    name: str
    hit: Hit
    by: tuple[int, int] | None = None
    """The identity of the object that opens it; None for libc."""


class Plan(NamedTuple):
    """All entries of an image, sorted, complete before the first byte is written."""

    entries: tuple[Entry, ...]
    programs: tuple[Placed, ...]
    """Every closure in the image, the first program first."""
    opened: tuple[Opened, ...] = ()
    """What runtime modules brought to be opened by its name."""
    epoch: int = 0
    config: ImageConfig = PLAIN
    entrypoint: str | None = None
    """The path of the first program."""
    abi: Abi | None = None
    """The machine of the first program."""
    platforms: tuple[tuple["Platform", str], ...] = ()
    """What the programs run on, the first one's first, each with the name of its first program."""
    findings: tuple[Finding, ...] = ()
    """What the user should know: notes of modules, conflicts, what was left out."""
    hints: Callable[[], tuple[Finding, ...]] = tuple
    """What could be told besides, nothing but notes: looked for when somebody wants to hear it, as
    long as the root can be read."""
    missing: tuple[str, ...] = ()
    """Needed names that are missing and were allowed to be."""
    watch: Callable[[int], object] | None = None
    """Told the number of bytes of each piece of a file that is written."""

    def all_findings(self) -> tuple[Finding, ...]:
        """What the user should know, with the hints."""
        return (*self.findings, *self.hints())

    @property
    def size(self) -> int:
        """Bytes of file content."""
        return sum(e.blob.size for e in self.entries if isinstance(e, Regular))

    def content(self, entry: Regular) -> Blob:
        """The content of a file, for who writes it."""
        return Blob(entry.blob.size, entry.blob.open, entry.blob.label, self.watch)
