"""Follows links, one component at a time, inside a root. Nobody else does."""

from __future__ import annotations

import errno
from stat import S_IFLNK

from elfpack.light import NamedTuple
from elfpack.paths import PATH_LIMIT, encode
from elfpack.root.node import FORMAT, Node, Root

LINK_LIMIT = 40
"""Links followed in one look-up. Source: Linux include/linux/namei.h, MAXSYMLINKS."""


_SEARCHED = 0o111
"""Mode of a directory that everybody may search."""
_DIRECTORIES = ("", ".", "..")
"""Last components that only a directory can have."""


class Hop(NamedTuple):
    """A symbolic link on the way to a file."""

    path: str
    """Where the link is, by its real directory."""
    target: str
    """Its text."""


class Place(NamedTuple):
    """Where a look-up ended."""

    directory: str
    """The real directory, ``""`` for the top."""
    name: str
    """The entry in it, ``""`` for the top directory itself."""
    node: Node
    hops: tuple[Hop, ...] = ()
    """The links that were followed, in order."""

    @property
    def path(self) -> str:
        """The real path: no component of it is a link."""
        return f"{self.directory}/{self.name}"


class Walker:
    """Look-ups in one root, each directory resolved once.

    The tables only gain entries whose value does not depend on who computed it, so threads may
    share a walker; it sees the tree as first read.
    """

    def __init__(self, root: Root) -> None:
        self.root = root
        self._directories: dict[str, str | int] = {"": ""}
        self._links: dict[str, int] = {}
        """How many links were followed on the way to each of them, if any."""
        self._ways: dict[str, Place | int] = {}
        """Directories with those links, for what is packed."""

    def find(self, path: str, *, follow: bool = True) -> Place | int:
        """The file at a guest path, or the errno that the kernel would give.

        With ``follow`` false, a link as the last component is the answer itself.
        """
        before, _, name = path.rpartition("/")
        # A long path is left to the walk, which holds it against PATH_MAX first.
        if name not in _DIRECTORIES and len(path) < PATH_LIMIT // 4:
            directory = self._directories.get(before)
            if directory is None:
                directory = self.directory(before)
            if isinstance(directory, int):
                return directory
            node = self.root.node(directory, name)
            if isinstance(node, int):
                return node
            # The links on the way are wanted only when something is packed: trace() tells them.
            if node.mode & FORMAT != S_IFLNK or not follow:
                return Place(directory, name, node, ())
            place = self._linked(before, directory, node)
            if place is not None:
                return place
        return self._walk(path, follow)

    def _linked(self, before: str, directory: str, node: Node) -> Place | int | None:
        """Where a link leads that is an entry of a real directory, which ``before`` names. None if
        only a walk from the top can tell."""
        followed = self._links.get(before, 0)
        while node.is_link and node.target:
            followed += 1
            path = node.target if node.target.startswith("/") else f"{directory}/{node.target}"
            before, _, name = path.rpartition("/")
            if name in _DIRECTORIES or len(path) >= PATH_LIMIT // 4:
                return None
            real = self.directory(before)
            followed += self._links.get(before, 0)
            if followed > LINK_LIMIT:
                return None
            if isinstance(real, int):
                return real
            found = self.root.node(real, name)
            if isinstance(found, int):
                return found
            directory, node = real, found
            if not node.is_link:
                return Place(directory, name, node, ())
        return None

    def trace(self, path: str, *, follow: bool = True) -> Place | int:
        """As :meth:`find`, with every link on the way in ``hops``."""
        before, _, name = path.rpartition("/")
        if name in _DIRECTORIES or len(path) >= PATH_LIMIT // 4:
            return self._walk(path, follow)
        way = self._way(before)
        return way if isinstance(way, int) else self._entry(way, name, follow)

    def _way(self, path: str) -> Place | int:
        """The directory that ``path`` names, remembered as all those on the way to it are: most
        paths share their first components."""
        if len(path) >= PATH_LIMIT // 4:
            return self._walk(path + "/", True)
        if not self._ways:
            directory, node, name = _top(self.root)
            self._ways.setdefault("", Place(directory, name, node))
        missing: list[str] = []
        while path not in self._ways:
            missing.append(path)
            path = path.rpartition("/")[0]
        place = self._ways[path]
        for path in reversed(missing):
            if not isinstance(place, int):
                place = self._entered(place, path.rpartition("/")[2])
            place = self._ways.setdefault(path, place)
        return place

    def _entered(self, way: Place, name: str) -> Place | int:
        """The directory of that name in a directory."""
        if name in _DIRECTORIES:
            return self._walk(name + "/", True, way)
        place = self._entry(way, name, True)
        if isinstance(place, int) or place.node.is_directory:
            return place
        return errno.ENOTDIR

    def _entry(self, way: Place, name: str, follow: bool) -> Place | int:
        """An entry of a directory, with the links that were followed."""
        directory = _real(way)
        node = self.root.node(directory, name)
        if isinstance(node, int):
            return node
        if follow and node.is_link:
            return self._walk(name, follow, way)
        return Place(directory, name, node, way.hops)

    def directory(self, path: str) -> str | int:
        """The real path of the directory that ``path`` names, remembered."""
        known = self._directories.get(path)
        if known is None:
            known = self._below(path)
        if known is None:
            place = self._walk(path + "/", True)
            known = place if isinstance(place, int) else _real(place)
            if not isinstance(place, int) and place.hops:
                self._links[path] = len(place.hops)
            known = self._directories.setdefault(path, known)
        return known

    def _below(self, path: str) -> str | int | None:
        """The same for an entry of a directory that is known, unless it is a link."""
        before, _, name = path.rpartition("/")
        above = self._directories.get(before)
        if above is None or name in _DIRECTORIES or len(path) >= PATH_LIMIT // 4:
            return None
        if isinstance(above, int):
            return above
        node = self.root.node(above, name)
        if isinstance(node, int):
            known: str | int = node
        elif node.is_link:
            return None
        else:
            known = f"{above}/{name}" if node.is_directory else errno.ENOTDIR
            if before in self._links:
                self._links[path] = self._links[before]
        return self._directories.setdefault(path, known)

    def _walk(self, path: str, follow: bool, start: Place | None = None) -> Place | int:
        """With ``start`` a path that counts from that directory, which links have led to."""
        # Source: path_resolution(7); the kernel checks the length before the first component.
        if len(path) >= PATH_LIMIT // 4 and len(encode(path)) >= PATH_LIMIT:
            return errno.ENAMETOOLONG
        root = self.root
        directory = ""
        here = _top(root) if start is None else (start.directory, start.node, start.name)
        hops = [] if start is None else list(start.hops)
        pending = path.split("/")[::-1]
        must_be_directory = pending[0] in _DIRECTORIES
        while pending:
            name = pending.pop()
            if name in _DIRECTORIES:
                there = _same_or_above(root, here, name)
                if isinstance(there, int):
                    return there
                here = there
                continue
            if not here[1].is_directory:
                return errno.ENOTDIR
            directory = f"{here[0]}/{here[2]}" if here[2] else ""
            node = root.node(directory, name)
            if isinstance(node, int):
                return node
            if node.is_link and (follow or must_be_directory or _more(pending)):
                number = _follow(node.target, f"{directory}/{name}", hops, pending)
                if number:
                    return number
                here = _top(root) if node.target.startswith("/") else _itself(root, directory)
                # "file/" as a link's text asks for a directory, as it would in the path itself.
                must_be_directory |= pending[0] in _DIRECTORIES
                continue
            here = (directory, node, name)
        if must_be_directory and not here[1].is_directory:
            return errno.ENOTDIR
        return Place(here[0], here[2], here[1], tuple(hops))


