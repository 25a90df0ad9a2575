"""The single file: python3 runs it with no package installed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools/pyz.py"


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not TOOL.exists():
        pytest.skip("the tools are not here")
    return built(tmp_path_factory.mktemp("pyz") / "elfpack.pyz", {})


def built(out: Path, more: dict[str, str]) -> Path:
    subprocess.run(
        [sys.executable, str(TOOL), str(out)],
        check=True,
        env={**os.environ, **more},
        timeout=60,
    )
    return out


def run(pyz: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Without site-packages: nothing but python itself."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(pyz), *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=pyz.parent,
        timeout=60,
    )


def test_it_does_what_the_package_does(pyz: Path) -> None:
    for arguments in (["--version"], ["deps", "/bin/sh"], ["layer", "--help"]):
        installed = subprocess.run(
            [sys.executable, "-m", "elfpack", *arguments],
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        assert run(pyz, *arguments).stdout == installed.stdout


def test_it_writes_a_layer(pyz: Path) -> None:
    done = run(pyz, "layer", "/bin/sh", "-q", "-o", "sh.tar")
    assert (done.returncode, done.stderr) == (0, "")
    installed = [sys.executable, "-m", "elfpack", "layer", "/bin/sh", "-q", "-o", "other.tar"]
    subprocess.run(installed, check=True, cwd=pyz.parent, timeout=60)
    assert (pyz.parent / "sh.tar").read_bytes() == (pyz.parent / "other.tar").read_bytes()


def test_it_tells_a_fault_in_one_line(pyz: Path) -> None:
    done = run(pyz, "deps", "/none")
    assert done.returncode == 2
    assert done.stderr.startswith("elfpack: error: /none: ")
    assert done.stderr.count("\n") == 1


def test_only_strip_asks_for_lief(pyz: Path) -> None:
    done = run(pyz, "layer", "/bin/sh", "--strip", "-o", "stripped.tar")
    assert done.returncode == 2
    assert done.stderr == (
        "elfpack: error: --strip: lief is not installed (pip install lief, or go without --strip)\n"
    )
    assert not (pyz.parent / "stripped.tar").exists()


def test_it_is_a_program(pyz: Path) -> None:
    assert pyz.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    assert os.access(pyz, os.X_OK)


def test_it_is_built_the_same_twice(pyz: Path, tmp_path: Path) -> None:
    again = built(tmp_path / "again.pyz", {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"})
    assert again.read_bytes() == pyz.read_bytes()


def test_it_has_the_licences_of_what_it_carries(pyz: Path) -> None:
    names = zipfile.ZipFile(pyz).namelist()
    assert {name.split("/")[1] for name in names if name.startswith("licenses/")} >= {
        "click",
        "elftools",
    }
