"""Every form of output that an engine can import."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, run
from tests.docker.packing import build, elfpack, layer, need

_SAID = (1, b"hello, world\nfrom scratch\n")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    build(("gcc -o hello {src}/hello.c",), tmp_path)
    return tmp_path


def _runs(told: str, engine: Engine, here: Path, stdin: bytes = b"") -> bool:
    with engine.imported(told, here, stdin) as image:
        return image.run(["from scratch"])[:2] == _SAID


@pytest.mark.parametrize(
    "output", ["x.tar", "x.tar.gz", "x.tgz", "x.tar.zst", "a name with spaces.tar"]
)
def test_file(output: str, engine: Engine, here: Path, report: Report) -> None:
    if output.endswith(".zst"):
        need("zstd")
    told, _ = layer("./hello", output, here)
    equal = _runs(told, engine, here)
    report(Line(f"hello to {output}", 1, 1, equal, (here / output).stat().st_size))
    assert equal


@pytest.mark.parametrize("output", ["rootfs/", "a root with spaces/"])
def test_tree(output: str, engine: Engine, here: Path, report: Report) -> None:
    told, _ = layer("./hello", output, here)
    assert told.startswith(f"tar -C {shlex.quote(output)} -c . | docker import ")
    size = sum(f.stat().st_size for f in (here / output).rglob("*") if f.is_file())
    equal = _runs(told, engine, here)
    report(Line(f"hello to {output}", 1, 1, equal, size))
    assert equal


def test_tree_holds_what_the_tar_holds(here: Path) -> None:
    layer("./hello", "x.tar", here)
    layer("./hello", "rootfs/", here)
    listed = run(["tar", "-tf", "x.tar"], here).stdout.decode().split()
    found = [str(f.relative_to(here / "rootfs")) for f in (here / "rootfs").rglob("*")]
    assert sorted(name.rstrip("/") for name in listed) == sorted(found)


def test_standard_output(engine: Engine, here: Path, report: Report) -> None:
    told, done = layer("./hello", "-", here)
    words = shlex.split(told)
    assert words[:2] == ["docker", "import"]
    assert words[-2] == "-"
    equal = _runs(told, engine, here, done.stdout)
    report(Line("hello to -", 1, 1, equal, len(done.stdout)))
    assert equal


def test_every_form_holds_the_same_tar(here: Path) -> None:
    _, done = layer("./hello", "-", here)
    layer("./hello", "x.tar", here)
    layer("./hello", "x.tar.gz", here)
    assert (here / "x.tar").read_bytes() == done.stdout
    assert run(["gzip", "-dc", "x.tar.gz"], here).stdout == done.stdout


def test_other_endings_are_refused(here: Path) -> None:
    done = elfpack(["layer", "./hello", "-o", "x.zip"], here)
    assert done.status == 2
    assert not (here / "x.zip").exists()
