"""Real programs run from scratch as on the host; packed naively they fail in known words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from elfpack.runtime import module
from tests.docker.comparing import compare, contained, need_programs, programs
from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine
from tests.docker.packing import build
from tests.docker.program import BARE, Naive, Program
from tests.docker.programs_rows import PROGRAMS

NAIVE = [
    pytest.param(row, naive, id=f"{row.name}, naive{number or ''}")
    for row in PROGRAMS
    for number, naive in enumerate(row.naive)
]


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
        request = f"'{row.layer.split()[0]}' {BARE}"
        request = " ".join([*(f"'{word}'" for word in programs(row.layer, here)), BARE])
    less = replace(row, layer=request, args=row.args if naive.args is None else naive.args)
    inside, size = contained(less, engine, here)
    fails = inside.status == naive.status and naive.says.encode() in inside.stdout + inside.stderr
    report(Line(f"{row.name}, naive", "-", inside.status, fails, size))
    assert fails, inside
