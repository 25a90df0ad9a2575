"""elfpack packs itself, with its Python, and packs the same bytes in a container from scratch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, Image, Outcome, run
from tests.docker.packing import PROJECT, build, elfpack, layer, need
from tests.docker.rows import library

PYTHON = library("usr/lib/python3.[0-9]*") + " --exclude '*/__pycache__/*'"
WAYS = {
    "a script that env starts": f"./elfpack.pyz:/usr/bin/elfpack {PYTHON}",
    "an argument of its Python": f"/usr/bin/python3 {PYTHON} --add ./elfpack.pyz",
}


class Packed(NamedTuple):
    """elfpack in an image."""

    way: str
    work: Path
    image: Image

    def run(self, *args: str) -> Outcome:
        first = ("/elfpack.pyz",) if "argument" in self.way else ()
        return self.image.run([*first, *args], "--volume", f"{self.work}/out:/out")


@pytest.fixture(name="packed", scope="module", params=WAYS)
def _packed(
    request: pytest.FixtureRequest, engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Packed]:
    """The one-file elfpack, its Python, and a program for it to pack."""
    need("/usr/bin/python3")
    work = tmp_path_factory.mktemp("itself")
    made = run([sys.executable, str(PROJECT / "tools/pyz.py"), "elfpack.pyz"], work)
    assert made.status == 0, made
    build(("gcc -o hello {src}/hello.c", "mkdir out"), work)
    told, _ = layer(f"{WAYS[request.param]} ./hello", "itself.tar", work)
    with engine.imported(told, work) as image:
        yield Packed(request.param, work, image)


def test_packs_the_same(packed: Packed, report: Report) -> None:
    inside = packed.run("layer", "/hello", "-o", "/out/x.tar")
    outside = elfpack(["layer", "./hello", "-o", "x.tar"], packed.work)
    made, expected = packed.work / "out/x.tar", packed.work / "x.tar"
    equal = outside.status == inside.status == 0 and made.read_bytes() == expected.read_bytes()
    size = (packed.work / "itself.tar").stat().st_size
    report(Line(f"elfpack, {packed.way}", outside.status, inside.status, equal, size))
    assert equal, inside


@pytest.mark.parametrize(
    "command",
    ["deps /usr/bin/python3", "deps --format paths /bin/hello", "layer /usr/bin/python3 --dry-run"],
)
def test_says_the_same(command: str, packed: Packed) -> None:
    """What is in the image is at the paths that it has here."""
    inside = packed.run(*command.split())
    outside = elfpack(command.split(), Path("/"))
    assert inside[:2] == outside[:2]


def test_checks_what_it_made(packed: Packed) -> None:
    assert packed.run("layer", "/hello", "-o", "/out/y.tar", "-q").status == 0
    inside = packed.run("check", "/out/y.tar")
    assert inside[:2] == (0, b""), inside
    assert b"nothing is missing" in inside.stderr
