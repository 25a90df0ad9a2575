"""The tool that lets calls fail: what it is held against can fail, too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

pytest.importorskip("tools.faults", reason="the tools are not here")

from tests.cli import environment
from tools.faults import judge, start
from tools.faults.__main__ import SHORT_CALLS
from tools.faults.calls import ERRORS, LETHAL, picked
from tools.faults.cases import CASES
from tools.faults.runs import HANGS, Fault, Ran, counted

TO_FILE = next(case for case in CASES if case.old == "file")
TO_TREE = next(case for case in CASES if case.old == "tree")
BEFORE = {"x.tar": "old", "x": "old"}
RIGHT = Ran(0, "said", "", {"x.tar": "new", "x": "new"})
WELL = "elfpack: error: x.tar: cannot be written: no space left on device (make room)\n"
FAILED = Ran(2, "", WELL, BEFORE)
EIO = Fault("read", 7, "EIO")
WRITE = Fault("write", 7, "EIO")


class Row(NamedTuple):
    name: str
    ran: Ran
    wrong: str
    """The beginning of what is found, if anything is."""
    fault: Fault = EIO


MANNERS = [
    Row("fine", FAILED, ""),
    Row("a note", RIGHT._replace(stderr="elfpack: note: x\n"), ""),
    Row("hangs", FAILED._replace(status=HANGS), "hangs"),
    Row("a signal", FAILED._replace(status=-11), "ended with -11"),
    Row("another status", FAILED._replace(status=120), "ended with 120"),
    Row("a traceback", FAILED._replace(stderr=WELL + "Traceback (most recent"), "a traceback"),
    Row("other words", FAILED._replace(stderr=WELL + "Exception ignored"), "said 'Exception"),
    Row("no word", FAILED._replace(stderr=""), "failed without a word"),
    Row("no word could be said", FAILED._replace(stderr=""), "", WRITE),
    Row(
        "a fault", FAILED._replace(stderr="elfpack: error: a fault of elfpack itself: x\n"), "said"
    ),
    Row("the wrong file", FAILED._replace(stderr="elfpack: error: standard output: x\n"), "said"),
]


@pytest.mark.parametrize("row", MANNERS, ids=lambda row: row.name)
def test_manners(row: Row) -> None:
    assert (judge.manners(row.ran, row.fault) or [""])[0].startswith(row.wrong)
    assert bool(judge.manners(row.ran, row.fault)) == bool(row.wrong)


def test_a_signal_may_end_what_has_not_begun() -> None:
    ran, fault = FAILED._replace(status=-15), Fault("read", 1, "SIGTERM")
    assert judge.manners(ran, fault)
    assert not judge.manners(ran, fault, idle=True)
    assert judge.manners(ran, fault._replace(what="SIGINT"), idle=True)


OUTCOMES = [
    Row("as undisturbed", RIGHT, ""),
    Row("an error", FAILED, ""),
    Row("an error behind a whole output", RIGHT._replace(status=2), ""),
    Row("another answer", RIGHT._replace(stdout="?"), "another answer"),
    Row(
        "another output", RIGHT._replace(state={"x.tar": "half"}), "ended well, with another x.tar"
    ),
    Row("no output", RIGHT._replace(state={}), "ended well, with no x"),
    Row(
        "a file too much", RIGHT._replace(state={**RIGHT.state, "y": "?"}), "ended well, with y too"
    ),
    Row("a finding", FAILED._replace(status=1), "its own trouble"),
    Row("nothing is there", RIGHT, "", Fault("openat", 7, "EACCES")),
    Row("half", FAILED._replace(state={"x.tar": "half"}), "half an output"),
    Row("the old one is gone", FAILED._replace(state={}), "half an output"),
]


@pytest.mark.parametrize("row", OUTCOMES, ids=lambda row: row.name)
def test_outcome(row: Row) -> None:
    found = judge.outcome(TO_FILE, row.fault, row.ran, BEFORE, RIGHT)
    assert bool(found) == bool(row.wrong)
    assert not found or found[0].startswith(row.wrong), found


def test_after_a_kill() -> None:
    work = {".x.tar.elfpack-1": "?", ".x.elfpack-1": "?"}
    killed = FAILED._replace(status=-9)
    assert not judge.after_kill(TO_FILE, killed._replace(state={**BEFORE, **work}), BEFORE, RIGHT)
    assert judge.after_kill(TO_FILE, killed._replace(state={"x.tar": "half"}), BEFORE, RIGHT)
    assert judge.after_kill(TO_FILE, killed._replace(state=work), BEFORE, RIGHT)
    assert not judge.after_kill(TO_TREE, killed._replace(state=work), BEFORE, RIGHT), "it is aside"
    assert judge.after_kill(TO_TREE, killed._replace(state={}), BEFORE, RIGHT)
    assert judge.after_kill(TO_TREE, RIGHT, BEFORE, RIGHT) == ["was not killed: 0"]
    assert judge.strays(work) == list(work)
    assert judge.strays({"x/.elfpack-1": "", "x/elfpack-1": "", ".x.elfpack": ""}) == [
        "x/.elfpack-1"
    ]
    assert judge.strays(BEFORE) == []


def test_calls_are_counted_from_the_mark() -> None:
    lines = [
        "10 read(3) = 0",
        "10 openat(3) = 0",
        f'10 access("{start.MARK}", F_OK) = -1 ENOENT',
        "10 read(3 <unfinished ...>",
        "11 read(3) = 0",
        "10 <... read resumed>) = 0",
        "10 openat(3) = 0",
        "10 getpid() = 1",
        "10 read(3) = 0",
    ]
    assert counted(lines) == {"read": [2, 3], "openat": [2]}


@pytest.mark.parametrize(
    ("count", "most", "got"), [(3, 5, [1, 2, 3]), (9, 3, [1, 5, 9]), (9, 1, [9]), (0, 3, [])]
)
def test_picked(count: int, most: int, got: list[int]) -> None:
    assert picked(list(range(1, count + 1)), most) == got


def test_tables() -> None:
    assert set(LETHAL) <= set(ERRORS)
    assert set(SHORT_CALLS) == set(start.SHORT)
    assert len({case.name for case in CASES}) == len(CASES)


def _started(*words: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, start.__file__, *words]
    env = environment(**variables)
    return subprocess.run(command, env=env, capture_output=True, check=False, timeout=60)


@pytest.mark.parametrize("call", start.SHORT)
def test_short_calls_change_nothing(call: str) -> None:
    plain = _started("deps", "/usr/bin/env")
    for wanted in (call, f"{call}:2"):
        ran = _started("deps", "/usr/bin/env", ELFPACK_SHORT=wanted)
        assert (ran.returncode, ran.stdout) == (plain.returncode, plain.stdout), ran.stderr


@pytest.mark.parametrize("how", start.CHANGES)
def test_changes_change(how: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 1000)
    before = file.read_bytes()
    start.CHANGES[how](str(file))
    assert not file.exists() or file.read_bytes() != before


def test_a_call_that_gives_less(monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[[int, bytes], int] = os.write
    reading, writing = os.pipe()
    monkeypatch.setattr(os, "write", real)
    start.shorten("write:2")
    try:
        assert [os.write(writing, b"123456") for _ in range(3)] == [6, 2, 6]
    finally:
        os.close(reading)
        os.close(writing)
