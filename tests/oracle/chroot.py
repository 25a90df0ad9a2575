"""Asks a real loader inside a directory that is its root. Needs root's rights.

The child changes its root itself: a chroot(1) in between would be traced in place of the program.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.oracle.realloader import listed


class Answer(NamedTuple):
    """What a loader said of a program."""

    status: int
    """As of subprocess: negative if it died by a signal."""
    lines: list[str]
    """Its list, as elfpack has it: without addresses and the vDSO."""
    errors: str
    """What it printed on standard error."""


def run(
    top: Path,
    command: Sequence[str],
    *,
    cwd: str = "/",
    env: Mapping[str, str] | None = None,
    together: bool = False,
) -> Answer:
    """Run a command with ``top`` as its root and ``cwd`` as its directory there.

    ``together``: its errors stand among its lines, where they were written.
    """

    def enter() -> None:
        os.chroot(top)
        os.chdir(cwd)

    done = subprocess.run(
        list(command),
        env=dict(env or {}),
        preexec_fn=enter,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=20,
    )
    return Answer(done.returncode, listed(done.stdout), os.fsdecode(done.stderr or b"").strip())


def trace(
    top: Path, command: Sequence[str], *, cwd: str = "/", env: Mapping[str, str] | None = None
) -> Answer:
    """What glibc's loader lists; the command is ``LOADER PROGRAM``, or a program that the kernel
    starts."""
    return run(top, command, cwd=cwd, env={"LD_TRACE_LOADED_OBJECTS": "1", **(env or {})})
