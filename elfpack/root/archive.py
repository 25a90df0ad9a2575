"""What a user names as a root file system: a directory, a tar of one, an image in an archive or a
directory. What it is, is told by its bytes, never by its name."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from elfpack.blob import FileSource, Source, let_go
from elfpack.errors import InputError, RequestError
from elfpack.formats import tar
from elfpack.formats.container import ContainerConfig
from elfpack.formats.decompression import compression
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import encode
from elfpack.root.archived import ArchiveRoot, Probe
from elfpack.root.directory import DirectoryRoot
from elfpack.root.node import SYSTEM, Root
from elfpack.root.streams import Budget, inflated, piped

if TYPE_CHECKING:
    from elfpack.formats.manifests import Digest
    from elfpack.root.digests import Promised
    from elfpack.root.image import Image, Layout

_OTHERS = (
    (b"BZh", "bzip2-compressed, which no engine writes", "decompress it first: bunzip2"),
    (b"PK\x03\x04", "a zip archive", "name a directory, a tar, a docker-archive or an OCI layout"),
    (b"070701", "a cpio archive", "unpack it into a directory, and name that"),
    (b"hsqs", "a squashfs file system", "mount it, and name the directory"),
    (b"\x7fELF", "an ELF file, no root file system", "elfpack deps tells what it needs"),
)
_NAME_ONE = "name a directory, a tar, a docker-archive or an OCI layout"


class Tree(NamedTuple):
    """A root file system, ready to be looked at."""

    root: Root
    name: str | None = None
    """Of the image that it is of; None for a root file system by itself."""
    config: ContainerConfig | None = None
    """Of the image."""


class Opened:
    """What was named. :meth:`trees` opens one root file system after the other."""

    def __init__(
        self, root: DirectoryRoot | ArchiveRoot, probe: Probe | None, budget: Budget
    ) -> None:
        self._root = root
        self._probe = probe
        self._budget = budget
        self._verified: set[tuple[str, Digest]] = set()
        """Blobs that were held against their digests: images have layers in common."""

    def trees(self) -> Iterator[Tree]:
        """Each image's tree, or the root itself. A tree is closed when the next is asked for.

        Raises:
            InputError: it cannot be read. That a layer is another one than the image says may turn
                out after its tree was given.
        """
        layout = self._layout()
        images = layout.images() if layout is not None else None
        if layout is None or images is None:
            yield Tree(self._root)
            return
        for image in images:
            yield from self._tree(layout, image)

    def _layout(self) -> Layout | None:
        """None where the names at the top tell that there are no images: of most trees."""
        names = self._root.entries("")
        named = () if isinstance(names, int) else names
        if "manifest.json" not in named and not SYSTEM.isdisjoint(named):
            return None
        from elfpack.root.image import Layout

        return Layout(self._root, is_file=isinstance(self._root, ArchiveRoot))

    def _tree(self, layout: Layout, image: Image) -> Iterator[Tree]:
        """An image's tree. Its layers are held against their digests meanwhile."""
        from elfpack.root.digests import Verification

        root = ArchiveRoot(self._root.label, self._probe)
        verification = Verification([])
        layers: list[Source] = []
        promised: dict[tuple[str, Digest], Promised] = {}
        try:
            for path, said in image.layers:
                source, promise = layout.open(path, said)
                layers.append(source)
                if promise is not None and (path, promise.digest) not in self._verified:
                    promised[path, promise.digest] = promise
            verification = Verification([*promised.values()])
            if self._is_stream:  # which two cannot read at once
                verification.finish()
            try:
                self._fill(root, image, layers)
            except InputError:
                verification.finish()  # that would be the better reason
                raise
            yield Tree(root, image.name or "", image.config)
            verification.finish()
            self._verified.update(promised)
        finally:
            verification.stop()
            root.close()
            for source in layers:
                source.close()

    def _fill(self, root: ArchiveRoot, image: Image, layers: list[Source]) -> None:
        self._budget.tree()
        for (path, _), source in zip(image.layers, layers, strict=True):
            label = f"{self._root.label}: {path[1:]}"
            if isinstance(self._root, DirectoryRoot):  # an archive has earned for all in it
                self._budget.earn(path, source.size)
            plain = _plain(source, label, self._budget)
            # What is not decompressed costs what is read to list it, for each image that has it.
            spend = self._budget.spend if plain is source else None
            root.add_layer(plain, label, spend=spend, count=self._budget.file)

    @property
    def _is_stream(self) -> bool:
        return isinstance(self._root, ArchiveRoot) and self._root.is_stream

    def close(self) -> None:
        self._root.close()


