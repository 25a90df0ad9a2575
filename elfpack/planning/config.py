"""What an image will have besides its files. It decides whether the files are right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How a container of the image starts.

    Source: OCI image-spec, config.md.
    """

    env: tuple[tuple[str, str], ...] = ()
    """Names and values; each name once."""
    workdir: str = "/"

    def variable(self, name: str) -> str:
        """The value that a program of the image sees; empty if there is none."""
        return dict(self.env).get(name, "")


PLAIN = ImageConfig()
"""Of a layer: nobody knows what its image will have, so it must need nothing."""
