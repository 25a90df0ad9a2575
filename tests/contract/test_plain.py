"""``deps PROGRAM...`` and ``check ROOTFS`` go past the parser of options: nobody may notice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_the_shell_that_asks_for_completion_is_answered(tmp_path: Path) -> None:
    status, out, err = _ran(tmp_path, ["deps", "x"], _ELFPACK_COMPLETE="bash_source")
    assert (status, err) == (0, b"")
    assert b"_elfpack_completion" in out
