"""Is a root file system complete?"""

from __future__ import annotations

from elfpack.api.names import Name, name
from elfpack.checking import check as check_tree
from elfpack.checking.probe import probe
from elfpack.checking.report import Report
from elfpack.root.archive import Opened, open_root, open_stream


def check(path: Name, *, max_unpacked: int | None = None) -> Report:
    """What the kernel and the loaders would not find in a root file system.

    Args:
        path: a directory, a tar of a root file system (also gzip, zstd, xz), a docker-archive or an
            OCI image layout. Nothing of it is unpacked or run.
        max_unpacked: the bytes that may come out of it, decompressed and with the layers of all its
            images, and a file that may be listed for each KiB of them; by default 4 GiB, or 64
            times its own if that is more, and a file for each 32 bytes. 16,384 files always may.

    Raises:
        InputError: it cannot be read, is none of these, unpacks to more or lists more.
        RequestError: ``max_unpacked`` is no number above 0.
    """
    shown = name(path)
    return _report(open_root(shown, probe, max_unpacked), shown)


def check_stream(fd: int, label: str, *, max_unpacked: int | None = None) -> Report:
    """As :func:`check`, for an archive that is open: a file, or a pipe that is read once.

    Raises:
        InputError: as there; or it had to be read twice.
    """
    return _report(open_stream(fd, label, probe, max_unpacked), label)


def _report(opened: Opened, path: str) -> Report:
    found = []
    try:
        for number, tree in enumerate(opened.trees(), 1):
            image = None if tree.name is None else tree.name or f"image {number}"
            found.append(check_tree(tree.root, tree.config)._replace(image=image))
    finally:
        opened.close()
    return Report(path, tuple(found))