def open_root(path: str, probe: Probe | None = None, most: int | None = None) -> Opened:
    """A directory, or an archive, by its host path.

    ``probe`` reads of an ELF file what will be read of it: of a compressed archive that is kept.
    ``most`` are the bytes that it may unpack to, None for what is enough for any that is no bomb.

    Raises:
        InputError: it cannot be read, or is nothing of the kind.
    """
    try:
        found = os.stat(encode(path))
        if stat.S_ISDIR(found.st_mode):
            return Opened(DirectoryRoot(path), probe, Budget(path, most))
        # A FIFO is opened when somebody writes to it; what is none must not hang.
        wait = 0 if stat.S_ISFIFO(found.st_mode) else os.O_NONBLOCK
        fd = os.open(encode(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | wait)
    except (OSError, ValueError) as e:
        number = e.errno if isinstance(e, OSError) else None
        reason = os.strerror(number).lower() if number else "no such file or directory"
        raise InputError(reason, path=path, hint=_NAME_ONE) from e
    return open_stream(fd, path, probe, most)


def open_stream(fd: int, label: str, probe: Probe | None = None, most: int | None = None) -> Opened:
    """As :func:`open_root`, for what is open: a file, or a pipe that is read once.

    Raises:
        InputError: as there.
    """
    try:
        budget = Budget(label, most)
        found = os.fstat(fd)
    except OSError as e:
        raise _unreadable(e, label) from e
    except RequestError:
        let_go(fd)
        raise
    source: Source
    if stat.S_ISREG(found.st_mode):
        source = FileSource(fd, label)
        budget.earn("", source.size)
    elif stat.S_ISFIFO(found.st_mode) or stat.S_ISSOCK(found.st_mode):
        os.set_blocking(fd, True)
        source = piped(fd, label, budget.passed)
    else:
        let_go(fd)
        raise InputError("is neither a file nor a directory", path=label, hint=_NAME_ONE)
    root = ArchiveRoot(label, probe)
    try:
        plain = _plain(source, label, budget)
        root.add_layer(plain, label, whiteouts=False, count=budget.file)
    except BaseException:
        root.close()
        source.close()
        raise
    return Opened(root, probe, budget)


def _unreadable(error: OSError, label: str) -> InputError:
    reason = (error.strerror or str(error)).lower()
    return InputError(f"cannot be read: {reason}", path=label, hint="check the disk")


def _plain(source: Source, label: str, budget: Budget) -> Source:
    """A tar, decompressed if it has to be.

    Raises:
        InputError: it is none.
    """
    try:
        head = source.pread(tar.BLOCK, 0)
    except OSError as e:
        raise _unreadable(e, label) from e
    kind = compression(head)
    if kind is not None:
        source = inflated(source, kind, label, budget)
        head = source.pread(tar.BLOCK, 0)
    if tar.is_tar(head):
        return source
    if kind is None:
        for magic, what, hint in _OTHERS:
            if head.startswith(magic):
                raise InputError(what, path=label, hint=hint)
    what = "an empty file" if not head else f"no tar{f' in its {kind} data' if kind else ''}"
    raise InputError(what, path=label, hint=_NAME_ONE)
