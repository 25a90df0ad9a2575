"""Runs ``python -m elfpack`` as its users do: in a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

COMMAND = (sys.executable, "-m", "elfpack")
SPOKEN = re.compile(r"elfpack: (error|warning|note): *\S")
"""How every line on standard error begins."""
_INHERITED = ("PATH", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONHASHSEED", "VIRTUAL_ENV")
PATIENCE = 60
"""Seconds after which a run counts as one that hangs."""


class Ran(NamedTuple):
    """What a run left: exit status and both streams."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> list[str]:
        """The lines of standard output."""
        return _lines(self.stdout)

    @property
    def err(self) -> list[str]:
        """The lines of standard error."""
        return _lines(self.stderr)

    def said(self, kind: str) -> list[str]:
        """What stands behind ``elfpack: KIND: `` on standard error, line by line."""
        head = f"elfpack: {kind}: "
        return [line.removeprefix(head) for line in self.err if line.startswith(head)]


def _lines(raw: bytes) -> list[str]:
    # Only newlines end a line: splitlines() would split at what a name may hold.
    return os.fsdecode(raw).removesuffix("\n").split("\n") if raw else []


def environment(**variables: str | bytes) -> dict[str, str | bytes]:
    """An environment without what elfpack reads, but with these variables."""
    kept: dict[str, str | bytes] = {k: v for k, v in os.environ.items() if k in _INHERITED}
    return {**kept, **variables}


def elfpack(
    *arguments: str | bytes | Path,
    cwd: Path | None = None,
    env: Mapping[str, str | bytes] | None = None,
    stdin: int | None = subprocess.DEVNULL,
    stdout: Any = subprocess.PIPE,
    preexec: Callable[[], object] | None = None,
    before: Sequence[str] = (),
) -> Ran:
    """Run elfpack with these arguments. ``before`` is put in front of the command.

    Raises:
        subprocess.TimeoutExpired: it hangs.
    """
    done = subprocess.run(
        [*before, *COMMAND, *arguments],
        cwd=cwd,
        env=environment() if env is None else env,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        preexec_fn=preexec,
        check=False,
        timeout=PATIENCE,
    )
    return Ran(done.returncode, done.stdout or b"", done.stderr)


def well_spoken(ran: Ran) -> None:
    """Nothing on standard error but elfpack's own lines; it ended by itself."""
    assert b"Traceback" not in ran.stderr, os.fsdecode(ran.stderr)
    assert ran.status in (0, 1, 2), f"ended with {ran.status}: {_ending(ran.status)}"
    for line in ran.err:
        assert SPOKEN.match(line), f"not elfpack's manner of speaking: {line!r}"
        assert line.isprintable(), f"could steer a terminal: {line!r}"


def _ending(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else "a status of its own"


def one_error(ran: Ran, status: int, subject: str) -> str:
    """The one error line: ``FILE: what is wrong (what to do)``. Nothing was printed as a result."""
    well_spoken(ran)
    assert ran.status == status, ran
    errors = ran.said("error")
    assert len(errors) == 1, ran.err
    assert errors[0].startswith(f"{subject}: "), errors[0]
    fact = errors[0].removeprefix(f"{subject}: ")
    assert re.fullmatch(r"\S.* \([^()].*\)", fact), f"does not say what to do: {errors[0]!r}"
    return fact
