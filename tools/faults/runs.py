"""Runs a case, undisturbed or with something that goes wrong."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tools.faults.calls import ERRORS
from tools.faults.cases import Case, World
from tools.faults.start import MARK
from tools.repro import fingerprint

PATIENCE = 60
"""Seconds after which a run counts as one that hangs."""
HANGS = 1000
"""The status of such a run."""
_TRACE = "trace=" + ",".join(f"?{name}" for name in ("access", "faccessat", "faccessat2", *ERRORS))
_LINE = re.compile(r"(\d+) +(\w+)\(")
_numbers = count()


class Ran(NamedTuple):
    """What a run said and left."""

    status: int
    stdout: str
    """Its digest."""
    stderr: str
    state: dict[str, str]
    """What is in its working directory, with the fingerprint of each."""


class Fault(NamedTuple):
    """What goes wrong in a run."""

    call: str
    number: int
    """Which of the process's calls of that name, from 1 on; 0: every one."""
    what: str
    """The name of an error or a signal; ``short``: less than could be done."""


def state(place: Path) -> dict[str, str]:
    """All that is in a directory, and what works in a directory there."""
    found = {path.name: fingerprint(path) for path in sorted(place.iterdir())}
    return {**found, **{str(w.relative_to(place)): "" for w in place.glob("*/.elfpack-*")}}


def fresh(world: World) -> Path:
    """A name for a place of its own."""
    return world.top / f"run-{next(_numbers)}"


def run(world: World, case: Case, fault: Fault | None = None) -> Ran:
    """Run a case in a place of its own."""
    place = fresh(world)
    world.prepare(case, place)
    try:
        return run_in(world, case, place, fault)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def run_in(
    world: World,
    case: Case,
    place: Path,
    fault: Fault | None = None,
    more: Mapping[str, str] = MappingProxyType({}),
) -> Ran:
    """The same where something is already, with more in its environment."""
    env = {**world.env, **more}
    before: list[str] = []
    if fault is not None and fault.what == "short":
        env["ELFPACK_SHORT"] = f"{fault.call}:{fault.number}" if fault.number else fault.call
    elif fault is not None:
        how = "signal" if fault.what.startswith("SIG") else "error"
        when = f"{fault.call}:{how}={fault.what}:when={fault.number}"
        before = _strace(f"trace={fault.call}", "/dev/null", "-e", f"inject={when}")
        if how == "signal":
            before.remove("--seccomp-bpf")  # with it strace 6.1 sends none
    stdout = place.with_name(f"{place.name}-out")
    return _run(world, case, place, stdout, env, before)


def _strace(trace: str, log: str, *more: str) -> list[str]:
    quiet = ("-qqq", "-e", "signal=none")
    return ["strace", "-f", "--seccomp-bpf", *quiet, "-e", trace, *more, "-o", log]


def _run(
    world: World, case: Case, place: Path, out: Path, env: dict[str, str], before: list[str]
) -> Ran:
    start = Path(__file__).with_name("start.py")
    command = [*before, sys.executable, str(start), *world.argv(case)]
    stdin = (world.top / case.stdin).open("rb") if case.stdin else subprocess.DEVNULL
    with out.open("wb") as file:
        process = subprocess.Popen(command, cwd=place, env=env, stdin=stdin,
                                   stdout=subprocess.PIPE if case.to_pipe else file,
                                   stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE)
            status = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            stdout, stderr = process.communicate()
            status = HANGS
    if not isinstance(stdin, int):
        stdin.close()
    stdout = stdout if case.to_pipe else out.read_bytes()
    out.unlink()
    digest = hashlib.sha256(stdout).hexdigest()
    return Ran(status, digest, stderr.decode(errors="replace"), state(place))


class Traced(NamedTuple):
    """An undisturbed run, and what it called."""

    ran: Ran
    calls: dict[str, list[int]]
    """The numbers, among all that its process made of that name, of the calls after its work
    began."""
    mapped: list[str]
    """Maps of files of the world, of which there must be none."""


def traced(world: World, case: Case) -> Traced:
    """Run a case undisturbed, and see what it calls."""
    place = fresh(world)
    log = place.with_name(f"{place.name}-log")
    world.prepare(case, place)
    before = _strace(_TRACE, str(log), "-y")
    ran = _run(world, case, place, place.with_name(f"{place.name}-out"), world.env, before)
    lines = log.read_text(errors="replace").split("\n")
    log.unlink()
    shutil.rmtree(place)
    mapped = [line for line in lines if " mmap(" in line and f"<{world.top}" in line]
    return Traced(ran, counted(lines), mapped)


def counted(lines: list[str]) -> dict[str, list[int]]:
    """The calls of the first process after the mark, by name, from the lines of a trace."""
    turns: dict[str, int] = defaultdict(int)
    found: dict[str, list[int]] = defaultdict(list)
    first, begun = "", False
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        pid, name = match.groups()
        first = first or pid
        if pid != first:
            continue
        turns[name] += 1
        if begun and name in ERRORS:
            found[name].append(turns[name])
        begun = begun or f'"{MARK}"' in line
    return dict(found)
