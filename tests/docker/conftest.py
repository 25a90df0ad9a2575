"""The engine for these tests, and the table at their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docker.engine import Engine, find, required


class Line(NamedTuple):
    """One line of the table."""

    program: str
    host: int | str
    """Its status; ``-`` where the host is no measure."""
    container: int
    equal: bool
    size: int
    yes: str = "yes"
    """What stands for equal: ``fails`` where that is what it should do."""


_LINES = pytest.StashKey[list[Line]]()
_TOLD = pytest.StashKey[list[str]]()
Report = Callable[[Line], None]
Tell = Callable[[str], None]


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


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Takes a line that is printed below the table."""
    return request.config.stash.setdefault(_TOLD, []).append


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    lines = config.stash.get(_LINES, [])
    if lines:
        terminalreporter.section("layers run from scratch")
        for text in (*_table(lines), *config.stash.get(_TOLD, [])):
            terminalreporter.line(text)


def _table(lines: list[Line]) -> Iterator[str]:
    width = max(len(line.program) for line in lines)
    yield f"{'program':{width}}  {'host':>4}  container  equal  {'layer bytes':>12}"
    for line in lines:
        equal = line.yes if line.equal else "NO"
        yield (
            f"{line.program:{width}}  {line.host:>4}  {line.container:>9}  {equal:5}  "
            f"{line.size:12,}"
        )
    compared = [line.equal for line in lines if line.host != "-"]
    others = [line.equal for line in lines if line.host == "-"]
    yield (
        f"{sum(compared)} of {len(compared)} as on the host, "
        f"{sum(others)} of {len(others)} others as they should be"
    )
