"""What a program that is written in Go tells of itself."""

from __future__ import annotations

from typing import NamedTuple

from elfpack.blob import Source


class GoProgram(NamedTuple):
    version: str
    """``go1.19.8``."""
    settings: tuple[tuple[str, str], ...]
    """Build settings: ``("CGO_ENABLED", "0")``."""
    functions: frozenset[str]
    """The names of all functions that are linked in: ``crypto/x509.(*CertPool).AddCert``."""


def read_go(source: Source) -> GoProgram | None:
    """The build information and the functions of a Go program; None if it is none."""
    return None
