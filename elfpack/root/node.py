"""The Root protocol: what a directory, a tree in memory and an archive have in common."""

from __future__ import annotations

import stat

from elfpack.blob import Source
from elfpack.light import NamedTuple, Protocol

FORMAT = 0o170000
"""The bits of a mode that tell the type. stat.S_ISLNK() and its like take three times as long, and
each look-up asks."""

SYSTEM = frozenset(("bin", "etc", "lib", "usr"))
"""Names that systems have at their top, and images have not."""


class Node(NamedTuple):
    """One entry of a directory, not followed if it is a link."""

    mode: int
    """``st_mode``: type and permission bits."""
    identity: tuple[int, int]
    """Device and inode: two paths with one identity are one file to a loader."""
    size: int
    """Bytes."""
    mtime_ns: int
    target: str = ""
    """The text of a symbolic link."""
    owner: tuple[int, int] = (0, 0)
    """User and group id."""
    head: bytes | None = None
    """The first four bytes of a regular file, fewer if it is shorter, where they are known without
    opening it."""

    @property
    def is_link(self) -> bool:
        return self.mode & FORMAT == stat.S_IFLNK

    @property
    def is_directory(self) -> bool:
        return self.mode & FORMAT == stat.S_IFDIR

    @property
    def is_regular(self) -> bool:
        return self.mode & FORMAT == stat.S_IFREG


class Root(Protocol):
    """A tree that names are looked up in.

    A directory is given by its real path in the tree: no link, no ``..`` in it, ``""`` for the top.
    No method follows a link; ``root/walk.py`` does. A failing look-up returns its errno, because
    loaders decide by it.
    """

    label: str
    """What the tree is called in messages: ``/``, the path of a sysroot, of an archive."""

    def node(self, directory: str, name: str) -> Node | int:
        """The entry ``name`` of a directory, or an errno."""

    def entries(self, directory: str) -> tuple[str, ...] | int:
        """The names in a directory, sorted as bytes, or an errno."""

    def capabilities(
        self, directory: str, name: str, node: Node, source: Source | None = None
    ) -> bytes:
        """The file capabilities of a regular file: its ``security.capability``, empty if it has
        none. ``source`` is the file, for who has it open."""

    def open(self, directory: str, name: str, node: Node) -> Source:
        """The content of a regular file that :meth:`node` told of.

        Raises:
            OSError: it cannot be read.
            InputError: it is no longer the file that ``node`` describes.
        """
