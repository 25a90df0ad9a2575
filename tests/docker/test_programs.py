"""Real programs run from scratch as on the host; packed naively they fail in known words."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from elfpack.runtime import module
from tests.docker.cases import CASES, shown, told
from tests.docker.comparing import compare, contained, need_programs, programs
from tests.docker.conftest import Line, Report, Tell
from tests.docker.engine import Engine
from tests.docker.packing import build, elfpack, words
from tests.docker.program import BARE, Naive, Plain, Program
from tests.docker.programs_rows import PLAIN, PROGRAMS, ROWS

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
    report(Line(f"{row.name}, naive", "-", inside.status, fails, size, "fails"))
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


def test_every_case_is_shown_or_said_why_not(tell: Tell) -> None:
    for line in told(ROWS):
        tell(line)
    assert {number for row in ROWS for number in row.case} <= set(CASES)
    assert [number for number, how in shown(ROWS).items() if how is None] == []
