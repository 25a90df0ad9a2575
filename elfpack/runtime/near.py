"""What a user may have meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """``did you mean THAT? ``, or nothing if no known word is near."""
    from difflib import get_close_matches  # late, for those who mistype

    found = get_close_matches(word, list(known), 1)
    return f"did you mean {found[0]}? " if found else ""
