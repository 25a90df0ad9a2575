"""Images in a directory or an archive: what ``docker save`` writes, and OCI image layouts.

Both may be in one archive; ``manifest.json`` is asked first then, as ``docker load`` does. In a
file its layers are paths, and an engine holds them against their diff IDs when it loads them: here
they are not hashed, which would take longer than all the rest. In a layout a digest is what names a
layer, and each is held against it; so is one in a directory, which engines take for a layout
whatever else is in it. Small blobs are always, also where only their path in ``blobs/`` tells the
digest.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from elfpack import late
from elfpack.blob import Source
from elfpack.errors import InputError
from elfpack.formats import manifests
from elfpack.formats.container import ContainerConfig
from elfpack.formats.manifests import MOST_IMAGES, Descriptor, Digest, Manifest, ManifestFault
from elfpack.light import NamedTuple
from elfpack.root.digests import Promised
from elfpack.root.node import SYSTEM, Root
from elfpack.root.walk import Walker

_LIMIT = 4 << 20
"""Bytes of a file of JSON; registries take as many."""
_DEPTH = 8
"""Indexes in indexes."""
_BLOB = late.pattern(r"/?blobs/(sha256|sha512)/([0-9a-f]+)\Z")
_PART = late.pattern(r"[0-9a-f]{64}(\.tar|\.json)?\Z")
_MANIFEST, _INDEX = "/manifest.json", "/index.json"


class Image(NamedTuple):
    """One image, its layers not opened yet."""

    name: str | None
    """Its tag; None if it has none."""
    config: ContainerConfig
    layers: tuple[tuple[str, Descriptor | None], ...]
    """Paths, the lowest first, and what is said of each."""


class Layout:
    """The images of a root. What is wrong with one is an :class:`InputError`."""

    def __init__(self, root: Root, *, is_file: bool) -> None:
        self._root = root
        self._is_file = is_file
        self._walker = Walker(root)
        self._configs: dict[tuple[str, Digest | None], ContainerConfig] = {}
        """What was read, for images may have it in common."""
        self._manifests: dict[Descriptor, tuple[Descriptor, ...] | Manifest] = {}

    def images(self) -> Iterator[Image] | None:
        """All images; None if the root is none of these, but a root file system itself.

        Raises:
            InputError: it is the rest of an image, or a broken one.
        """
        parts = self._parts()
        raw = self._top(_MANIFEST, parts)
        saved = None
        if raw is not None:
            try:
                saved = manifests.docker_manifest(raw)
            except ManifestFault as e:
                if parts:
                    raise self._broken(_MANIFEST, e) from e
        if saved is not None:
            return self._docker(saved)
        if parts and (raw := self._top(_INDEX, parts)) is not None:
            return self._oci(raw)
        if parts:
            raise InputError(
                f"has {parts}, and neither manifest.json nor index.json that tell what it is",
                path=self._root.label,
                hint="save the image again",
            )
        return None

    def open(self, path: str, descriptor: Descriptor | None) -> tuple[Source, Promised | None]:
        """A layer, and what is still to be held against its digest.

        Raises:
            InputError: it is not there, or of another size.
        """
        source = self._open(path, descriptor)
        digest = self._digest(path, descriptor) if descriptor or not self._is_file else None
        return source, self._promised(source, path, digest)

    def _open(self, path: str, descriptor: Descriptor | None) -> Source:
        place = self._walker.find(path)
        if isinstance(place, int):
            raise self._fault(path, os.strerror(place).lower())
        try:
            source = self._root.open(place.directory, place.name, place.node)
        except OSError as e:
            raise self._fault(path, (e.strerror or str(e)).lower()) from e
        if descriptor is not None and source.size != descriptor.size:
            source.close()
            raise self._fault(path, f"has {source.size} bytes instead of {descriptor.size}")
        return source

    def _digest(self, path: str, descriptor: Descriptor | None) -> Digest | None:
        """What a blob is said to have, by a manifest or by its path."""
        if descriptor is not None:
            return descriptor.digest
        named = _BLOB.match(path)
        return Digest(named[1], named[2]) if named else None

    def _promised(self, source: Source, path: str, digest: Digest | None) -> Promised | None:
        if digest is None:
            return None
        return Promised(source, digest, path[1:], self._root.label)

    def _docker(self, saved: tuple[manifests.Saved, ...]) -> Iterator[Image]:
        for row in saved:
            config = self._config("/" + row.config, None)
            layers = tuple((f"/{path}", None) for path in row.layers)
            yield Image(", ".join(row.tags) or None, config, layers)

    def _oci(self, raw: bytes) -> Iterator[Image]:
        """Manifests of an index and of those in it. Of an image for several platforms, those that
        were not saved along are passed over."""
        pending: list[tuple[Descriptor, str | None, int]] = [
            (d, None, 0) for d in reversed(self._index(_INDEX, raw))
        ]
        found = followed = 0
        absent: str | None = None
        while pending:
            descriptor, name, depth = pending.pop()
            followed += 1
            if followed > MOST_IMAGES:
                raise self._fault(_INDEX, f"leads to more than {MOST_IMAGES} images and indexes")
            path = descriptor.digest.path
            name = descriptor.name or name
            if descriptor.attestation:
                continue
            if depth and isinstance(self._walker.find(path), int):
                absent = absent or path
                continue
            document = self._manifest(path, descriptor)
            if isinstance(document, Manifest):
                found += 1
                yield self._image(document, _named(name, descriptor if depth else None))
            elif depth < _DEPTH:
                pending += [(d, name, depth + 1) for d in reversed(document)]
            else:
                raise self._fault(path, f"is an index in more than {_DEPTH} others")
        if not found:
            raise self._fault(
                absent or _INDEX, "holds no image" if absent is None else "is missing"
            )

    def _manifest(self, path: str, descriptor: Descriptor) -> tuple[Descriptor, ...] | Manifest:
        """A manifest, or what an index lists."""
        key = descriptor._replace(name=None, platform=None)
        known = self._manifests.get(key)
        if known is None:
            raw = self._blob(path, descriptor)
            try:
                if manifests.is_index(descriptor, raw):
                    known = manifests.index(raw)
                else:
                    known = manifests.manifest(raw)
            except ManifestFault as e:
                raise self._broken(path, e) from e
            self._manifests[key] = known
        return known

    def _image(self, manifest: Manifest, name: str | None) -> Image:
        config = self._config(manifest.config.digest.path, manifest.config)
        return Image(name, config, tuple((d.digest.path, d) for d in manifest.layers))

    def _config(self, path: str, descriptor: Descriptor | None) -> ContainerConfig:
        key = path, descriptor.digest if descriptor is not None else None
        known = self._configs.get(key)
        if known is None:
            try:
                known = manifests.container_config(self._blob(path, descriptor))
            except ManifestFault as e:
                raise self._broken(path, e) from e
            self._configs[key] = known
        return known

    def _index(self, path: str, raw: bytes) -> tuple[Descriptor, ...]:
        try:
            return manifests.index(raw)
        except ManifestFault as e:
            raise self._broken(path, e) from e

    def _blob(self, path: str, descriptor: Descriptor | None) -> bytes:
        source = self._open(path, descriptor)
        promised = self._promised(source, path, self._digest(path, descriptor))
        try:
            if source.size > _LIMIT:
                raise self._fault(path, f"has {source.size} bytes, too many for JSON")
            wrong = promised.verify() if promised is not None else None
            if wrong is not None:
                raise wrong
            return source.pread(source.size, 0)
        finally:
            source.close()

    def _top(self, path: str, parts: str | None) -> bytes | None:
        """A file at the top; a large one is none of an image's, unless the rest is of an image."""
        place = self._walker.find(path)
        if isinstance(place, int) or not place.node.is_regular:
            return None
        if place.node.size > _LIMIT and not parts:
            return None
        return self._blob(path, None)

    def _parts(self) -> str | None:
        """Something that only images have at their top; None beside what only systems have."""
        names = self._root.entries("")
        if isinstance(names, int) or SYSTEM.intersection(names):
            return None
        if "oci-layout" in names:
            return "an oci-layout"
        for name in names:
            if _PART.match(name):
                return f"{name}, a part of an image"
        if not isinstance(self._walker.find("/blobs/sha256/"), int):
            return "blobs of an image"
        return None

    def _fault(self, path: str, what: str) -> InputError:
        name = path[1:] or "''"
        return InputError(f"{name}: {what}", path=self._root.label, hint="save the image again")

    def _broken(self, path: str, fault: ManifestFault) -> InputError:
        return self._fault(path, f"is not what it should be: {fault.message}")


def _named(name: str | None, descriptor: Descriptor | None) -> str | None:
    """Of an image for several platforms each has its own name."""
    if descriptor is None or descriptor.platform is None:
        return name
    return f"{name} {descriptor.platform}" if name else descriptor.platform
