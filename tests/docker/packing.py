"""Builds sources and packs programs, as a user does at a shell."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.docker.engine import Outcome, required, run

SOURCES = Path(__file__).with_name("sources")
PROJECT = Path(__file__).parents[2]
_NOTE = "elfpack: note: "


def words(text: str, directory: Path) -> list[str]:
    """The words of a line; ``{here}`` is the directory of the test, ``{src}`` the sources."""
    return [
        word.replace("{here}", str(directory)).replace("{src}", str(SOURCES))
        for word in shlex.split(text)
    ]


def need(program: str) -> None:
    """Skips the test if the machine lacks a program, or fails it where nothing may be skipped."""
    if shutil.which(program) is None:
        (pytest.fail if required() else pytest.skip)(f"{program} is not installed")


def build(lines: Sequence[str], directory: Path) -> None:
    """Runs the lines of a recipe in a directory."""
    for line in lines:
        command = words(line, directory)
        need(command[0])
        done = run(command, directory)
        assert done.status == 0, f"{line}: {done}"


def elfpack(arguments: Sequence[str], cwd: Path, env: dict[str, str] | None = None) -> Outcome:
    """elfpack as another process, as it is used."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("LD_", "SOURCE_DATE_"))}
    environment = {**inherited, "PYTHONPATH": str(PROJECT), **(env or {})}
    return run([sys.executable, "-m", "elfpack", *arguments], cwd, environment)


def layer(
    request: str, output: str, directory: Path, env: dict[str, str] | None = None
) -> tuple[str, Outcome]:
    """``elfpack layer REQUEST -o OUTPUT``: the command of its last note, and the outcome."""
    arguments = ["layer", *words(request, directory), "-o", output]
    done = elfpack(arguments, directory, env)
    assert done.status == 0, f"elfpack {shlex.join(arguments)}: {done}"
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith(_NOTE), last
    return last.removeprefix(_NOTE), done


def regular_files(tar: bytes) -> list[str]:
    """The regular files of a tar; anything but those, links and directories is an error."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        members = archive.getmembers()
    assert all(m.isfile() or m.issym() or m.islnk() or m.isdir() for m in members)
    return sorted(m.name for m in members if m.isfile())


def host_name() -> tuple[str, str]:
    """A name of /etc/hosts that stands for one IPv4 address, and that address.

    Not localhost, which every container has; that one only if there is no other.
    """
    addresses: dict[str, list[str]] = {}
    for line in Path("/etc/hosts").read_text(encoding="utf-8", errors="replace").splitlines():
        fields = line.partition("#")[0].split()
        for name in fields[1:]:
            addresses.setdefault(name, []).append(fields[0])
    for name, found in addresses.items():
        if name != "localhost" and len(found) == 1 and found[0].count(".") == 3:
            return name, found[0]
    return "localhost", "127.0.0.1"
