"""The engine for these tests, and the table at their end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docker.engine import Engine, find, required


class Line(NamedTuple):
    """One line of the table."""

    program: str
    host: int | str
    container: int
    equal: bool
    size: int


_LINES = pytest.StashKey[list[Line]]()
Report = Callable[[Line], None]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that answers. Without one its tests are skipped, or fail if the environment has
    ELFPACK_REQUIRE_ENGINE=1."""
    found = find()
    if found is None:
        (pytest.fail if required() else pytest.skip)("no Docker engine answers")
    return found


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with some data in it."""
    (tmp_path / "data.txt").write_text("some data\n")
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "a.txt").write_text("first\n")
    (tmp_path / "tree" / "sub" / "b.txt").write_text("second\n")
    return tmp_path


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Takes a line for the table that is printed at the end."""
    return request.config.stash.setdefault(_LINES, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = config.stash.get(_LINES, [])
    if not lines:
        return
    width = max(len(line.program) for line in lines)
    terminalreporter.section("layers run from scratch")
    head = f"{'program':{width}}  {'host':>4}  container  equal  {'layer bytes':>12}"
    terminalreporter.line(head)
    for line in lines:
        equal = "yes" if line.equal else "NO"
        terminalreporter.line(
            f"{line.program:{width}}  {line.host:>4}  {line.container:>9}  {equal:5}  "
            f"{line.size:12,}"
        )
    total = sum(line.equal for line in lines)
    terminalreporter.line(f"{total} of {len(lines)} as on the host")
