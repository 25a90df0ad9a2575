"""BENCHMARKS.md has what `make bench` promises, and README.md says the same."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tools.bench", reason="the tools are not here")

from tools.bench.goals import ALL, GOALS, Goal
from tools.bench.table import between, bound, headline, rows

PROJECT = Path(__file__).parents[2]
DOCUMENT = (PROJECT / "BENCHMARKS.md").read_text()


@pytest.mark.parametrize("goal", ALL, ids=lambda goal: goal.key)
def test_each_row_is_there_with_its_goal(goal: Goal) -> None:
    found = [row for row in rows(DOCUMENT) if _is_of(row, goal)]
    assert len(found) == 1
    assert bound(goal) in found[0]


def _is_of(row: list[str], goal: Goal) -> bool:
    return row[0] == goal.what and (row[1] == goal.against if goal.against else row[1].isdigit())


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.key)
def test_each_goal_says_where_the_time_goes(goal: Goal) -> None:
    headed = DOCUMENT.partition("## Where the time goes")[2].partition("\n## ")[0]
    assert f"`{goal.key}`" in headed


def test_the_machine_is_described_and_not_named() -> None:
    facts = between(DOCUMENT).partition("\n\n")[0]
    for word in ("core", "GB of memory", "Linux", "Python", "click", "glibc"):
        assert word in facts
    assert "/" not in facts.replace("GNU/Linux", "")


def test_readme_says_what_was_measured() -> None:
    assert between((PROJECT / "README.md").read_text()) == headline(DOCUMENT)
