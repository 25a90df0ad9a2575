"""Files and directories that the user adds, entry by entry."""

import errno
import os
from collections.abc import Iterator

from elfpack.errors import Finding, InputError
from elfpack.light import NamedTuple
from elfpack.loader.files import Files
from elfpack.paths import matches, normal
from elfpack.planning.request import Request, Wanted
from elfpack.root.node import Node
from elfpack.root.walk import Place


class AddedFile(NamedTuple):
    """One file, link or directory that was added."""

    source: str
    """Guest path; as the user named it for the top, below it the real directory's."""
    destination: str | None
    """Path in the image; None for the source's own, with the links on the way to it."""
    place: Place | None
    """None for a link inside an added directory, which keeps its text."""
    node: Node
    capability: bytes | None = None
    """Of a regular file: its ``security.capability``. None if that was not asked."""


def added_files(
    files: Files, want: Wanted, request: Request, findings: list[Finding]
) -> Iterator[AddedFile]:
    """What a name to add stands for: the file, or everything in the directory. Of ``request`` it
    is what is dropped or belongs to the output.

    Raises:
        InputError: there is nothing of that name, or it is neither file nor directory.
    """
    place = files.walker.find(want.source)
    if isinstance(place, int):
        raise InputError(
            "no such file or directory" if place == errno.ENOENT else os.strerror(place).lower(),
            path=want.name,
            hint="check the name",
        )
    if place.node.identity in request.output:
        findings.append(_itself(place.path))
    elif place.node.is_regular:
        yield AddedFile(want.source, want.destination, place, place.node)
    elif place.node.is_directory:
        yield from _tree(files, want, place, request, findings)
    else:
        raise InputError(
            "is neither a file nor a directory",
            path=want.name,
            hint="a container has its own devices, and no use for a FIFO or socket",
        )


def _left_out(node: Node, source: str, request: Request) -> Finding | None:
    """An earlier output is no part of the next one, and a container has its own devices."""
    if request.output and node.identity in request.output:
        return _itself(source)
    if node.is_regular or node.is_link or node.is_directory:
        return None
    return Finding("left-out", source, "a FIFO, socket or device: left out", note=True)


def _itself(source: str) -> Finding:
    return Finding("left-out", source, "the output itself: left out", note=True)


def _mounted(node: Node, source: str, top: Place) -> Finding | None:
    """/proc and its like; or a disk, whose content nobody may want. A file is not looked at: an
    overlay gives some another device than their directory's."""
    if not node.is_directory or node.identity[0] == top.node.identity[0]:
        return None
    return Finding(
        "left-out",
        source,
        "another file system is mounted there: left out",
        f"--add {source}, if it belongs into the image",
    )


def _tree(
    files: Files, want: Wanted, top: Place, request: Request, findings: list[Finding]
) -> Iterator[AddedFile]:
    destination = want.destination or normal(want.source)
    yield AddedFile(want.source, want.destination, top, top.node)
    dropped = request.dropped_paths
    stack = [(top.path if top.name else "", destination.rstrip("/"))]
    while stack:
        directory, target = stack.pop()
        names = files.root.entries(directory)
        if isinstance(names, int):
            raise InputError(os.strerror(names).lower(), path=directory or "/")
        for name in names:
            source = f"{directory}/{name}"
            path = source if target == directory else f"{target}/{name}"
            if dropped and matches(source, dropped):
                continue
            node = files.root.node(directory, name)
            if isinstance(node, int):
                raise InputError(os.strerror(node).lower(), path=source)
            without = _left_out(node, source, request) or _mounted(node, source, top)
            if without is not None:
                findings.append(without)
            elif node.is_link:
                yield AddedFile(source, path, None, node, None)
            else:
                if node.is_directory:
                    stack.append((source, path))
                # All in their order: there may be a great many, and names and defaults take time.
                yield AddedFile(source, path, Place(directory, name, node, ()), node, None)
