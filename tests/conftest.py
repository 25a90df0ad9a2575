"""For all tests: where nothing may be skipped, a skipped test is a failure."""

from __future__ import annotations

import os

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """CI sets ELFPACK_NO_SKIP: there every test has what it needs, or the run is red."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("ELFPACK_NO_SKIP") and reporter is not None:
        skipped = reporter.stats.get("skipped", [])
        if skipped and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            reporter.write_line(f"{len(skipped)} skipped, and ELFPACK_NO_SKIP is set", red=True)
