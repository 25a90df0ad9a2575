"""Dynamic string tokens and search path lists.

Source: glibc elf/dl-load.c, is_dst(), _dl_dst_substitute(), fillin_rpath(), decompose_rpath().
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.light import NamedTuple
from elfpack.loader.records import Element
from elfpack.paths import PATH_LIMIT

_NAMES = ("ORIGIN", "LIB", "PLATFORM")
_WORD = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")


class Tokens(NamedTuple):
    """What the tokens stand for. None: the loader has no value for it."""

    origin: str | None
    lib: str | None
    platform: str | None


def _found(text: str) -> Iterator[tuple[int, int, str]]:
    """Where each token begins and ends, and its name. A pattern would do it, but nothing else that
    most programs need has one."""
    start = text.find("$")
    while start >= 0:
        end = start + 1
        for name in _NAMES:
            if text.startswith(f"{{{name}}}", end):
                end += len(name) + 2
            # The name is matched greedily: $ORIGINx is no token and stays as it is.
            elif text.startswith(name, end) and _is_end(text, end + len(name)):
                end += len(name)
            else:
                continue
            yield start, end, name
            break
        start = text.find("$", end)


def _is_end(text: str, at: int) -> bool:
    return text[at : at + 1] not in _WORD


def expand(text: str, tokens: Tokens) -> str | None:
    """``text`` with its tokens replaced; None if one has no value, which drops the element."""
    if "$" not in text:
        return text
    values = {"ORIGIN": tokens.origin, "LIB": tokens.lib, "PLATFORM": tokens.platform}
    pieces: list[str] = []
    at = size = 0
    for start, end, name in _found(text):
        value = values[name]
        if value is None:
            return None
        pieces += text[at:start], value
        at = end
        size += len(value)
        if size > PATH_LIMIT:  # no path, however much longer
            break
    return "".join(pieces) + text[at:]


def has_token(text: str) -> bool:
    """Whether a token stands in ``text``."""
    return any(_found(text))


def uses_origin(text: str) -> bool | None:
    """Whether $ORIGIN stands at the beginning of ``text`` alone, as a whole component, as a
    set-id program may have it; None without $ORIGIN.

    Source: glibc elf/dl-load.c, _dl_dst_substitute().
    """
    found = [(start, end) for start, end, name in _found(text) if name == "ORIGIN"]
    if not found:
        return None
    start, end = found[0]
    return len(found) == 1 and start == 0 and text[end : end + 1] in ("", "/")


def split_path(text: str, separators: str, tokens: Tokens) -> tuple[Element, ...]:
    """The directories of a search path, each once, in order.

    An empty element is the working directory; an empty text has no element at all. Trailing
    slashes are folded into one.
    """
    if not text:
        return ()
    written = text
    for separator in separators[1:]:
        written = written.replace(separator, separators[0])
    found: dict[str, Element] = {}
    for element in written.split(separators[0]):
        expanded = expand(element, tokens)
        if expanded is None:
            continue
        directory = expanded.rstrip("/") + "/" if expanded else ""
        found.setdefault(directory, Element(directory, element))
    return tuple(found.values())
