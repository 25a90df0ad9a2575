"""A plan as one output, in the form that the ending of its name says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from elfpack.errors import OutputError, RequestError
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.pack import leftover, marker
from elfpack.pack.atomic import check_file, check_tree, new_file, new_tree, target, write_all
from elfpack.pack.copying import BLOCK, blocks, write_pieces
from elfpack.pack.directory import write_tree
from elfpack.pack.tar import members
from elfpack.paths import encode
from elfpack.planning.entry import Plan

if TYPE_CHECKING:
    from elfpack.formats.compression import Buffer


class Written(NamedTuple):
    """What became of a plan."""

    output: str
    """As the user named it."""
    size: int
    """Bytes of the output; of a tree those of its files."""
    form: str
    """``tar``, ``tar.gz``, ``tar.zst`` or ``tree``."""


class Writer(NamedTuple):
    """One form of output."""

    form: str
    endings: tuple[str, ...]
    wrap: Callable[[Iterable[Buffer]], Iterable[bytes]] | None
    """None: as it is."""
    library: str = ""
    """What has to be installed for it."""


def _gzip(stream: Iterable[Buffer]) -> Iterable[bytes]:
    from elfpack.formats.compression import gzip  # late: a plain tar needs no compressor

    return gzip(stream)


def _zstd(stream: Iterable[Buffer]) -> Iterable[bytes]:
    from elfpack.formats.compression import zstd

    return zstd(stream)


WRITERS = (
    Writer("tar", (".tar",), None),
    Writer("tar.gz", (".tar.gz", ".tgz"), _gzip),
    Writer("tar.zst", (".tar.zst",), _zstd, "zstandard"),
)
"""Tar streams, chosen by the ending of OUT. A path that ends in ``/`` is a tree."""

STDOUT = "-"


def check_output(output: str) -> None:
    """Whether an output of that name can be written, before any work is done.

    Raises:
        RequestError: the ending says nothing, or standard output is a terminal.
        OutputError: the directory does not exist or cannot be written, or is in the way.
    """
    check_place(output, [e for writer in WRITERS for e in writer.endings], "an unpacked tree")
    writer = _writer(output)
    if writer is not None and writer.library and not _is_installed(writer.library):
        raise RequestError(
            f"{writer.library} is not installed",
            path=output,
            hint=f"pip install {writer.library}, or write .tar or .tar.gz",
        )


def check_place(output: str, endings: Sequence[str], tree: str) -> None:
    """As :func:`check_output`, for outputs with these endings; ``tree`` is what a directory is."""
    if output == STDOUT:
        if os.isatty(1):
            raise RequestError(
                "a tar does not belong on a terminal", path=output, hint="write to a pipe or a file"
            )
        return
    if output.endswith("/"):
        check_tree(output)
        return
    if not _ends(output, endings) and not os.path.isdir(encode(output)):
        known = ", ".join(endings)
        raise RequestError(
            "its ending says nothing",
            path=output or "''",
            hint=f"{known}, a path ending in /, or -",
        )
    check_file(output, tree)


def _ends(output: str, endings: Iterable[str]) -> bool:
    return any(output.endswith(ending) and output != ending for ending in endings)


def _writer(output: str) -> Writer | None:
    return next((writer for writer in WRITERS if _ends(output, writer.endings)), None)


def identities(output: str) -> frozenset[tuple[int, int]]:
    """Device and inode of an earlier output of that name, and of what belongs to it."""
    try:
        path = target(output)
        names = (path, *leftover.stale(path))
        found = {(s.st_dev, s.st_ino) for s in map(os.lstat, filter(leftover.mode, names))}
    except (OSError, OutputError):
        return frozenset()
    known = marker.identity(path)
    return frozenset(found) if known is None else frozenset({*found, known})


def write(plan: Plan, output: str) -> Written:
    """Write a plan to OUT, in the form that its ending says.

    Raises:
        RequestError, OutputError: see :func:`check_output`; or the disk is full.
        InputError: a source changed since the plan was made.
    """
    check_output(output)
    if output == STDOUT:
        return Written(output, write_pieces(members(plan), 1, output), "tar")
    if output.endswith("/"):
        with new_tree(output) as top:
            write_tree(plan, top)
        return Written(output, plan.size, "tree")
    writer = _writer(output)
    assert writer is not None
    with new_file(output) as fd:
        if writer.wrap is None:
            size = write_pieces(members(plan), fd, output)
        else:
            stream = blocks(members(plan), memoryview(bytearray(BLOCK)))
            size = write_all(writer.wrap(stream), fd, output)
    return Written(output, size, writer.form)


def _is_installed(library: str) -> bool:
    from importlib.util import find_spec  # late: few outputs need a library

    return find_spec(library) is not None
