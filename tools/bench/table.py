"""Figures as Markdown, and where they stand in a document. Nothing here runs anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from tools.bench.goals import GOALS, INFORMATION, MEMORY, Goal

BEGIN, END = "<!-- bench: begin -->\n", "<!-- bench: end -->\n"


class Figure(NamedTuple):
    """What was measured for a row. Seconds are medians."""

    key: str
    here: str = ""
    seconds: float = 0
    peer: float = 0
    ratio: float = 0
    """The median of the turns' ratios of elapsed seconds, ours to the peer's."""
    cpu: float = 0
    """The same of CPU seconds."""
    peak: float = 0
    """MB."""
    wrong: str = ""
    """Why there is no figure."""


def median(values: Sequence[float]) -> float:
    """The middle one; of an even number, the mean of the middle two."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2


def ratio(value: float) -> str:
    """0.0123 as ``1/81``, 1.234 as ``1.23``: small ones as a share of the peer's time."""
    return f"1/{1 / value:.0f}" if 0 < value < 0.2 else f"{value:.2f}"


def bound(goal: Goal) -> str:
    """What a row may have at most, and what would be better still."""
    if goal.most is None:
        return ""
    unit = "" if goal.against else " MB"
    return _bound(goal.most) + unit + (f" (aim: {_bound(goal.aim)})" if goal.aim else "")


def _bound(value: float) -> str:
    return f"1/{1 / value:.0f}" if value < 0.2 else f"{value:g}"


def verdict(goal: Goal, value: float) -> str:
    """Whether the goal is met."""
    if goal.most is None:
        return ""
    if value > goal.most:
        return "**no**"
    return "yes, and the aim" if goal.aim and value <= goal.aim else "yes"


def tables(figures: Mapping[str, Figure]) -> Iterator[str]:
    """All tables, as lines; rows without a figure are not in them."""
    head = ("ratio", "at most", "met", "seconds", "peer", "CPU ratio", "here")
    yield from _table(("what", "against", *head), GOALS, figures)
    yield ""
    yield from _table(("for information", "against", *head), INFORMATION, figures)
    yield ""
    yield from _table(("peak memory", "MB", "at most", "met"), MEMORY, figures)


def _table(
    head: Sequence[str], goals: Iterable[Goal], figures: Mapping[str, Figure]
) -> Iterator[str]:
    yield _line(head)
    yield _line(["---:" if name in _NUMBERS else "---" for name in head])
    for goal in goals:
        if goal.key in figures:
            yield _line(cells(goal, figures[goal.key]))


_NUMBERS = ("ratio", "seconds", "peer", "CPU ratio", "MB")


def cells(goal: Goal, figure: Figure) -> list[str]:
    """A row."""
    if not goal.against:
        shown = figure.wrong or f"{figure.peak:.0f}"
        return [goal.what, shown, bound(goal), "" if figure.wrong else verdict(goal, figure.peak)]
    if figure.wrong:
        return [goal.what, goal.against, "", bound(goal), "", "", "", "", figure.wrong]
    return [
        goal.what,
        goal.against,
        ratio(figure.ratio),
        bound(goal),
        verdict(goal, figure.ratio),
        f"{figure.seconds:.3f}",
        f"{figure.peer:.3f}",
        ratio(figure.cpu),
        figure.here,
    ]


def _line(columns: Iterable[str]) -> str:
    return "| " + " | ".join(column.replace("|", "\\|") for column in columns) + " |"


def rows(document: str) -> list[list[str]]:
    """The cells of each row of the tables between the marks of a document."""
    lines = between(document).split("\n")
    return [line[2:-2].split(" | ") for line in lines if re.match(r"\| (?!---)", line)]


def between(document: str) -> str:
    """What stands between the marks."""
    return document.partition(BEGIN)[2].partition(END)[0]


def put(document: str, text: str) -> str:
    """The document, with other text between its marks."""
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        raise ValueError(f"it does not have {BEGIN.strip()} and {END.strip()} once each")
    before, _, rest = document.partition(BEGIN)
    return before + BEGIN + text + END + rest.partition(END)[2]


def headline(document: str) -> str:
    """What README.md says of the tables in BENCHMARKS.md."""
    of = {(row[0], row[1]): row for row in rows(document)}
    goals = {goal.key: goal for goal in GOALS}

    def figure(key: str) -> str:
        return of[goals[key].what, goals[key].against][2]

    many = of[goals["many-ldd"].what, goals["many-ldd"].against]
    lines = [
        f"- `deps` on all {many[8]} of a machine's /usr/bin in one call takes {many[5]} s:",
        f"  {many[2]} of what `ldd` takes, {figure('many-libtree')} of a loop over `libtree`.",
        f'  One small program takes {figure("start")} times what `python -c "import click"` takes.',
        f"- A layer of 300 MB takes {figure('tar')} times what `tar` takes for the same files,",
        f"  `.tar.gz` {figure('gz')} times `gzip -6`, `.tar.zst` {figure('zst')} times `zstd -T0`,",
        f"  an image with its digests {figure('image')} times `tar`.",
    ]
    return "\n".join(lines) + "\n"
