"""Random small worlds: the same names, paths and order as the real loaders have, or the same
reason to stop. ELFPACK_SEED and ELFPACK_WORLDS choose other worlds, or a single one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle.compare import Compare, compare_glibc, compare_musl, reduce, told, verdict
from tests.oracle.figures import record
from tests.oracle.found import GLIBC, MUSL
from tests.oracle.generate import Maker, MuslMaker
from tests.worlds import LOADER, MUSL_LOADER, on_disk

SEED = 20_000
TOLD = 3
"""Differences that are shown in full."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot")


def seeds(usual: int) -> range:
    first = int(os.environ.get("ELFPACK_SEED", SEED))
    return range(first, first + int(os.environ.get("ELFPACK_WORLDS", usual)))


def run(part: str, chosen: range, maker: type[Maker], compare: Compare) -> list[str]:
    """Compare the worlds of these seeds; the differences, told."""
    differing, died = [], 0
    for seed in chosen:
        found = verdict(maker(seed).make(), compare)
        died += found.died
        if not found.died and not found.equal:
            differing.append(seed)
    total = len(chosen) - died
    note = f"seeds from {chosen.start}" + (f", {died} more in which it died" if died else "")
    record(part, total - len(differing), total, note)
    return [_shown(seed, maker, compare) for seed in differing[:TOLD]] + (
        [f"seeds {differing}"] if differing else []
    )


def _shown(seed: int, maker: type[Maker], compare: Compare) -> str:
    made = reduce(maker(seed).make(), compare)
    return f"seed {seed}, reduced:\n{told(made, verdict(made, compare))}"


@needs_root
@pytest.mark.skipif(not Path(LOADER).exists(), reason=f"no {LOADER} here")
def test_glibc() -> None:
    differing = run("(c) random worlds of glibc", seeds(400), Maker, compare_glibc)
    assert not differing, "\n\n".join(differing)


@needs_root
@pytest.mark.skipif(not Path(MUSL_LOADER).exists(), reason=f"no {MUSL_LOADER} here")
def test_musl() -> None:
    differing = run("(f) musl: random worlds", seeds(200), MuslMaker, compare_musl)
    assert not differing, "\n\n".join(differing)


@needs_root
@pytest.mark.part("(b) rows of glibc")
@pytest.mark.skipif(not Path(LOADER).exists(), reason=f"no {LOADER} here")
@pytest.mark.parametrize("name", GLIBC)
def test_glibc_found(name: str) -> None:
    found = verdict(GLIBC[name], compare_glibc)
    assert found.got == found.expected
    assert not found.died


@needs_root
@pytest.mark.part("(f) musl: rows")
@pytest.mark.skipif(not Path(MUSL_LOADER).exists(), reason=f"no {MUSL_LOADER} here")
@pytest.mark.parametrize("name", MUSL)
def test_musl_found(name: str) -> None:
    found = verdict(MUSL[name], compare_musl)
    assert found.got == found.expected
    assert not found.died


@needs_root
@pytest.mark.parametrize("tag", ["auxiliary", "filter"])
def test_what_keeps_the_real_loader_busy_for_ever(tag: str, tmp_path: Path) -> None:
    """A program that filters itself is loaded again and again: elfpack comes to an end."""
    on_disk({"/opt/libe.so": f"lib {tag}=libe.so rpath=/opt"}, tmp_path)
    subprocess.run(
        [sys.executable, "-m", "elfpack", "deps", "--root", str(tmp_path), "/opt/libe.so"],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=20,
    )
