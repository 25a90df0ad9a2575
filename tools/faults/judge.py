"""What a run may leave: its result, or what was there before and a line that says why."""

from __future__ import annotations

import re
import signal

from tools.faults.calls import SAID_OF_THE_TREE
from tools.faults.cases import Case
from tools.faults.runs import HANGS, Fault, Ran

_STRAY = re.compile(r"(.*/)?\.([^/]*\.)?elfpack-\d+$")
_PYTHONS = re.compile(r"ERROR:root:code for hash .*?unsupported hash type \w+\n", re.DOTALL)
"""What Python's hashlib says of an algorithm that it cannot load, and nobody asked for."""
_HIDDEN = re.compile(r"\..+\.elfpack(-\d+)?$")
_LINE = re.compile(r"elfpack: (error|warning|note): *\S")


def manners(ran: Ran, fault: Fault, *, idle: bool = False) -> list[str]:
    """What is wrong with how it ended and with what it said. ``idle``: it had not begun to write,
    so that a signal may end it as it ends any program."""
    wrong = []
    if ran.status == HANGS:
        return ["hangs"]
    if idle and ran.status == -getattr(signal, fault.what, 0):
        return []
    if ran.status not in (0, 1, 2):
        wrong.append(f"ended with {ran.status}")
    said = _PYTHONS.sub("", ran.stderr)
    if "Traceback" in said:
        wrong.append("a traceback")
    lines = said.split("\n")
    if fault.call != "write":  # else a line may be cut where writing it failed
        wrong += [f"said {line!r}" for line in lines if line and not _LINE.match(line)][:1]
    errors = [line for line in lines if line.startswith("elfpack: error: ")]
    if ran.status == 2 and not errors and fault.call != "write":
        wrong.append("failed without a word")
    wrong += [f"said {line!r}" for line in errors if "fault of elfpack itself" in line]
    if fault.call != "write":
        wrong += [f"said {line!r}" for line in errors if "standard output: " in line]
    return wrong


def outcome(case: Case, fault: Fault, ran: Ran, before: dict[str, str], right: Ran) -> list[str]:
    """What is wrong with what it left. ``before`` is what was there; ``right`` an undisturbed
    run."""
    wrong = []
    is_free = fault.what in SAID_OF_THE_TREE
    if ran.status == right.status and not is_free:
        if ran.stdout != right.stdout:
            wrong.append("another answer, and no error")
        if essence(ran.state) != essence(right.state):
            wrong.append(f"ended well, with {difference(ran.state, right.state)}")
    elif ran.status == 1 and not is_free:
        wrong.append("its own trouble is told as a finding")
    name = case.output.rstrip("/")
    if name and not (is_free and ran.status == 0):
        got = ran.state.get(name)
        if got not in (before.get(name), right.state.get(name)):
            wrong.append("half an output")
    return wrong


def after_kill(case: Case, ran: Ran, before: dict[str, str], right: Ran) -> list[str]:
    """What is wrong with what a killed run left, besides what the next run cleans."""
    if ran.status != -signal.SIGKILL:
        return [f"was not killed: {ran.status}"]
    name = case.output.rstrip("/")
    got = ran.state.get(name)
    fine = (before.get(name), right.state.get(name))
    # A directory that stays what it is is filled piece by piece; an old tree may stand beside it.
    if got not in fine and not (case.is_tree and strays(ran.state)):
        return ["half an output"]
    return []


def essence(state: dict[str, str]) -> dict[str, str]:
    """A state without what concerns nobody but the next run, which removes it."""
    return {name: print_ for name, print_ in state.items() if not _HIDDEN.match(name)}


def strays(state: dict[str, str]) -> list[str]:
    return [name for name in state if _STRAY.match(name)]


def difference(got: dict[str, str], wanted: dict[str, str]) -> str:
    """Names that are there too much, are lacking, or are others."""
    words = [f"{name} too much" for name in got.keys() - wanted.keys()]
    words += [f"no {name}" for name in wanted.keys() - got.keys()]
    words += [f"another {n}" for n in got.keys() & wanted.keys() if got[n] != wanted[n]]
    return ", ".join(sorted(words))
