"""Names as build scripts give them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from elfpack.errors import RequestError
from elfpack.paths import decode

Name = str | os.PathLike[str]
"""A path, as text or as :class:`pathlib.Path`."""


def name(given: Name) -> str:
    """``given`` as the project's one kind of string.

    Raises:
        RequestError: it is empty or has a NUL, and so names nothing.
    """
    text = decode(os.fsencode(given))
    if not text or "\0" in text:
        raise RequestError("names no file", path=text or "''", hint="check the name")
    return text


def names(given: Iterable[Name], what: str) -> tuple[str, ...]:
    """Several of them.

    Raises:
        RequestError: it is one text, whose letters would be taken for names.
    """
    if isinstance(given, (str, bytes, os.PathLike)):
        raise RequestError(f"{what} is one name", path=str(given), hint=f"{what} takes a list")
    return tuple(name(one) for one in given)
