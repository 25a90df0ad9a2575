"""Who gets ``/tmp``, and who gets nothing at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import elfpack
from elfpack.runtime import MODULES
from tests.cli import elfpack as run


def _by_modules(*programs: str) -> list[str]:
    names = {m.name for m in MODULES}
    return [e.path for e in elfpack.plan(programs).entries if e.reason.source in names]


def test_sort_gets_tmp_alone() -> None:
    assert _by_modules("/usr/bin/sort") == ["/tmp"]


@pytest.mark.parametrize("program", ["cat", "seq", "od", "less", "true"])
def test_nothing(program: str) -> None:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    assert _by_modules(path) == []


def test_what_the_user_names_wins(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp" / "file").write_text("")
    for option in (["--mkdir", "/tmp:0700"], ["--add", f"{tmp_path}/tmp:/tmp"]):
        ran = run("layer", "/usr/bin/sort", *option, "--dry-run", cwd=tmp_path)
        assert ran.status == 0, ran.err
        (line,) = [line for line in ran.out if line.split()[0].rstrip("/") == "/tmp"]
        assert "mkstemp" not in line
