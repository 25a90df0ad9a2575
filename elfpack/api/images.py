"""The images in an archive, each as a root of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from elfpack.api.names import Name, name
from elfpack.api.session import Session
from elfpack.checking.probe import probe
from elfpack.root.archive import Tree, open_root


class Image(NamedTuple):
    """One of them, open until the next is asked for."""

    name: str | None
    """Its tag, empty if it has none. None for a root file system by itself."""
    session: Session
    """Its tree, with the LD_LIBRARY_PATH and LD_PRELOAD that the image sets. For one thread: what
    is compressed can only be read forward."""


def images(path: Name, *, max_unpacked: int | None = None) -> Iterator[Image]:
    """Each image of an archive, to be looked at one after the other. Nothing is unpacked.

    Args:
        path: a docker-archive, as ``docker save`` writes it, or an OCI image layout. Of a directory
            or a tar that is a root file system there is one, without a name.
        max_unpacked: as for :func:`elfpack.check`.

    Raises:
        InputError: it cannot be read, or is none of these. That a layer is another one than its
            digest says may turn out after its image was given.
    """
    opened = open_root(name(path), probe, max_unpacked)
    try:
        for tree in opened.trees():
            with _session(tree) as session:
                yield Image(tree.name, session)
    finally:
        opened.close()


def _session(tree: Tree) -> Session:
    if tree.config is None:
        return Session(tree.root)
    return Session(
        tree.root,
        cwd=tree.config.workdir or "/",
        library_path=tree.config.variable("LD_LIBRARY_PATH"),
        preload=tree.config.variable("LD_PRELOAD"),
    )
