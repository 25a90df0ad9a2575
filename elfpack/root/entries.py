"""The files of an archive's tree as columns: of a million of them, each takes 30 bytes here."""

from __future__ import annotations

import stat
from array import array
from functools import partial

from elfpack.root.node import Node

Identity = tuple[int, int]
"""Layer, and where in it the content begins."""


_node = partial(tuple.__new__, Node)
"""``Node(*fields)`` without a step in Python."""


class Entries:
    """Rows by their numbers. A number is a file: what has the same is a hard link to it."""

    def __init__(self) -> None:
        self.modes = array("H")
        """Type and permission bits."""
        self._layers = array("I")
        self._offsets = array("q")
        self._sizes = array("Q")
        self._magics: list[bytes] = []
        self._known: dict[bytes, bytes] = {}
        """Each of them once."""
        self._texts: dict[int, str] = {}

    def add(
        self, mode: int, size: int, identity: Identity, text: str = "", magic: bytes = b""
    ) -> int:
        """The number of a new row. ``text`` is that of a link, ``magic`` are the first four bytes
        of a regular file, fewer if it is shorter."""
        number = len(self.modes)
        self.modes.append(mode)
        self._sizes.append(size)
        self._layers.append(identity[0])
        self._offsets.append(identity[1])
        self._magics.append(self._known.setdefault(magic, magic))
        if text:
            self._texts[number] = text
        return number

    def is_directory(self, number: int) -> bool:
        return stat.S_ISDIR(self.modes[number])

    def identity(self, number: int) -> Identity:
        return self._layers[number], self._offsets[number]

    def size(self, number: int) -> int:
        return self._sizes[number]

    def magic(self, number: int) -> bytes:
        return self._magics[number]

    def node(self, number: int) -> Node:
        # A device number that no kernel gives.
        identity = (-2 - self._layers[number], self._offsets[number])
        text = self._texts.get(number, "")
        size, magic = self._sizes[number], self._magics[number]
        return _node((self.modes[number], identity, size, 0, text, (0, 0), magic))
