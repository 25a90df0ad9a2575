"""Real programs run from scratch as on the host; packed naively they fail in known words."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from elfpack.runtime import module
from tests.docker.cases import BY_MODULE, CASES, ELSEWHERE, NOT_SHOWN
from tests.docker.comparing import compare, contained, need_programs, programs
from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine
from tests.docker.lookup_rows import LOOKUPS
from tests.docker.packing import build, elfpack, words
from tests.docker.plain_rows import PLAIN
from tests.docker.plugin_rows import PLUGINS
from tests.docker.program import BARE, Naive, Plain, Program

PROGRAMS = (*LOOKUPS, *PLUGINS)
ROWS = (*PROGRAMS, *PLAIN)
TESTS = Path(__file__).parents[1]
NAIVE = [
    pytest.param(row, naive, id=f"{row.name}, naive{number or ''}")
    for row in PROGRAMS
    for number, naive in enumerate(row.naive)
]
_ALWAYS = {"program", "interpreter", "library", "link", "parent", "added", "script"}
"""The reasons that are no runtime module's."""


def needs_modules(row: Program) -> None:
    lacking = [name for name in row.needs if module(name) is None]
    if lacking:
        pytest.skip(f"elfpack has no module {', '.join(lacking)}")


@pytest.mark.parametrize("row", PROGRAMS, ids=lambda row: row.name)
def test_runs_from_scratch(row: Program, engine: Engine, here: Path, report: Report) -> None:
    needs_modules(row)
    compare(row, engine, here, report)


@pytest.mark.parametrize(("row", "naive"), NAIVE)
def test_packed_naively(
    row: Program, naive: Naive, engine: Engine, here: Path, report: Report
) -> None:
    needs_modules(row)
    build(row.build, here)
    need_programs(row, here)
    request = naive.layer
    if request is None:
        request = f"{shlex.join(programs(row.layer, here))} {BARE}"
    args = row.inside if naive.args is None else naive.args
    options = row.options if naive.options is None else naive.options
    less = replace(row, layer=request, inside=args, options=options)
    inside, size = contained(less, engine, here)
    fails = inside.status == naive.status and naive.says.encode() in inside.stdout + inside.stderr
    report(Line(f"{row.name}, naive", "-", inside.status, fails, size))
    assert fails, inside


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: row.name)
def test_runs_packed_naively(row: Plain, engine: Engine, here: Path, report: Report) -> None:
    compare(replace(row, layer=f"{row.layer} {BARE}"), engine, here, report)


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: row.name)
def test_nothing_is_added(row: Plain, here: Path) -> None:
    build(row.build, here)
    need_programs(row, here)
    done = elfpack(["layer", *words(row.layer, here), "--dry-run", "--format", "json"], here)
    assert done.status == 0, done
    sources = {entry["reason"]["source"] for entry in json.loads(done.stdout)["entries"]}
    assert sources - _ALWAYS <= set(row.adds)


def _shown(number: int) -> str | None:
    """By what a case is shown."""
    rows = [row.name for row in ROWS if number in row.case]
    if rows:
        return ", ".join(rows)
    if number in ELSEWHERE:
        file, text = ELSEWHERE[number]
        return f"{file}: {text}" if text in (TESTS / file).read_text(encoding="utf-8") else None
    name = BY_MODULE.get(number)
    if name is not None and (module(name) is None or (TESTS / f"docker/test_{name}.py").exists()):
        return f"module {name}"
    return NOT_SHOWN.get(number)


def test_every_case_is_shown_or_said_why_not() -> None:
    assert {number for row in ROWS for number in row.case} <= set(CASES)
    assert [number for number in CASES if _shown(number) is None] == []
