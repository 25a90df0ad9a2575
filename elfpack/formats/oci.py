"""The documents of an OCI image, and the one that ``docker load`` reads beside them.

Canonical: sorted keys, no spaces, UTF-8, so that equal content has equal digests.

Source: OCI image-spec, config.md, manifest.md, image-index.md, image-layout.md, annotations.md;
for ``manifest.json`` and the name in full: moby's and containerd's image export.
"""

import time
from collections.abc import Iterable, Mapping, Sequence

from elfpack.formats.reference import Reference
from elfpack.light import NamedTuple

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
_LAYOUT = "1.0.0"
_REF_NAME = "org.opencontainers.image.ref.name"
_FULL_NAME = "io.containerd.image.name"


class Platform(NamedTuple):
    """Where an image runs, in the words of Go's GOOS and GOARCH."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Descriptor(NamedTuple):
    """What a blob is."""

    media_type: str
    digest: str
    """``sha256:`` and 64 hexadecimal digits."""
    size: int
    """Bytes."""

    @property
    def path(self) -> str:
        """Where the blob is in a layout."""
        return f"{BLOBS}/{self.digest.removeprefix('sha256:')}"

    @property
    def document(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


BLOBS = "blobs/sha256"


class File(NamedTuple):
    """A file of a layout."""

    path: str
    content: bytes


class Image(NamedTuple):
    """An image of one layer: what its documents are, and their digests."""

    config: Descriptor
    manifest: Descriptor
    layer: Descriptor
    """Its digest is the diff ID as well: layers are not compressed."""
    files: tuple[File, ...]
    """All of a layout but the layer, sorted by path."""


def dump(document: object) -> bytes:
    """Canonical JSON.

    Raises:
        UnicodeEncodeError: a text has bytes that are not UTF-8, which JSON cannot hold.
    """
    import json  # late: what an image runs on is asked for every plan

    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def described(media_type: str, content: bytes) -> Descriptor:
    import hashlib

    return Descriptor(media_type, f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def image(
    layer: Descriptor,
    platform: Platform,
    container: Mapping[str, object],
    tags: Sequence[Reference],
    *,
    epoch: int,
    created_by: str,
) -> Image:
    """The image of a layer.

    ``container`` is the ``config`` object of the image's configuration; ``epoch`` its time, seconds
    since 1970 UTC.
    """
    created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
    config = {
        **_platform(platform),
        "config": container,
        "created": created,
        "history": [{"created": created, "created_by": created_by}],
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
    }
    config_file, config_is = _blob(CONFIG, config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config_is.document,
        "layers": [layer.document],
    }
    manifest_file, manifest_is = _blob(MANIFEST, manifest)
    files = (
        config_file,
        manifest_file,
        File("index.json", dump(_index(manifest_is, platform, tags))),
        File("manifest.json", dump(_docker(config_is, layer, tags))),
        File("oci-layout", dump({"imageLayoutVersion": _LAYOUT})),
    )
    return Image(config_is, manifest_is, layer, tuple(sorted(files)))


def _blob(media_type: str, document: object) -> tuple[File, Descriptor]:
    content = dump(document)
    descriptor = described(media_type, content)
    return File(descriptor.path, content), descriptor


def _platform(platform: Platform) -> dict[str, str]:
    return {name: value for name, value in platform._asdict().items() if value}


def _index(
    manifest: Descriptor, platform: Platform, tags: Iterable[Reference]
) -> dict[str, object]:
    """One descriptor a name. Readers that look for a tag alone must find one of that tag only."""
    known: set[str] = set()
    manifests = []
    for reference in tags:
        annotations = {_FULL_NAME: reference.full}
        if reference.tag not in known:
            annotations[_REF_NAME] = reference.tag
            known.add(reference.tag)
        manifests.append(
            {
                **manifest.document,
                "platform": _platform(platform),
                "annotations": annotations,
            }
        )
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}


def _docker(
    config: Descriptor, layer: Descriptor, tags: Iterable[Reference]
) -> list[dict[str, object]]:
    names = [reference.familiar for reference in tags]
    return [{"Config": config.path, "Layers": [layer.path], "RepoTags": names}]