def _follow(target: str, path: str, hops: list[Hop], pending: list[str]) -> int:
    """Puts a link's text before what is pending; an errno if that cannot be."""
    if len(hops) == LINK_LIMIT:
        return errno.ELOOP
    if not target:
        return errno.ENOENT
    hops.append(Hop(path, target))
    pending.extend(target.split("/")[::-1])
    return 0


def _real(directory: Place) -> str:
    return directory.path if directory.name else ""


def _more(pending: list[str]) -> bool:
    """Whether a component is still to come, so that the one at hand has to be a directory."""
    return any(name not in ("", ".") for name in pending)


_TOP = Node(0o040755, (0, 0), 0, 0)
"""Stands for the top of a root that cannot tell of itself."""


def _top(root: Root) -> tuple[str, Node, str]:
    node = root.node("", "")
    return ("", _TOP if isinstance(node, int) else node, "")


def _itself(root: Root, directory: str) -> tuple[str, Node, str]:
    """A real directory as a position of the walk."""
    if not directory:
        return _top(root)
    above, _, name = directory.rpartition("/")
    node = root.node(above, name)
    return (above, _TOP if isinstance(node, int) else node, name)


def _same_or_above(
    root: Root, here: tuple[str, Node, str], name: str
) -> tuple[str, Node, str] | int:
    """Where an empty name, ``.`` or ``..`` leads from a position, or the kernel's errno."""
    if not name:
        return here
    if not here[1].is_directory:
        return errno.ENOTDIR
    directory = f"{here[0]}/{here[2]}" if here[2] else ""
    # Source: Linux fs/namei.c, link_path_walk(): who may not search a directory gets neither.
    if here[1].mode & _SEARCHED != _SEARCHED and root.node(directory, ".") == errno.EACCES:
        return errno.EACCES
    return here if name == "." else _itself(root, directory.rpartition("/")[0])
