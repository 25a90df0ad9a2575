"""Names that nobody expects, and a process whose surroundings are broken."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import elfpack, one_error, well_spoken
from tests.contract.tree import plant, program, run, static, system

COMMANDS = ("deps", "layer")
ENV = "/usr/bin/env"


NAMES = {
    "newline": b"a\nb",
    "escape sequence": b"a\x1b[31mb",
    "carriage return": b"a\rb",
    "not UTF-8": b"a\xff\xfeb",
    "leading dash": b"-rf",
    "spaces": b" a  b ",
    "quotes": b"a'\"`$(b)",
    "percent": b"%s%n",
    "direction": "a\u202eb".encode(),
    "C1 control": "a\x9bb".encode(),
    "line separator": "a\u2028b".encode(),
    "braces": b"{0.__class__}",
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_name_of_a_program(name: bytes, tmp_path: Path) -> None:
    plant(tmp_path, {os.fsdecode(name): static()})
    ran = run("deps", "--", name, name, cwd=tmp_path)
    block = name + b":\n\tstatically linked\n"
    assert (ran.status, ran.stdout) == (0, block * 2)
    packed = run("layer", "--", name, cwd=tmp_path)
    assert packed.status == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_name_of_what_is_not_there(command: str, name: bytes, tmp_path: Path) -> None:
    ran = run(command, "--", name, cwd=tmp_path)
    assert (ran.status, len(ran.err), ran.stdout) == (2, 1, b"")
    assert "no such file" in ran.err[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_needed_name(command: str, name: bytes, tmp_path: Path) -> None:
    root = system(tmp_path / "root", {"/bin/app": program(os.fsdecode(name))})
    ran = run(command, "--root", root, "/bin/app", cwd=tmp_path)
    assert ran.status == 1
    if command == "deps":
        assert ran.stdout.startswith(b"\t" + name + b" => not found\n")
    else:
        assert len(ran.said("error")) == 1


# The process that elfpack runs in


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["./app", "app"])
def test_deleted_working_directory(command: str, name: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    output = ["-o", str(tmp_path / "out.tar")] if command == "layer" else []
    ran = elfpack(command, *output, name, cwd=gone, preexec=gone.rmdir)
    fact = one_error(ran, 2, name)
    assert fact == "the working directory is gone (change to one that exists)"
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_absolute_program_in_a_deleted_working_directory(command: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    output = ["-o", str(tmp_path / "out.tar")] if command == "layer" else []
    ran = elfpack(command, *output, ENV, cwd=gone, preexec=gone.rmdir)
    well_spoken(ran)
    assert ran.status == 0
    assert ran.out == (elfpack(command, ENV).out if command == "deps" else [])


def _close(*descriptors: int) -> Callable[[], None]:
    def close() -> None:
        for descriptor in descriptors:
            os.close(descriptor)

    return close


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)], ids=str)
def test_closed_streams(closed: tuple[int, ...], tmp_path: Path) -> None:
    """A layer is whole whatever is closed: no descriptor of it is taken for a stream."""
    expected = tmp_path / "expected.tar"
    assert elfpack("layer", ENV, "-o", expected).status == 0
    out = tmp_path / "out.tar"
    ran = elfpack("layer", "-v", ENV, "-o", out, preexec=_close(*closed))
    well_spoken(ran)
    assert ran.status == 0
    assert out.read_bytes() == expected.read_bytes()


def test_deps_without_standard_output() -> None:
    one_error(elfpack("deps", ENV, preexec=_close(1)), 2, "standard output")


def test_layer_to_a_closed_standard_output() -> None:
    ran = elfpack("layer", ENV, "-o", "-", preexec=_close(1))
    well_spoken(ran)
    assert (ran.status, len(ran.said("error"))) == (2, 1)


def test_deps_without_standard_input_and_error() -> None:
    ran = elfpack("deps", "-v", ENV, preexec=_close(0, 2))
    assert (ran.status, ran.out) == (0, elfpack("deps", ENV).out)


def test_bad_source_date_epoch(tmp_path: Path) -> None:
    for text in ("yesterday", "-1", "1.5", "0x10", "1e9", " 1", "²", "9" * 30):
        env = {**os.environ, "SOURCE_DATE_EPOCH": text}
        one_error(run("layer", ENV, cwd=tmp_path, env=env), 2, "SOURCE_DATE_EPOCH")
