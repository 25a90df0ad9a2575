"""The entry point of the installed script, after which the process is gone at once."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from elfpack import cli
from tests.cli import COMMAND, environment

PROFILED = (sys.executable, "-m", "cProfile", *COMMAND[1:], "deps")


def test_a_profiler_has_its_say() -> None:
    done = subprocess.run(
        [*PROFILED, "/nothing"], env=environment(), capture_output=True, check=False, timeout=60
    )
    assert b"function calls" in done.stdout
    assert b"elfpack: error: /nothing: no such file" in done.stderr


def test_so_has_who_uses_the_interface_of_python_3_12(monkeypatch: pytest.MonkeyPatch) -> None:
    tools: dict[int, str | None] = dict.fromkeys(range(6))
    monkeypatch.setattr(sys, "monitoring", SimpleNamespace(get_tool=tools.get), raising=False)
    monkeypatch.setattr(sys, "gettrace", lambda: None)
    monkeypatch.setattr(sys, "getprofile", lambda: None)
    assert not cli._is_watched()
    tools[2] = "cProfile"
    assert cli._is_watched()


def test_what_click_has_printed_is_written_before() -> None:
    done = subprocess.run(
        [*COMMAND, "--help"], env=environment(), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0
    assert b"deps" in done.stdout


def test_a_reader_of_the_help_may_leave() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "--help"],
        env=environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
