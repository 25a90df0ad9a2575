"""The corpus of hostile files, written once, for tests that need strace and root."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.hostile.__main__ import main as write_corpus


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    """Skips where nobody may be watched."""
    if os.geteuid():
        pytest.skip("needs root: devices are made, and permissions must not hide a way out")
    try:
        done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs strace")
    if done.returncode:
        pytest.skip(f"strace may watch nobody here: {os.fsdecode(done.stderr)}")


@pytest.fixture(scope="session", name="corpus")
def _corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``root``, ``outside`` and ``archives``, as ``python -m tools.hostile`` writes them."""
    top = tmp_path_factory.mktemp("hostile") / "corpus"
    write_corpus(top)
    return top
