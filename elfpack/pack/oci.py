"""A plan as an image of one layer: a docker-archive that is an OCI image layout at once, or that
layout as a directory.

Source: OCI image-spec, image-layout.md; the archive is what ``docker save`` writes since
Docker 25.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence

from elfpack.errors import InputError, RequestError
from elfpack.formats import oci, reference
from elfpack.formats.oci import Descriptor, Image, Platform
from elfpack.formats.reference import Reference
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.pack import output as out
from elfpack.pack.atomic import new_file, new_tree, write_all
from elfpack.pack.copying import blocks
from elfpack.pack.tar import directory_header, end_of, file_header, members, padding_of
from elfpack.paths import encode, is_utf8, printable
from elfpack.planning.entry import Plan

if TYPE_CHECKING:
    from elfpack.formats.compression import Buffer

_BLOCK = 1 << 20
"""Bytes that are hashed at once."""
_UNKNOWN = Descriptor(oci.LAYER, "sha256:" + 64 * "0", 0)


class WrittenImage(NamedTuple):
    """What became of a plan."""

    output: str
    """As the user named it."""
    size: int
    """Bytes of the output, of a directory those of its files."""
    form: str
    """``docker-archive`` or ``oci``."""
    platform: Platform
    tags: tuple[Reference, ...]
    image: Image


def parse_tags(texts: Iterable[str]) -> tuple[Reference, ...]:
    """The names of an image, each once.

    Raises:
        RequestError: one is no name, or there is none.
    """
    tags = tuple(dict.fromkeys(map(reference.parse, texts)))
    if not tags:
        raise RequestError("an image needs a name", path="tags", hint="give one, such as hello:1")
    return tags


def check_output(output: str) -> None:
    """Whether an image can be written there; raises as :func:`elfpack.pack.output.check_output`."""
    out.check_place(output, (".tar",), "an OCI image layout")


def platform(plan: Plan) -> Platform:
    """What the image runs on.

    Raises:
        RequestError: its programs need two machines, or what is started has no name that an image
            can hold.
    """
    if plan.config.entrypoint is None and not is_utf8(plan.entrypoint or ""):
        raise RequestError(
            "an image cannot hold a name that is not UTF-8",
            path=plan.entrypoint,
            hint="say where it goes with PROGRAM:DEST",
        )
    if not plan.platforms:
        raise RequestError("nothing says what machine the image is for", hint="name a program")
    (first, one), *others = plan.platforms
    for second, other in others:
        raise RequestError(
            f"runs on {second}, but {one} on {first}", path=other, hint="make an image for each"
        )
    return first


def container(plan: Plan) -> dict[str, object]:
    """The ``config`` object of an image's configuration. What is empty is left out."""
    config = plan.config
    default = (plan.entrypoint,) if plan.entrypoint is not None else ()
    made = {
        "Entrypoint": list(default if config.entrypoint is None else config.entrypoint),
        "Cmd": list(config.cmd),
        "Env": [f"{name}={value}" for name, value in config.env.items()],
        "User": config.user,
        "WorkingDir": config.workdir if config.workdir != "/" else "",
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Labels": dict(config.labels),
        "Volumes": {path: {} for path in config.volumes},
        "StopSignal": config.stop_signal,
    }
    return {name: value for name, value in made.items() if value}


def made_by(plan: Plan) -> str:
    """What the history of an image says. Paths of the image only, none of this machine."""
    programs = (placed.path for placed in plan.programs if placed.named)
    words = dict.fromkeys((plan.entrypoint or "", *programs))
    return printable(" ".join(filter(None, ("elfpack image", *words))))


def image(plan: Plan, tags: Sequence[Reference], layer: Descriptor) -> Image:
    """The documents of a plan's image, once its layer's digest is known."""
    return oci.image(
        layer,
        platform(plan),
        container(plan),
        tags,
        epoch=plan.epoch,
        created_by=made_by(plan),
    )


def write(plan: Plan, output: str, tags: Sequence[Reference]) -> WrittenImage:
    """Write a plan as an image to OUT.

    Raises:
        RequestError, OutputError: see :func:`check_output` and :func:`platform`; the disk is full.
        InputError: a source changed since the plan was made.
    """
    check_output(output)
    runs_on = platform(plan)
    tags = tuple(tags)
    if output.endswith("/"):
        with new_tree(output) as top:
            made = _layout(plan, tags, top, output)
        size = made.layer.size + sum(len(file.content) for file in made.files)
        return WrittenImage(output, size, "oci", runs_on, tags, made)
    if output == out.STDOUT:
        made, size = _stream(plan, tags, 1, output)
    else:
        with new_file(output) as fd:
            write_to = _archive if stat.S_ISREG(os.fstat(fd).st_mode) else _stream
            made, size = write_to(plan, tags, fd, output)
    return WrittenImage(output, size, "docker-archive", runs_on, tags, made)


