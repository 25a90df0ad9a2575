"""Sends a run of inputs through elfpack in a process of its own, which has limits of time and
memory, and may die. It writes lines of JSON: where it is, each find, and figures at its end."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from tools.fuzz.drive import Place, drive
from tools.fuzz.formats import Case, case

SECONDS = 5.0
"""Of a processor's time that an input may take. Beside other load a clock would tell nothing."""
PEAK = 300
"""MB that the process may have at any time."""
_MOST = 2 << 30
"""Bytes of address space, so that the machine survives."""


class SlowError(BaseException):
    """An input took too long. No Exception: nobody between may take it for his own."""


class Measured(NamedTuple):
    """What an input came to."""

    wrong: str
    """Empty, or what is wrong with a line of code, by which finds are counted."""
    trace: str
    seconds: float
    peak: float


def _stop(signal_number: int, frame: FrameType | None) -> None:
    raise SlowError(f"more than {SECONDS:g} s")


def measured(case: Case, place: Place, way: Callable[[Case, Place], None] = drive) -> Measured:
    """Send an input its ways, and tell what is wrong."""
    Path("/proc/self/clear_refs").write_text("5")
    start = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    wrong = trace = ""
    try:
        way(case, place)
    except (SlowError, Exception) as e:
        wrong, trace = _signature(e), traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        gc.unfreeze()  # each command freezes what is there when it ends
    seconds, peak = time.process_time() - start, _peak()
    if not wrong and peak > PEAK:
        wrong = trace = f"took {peak:.0f} MB: {case.ways}"
    return Measured(wrong, trace, seconds, peak)


def _peak() -> float:
    """MB that this process had at most since it was asked to forget."""
    with open("/proc/self/status", "rb") as file:
        line = next(line for line in file if line.startswith(b"VmHWM:"))
    return int(line.split()[1]) * 1.024 / 1000


def _signature(error: BaseException) -> str:
    """The kind of an error, and where in elfpack it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [f for f in frames if "/elfpack/" in f.filename] or list(frames)
    at = inside[-1]
    told = str(error).splitlines()[0][:100] if str(error) else ""
    where = f"{at.filename.rpartition('/elfpack/')[2]}:{at.lineno}"
    return f"{type(error).__name__} at {where}: {told}"


def limit() -> None:
    """Set what this process may have. Whoever waits for it in vain ends it with SIGABRT, and gets
    to see where it was."""
    faulthandler.enable()
    signal.signal(signal.SIGPROF, _stop)
    resource.setrlimit(resource.RLIMIT_AS, (_MOST, _MOST))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.clear()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)


def main(argv: list[str]) -> int:
    """``worker FORMAT FIRST COUNT``; the first line of each input has its number."""
    form, first, count = argv[0], int(argv[1]), int(argv[2])
    out = os.fdopen(os.dup(1), "w")
    limit()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    top = Path(tempfile.mkdtemp(prefix="elfpack-fuzz-", dir=memory))
    figures: dict[str, Any] = {"inputs": 0, "seconds": 0.0, "peak": 0.0, "slowest": [0.0, ""]}
    try:
        place = Place(top)
        for number in range(first, first + count):
            print(json.dumps({"at": number}), file=out, flush=True)
            one = case(form, number)
            found = measured(one, place)
            _count(figures, one, found)
            if found.wrong:
                row = {"find": one.name, "wrong": found.wrong, "trace": found.trace}
                print(json.dumps(row), file=out, flush=True)
                place.nothing_else(True)
            if number % 256 == 255:
                gc.collect()
        print(json.dumps(figures), file=out, flush=True)
    finally:
        os.chdir("/")
        shutil.rmtree(top, ignore_errors=True)
    return 0


def _count(figures: dict[str, Any], one: Case, found: Measured) -> None:
    figures["inputs"] += 1
    figures["seconds"] += found.seconds
    figures["peak"] = max(figures["peak"], found.peak)
    figures["slowest"] = max(figures["slowest"], [found.seconds, one.name])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
