"""What needs more than one failing call: runs that write the same output at once, sources that
change while they are read, a disk that is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools.faults import judge
from tools.faults.cases import CASES, Case, World
from tools.faults.runs import PATIENCE, Fault, Ran, fresh, run, run_in, state

AT_ONCE = 4
NO_FAULT = Fault("", 0, "")


def at_once(world: World, turns: int) -> Iterator[str]:
    """Several runs that write one output: each ends well or says why not, and one of them is what
    is there at the end."""
    for case in CASES:
        if not case.output:
            continue
        right = run(world, case)
        for _ in range(turns):
            place = fresh(world)
            world.prepare(case, place)
            before = state(place)
            for wrong in _together(world, case, place, before, right):
                yield f"{case.name}, {AT_ONCE} at once: {wrong}"
            shutil.rmtree(place)


def _together(
    world: World, case: Case, place: Path, before: dict[str, str], right: Ran
) -> Iterator[str]:
    command = [sys.executable, "-m", "elfpack", *world.argv(case)]
    running = [
        subprocess.Popen(command, cwd=place, env=world.env, text=True,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(AT_ONCE)
    ]  # fmt: skip
    statuses = []
    for one in running:
        said = one.communicate(timeout=PATIENCE)[1]
        statuses.append(one.returncode)
        yield from judge.manners(Ran(one.returncode, "", said, {}), NO_FAULT)
    if 0 not in statuses:
        yield f"nobody wrote it: {statuses}"
    if state(place) != right.state:
        yield f"left {judge.difference(state(place), right.state)} {statuses}"
    again = run_in(world, case, place)
    if again.status != 0 or again.state != right.state:
        yield f"the next run: {again.status}, {again.stderr[-200:]!r}"


Change = Callable[[Path], object]


def _grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def _replaced(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    other.rename(path)


CHANGES: dict[str, Change] = {
    "shrinks": lambda path: os.truncate(path, 1000),
    "grows": _grown,
    "is replaced": _replaced,
    "is gone": Path.unlink,
    "is written to": lambda path: path.write_bytes(bytes(path.stat().st_size)),
}