class _Digest:
    """A plan's layer, which passes through it; it knows the digest afterwards."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._hash = hashlib.sha256()
        self._size = 0

    def blocks(self) -> Iterator[memoryview]:
        """The layer. A block is valid until the next one is asked for."""
        buffers = (memoryview(bytearray(_BLOCK)) for _ in range(2))
        stream = blocks(members(self._plan), *buffers)
        first = next(stream)  # a tar is never empty
        self._size = len(first)
        if len(first) < _BLOCK:
            self._hash.update(first)
            yield first
            return
        yield from self._beside(first, stream)

    def _beside(self, block: memoryview, stream: Iterator[memoryview]) -> Iterator[memoryview]:
        """Each block is hashed while it is written and while the next one is read."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as thread:
            try:
                hashed = thread.submit(self._hash.update, block)
            except RuntimeError:  # no more threads: a limit of processes or of memory
                yield from self._alone(block, stream)
                return
            yield block
            for block in stream:
                self._size += len(block)
                hashed.result()
                hashed = thread.submit(self._hash.update, block)
                yield block
            hashed.result()

    def _alone(self, block: memoryview, stream: Iterator[memoryview]) -> Iterator[memoryview]:
        self._hash.update(block)
        yield block
        for block in stream:
            self._size += len(block)
            self._hash.update(block)
            yield block

    def descriptor(self) -> Descriptor:
        return Descriptor(oci.LAYER, f"sha256:{self._hash.hexdigest()}", self._size)


def _archive(plan: Plan, tags: Sequence[Reference], fd: int, output: str) -> tuple[Image, int]:
    """Each source is read once: what stands before the layer is written again when its digest is
    known."""
    digest = _Digest(plan)
    expected = _size(plan)
    size = write_all((before(_UNKNOWN._replace(size=expected), plan.epoch),), fd, output)
    size += write_all(digest.blocks(), fd, output)
    layer = digest.descriptor()
    if layer.size != expected:
        raise _changed(output)
    made = image(plan, tags, layer)
    size += write_all(_behind(made, size, plan.epoch), fd, output)
    os.lseek(fd, 0, os.SEEK_SET)
    write_all((before(layer, plan.epoch),), fd, output)
    return made, size


def _stream(plan: Plan, tags: Sequence[Reference], fd: int, output: str) -> tuple[Image, int]:
    """To a pipe, which cannot be written again: the layer is read once more for its digest."""
    first, second = _Digest(plan), _Digest(plan)
    for _ in first.blocks():
        pass
    layer = first.descriptor()
    made = image(plan, tags, layer)
    size = write_all((before(layer, plan.epoch),), fd, output)
    size += write_all(second.blocks(), fd, output)
    if second.descriptor() != layer:
        raise _changed(output)
    return made, size + write_all(_behind(made, size, plan.epoch), fd, output)


def _changed(output: str) -> InputError:
    return InputError(
        "a source changed while it was read",
        path=output,
        hint="run again when nothing writes to the sources",
    )


def _size(plan: Plan) -> int:
    """Bytes of the layer, without a look at its content."""
    return sum(len(p) if isinstance(p, bytes) else p.size for p in members(plan))


def before(layer: Descriptor, epoch: int) -> bytes:
    """What stands before the layer in an archive: of one length, whatever its digest."""
    directories = (directory_header(path, epoch) for path in ("blobs", oci.BLOBS))
    return b"".join((*directories, file_header(layer.path, layer.size, epoch)))


def _behind(made: Image, size: int, epoch: int) -> Iterator[bytes]:
    """What follows it. ``size``: bytes before."""
    files = padding_of(size) + b"".join(
        file_header(file.path, len(file.content), epoch)
        + file.content
        + padding_of(len(file.content))
        for file in made.files
    )
    yield files
    yield end_of(size + len(files))


def _layout(plan: Plan, tags: Sequence[Reference], top: bytes, output: str) -> Image:
    """Modes and times are set whatever the umask."""
    blobs = os.path.join(top, encode(oci.BLOBS))
    os.makedirs(blobs)
    digest = _Digest(plan)
    unnamed = os.path.join(blobs, b"layer")
    _file(unnamed, digest.blocks(), plan.epoch, output)
    layer = digest.descriptor()
    os.rename(unnamed, os.path.join(top, encode(layer.path)))
    made = image(plan, tags, layer)
    for file in made.files:
        _file(os.path.join(top, encode(file.path)), (file.content,), plan.epoch, output)
    for directory in (blobs, os.path.dirname(blobs)):
        os.chmod(directory, 0o755)
        os.utime(directory, (plan.epoch, plan.epoch))
    os.utime(top, (plan.epoch, plan.epoch))
    return made


def _file(path: bytes, chunks: Iterable[Buffer], epoch: int, output: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    try:
        write_all(chunks, fd, output)
        os.fchmod(fd, 0o644)
        os.utime(fd, (epoch, epoch))
    finally:
        os.close(fd)
