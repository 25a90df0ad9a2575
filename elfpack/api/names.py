"""Names as build scripts give them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from elfpack.errors import RequestError
from elfpack.light import TYPE_CHECKING
from elfpack.paths import decode, encode

if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


Name = str | os.PathLike[str]
"""A path, as text or as :class:`pathlib.Path`."""


def name(given: Name) -> str:
    """``given`` as the project's one kind of string.

    Raises:
        RequestError: it is of another kind, or is empty or has a NUL, and so names nothing.
    """
    text = plain(given)
    if not text or "\0" in text or not _has_bytes(text):
        raise RequestError("names no file", path=text or "''", hint="check the name")
    return text


def plain(given: Name) -> str:
    """``given`` as text, whether or not it can be a name.

    Raises:
        RequestError: it is of another kind.
    """
    try:
        return decode(os.fsencode(given))
    except UnicodeEncodeError:
        return os.fspath(given)
    except TypeError:
        hint = "give a text or a pathlib.Path"
        raise RequestError(f"{given!r} is no path", hint=hint) from None


def _has_bytes(text: str) -> bool:
    """Whether a file can have this name; a lone surrogate stands for no bytes."""
    try:
        encode(text)
    except UnicodeEncodeError:
        return False
    return True


def names(given: Iterable[Name], what: str) -> tuple[str, ...]:
    """Several of them.

    Raises:
        RequestError: it is one text, whose letters would be taken for names, or one of them is no
            name.
    """
    return tuple(name(one) for one in several(given, what))


def texts(given: Iterable[str], what: str) -> tuple[str, ...]:
    """Several texts, such as patterns.

    Raises:
        RequestError: it is one text, or holds something else.
    """
    found = tuple(several(given, what))
    for one in found:
        if not isinstance(one, str):
            raise RequestError(f"cannot hold {one!r}", path=what, hint=f"{what} takes texts")
    return found


def several(given: Iterable[T], what: str) -> Iterable[T]:
    """What it was given.

    Raises:
        RequestError: it is one text, whose letters would be taken for names, or for patterns; or
            it is no list at all.
    """
    hint = f"{what} takes a list"
    if isinstance(given, (str, bytes, os.PathLike)):
        raise RequestError(f"{what} is one name", path=str(given), hint=hint)
    if not isinstance(given, Iterable):
        raise RequestError(f"cannot be {given!r}", path=what, hint=hint)
    return given
