"""Time zones, character sets and locales: the host's answer, the container's, and what a container
says that has not got the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, Outcome, on_host
from tests.docker.packing import build, elfpack, layer, need, words

NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Row:
    """A layer, a run of it that must be equal to the host's, and one that must not be."""

    name: str
    program: str
    args: str = ""
    more: str = ""
    """Options that bring the data; empty where that comes by itself."""
    less: str = ""
    """Options in place of them, with which the container must say something else."""
    build: tuple[str, ...] = ()
    says: str = ""
    """What must be in the output on the host."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment, here and there."""
    here: Mapping[str, str] = field(default_factory=dict)
    """Only on the host."""


def _compare(row: Row, engine: Engine, here: Path, report: Report) -> None:
    build(row.build, here)
    if row.program.startswith("/"):
        need(row.program)
    arguments = words(row.args, here)
    outside = on_host([row.program, *arguments], here, {**row.variables, **row.here})
    assert outside.status == 0, outside
    assert row.says.encode() in outside.stdout, outside
    inside = _inside(row, row.more, engine, here)
    equal = inside[:2] == outside[:2]
    size = (here / "x.tar").stat().st_size
    report(Line(row.name, outside.status, inside.status, equal, size))
    assert equal, f"on the host: {outside}\nin the container: {inside}"
    lacking = _inside(row, row.less, engine, here)
    assert lacking[:2] != outside[:2], f"it needs nothing: {row.less!r}"


def _inside(row: Row, options: str, engine: Engine, here: Path) -> Outcome:
    told, _ = layer(f"{row.program} {options}", "x.tar", here)
    variables = [word for pair in row.variables.items() for word in ("--env", "=".join(pair))]
    with engine.imported(told, here) as image:
        return image.run(words(row.args, here), *variables)


_DATE = "-d @1720000000 '+%F %T %Z %z'"
_MUSL = ("musl-gcc -o localtime {src}/localtime.c",)
_BERLIN = {"TZ": "Europe/Berlin"}

ZONES = (
    Row(
        "date, TZ=Europe/Berlin",
        "/usr/bin/date",
        _DATE,
        "--with tz",
        says="11:46:40 CEST +0200",
        variables=_BERLIN,
    ),
    Row(
        "date, TZ=Europe/Berlin, that zone alone",
        "/usr/bin/date",
        _DATE,
        "--with tz=Europe/Berlin",
        says="11:46:40 CEST +0200",
        variables=_BERLIN,
        less="--with tz=Asia/Tokyo",
    ),
    Row(
        "date, a zone that is a link",
        "/usr/bin/date",
        _DATE,
        "--with tz=Asia/Calcutta",
        says="+0530",
        variables={"TZ": "Asia/Calcutta"},
    ),
    Row(
        "date, local time",
        "/usr/bin/date",
        _DATE,
        "--with tz=Asia/Tokyo --with tz=Europe/Berlin",
        says="18:46:40 JST +0900",
        here={"TZ": "Asia/Tokyo"},
        less="--with tz",
    ),
    Row(
        "perl, TZ=America/Argentina/Buenos_Aires",
        "/usr/bin/perl",
        "-e 'print scalar localtime(1720000000)'",
        "--with tz=America/Argentina/Buenos_Aires",
        says="06:46:40",
        variables={"TZ": "America/Argentina/Buenos_Aires"},
    ),
    Row(
        "musl, TZ=Europe/Berlin",
        "./localtime",
        more="--with tz",
        build=_MUSL,
        says="11:46 CEST",
        variables=_BERLIN,
    ),
    Row(
        "musl, local time",
        "./localtime",
        more="--with tz=Europe/Berlin",
        build=_MUSL,
        says="11:46 CEST",
        here=_BERLIN,
    ),
)


@pytest.mark.parametrize("row", ZONES, ids=lambda row: row.name)
def test_time_zone(row: Row, engine: Engine, tmp_path: Path, report: Report) -> None:
    _compare(row, engine, tmp_path, report)


def test_the_local_time_of_a_root(engine: Engine, tmp_path: Path) -> None:
    made = elfpack(["layer", "/usr/bin/date", "--with", "tz=Asia/Tokyo", "-o", "root/"], tmp_path)
    assert made.status == 0, made
    told, _ = layer("/usr/bin/date --root root --with tz", "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        inside = image.run(words(_DATE, tmp_path))
    assert inside[:2] == (0, b"2024-07-03 18:46:40 JST +0900\n"), inside
