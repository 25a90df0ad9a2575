"""The entry point of the installed script, after which the process is gone at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

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


class Late(NamedTuple):
    """What happens when a module is loaded."""

    name: str
    module: str
    error: str
    said: str


LATE = [
    Late("interrupted at once", "elfpack.cli", "KeyboardInterrupt()", "interrupted (nothing"),
    Late("interrupted later", "elfpack.cli.plain", "KeyboardInterrupt()", "interrupted (nothing"),
    Late("interrupted at the end", "elfpack.report.use", "KeyboardInterrupt()", "interrupted"),
    Late("a disk", "elfpack.cli.plain", "OSError(5, 'Input/output error')", "a module cannot be"),
    Late("no such module", "elfpack.cli.plain", "ImportError('no x')", "a module cannot be"),
    Late("no such module later", "elfpack.report.use", "ImportError('no x')", "a module cannot be"),
    Late("no memory", "elfpack.pack.output", "MemoryError()", "out of memory"),
]
_HOOK = """
import sys

class Hook:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise {error}

sys.meta_path.insert(0, Hook())
"""


@pytest.mark.parametrize("started", [COMMAND, (sys.executable, "tools/bin/elfpack")], ids=str)
@pytest.mark.parametrize("case", LATE, ids=lambda case: case.name)
def test_a_module_that_cannot_be_loaded(
    case: Late, started: tuple[str, ...], tmp_path: Path
) -> None:
    if not all(Path(word).exists() for word in started if "/" in word):
        pytest.skip("the tools are not here")
    hook = _HOOK.format(module=case.module, error=case.error)
    (tmp_path / "sitecustomize.py").write_text(hook)
    env = environment()
    env["PYTHONPATH"] = os.pathsep.join(map(str, filter(None, (tmp_path, *sys.path))))
    command = [*started, "layer", "/usr/bin/env", "-o", str(tmp_path / "x.tar")]
    done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=60)
    assert done.stderr.startswith(b"elfpack: error: " + case.said.encode()), done.stderr
    assert (done.returncode, done.stderr.count(b"\n")) == (2, 1)
    assert not [name for name in os.listdir(tmp_path) if "x.tar" in name]
