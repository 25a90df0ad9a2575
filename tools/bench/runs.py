"""Runs a command to its end and tells what it took. This process stays small: what a child has as
its peak of memory begins with what it was forked from."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple


class WrongError(Exception):
    """A command ended otherwise, or left something else, than it should: its time means nothing."""


class Command(NamedTuple):
    argv: tuple[str, ...]
    statuses: tuple[int, ...] = (0,)
    """With which it may end."""
    makes: tuple[str, ...] = ()
    """What it writes, below the working directory: removed before each run."""
    proof: Callable[[], None] | None = None
    """Looks closely at what the first run left, and raises WrongError."""
    again: bool = True
    """False: takes long, is run once, and counts with the first turn."""


class Ran(NamedTuple):
    seconds: float
    cpu: float
    """Seconds, user and system, of it and all that it started."""
    peak: float
    """MB, of the largest single process."""
    left: tuple[int, ...]
    """Bytes of its output and of each file that it made: the same in each run."""


OUT, ERR = "stdout", "stderr"
"""Where a command's streams go, in the working directory."""
_HARMLESS = ("HOME", "LANG", "PATH", "TMPDIR", "USER")


def environment(needed: Mapping[str, str] = {}) -> dict[str, str]:
    """What commands get: nothing that makes Python another one than at its user's."""
    kept = {name: value for name, value in os.environ.items() if name in _HARMLESS}
    return {**kept, "LC_ALL": "C", **needed}


def run(command: Command, env: Mapping[str, str]) -> Ran:
    """Run it once.

    Raises:
        WrongError: it ends with another status than it may, or leaves nothing.
    """
    for made in command.makes:
        remove(made)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    streams = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, OUT, flags, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, ERR, flags, 0o600),
    ]
    start = time.perf_counter()
    try:
        child = os.posix_spawnp(command.argv[0], command.argv, env, file_actions=streams)
    except OSError as e:
        raise WrongError(f"{_short(command)} cannot be run: {e.strerror}") from None
    try:
        _, status, used = os.wait4(child, 0)
    except BaseException:
        os.kill(child, 15)
        os.wait4(child, 0)
        raise
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code not in command.statuses:
        raise WrongError(f"{_short(command)} ended with {code}: {_said()}")
    return Ran(
        seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1.024 / 1000, _left(command)
    )


def _left(command: Command) -> tuple[int, ...]:
    try:
        return (os.path.getsize(OUT), *(os.path.getsize(made) for made in command.makes))
    except OSError as e:
        raise WrongError(f"{_short(command)} left no {e.filename}") from None


def _short(command: Command) -> str:
    words = [os.path.basename(command.argv[0]), *command.argv[1:3]]
    return " ".join(words if len(" ".join(words)) < 60 else words[:1])


def _said() -> str:
    lines = Path(ERR).read_text(errors="replace").splitlines()
    return lines[-1] if lines else "without a word"


def remove(path: str) -> None:
    """A file, or a tree, if it is there; with the list that elfpack keeps beside a tree."""
    import shutil

    if os.path.isdir(path):
        shutil.rmtree(path)
        Path(path).with_name(f".{Path(path).name}.elfpack").unlink(missing_ok=True)
    else:
        Path(path).unlink(missing_ok=True)
