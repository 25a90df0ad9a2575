"""What an image's configuration says of the container, as far as it decides what starts there.

Source: OCI image-spec, config.md.
"""

from __future__ import annotations

from elfpack.light import NamedTuple

_LONGEST = 128 << 10
"""Bytes of a variable: the kernel starts nothing with a longer one. Source: MAX_ARG_STRLEN."""


class ContainerConfig(NamedTuple):
    """How a container of an image starts."""

    env: tuple[str, ...] = ()
    """``NAME=VALUE``."""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    workdir: str = ""
    architecture: str = ""
    """As Go names it: ``amd64``."""

    def variable(self, name: str) -> str:
        """The value that programs see; of several the last. Empty if there is none."""
        found = ""
        for text in self.env:
            key, equals, value = text.partition("=")
            if equals and key == name:
                found = value
        return found[:_LONGEST]
