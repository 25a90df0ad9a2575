"""Asks a real loader what it loads. It is started itself; the program never runs."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from elfpack.api.session import Session
from elfpack.loader.closure import Closure
from elfpack.loader.search import Dead

_ADDRESS = re.compile(rb" \(0x[0-9a-f]+\)$")
_VDSO = re.compile(rb"\tlinux-(vdso|gate)")


def ask(loader: str, program: str, *, cwd: Path | None = None, **env: str) -> tuple[int, list[str]]:
    """Exit status and lines of ``LD_TRACE_LOADED_OBJECTS=1 LOADER PROGRAM``, as elfpack has them:
    without addresses and the vDSO."""
    done = subprocess.run(
        [loader, program],
        env={"LD_TRACE_LOADED_OBJECTS": "1", **env},
        cwd=cwd,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return done.returncode, listed(done.stdout)


def listed(output: bytes) -> list[str]:
    """The lines of a loader's list without addresses and the vDSO."""
    return [
        os.fsdecode(_ADDRESS.sub(b"", line))
        for line in output.split(b"\n")
        if line and not _VDSO.match(line)
    ]


def message(loader: str, program: str, *, cwd: Path | None = None, **env: str) -> str:
    """What the loader prints on standard error."""
    done = subprocess.run(
        [loader, program],
        env={"LD_TRACE_LOADED_OBJECTS": "1", **env},
        cwd=cwd,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    return os.fsdecode(done.stderr).strip()


def candidates(loader: str, program: str, *, cwd: Path | None = None, **env: str) -> list[str]:
    """The paths of ``trying file=`` in ``LD_DEBUG=libs``, in order."""
    text = message(loader, program, cwd=cwd, LD_DEBUG="libs", **env)
    return re.findall(r"trying file=(.*)", text)


def traced(session: Session, closure: Closure) -> list[str]:
    """The candidates that elfpack's own trace has, in order, as ``LD_DEBUG=libs`` tells them: a
    name with a slash is opened without a word."""
    state, search = session.resolver.steps(closure, session.again(closure))
    dead: Dead = set()
    return [
        probe.path
        for step in state.steps or ()
        if step.scope is not None and "/" not in step.name
        for probe in search.trail(step.name, step.scope, dead)
    ]
