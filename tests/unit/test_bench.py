"""The tool that measures: its sums, its tables, and that what went wrong has no figure."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("tools.bench", reason="the tools are not here")

from tools.bench import table
from tools.bench.contests import CONTESTS
from tools.bench.goals import ALL, GOALS, Goal
from tools.bench.runs import Command, Ran, WrongError, environment, run
from tools.bench.turns import Contest, Pair, _figure, measure

GOAL = Goal("key", "`deps`", "a|b", 1 / 40, 1 / 60)
FIGURE = table.Figure("key", "3 programs", 0.1, 6.0, 1 / 50, 1 / 45, 17.2)


@pytest.mark.parametrize(
    ("values", "middle"), [([3.0], 3.0), ([9.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 2.0, 3.0], 2.5)]
)
def test_median(values: list[float], middle: float) -> None:
    assert table.median(values) == middle


@pytest.mark.parametrize(
    ("value", "text"),
    [(1 / 57, "1/57"), (0.2, "0.20"), (1.234, "1.23"), (0.19, "1/5"), (0, "0.00")],
)
def test_ratio(value: float, text: str) -> None:
    assert table.ratio(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1 / 39, "**no**"), (1 / 41, "yes"), (1 / 61, "yes, and the aim")]
)
def test_verdict(value: float, text: str) -> None:
    assert table.verdict(GOAL, value) == text
    assert table.verdict(GOAL._replace(aim=None), value) in ("yes", "**no**")
    assert table.verdict(GOAL._replace(most=None), value) == ""


def test_cells() -> None:
    cells = ["`deps`", "a|b", "1/50", "1/40 (aim: 1/60)", "yes", "0.100", "6.000", "1/45"]
    assert table.cells(GOAL, FIGURE) == [*cells, "3 programs"]
    memory = Goal("key", "`deps`", "", 80)
    assert table.cells(memory, FIGURE) == ["`deps`", "17", "80 MB", "yes"]


def test_cells_of_what_went_wrong_have_no_figure() -> None:
    cells = table.cells(GOAL, table.Figure("key", wrong="ended with 2"))
    assert [cell for cell in cells if cell] == [
        "`deps`", "a|b", "1/40 (aim: 1/60)", "ended with 2",
    ]  # fmt: skip
    memory = table.cells(Goal("key", "`deps`", "", 80), table.Figure("key", wrong="ended with 2"))
    assert memory == ["`deps`", "ended with 2", "80 MB", ""]


def test_tables_have_a_line_for_each_figure_and_cells_for_each_column() -> None:
    figures = {goal.key: FIGURE._replace(key=goal.key) for goal in ALL}
    lines = list(table.tables(figures))
    assert len(lines) == len(ALL) + 3 * 2 + 2
    parts = "\n".join(lines).split("\n\n")
    assert all(len({line.count(" | ") for line in part.split("\n")}) == 1 for part in parts)
    document = f"before\n{table.BEGIN}\n{table.END}after\n"
    assert len(table.rows(table.put(document, "\n".join(lines)))) == len(ALL) + 3


def test_put_keeps_what_is_around_the_marks() -> None:
    document = f"before\n{table.BEGIN}old\n{table.END}after\n"
    put = table.put(document, "new\n")
    assert put == f"before\n{table.BEGIN}new\n{table.END}after\n"
    assert table.between(put) == "new\n"


@pytest.mark.parametrize("document", ["", table.BEGIN, table.END, 2 * (table.BEGIN + table.END)])
def test_put_refuses_a_document_without_its_marks(document: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        table.put(document, "new\n")


def test_headline_has_the_figures_of_the_tables() -> None:
    figures = {g.key: FIGURE._replace(key=g.key, ratio=n + 1) for n, g in enumerate(GOALS)}
    text = table.headline(f"{table.BEGIN}{chr(10).join(table.tables(figures))}\n{table.END}")
    assert "all 3 programs of" in text
    assert "takes 0.100 s:\n  1.00 of what `ldd` takes, 2.00 of a loop" in text


def test_each_row_is_measured_by_one_contest() -> None:
    keys = [key for made in CONTESTS for key in made.split()]
    assert sorted(keys) == sorted(goal.key for goal in ALL)


def sh(script: str, *makes: str, statuses: tuple[int, ...] = (0,)) -> Command:
    return Command(("sh", "-c", script), statuses, makes)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_run() -> None:
    ran = run(sh("echo hello; echo x > made; exit 1", "made", statuses=(0, 1)), environment())
    assert ran.left == (6, 2)
    assert ran.seconds > 0
    assert ran.peak > 0


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (sh("echo out of luck >&2; exit 3"), "ended with 3: out of luck"),
        (sh("kill -9 $$"), "ended with -9: without a word"),
        (sh(":", "made"), "left no made"),
    ],
    ids=["status", "signal", "nothing made"],
)
def test_run_tells_what_is_wrong(command: Command, why: str) -> None:
    Path("made").write_text("of an earlier run")
    with pytest.raises(WrongError, match=why):
        run(command, environment())


def test_commands_get_nothing_that_makes_python_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/elsewhere")
    names = environment({"NEEDED": "1"})
    assert "PATH" in names
    assert names["NEEDED"] == "1"
    assert not {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "LD_LIBRARY_PATH"} & names.keys()


def contest(**commands: Command) -> Contest:
    return Contest(commands, [Pair("row", "ours", "peer"), Pair("peak", "ours")])


def test_turns_alternate_after_a_warm_up() -> None:
    both = contest(ours=sh("echo a >> log"), peer=sh("echo b >> log"))
    row, peak = measure(both, {"row", "peak"}, 2, environment())
    assert Path("log").read_text().split() == ["a", "b"] * 3
    assert row.ratio > 0
    assert not row.wrong
    assert peak.peak > 0


def test_what_takes_long_runs_once() -> None:
    both = contest(ours=sh("echo a >> log"), peer=sh("echo b >> log")._replace(again=False))
    row, _ = measure(both, {"row", "peak"}, 2, environment())
    assert Path("log").read_text().split() == ["a", "a", "b", "a"]
    assert row.ratio > 0


def test_a_contest_without_a_warm_up() -> None:
    both = contest(ours=sh("echo a >> log"), peer=sh(":"))._replace(warm=False)
    measure(both, {"row"}, 2, environment())
    assert Path("log").read_text().split() == ["a", "a"]


def test_a_ratio_is_the_median_of_the_turns() -> None:
    ran = {
        "ours": [Ran(s, s, 9, ()) for s in (1.0, 9.0, 3.0)],
        "peer": [Ran(s, 2 * s, 9, ()) for s in (2.0, 9.0, 4.0)],
    }
    figure = _figure(Pair("row", "ours", "peer"), ran, {}, "")
    assert (figure.ratio, figure.cpu, figure.seconds, figure.peer) == (0.75, 0.375, 3.0, 4.0)


def test_only_wanted_rows_are_measured() -> None:
    both = contest(ours=sh("echo a >> log"), peer=sh("echo b >> log"))
    assert [f.key for f in measure(both, {"peak"}, 1, environment())] == ["peak"]
    assert "b" not in Path("log").read_text()


def wrong() -> None:
    raise WrongError("nothing was listed")


@pytest.mark.parametrize(
    ("ours", "why"),
    [
        (sh("exit 2"), "ended with 2"),
        (Command(("true",), proof=wrong), "nothing was listed"),
        (sh("echo x >> log; cat log"), "other output than before"),
        (sh("test ! -e log && echo x >> log"), "ended with 1"),
    ],
    ids=["status", "proof", "other output", "only the first time"],
)
def test_a_broken_command_has_no_figure(ours: Command, why: str) -> None:
    both = contest(ours=ours, peer=sh(":"))
    row, peak = measure(both, {"row", "peak"}, 2, environment())
    assert row.ratio == 0
    assert why in row.wrong
    assert peak.wrong == row.wrong


def test_a_peer_that_is_absent_is_told_and_costs_its_own_row_only() -> None:
    both = contest(ours=sh(":"), peer=Command(("not-here",)))
    both = both._replace(absent={"peer": "not-here is not installed"})
    row, peak = measure(both, {"row", "peak"}, 1, environment())
    assert row.wrong == "not-here is not installed"
    assert not peak.wrong
