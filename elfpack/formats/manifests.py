"""What the JSON files of container images say: ``manifest.json`` of a docker-archive; index,
manifest and configuration of OCI.

Source: moby image/tarexport, manifestItem; OCI image-spec, image-layout.md, image-index.md,
manifest.md, config.md.
"""

from __future__ import annotations

from elfpack import late
from elfpack.formats.container import ContainerConfig
from elfpack.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any


_DIGEST = late.pattern(r"(sha256|sha512):([0-9a-f]{64}|[0-9a-f]{128})\Z")
_LENGTH = {"sha256": 64, "sha512": 128}
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_ATTESTATION = "vnd.docker.reference.type"
MOST_IMAGES = 4096
"""Images of an archive, and what its indexes name together: no engine takes as many."""
_MOST_TEXTS = 4096
"""Tags of an image, variables, words of a command."""
_MOST_LAYERS = 500
"""Linux mounts no more on each other. Source: fs/overlayfs/params.h, OVL_MAX_STACK."""


class ManifestFault(Exception):
    """A file is not what it has to be. Says what is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Digest(NamedTuple):
    """The digest that a blob must have."""

    algorithm: str
    value: str
    """In hexadecimal."""

    @property
    def path(self) -> str:
        """Where the blob is in a layout."""
        return f"/blobs/{self.algorithm}/{self.value}"

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"


class Descriptor(NamedTuple):
    """What a manifest or an index says of a blob."""

    digest: Digest
    size: int
    media_type: str = ""
    name: str | None = None
    """The image's, as its annotations have it."""
    platform: str | None = None
    """``linux/arm64/v8``."""
    attestation: bool = False
    """No image, but something said of one."""


class Saved(NamedTuple):
    """One image of a docker-archive, by the paths of its parts."""

    config: str
    layers: tuple[str, ...]
    tags: tuple[str, ...]


class Manifest(NamedTuple):
    config: Descriptor
    layers: tuple[Descriptor, ...]


def docker_manifest(raw: bytes) -> tuple[Saved, ...]:
    """The images that ``manifest.json`` lists.

    Raises:
        ManifestFault: it is no such file.
    """
    rows = _json(raw)
    if not isinstance(rows, list) or not rows or len(rows) > MOST_IMAGES:
        raise ManifestFault("no list of images")
    found = []
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("Config"), str):
            raise ManifestFault("an image without a Config")
        layers, tags = _texts(row, "Layers", _MOST_LAYERS), _texts(row, "RepoTags")
        found.append(Saved(row["Config"], layers, tags))
    return tuple(found)


def index(raw: bytes) -> tuple[Descriptor, ...]:
    """The manifests and indexes that an index lists.

    Raises:
        ManifestFault: it is none.
    """
    return _descriptors(_object(raw), "manifests", MOST_IMAGES)


def is_index(descriptor: Descriptor, raw: bytes) -> bool:
    """Whether a blob is an index: it may come without a media type."""
    if descriptor.media_type:
        return descriptor.media_type.endswith(("image.index.v1+json", "manifest.list.v2+json"))
    return "manifests" in _object(raw)


def manifest(raw: bytes) -> Manifest:
    """
    Raises:
        ManifestFault: it is none.
    """
    document = _object(raw)
    layers = _descriptors(document, "layers", _MOST_LAYERS)
    return Manifest(_descriptor(document.get("config")), layers)


def container_config(raw: bytes) -> ContainerConfig:
    """
    Raises:
        ManifestFault: it is none.
    """
    document = _object(raw)
    config = document.get("config")
    inner: dict[str, Any] = config if isinstance(config, dict) else {}
    return ContainerConfig(
        _texts(inner, "Env"),
        _texts(inner, "Entrypoint"),
        _texts(inner, "Cmd"),
        _text(inner, "User"),
        _text(inner, "WorkingDir"),
        _text(document, "architecture"),
    )


def _descriptors(document: dict[str, Any], key: str, most: int) -> tuple[Descriptor, ...]:
    rows = document.get(key)
    if not isinstance(rows, list):
        raise ManifestFault(f"no list of {key}")
    if len(rows) > most:
        raise ManifestFault(f"{len(rows)} {key}, more than {most}")
    return tuple(_descriptor(row) for row in rows)


def _descriptor(row: object) -> Descriptor:
    if not isinstance(row, dict):
        raise ManifestFault("a descriptor that is none")
    digest, size = _DIGEST.match(_text(row, "digest")), row.get("size")
    if digest is None or _LENGTH[digest[1]] != len(digest[2]):
        raise ManifestFault("a descriptor without a digest (sha256:...)")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ManifestFault("a descriptor without a size")
    notes = row.get("annotations")
    annotations: dict[str, Any] = notes if isinstance(notes, dict) else {}
    names = [annotations[key] for key in _NAMES if isinstance(annotations.get(key), str)]
    return Descriptor(
        Digest(digest[1], digest[2]),
        size,
        _text(row, "mediaType"),
        names[0] if names else None,
        _platform(row.get("platform")),
        _ATTESTATION in annotations,
    )


def _platform(row: object) -> str | None:
    if not isinstance(row, dict):
        return None
    parts = [_text(row, key) for key in ("os", "architecture", "variant")]
    return "/".join(part for part in parts if part) or None


def _json(raw: bytes) -> Any:
    import json  # most trees are no images

    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise ManifestFault("no JSON") from None


def _object(raw: bytes) -> dict[str, Any]:
    document = _json(raw)
    if not isinstance(document, dict):
        raise ManifestFault("no JSON object")
    return document


def _texts(row: dict[str, Any], key: str, most: int = _MOST_TEXTS) -> tuple[str, ...]:
    """A list of texts; absent and null stand for an empty one."""
    values = row.get(key)
    if values is None:
        return ()
    if not isinstance(values, list):
        raise ManifestFault(f"{key} is no list")
    if len(values) > most:
        raise ManifestFault(f"{len(values)} {key}, more than {most}")
    if not all(isinstance(value, str) for value in values):
        raise ManifestFault(f"{key} is no list of texts")
    return tuple(map(_clean, values))


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise ManifestFault(f"{key} is no text")
    return _clean(value or "")


def _clean(text: str) -> str:
    """Without lone surrogates, which JSON can hold and no file name is."""
    return text.encode("utf-8", "replace").decode("utf-8")
