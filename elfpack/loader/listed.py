"""One search path, for a program that asks a great many names of it.

A loader tries each name in each directory. Here that is so up to some thousand tries; then the
directories that are there are listed, each once however often it is named, and a name is tried only
where it can be anything else than missing.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Sequence

from elfpack.loader.records import Element, SearchList
from elfpack.loader.system import System
from elfpack.paths import PATH_LIMIT, encode

_OFTEN = 4096
"""Tries in one search path, after which it is worth to list its directories."""
_NAME_LIMIT = 255
"""Bytes of a name in a directory; a longer one is another error than a missing one."""

_UNLISTED = (".", "..")
"""Entries of every directory that are in no list."""


class Listed:
    """The elements of a search path in which a name may be."""

    def __init__(
        self,
        places: SearchList,
        system: System,
        subdirectories: Callable[[str], Iterable[str]],
        is_missing: Callable[[int, bool], bool],
        longest: int,
    ) -> None:
        """``subdirectories`` are those that are tried in a directory; ``is_missing`` tells, of the
        errno of a directory and whether it is an absolute path, if a name in it is just missing;
        ``longest`` is what a path may have for this loader to try it, in bytes."""
        self.places = places
        self._system = system
        self._subdirectories = subdirectories
        self._is_missing = is_missing
        self._fitting = min(longest, PATH_LIMIT - 1) - 1 - _NAME_LIMIT
        """Bytes of a directory with which any name is tried."""
        self._tried = 0
        self._holding: dict[str, list[int]] | None = None
        """By a name, the numbers of the elements that hold it."""
        self._always: list[int] = []
        """The numbers of those that nothing is known of."""
        self._long: list[tuple[int, int]] = []
        """Length and number of those that make too long a path with some names, where that ends the
        search in this path: each is longer than those before it."""

    def elements(self, name: str, *, often: bool = False) -> Sequence[Element]:
        """Those in which the search for a name has to look, in order. ``often``: it is worth to
        list the directories."""
        elements = self.places.elements
        if self._holding is None:
            self._tried += len(elements)
            if self._tried < _OFTEN and not often:
                return elements
            self._holding = self._listed()
        if len(encode(name)) > _NAME_LIMIT or name in _UNLISTED:
            return elements
        numbers = self._holding.get(name, [])
        room = PATH_LIMIT - len(encode(name))
        end = next((number for length, number in self._long if length >= room), None)
        if self._always or end is not None:
            numbers = sorted({*numbers, *self._always, *([] if end is None else [end])})
        return [elements[number] for number in numbers]

    def _listed(self) -> dict[str, list[int]]:
        holding: dict[str, list[int]] = {}
        walker, absolute = self._system.files.walker, self._system.absolute
        known: set[str] = set()
        longest = PATH_LIMIT - _NAME_LIMIT - 1
        for number, (directory, _) in enumerate(self.places.elements):
            real = walker.directory(absolute(directory).rstrip("/"))
            if isinstance(real, int):
                if not self._is_missing(real, directory.startswith("/")):
                    self._always.append(number)
                continue
            length = len(encode(directory))
            if length > longest and not self._is_missing(errno.ENAMETOOLONG, False):
                longest = length
                self._long.append((length, number))
            if real not in known:
                # Where some names are too long behind it, a shorter spelling has them.
                if length <= self._fitting:
                    known.add(real)
                self._list(number, directory, holding)
        return holding

    def _list(self, number: int, directory: str, holding: dict[str, list[int]]) -> None:
        """Note what is in a directory and the subdirectories that are tried in it."""
        files = self._system.files
        names: set[str] = set()
        for sub in self._subdirectories(directory):
            real = files.walker.directory(self._system.absolute(directory + sub).rstrip("/"))
            found = real if isinstance(real, int) else files.root.entries(real)
            if isinstance(found, int):
                self._always.append(number)
                return
            names.update(found)
        for name in names:
            holding.setdefault(name, []).append(number)
