"""Dynamic string tokens and search path lists.

Source: glibc elf/dl-load.c, is_dst(), _dl_dst_substitute(), fillin_rpath(), decompose_rpath().
"""

from __future__ import annotations

from elfpack.late import pattern
from elfpack.light import NamedTuple
from elfpack.loader.records import Element

# The name is matched greedily: $ORIGINx is no token and stays as it is.
_TOKEN = pattern(
    r"\$(?:\{(?P<curly>ORIGIN|LIB|PLATFORM)\}|(?P<plain>ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))"
)


class Tokens(NamedTuple):
    """What the tokens stand for. None: the loader has no value for it."""

    origin: str | None
    lib: str | None
    platform: str | None


def expand(text: str, tokens: Tokens) -> str | None:
    """``text`` with its tokens replaced; None if one has no value, which drops the element."""
    if "$" not in text:
        return text
    values = {"ORIGIN": tokens.origin, "LIB": tokens.lib, "PLATFORM": tokens.platform}
    pieces: list[str] = []
    at = 0
    for match in _TOKEN.finditer(text):
        value = values[match["curly"] or match["plain"]]
        if value is None:
            return None
        pieces += text[at : match.start()], value
        at = match.end()
    return "".join(pieces) + text[at:]


def has_token(text: str) -> bool:
    """Whether a token stands in ``text``."""
    return "$" in text and _TOKEN.search(text) is not None


def uses_origin(text: str) -> bool | None:
    """Whether $ORIGIN stands at the beginning of ``text`` alone, as a whole component, as a
    set-id program may have it; None without $ORIGIN.

    Source: glibc elf/dl-load.c, _dl_dst_substitute().
    """
    found = [m for m in _TOKEN.finditer(text) if (m["curly"] or m["plain"]) == "ORIGIN"]
    if not found:
        return None
    return len(found) == 1 and found[0].start() == 0 and text[found[0].end() :][:1] in ("", "/")


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
