"""``deps PROGRAM...``, ``check ROOTFS`` and ``layer PROGRAM... -o OUT`` go past the parser of
options: nobody may notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from elfpack.cli import _is_plain
from tests.elfbuild import elf

CASES = [
    ("one program", ["FIX"]),
    ("several", ["FIX", "./lib.so"]),
    ("no such file", ["nothing"]),
    ("none with such a name", [""]),
    ("a directory", ["."]),
    ("a text", ["text"]),
    ("a script", ["script"]),
    ("a missing library", ["lib.so"]),
    ("one of several cannot be read", ["nothing", "FIX", "text"]),
    ("bytes that are not UTF-8", [os.fsdecode(b"\xff")]),
    ("a command on PATH", ["env"]),
]
"""FIX stands for the Python that runs this."""


def _ran(here: Path, arguments: list[str], **environment: str) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "elfpack", *arguments],
        cwd=here,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("names", [names for _, names in CASES], ids=[name for name, _ in CASES])
def test_as_by_the_parser(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "lib.so").write_bytes(elf(soname="lib.so", needed=("libnone.so.7",)))
    program = sys.executable
    given = [program if name == "FIX" else name for name in names]
    assert _ran(tmp_path, ["deps", *given]) == _ran(tmp_path, ["deps", "--", *given])


@pytest.mark.parametrize("name", ["nothing", "", "text", "root", "bad", os.fsdecode(b"\xff")])
def test_check_as_by_the_parser(tmp_path: Path, name: str) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "root").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "app").write_bytes(elf(interpreter="/gone"))
    assert _ran(tmp_path, ["check", name]) == _ran(tmp_path, ["check", "--", name])


LAYERS = [
    *CASES,
    ("with a destination", ["FIX:/bin/x"]),
    ("a destination that is none", ["FIX:x"]),
    ("twice", ["FIX", "FIX"]),
    ("two of them at one place", ["FIX:/x", "script:/x"]),
]


def _layer(here: Path, *arguments: str, **environment: str) -> tuple[object, ...]:
    """What is said, and what is there afterwards, which is removed."""
    ran = _ran(here, ["layer", *arguments], **environment)
    made = sorted((here / "out").rglob("*"))
    files = {path.relative_to(here): path.read_bytes() for path in made if path.is_file()}
    shutil.rmtree(here / "out")
    (here / "out").mkdir()
    return (*ran, made, files)


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    (tmp_path / "text").write_text("hello")
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "lib.so").write_bytes(elf(soname="lib.so", needed=("libnone.so.7",)))
    (tmp_path / "app").write_bytes(elf(type=2))
    return tmp_path


@pytest.mark.parametrize("names", [names for _, names in LAYERS], ids=[name for name, _ in LAYERS])
def test_layer_as_by_the_parser(here: Path, names: list[str]) -> None:
    given = [name.replace("FIX", sys.executable) for name in names]
    assert _is_plain(["layer", *given, "-o", "out/a.tar"])
    plain = _layer(here, *given, "-o", "out/a.tar")
    assert plain == _layer(here, "-o", "out/a.tar", "--", *given)


OUTPUTS = [
    *("out/a.tar", "out/a.tar.gz", "out/a.tgz", "out/tree/", "out/a", "out", "none/a.tar"),
    *("/dev/null", "/dev/stdout", "/dev/full", "text", "a.zip", os.fsdecode(b"out/\xff.tar")),
]


@pytest.mark.parametrize("output", OUTPUTS)
def test_each_output_as_by_the_parser(here: Path, output: str) -> None:
    plain = _layer(here, "./app", "-o", output)
    assert plain == _layer(here, "-o", output, "--", "./app")


@pytest.mark.parametrize(
    "environment",
    [
        {"SOURCE_DATE_EPOCH": "12345"},
        {"SOURCE_DATE_EPOCH": "today"},
        {"LD_LIBRARY_PATH": "/nowhere"},
        {"LC_ALL": "C"},
    ],
    ids=str,
)
def test_the_environment_counts_as_by_the_parser(here: Path, environment: dict[str, str]) -> None:
    plain = _layer(here, "./app", "-o", "out/a.tar", **environment)
    assert plain == _layer(here, "-o", "out/a.tar", "--", "./app", **environment)


@pytest.mark.parametrize("place", range(3))
def test_the_output_may_be_named_anywhere(here: Path, place: int) -> None:
    names = ["./app", "./app:/b"]
    given = ["layer", *names[:place], "-o", "out/a.tar", *names[place:]]
    assert _is_plain(given)
    plain = _layer(here, *given[1:])
    assert plain[0] == 0
    assert plain == _layer(here, *given[1:], "--")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["./app"],
        ["-o"],
        ["-o", "out/a.tar"],
        ["./app", "-o"],
        ["./app", "-o", ""],
        ["./app", "-o", "-"],
        ["./app", "-o", "-a.tar"],
        ["./app", "-oout/a.tar"],
        ["./app", "-o=out/a.tar"],
        ["./app", "--output", "out/a.tar"],
        ["./app", "-o", "out/a.tar", "-o", "out/b.tar"],
        ["./app", "-o", "out/a.tar", "-q"],
        ["./app", "-q", "-o", "out/a.tar"],
        ["-", "-o", "out/a.tar"],
        ["--", "./app", "-o", "out/a.tar"],
    ],
    ids=" ".join,
)
def test_what_is_to_be_parsed_is_left_to_the_parser(arguments: list[str]) -> None:
    assert not _is_plain(["layer", *arguments])
    assert not _is_plain([*arguments, "layer"])


def test_the_shell_that_asks_for_completion_is_answered(tmp_path: Path) -> None:
    for call in (["deps", "x"], ["check", "x"], ["layer", "x", "-o", "out.tar"]):
        status, out, err = _ran(tmp_path, call, _ELFPACK_COMPLETE="bash_source")
        assert (status, err) == (0, b"")
        assert b"_elfpack_completion" in out
