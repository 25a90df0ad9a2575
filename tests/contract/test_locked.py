"""What continuous integration installs: pinned, with hashes, within pyproject.toml's bounds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

PROJECT = Path(__file__).parents[2]
LOCKED = PROJECT / "tools" / "locked"
PINNED = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?: ;[^\\]*)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def pins(name: str) -> list[tuple[str, Version]]:
    """Names and versions of a lock; every requirement of it has to be pinned and to have hashes."""
    found = []
    text = (LOCKED / f"{name}.txt").read_text()
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        requirement, *hashes = re.split(r"\s+(?=--)", line.strip())
        pinned = PINNED.fullmatch(requirement.strip())
        assert pinned is not None, line[:80]
        assert hashes and all(HASH.fullmatch(one.strip()) for one in hashes), pinned["name"]
        found.append((pinned["name"], Version(pinned["version"])))
    return found


def wanted() -> list[Requirement]:
    text = (PROJECT / "pyproject.toml").read_text()
    lists = re.findall(r"^(?:dependencies|dev|fuzz|requires) = \[(.*?)\]$", text, re.M | re.S)
    assert len(lists) == 4
    return [Requirement(one) for each in lists for one in re.findall(r'"([^"]+)"', each)]


def lowest() -> dict[str, str]:
    command = ["sh", "tools/bounds"]
    text = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    return dict(line.split("==") for line in text.split())


def test_all_that_pyproject_names_is_pinned_within_its_bounds() -> None:
    pinned = pins("dev")
    for requirement in wanted():
        versions = [version for name, version in pinned if name == requirement.name]
        assert versions, requirement
        assert all(version in requirement.specifier for version in versions), requirement


def test_the_lowest_versions_are_those_of_pyproject() -> None:
    pinned = dict(pins("lowest"))
    bounds = lowest()
    assert set(bounds) == {"click", "lief", "pyelftools", "zstandard"}
    for name, version in bounds.items():
        assert pinned[name] == Version(version), name


@pytest.mark.parametrize("name", ["run", "dev", "lowest"])
def test_what_builds_elfpack_is_pinned_too(name: str) -> None:
    assert "setuptools" in dict(pins(name))
    text = (LOCKED / f"{name}.txt").read_text()
    assert "://" not in text, "a lock names no host"
