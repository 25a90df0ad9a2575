"""A plan as a root: the image as a tree that names can be looked up in."""

from __future__ import annotations

import errno
import stat
from bisect import bisect_left

from elfpack.blob import Content, Source
from elfpack.errors import InputError
from elfpack.paths import encode, sort_key
from elfpack.planning.entry import Directory, Entry, HardLink, Plan, Regular, Symlink
from elfpack.root.node import Node

_TOP = Node(stat.S_IFDIR | 0o755, (0, 0), 0, 0)


class PlanRoot:
    """Looks at the entries themselves: few of a great many files are asked for."""

    label = "the image"

    def __init__(self, plan: Plan) -> None:
        self._entries = plan.entries
        self._by_path = {entry.path: entry for entry in plan.entries}
        self._nodes: dict[str, Node] = {}
        """Of what was asked for."""

    def node(self, directory: str, name: str) -> Node | int:
        if not name:
            return _TOP
        path = f"{directory}/{name}"
        known = self._nodes.get(path)
        if known is not None:
            return known
        entry = self._by_path.get(path)
        if entry is None:
            return errno.ENAMETOOLONG if len(encode(name)) > 255 else errno.ENOENT
        return self._nodes.setdefault(path, self._node(entry))

    def _node(self, entry: Entry) -> Node:
        # A device number that no kernel gives: what is made never equals a file of a root.
        made = (-1, 1 + len(self._nodes))
        match entry:
            case Directory():
                return Node(stat.S_IFDIR | entry.mode, made, 0, 0)
            case Symlink():
                return Node(stat.S_IFLNK | 0o777, made, 0, 0, entry.target)
            case Regular() | HardLink():
                size = self._blob(entry).size
                return Node(stat.S_IFREG | entry.mode, entry.identity or made, size, 0)

    def _blob(self, entry: Regular | HardLink) -> Content:
        if isinstance(entry, Regular):
            return entry.blob
        first = self._by_path[entry.target]
        assert isinstance(first, Regular)
        return first.blob

    def entries(self, directory: str) -> tuple[str, ...] | int:
        if directory and not isinstance(self._by_path.get(directory), Directory):
            return errno.ENOENT
        below = f"{directory}/"
        names: list[str] = []
        # What is below a directory stands together, in the order of the names.
        at = bisect_left(self._entries, sort_key(below), key=lambda entry: sort_key(entry.path))
        while at < len(self._entries) and self._entries[at].path.startswith(below):
            name = self._entries[at].path[len(below) :]
            if "/" not in name:
                names.append(name)
            at += 1
        return tuple(names)

    def capabilities(
        self, directory: str, name: str, node: Node, source: Source | None = None
    ) -> bytes:
        entry = self._by_path.get(f"{directory}/{name}")
        return entry.capability if isinstance(entry, (Regular, HardLink)) else b""

    def open(self, directory: str, name: str, node: Node) -> Source:
        entry = self._by_path.get(f"{directory}/{name}")
        if not isinstance(entry, (Regular, HardLink)):
            raise InputError("is not a regular file", path=f"{directory}/{name}")
        return self._blob(entry).open()
