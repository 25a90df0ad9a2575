"""``elfpack.image/1``: as ``elfpack.layer/1``, with the image's names, platform and digests."""

from __future__ import annotations

from collections.abc import Sequence

from elfpack.formats.oci import Image, Platform
from elfpack.formats.reference import Reference
from elfpack.light import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

SCHEMA = "elfpack.image/1"


def document(
    layer: dict[str, Any],
    platform: Platform,
    tags: Sequence[Reference],
    container: dict[str, object],
    image: Image | None,
) -> dict[str, Any]:
    """The whole document. ``layer`` is that of the layer; ``image`` is None for a dry run."""
    return {
        **layer,
        "schema": SCHEMA,
        "image": {
            "tags": [reference.familiar for reference in tags],
            "platform": str(platform),
            "config": container,
            "config_digest": image.config.digest if image is not None else None,
            "manifest_digest": image.manifest.digest if image is not None else None,
            "diff_id": image.layer.digest if image is not None else None,
        },
    }
