"""What somebody may have meant by a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable

_MOST = 3


def nearest(name: str, names: Iterable[str], alike: float = 0.6) -> tuple[str, ...]:
    """Up to three of the names that look like one, the nearest first; ``alike`` as difflib
    measures it."""
    from difflib import get_close_matches  # late, for the few who misspell

    folded: dict[str, str] = {}
    for one in names:
        folded.setdefault(one.casefold(), one)
    wanted = name.casefold()
    if wanted in folded:
        return (folded[wanted],)
    last = [full for short, full in folded.items() if short.rpartition("/")[2] == wanted]
    return tuple(last[:_MOST]) or tuple(
        folded[near] for near in get_close_matches(wanted, folded, _MOST, alike)
    )


def did_you_mean(name: str, names: Iterable[str], alike: float = 0.6) -> str:
    """``did you mean UTF-16 or UTF-32?``; empty if nothing is near."""
    found = nearest(name, names, alike)
    return f"did you mean {' or '.join(found)}?" if found else ""
