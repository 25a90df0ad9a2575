"""What README.md shows is what happens: its console blocks are run and their output compared.

In shown output ``...`` stands for anything: alone on a line for any number of lines. A command
without output shown has to succeed. ``<!-- needs: cc docker -->`` before a block names programs
that it needs; without them it is skipped, and so are blocks that build on it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import environment

_ENGINE = {k: v for k, v in os.environ.items() if k == "DOCKER_HOST"}
"""Where the Docker engine listens, if not at its usual place."""

README = Path(__file__).parents[2] / "README.md"
_NEEDS = re.compile(r"<!-- needs: ([\w.+ -]+) -->")
_HERE_DOCUMENT = re.compile(r"<<-?\s*['\"]?(\w+)")
_MARK = "end-of-a-command"
PATIENCE = 120


class Command(NamedTuple):
    text: str
    """One line, or several with a backslash or a here-document."""
    output: tuple[str, ...]
    """As shown."""


class Block(NamedTuple):
    line: int
    """Of README.md, where the block begins."""
    needs: tuple[str, ...]
    commands: tuple[Command, ...]


def blocks(text: str) -> Iterator[Block]:
    """The console blocks of a document."""
    lines = text.split("\n")
    needs: tuple[str, ...] = ()
    number = 0
    while number < len(lines):
        comment = _NEEDS.fullmatch(lines[number].strip())
        if comment:
            needs = tuple(comment[1].split())
        elif lines[number] == "```console":
            end = lines.index("```", number)
            yield Block(number + 1, needs, tuple(_commands(lines[number + 1 : end])))
            needs, number = (), end
        elif lines[number].strip():
            needs = ()
        number += 1


def _commands(lines: list[str]) -> Iterator[Command]:
    assert lines
    assert lines[0].startswith("$ "), "a block begins with a command"
    number = 0
    while number < len(lines):
        end = _end_of_command(lines, number)
        text = "\n".join(lines[number:end]).removeprefix("$ ")
        after = next((n for n in range(end, len(lines)) if lines[n].startswith("$ ")), len(lines))
        yield Command(text, tuple(lines[end:after]))
        number = after


def _end_of_command(lines: list[str], start: int) -> int:
    document = _HERE_DOCUMENT.search(lines[start])
    if document:
        return lines.index(document[1], start) + 1
    end = start
    while lines[end].endswith("\\"):
        end += 1
    return end + 1


def matches(shown: tuple[str, ...], real: list[str]) -> bool:
    """Whether real output is what is shown."""
    pattern = "".join(
        "(?:.*\n)*?" if line == "..." else _line(line) + "\n" for line in _trimmed(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _trimmed(real))) is not None


def _line(shown: str) -> str:
    return ".*".join(map(re.escape, shown.rstrip().split("...")))


def _trimmed(lines: tuple[str, ...] | list[str]) -> list[str]:
    """Without blanks at the ends of lines, and without empty lines at the end."""
    return "\n".join(line.rstrip() for line in lines).rstrip("\n").split("\n")


@cache
def missing(need: str) -> bool:
    """Whether this machine lacks a program; Docker also has to answer."""
    if shutil.which(need) is None:
        return True
    asked = ["docker", "info"]
    return need == "docker" and bool(
        subprocess.run(asked, capture_output=True, check=False, timeout=PATIENCE).returncode
    )


def run(block: Block, where: Path) -> list[tuple[int, list[str]]]:
    """Status and output, both streams in one, of each command of a block."""
    script = "exec 2>&1\n" + "".join(
        f"{command.text}\nprintf '\\n{_MARK} %d\\n' $?\n" for command in block.commands
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=where,
        env=environment(PATH=path, **_ENGINE),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
    )
    parts = re.split(rf"\n{_MARK} (\d+)\n", os.fsdecode(done.stdout))
    assert len(parts) == 2 * len(block.commands) + 1, os.fsdecode(done.stdout)
    return [
        (int(status), output.split("\n"))
        for output, status in zip(parts[:-1:2], parts[1::2], strict=True)
    ]


@pytest.fixture(name="where", scope="module")
def _where(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all blocks: what one makes, the next may use."""
    return tmp_path_factory.mktemp("readme")


BLOCKS = list(blocks(README.read_text("utf-8"))) if README.exists() else []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: f"line {b.line}")
def test_block(block: Block, where: Path) -> None:
    lacking = [need for need in block.needs if missing(need)]
    if lacking:
        pytest.skip(f"README.md, line {block.line}: needs {', '.join(lacking)}")
    for command, (status, output) in zip(block.commands, run(block, where), strict=True):
        if command.output:
            real = "\n".join(output)
            assert matches(command.output, output), f"$ {command.text}\n{real}"
        else:
            assert status == 0, f"$ {command.text}\n{output}"


def test_readme_has_blocks() -> None:
    assert BLOCKS, "README.md shows the commands at work"


def test_of_the_comparison() -> None:
    assert matches(("a ... c",), ["a b c"])
    assert matches(("a", "...", "d"), ["a", "b", "c", "d", ""])
    assert matches(("a", "..."), ["a"])
    assert not matches(("a", "b"), ["a"])
    assert not matches(("a.c",), ["abc"])
    assert not matches(("a", "..."), ["b", "a"])
