"""Prints the figures of a run at its end.

A test that compares one thing is marked ``part("name of the part")`` and counts as it passes or
fails; one that compares many calls :func:`tests.oracle.figures.record`.
"""

from __future__ import annotations

import pytest

from tests.oracle import figures


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "part(name): counts in the figure of this part")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Only looks: the report itself is left to pytest."""
    part = item.get_closest_marker("part")
    if part is not None and call.when == "call":
        skipped = call.excinfo is not None and call.excinfo.errisinstance(pytest.skip.Exception)
        if not skipped:
            figures.record(part.args[0], int(call.excinfo is None), 1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    told = figures.lines()
    if told:
        terminalreporter.section("equal to the real loaders")
        for line in told:
            terminalreporter.write_line(line)
