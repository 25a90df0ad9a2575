"""What a layer holds, and what it has no reason to hold. No engine is needed for these."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.docker.packing import build, elfpack, layer, need, regular_files

_PLAIN = {"program", "interpreter", "library", "link", "parent"}
"""The reasons that are no runtime module's."""


def test_hello_holds_three_files(tmp_path: Path) -> None:
    build(("gcc -o hello {src}/hello.c",), tmp_path)
    layer("./hello", "x.tar", tmp_path)
    files = regular_files((tmp_path / "x.tar").read_bytes())
    names = [Path(name).name for name in files]
    assert len(names) == 3, files
    assert names[0] == "hello"
    assert names[1].startswith("ld-linux")
    assert names[2] == "libc.so.6"


def test_static_hello_is_alone(tmp_path: Path) -> None:
    build(("gcc -static -o hello {src}/hello.c",), tmp_path)
    layer("./hello", "x.tar", tmp_path)
    assert regular_files((tmp_path / "x.tar").read_bytes()) == ["hello"]


@pytest.mark.parametrize("program", ["/usr/bin/seq", "/usr/bin/od", "/usr/bin/less"])
def test_no_module_adds_to(program: str, tmp_path: Path) -> None:
    need(program)
    assert _sources(program, tmp_path) <= _PLAIN


def test_no_module_adds_to_hello_in_cxx(tmp_path: Path) -> None:
    build(("g++ -o hello {src}/hello.cpp",), tmp_path)
    assert _sources("./hello", tmp_path) <= _PLAIN


def _sources(program: str, directory: Path) -> set[str]:
    done = elfpack(["layer", program, "--dry-run", "--format", "json"], directory)
    assert done.status == 0, done
    return {entry["reason"]["source"] for entry in json.loads(done.stdout)["entries"]}


@pytest.fixture
def lacking(tmp_path: Path) -> Path:
    """A program whose library is gone, alone in its directory."""
    directory = tmp_path / "work"
    directory.mkdir()
    build(
        (
            "gcc -shared -fPIC -o libgone.so {src}/greet.c",
            "gcc -o greeter {src}/greeter.c -L. -lgone",
            "rm libgone.so",
        ),
        directory,
    )
    return directory


def test_deps_tells_a_missing_library(lacking: Path) -> None:
    done = elfpack(["deps", "./greeter"], lacking)
    assert done.status == 1
    assert b"\tlibgone.so => not found\n" in done.stdout


@pytest.mark.parametrize("output", ["x.tar", "x.tar.gz", "rootfs/", "-"])
def test_layer_leaves_nothing_if_a_library_is_missing(output: str, lacking: Path) -> None:
    done = elfpack(["layer", "./greeter", "-o", output], lacking)
    assert done.status == 1
    assert done.stdout == b""
    assert b"libgone.so" in done.stderr
    assert b"greeter" in done.stderr
    assert b"docker import" not in done.stderr
    assert [path.name for path in lacking.iterdir()] == ["greeter"]


def test_layer_keeps_what_was_there(lacking: Path) -> None:
    (lacking / "x.tar").write_text("precious")
    done = elfpack(["layer", "./greeter", "-o", "x.tar"], lacking)
    assert done.status == 1
    assert (lacking / "x.tar").read_text() == "precious"


def test_a_missing_library_may_be_allowed(lacking: Path) -> None:
    _, done = layer("./greeter --allow-missing 'libgone.*'", "x.tar", lacking)
    assert b"libgone.so" in done.stderr
    assert (lacking / "x.tar").exists()
