"""A tree in memory as a root: a plan, a test's world."""

from __future__ import annotations

import errno
import stat

from elfpack.blob import Blob, Source
from elfpack.errors import InputError
from elfpack.paths import ancestors, basename, encode
from elfpack.root.node import Node


class TreeRoot:
    """Entries by path. Directories on the way are made as needed, 0755."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._children: dict[str, dict[str, Node]] = {"": {}}
        self._blobs: dict[tuple[str, str], Blob] = {}
        self._capabilities: dict[tuple[str, str], bytes] = {}
        self._made = 0

    def add_directory(self, path: str, mode: int = 0o755) -> None:
        self._put(path, Node(stat.S_IFDIR | mode, self._identity(), 0, 0))
        self._children.setdefault(path.rstrip("/"), {})

    def add_link(self, path: str, target: str) -> None:
        self._put(path, Node(stat.S_IFLNK | 0o777, self._identity(), 0, 0, target))

    def add_file(
        self,
        path: str,
        blob: Blob,
        mode: int = 0o644,
        identity: tuple[int, int] | None = None,
        capability: bytes = b"",
    ) -> None:
        """A regular file; with the ``identity`` of another it is that file under a second name."""
        directory, name = self._put(
            path, Node(stat.S_IFREG | mode, identity or self._identity(), blob.size, 0)
        )
        self._blobs[directory, name] = blob
        if capability:
            self._capabilities[directory, name] = capability

    def add_special(self, path: str, kind: int, mode: int = 0o644) -> None:
        """A FIFO, socket or device: ``kind`` is the ``S_IF`` value."""
        self._put(path, Node(kind | mode, self._identity(), 0, 0))

    def node(self, directory: str, name: str) -> Node | int:
        if not name:
            return Node(stat.S_IFDIR | 0o755, (0, 0), 0, 0)
        children = self._children.get(directory)
        if children is None:
            return errno.ENOENT
        node = children.get(name)
        if node is None:
            return errno.ENAMETOOLONG if len(encode(name)) > 255 else errno.ENOENT
        return node

    def entries(self, directory: str) -> tuple[str, ...] | int:
        children = self._children.get(directory)
        if children is None:
            return errno.ENOENT
        return tuple(sorted(children, key=encode))

    def capabilities(
        self, directory: str, name: str, node: Node, source: Source | None = None
    ) -> bytes:
        return self._capabilities.get((directory, name), b"")

    def open(self, directory: str, name: str, node: Node) -> Source:
        blob = self._blobs.get((directory, name))
        if blob is None:
            raise InputError("is not a regular file", path=f"{directory}/{name}")
        return blob.open()

    def _identity(self) -> tuple[int, int]:
        # A device number that no kernel gives, so that made files never equal a root's.
        self._made += 1
        return (-1, self._made)

    def _put(self, path: str, node: Node) -> tuple[str, str]:
        directory, _, name = path.rstrip("/").rpartition("/")
        above = ""
        for known in ancestors(f"{directory}/x"):
            if known not in self._children:
                made = Node(stat.S_IFDIR | 0o755, self._identity(), 0, 0)
                self._children[above].setdefault(basename(known), made)
                self._children[known] = {}
            above = known
        self._children[directory][name] = node
        return directory, name
