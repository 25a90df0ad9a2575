"""What needs more than one failing call: runs that write the same output at once, sources that
change while they are read, a disk that is full."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.faults import judge
from tools.faults.cases import CASES, Case, World
from tools.faults.runs import PATIENCE, Fault, Ran, fresh, run, run_in, state
from tools.faults.start import CHANGES

AT_ONCE = 4
NO_FAULT = Fault("", 0, "")


def at_once(world: World, turns: int) -> Iterator[str | None]:
    """Several runs that write one output: each ends well or says why not, and one of them is what
    is there at the end. Yields None for each time that went well."""
    for case in CASES:
        if not case.output:
            continue
        right = run(world, case)
        for _ in range(turns):
            place = fresh(world)
            world.prepare(case, place)
            wrong = list(_together(world, case, place, right))
            yield from (f"{case.name}, {AT_ONCE} at once: {w}" for w in wrong)
            if not wrong:
                yield None
            shutil.rmtree(place)


def _together(world: World, case: Case, place: Path, right: Ran) -> Iterator[str]:
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


SOURCE = "big"
"""The file that changes, in the working directory."""
_PACKS = ("layer", "/bin/cat", "--add", f"./{SOURCE}", "-q")
CHANGING = [
    Case("changing, to a tar", (*_PACKS, "-o", "x.tar"), "x.tar", "file"),
    Case("changing, to a tar.gz", (*_PACKS, "-o", "x.tar.gz"), "x.tar.gz", "file"),
    Case("changing, to a tree", (*_PACKS, "-o", "x/"), "x/", "tree"),
    Case("changing, to an image", ("image", *_PACKS[1:], "-t", "a:1", "-o", "x.tar"), "x.tar"),
    Case("changing, stripped", (*_PACKS, "--strip", "-o", "x.tar"), "x.tar", "file"),
]
_CALLS = ("open", "pread", "preadv", "copy_file_range", "sendfile", "splice", "write", "fstat")


def changing(world: World, turns: int) -> Iterator[str | None]:
    """A source that changes at any moment: the output is that of before or of after, or the old
    one. Yields None for each run that went well."""
    for case in CHANGING:
        right = [_changed(world, case, how=None), *(_changed(world, case, how=h) for h in CHANGES)]
        states = [ran.state.get(case.output.rstrip("/")) for ran in right if ran.status == 0]
        for how in CHANGES:
            for call in _CALLS:
                for turn in range(1, turns + 1):
                    # Later turns are further apart: the first calls are all of the plan.
                    ran = _changed(world, case, how, f"{call}:{turn * turn}")
                    wrong = _judged(world, case, ran, states)
                    where = f"{case.name}: {how} at {call} {turn * turn}"
                    yield from (f"{where}: {w} {ran.stderr[-300:]!r}" for w in wrong)
                    if not wrong:
                        yield None


def _changed(world: World, case: Case, how: str | None, where: str = "") -> Ran:
    """A run of it; without a place in it the change comes first."""
    place = fresh(world)
    world.prepare(case, place)
    source = place / SOURCE
    shutil.copy2(world.big, source)
    env = {}
    if how is not None and where:
        env["ELFPACK_CHANGE"] = f"{how}:{where}:{source}"
    elif how is not None:
        CHANGES[how](str(source))
    ran = run_in(world, case, place, more=env)
    shutil.rmtree(place)
    return ran


def _judged(world: World, case: Case, ran: Ran, states: list[str | None]) -> list[str]:
    wrong = judge.manners(ran, NO_FAULT)
    place = fresh(world)
    world.prepare(case, place)
    before = state(place).get(case.output.rstrip("/"))
    shutil.rmtree(place)
    got = ran.state.get(case.output.rstrip("/"))
    if got not in (states if ran.status == 0 else (before,)):
        wrong.append("half an output")
    if judge.strays(ran.state):
        wrong.append(f"left {judge.strays(ran.state)}")
    return wrong


def full_disk(world: World) -> Iterator[str | None]:
    """A disk that has no room: the old output stays, and the line says so. Needs root; yields None
    for each run that went well."""
    for case in CASES:
        if not case.output:
            continue
        place = fresh(world)
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
        if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
            print("full disk: nothing can be mounted here")
            return
        try:
            inner = place / "here"
            inner.mkdir()
            if case.old == "file":
                (inner / case.output).write_bytes(b"old")
            before = state(inner)
            ran = run_in(world, case, inner)
            wrong = judge.manners(ran, NO_FAULT)
            if ran.status != 2 or "no space left" not in ran.stderr or ran.state != before:
                wrong.append(f"ended with {ran.status}: {ran.stderr[-300:]!r}")
            yield from (f"{case.name}, a full disk: {w}" for w in wrong)
            if not wrong:
                yield None
        finally:
            subprocess.run(["umount", str(place)], check=True)
