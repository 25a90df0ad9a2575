"""The command."""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tools.fuzz import coverage
from tools.fuzz.corpus import PROJECT
from tools.fuzz.drive import Place, drive
from tools.fuzz.formats import FORMATS, case
from tools.fuzz.worker import PEAK, SECONDS, limit, measured

WHOLE, SHORT = 100_000, 5_000
"""Inputs of a round."""
_COVERAGE, _COVERAGE_SHORT = 240, 30
"""Seconds of the round that coverage guides."""
_PART = 2000
"""Inputs for a process."""
_PATIENCE = 90.0
"""Seconds without a word after which a process hangs that takes no time of a processor."""
_SHOWN = 3
"""Finds of one kind that are kept."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fuzz", description="damaged input for elfpack")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} inputs, not {WHOLE}")
    parser.add_argument("--inputs", type=int, help="so many inputs")
    parser.add_argument("--seed", type=int, default=1, help="other inputs: each seed has its own")
    parser.add_argument("--formats", default=",".join(FORMATS), help="only these, with commas")
    parser.add_argument("--coverage", type=int, metavar="SECONDS", help="so long by coverage")
    parser.add_argument("--again", metavar="FORMAT:NUMBER", help="one input, told at length")
    parser.add_argument("--finds", type=Path, help="the directory for finds, not one of its own")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    return parser.parse_args()


class Part(NamedTuple):
    """Inputs for one process."""

    form: str
    first: int
    inputs: int


@dataclass
class Figures:
    """What a format came to."""

    inputs: int = 0
    seconds: float = 0.0
    peak: float = 0.0
    slowest: list[Any] = field(default_factory=lambda: [0.0, ""])
    wrong: Counter[str] = field(default_factory=Counter)
    """How many finds there are of each kind."""

    def add(self, row: dict[str, Any]) -> None:
        self.inputs += row["inputs"]
        self.seconds += row["seconds"]
        self.peak = max(self.peak, row["peak"])
        self.slowest = max(self.slowest, row["slowest"])


def _parts(options: argparse.Namespace) -> Iterator[Part]:
    """The round, format by format; a seed has a million numbers of its own."""
    chosen = options.formats.split(",")
    count = options.inputs or (SHORT if options.short else WHOLE)
    total = sum(FORMATS[form].share for form in chosen)
    for form in chosen:
        wanted = max(1, count * FORMATS[form].share // total)
        for first in range(0, wanted, _PART):
            yield Part(form, options.seed * 1_000_000 + first, min(_PART, wanted - first))


_WORKER = (sys.executable, "-m", "tools.fuzz.worker")


class Round:
    """All parts, and what was found."""

    def __init__(self, finds: Path, worker: Sequence[str] = _WORKER) -> None:
        self.finds = finds
        self.worker = worker
        self.figures = {form: Figures() for form in FORMATS}

    def run(self, part: Part) -> None:
        """Do a part; after a death, the rest in another process."""
        while part.inputs > 0:
            at = self._process(part)
            if at is None:
                return
            self.figures[part.form].inputs += at + 1 - part.first
            part = Part(part.form, at + 1, part.first + part.inputs - at - 1)

    def _process(self, part: Part) -> int | None:
        """None when it came to its end, else the number of the input that was its last."""
        argv = [*self.worker, *map(str, part)]
        with tempfile.TemporaryFile() as said:
            pipe = subprocess.PIPE
            with subprocess.Popen(argv, cwd=PROJECT, bufsize=0, stdout=pipe, stderr=said) as child:
                at, done = part.first, False
                for row in _rows(child):
                    at = row.get("at", at)
                    done = done or "inputs" in row
                    self._take(part.form, row)
            if done and child.returncode == 0:
                return None
            said.seek(0)
            trace = said.read().decode(errors="replace")
            wrong = f"the process ended with {child.returncode}"
            find = {"find": f"{part.form}:{at}", "wrong": wrong, "trace": trace[-5000:]}
            self._take(part.form, find)
            return at

    def _take(self, form: str, row: dict[str, Any]) -> None:
        if "inputs" in row:
            self.figures[form].add(row)
        if "find" not in row:
            return
        kinds = self.figures[form].wrong
        kinds[row["wrong"]] += 1
        if kinds[row["wrong"]] <= _SHOWN:
            print(f"{row['find']}: {row['wrong']}", flush=True)
            keep(self.finds, row)


def _rows(child: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """What a process says, until it ends, or hangs and is ended."""
    assert child.stdout is not None
    while True:
        if not select.select([child.stdout], [], [], _PATIENCE)[0]:
            child.send_signal(signal.SIGABRT)
        line = child.stdout.readline()
        if not line:
            return
        yield json.loads(line)


def keep(finds: Path, row: dict[str, Any]) -> None:
    """The input of a find, and how to get it again."""
    form, _, number = row["find"].partition(":")
    one = case(form, int(number))
    name = row["find"].replace(":", "-")
    (finds / name).write_bytes(one.seed.raw)
    told = (f"python -m tools.fuzz --again {row['find']}", f"is {one.seed.path}", *one.ways)
    (finds / f"{name}.txt").write_text("\n".join((*told, row["wrong"], row["trace"], "")))


def _again(name: str) -> int:
    """One input, as a worker does it."""
    form, _, number = name.partition(":")
    limit()
    with tempfile.TemporaryDirectory(prefix="elfpack-fuzz-") as top:
        one = case(form, int(number))
        found = measured(one, Place(Path(top)), drive)
        os.chdir("/")
    print(one.seed.path, *one.ways, found.trace, sep="\n")
    print(f"{found.seconds:.3f} s, {found.peak:.0f} MB: {found.wrong or 'nothing wrong'}")
    return 1 if found.wrong else 0


def _table(figures: dict[str, Figures]) -> None:
    print(f"{'':10}{'inputs':>8}{'finds':>7}{'s':>7}{'peak MB':>9}   slowest")
    for form, row in figures.items():
        if row.inputs:
            took, name = row.slowest
            cells = f"{row.inputs:>8}{row.wrong.total():>7}{row.seconds:>7.0f}{row.peak:>9.0f}"
            print(f"{form:10}{cells}   {took:.2f} s {name}")
    print(f"{'':10}{sum(row.inputs for row in figures.values()):>8}", end="")
    print(f"{sum(row.wrong.total() for row in figures.values()):>7}", end="")
    print(f"   (allowed: {SECONDS:g} s of a processor, {PEAK} MB)")


def main() -> int:
    """0: no find; 1: some."""
    options = _options()
    if options.again:
        return _again(options.again)
    finds = Path(options.finds or tempfile.mkdtemp(prefix="elfpack-finds-")).resolve()
    finds.mkdir(parents=True, exist_ok=True)
    work = Round(finds)
    start = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(work.run, list(_parts(options))))
    _table(work.figures)
    print(f"{time.monotonic() - start:.0f} s, seed {options.seed}", flush=True)
    seconds = options.coverage
    if seconds is None:
        seconds = _COVERAGE_SHORT if options.short else _COVERAGE
    guided = coverage.rounds(options.formats.split(","), seconds, options.jobs, finds)
    kinds = {kind for row in work.figures.values() for kind in row.wrong}
    if kinds or guided:
        print(f"\n{len(kinds) + guided} kinds of finds, in {finds}:", *sorted(kinds), sep="\n")
        return 1
    if options.finds is None:
        finds.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
