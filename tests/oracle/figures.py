"""How much of each part was equal to the real loader: kept during a run, told at its end."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Figure:
    equal: int = 0
    total: int = 0
    notes: dict[str, None] = field(default_factory=dict)


FIGURES: dict[str, Figure] = {}
"""By part, in the order in which they were first recorded. One run fills it."""


def record(part: str, equal: int, total: int, note: str = "") -> None:
    """Add to the figure of a part; a note is told behind it, once."""
    figure = FIGURES.setdefault(part, Figure())
    figure.equal += equal
    figure.total += total
    if note:
        figure.notes[note] = None


def lines() -> list[str]:
    """A line for each part, sorted: its name, ``equal/total``, its notes."""
    width = max(map(len, FIGURES), default=0)
    return [
        f"{part:{width}}  {figure.equal}/{figure.total}"
        + "".join(f"; {note}" for note in figure.notes)
        for part, figure in sorted(FIGURES.items())
    ]
