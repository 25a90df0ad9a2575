"""The command."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from tools.faults import judge
from tools.faults.calls import ERRORS, LETHAL, picked
from tools.faults.cases import CASES, Case, World
from tools.faults.runs import Fault, Ran, Traced, fresh, run_in, state, traced
from tools.faults.together import at_once, changing, full_disk

SHORT_CALLS = {
    **{name: {name} for name in ("read", "write", "copy_file_range", "sendfile", "splice")},
    "pread": {"pread64"},
    "preadv": {"preadv", "preadv2"},
}
"""Calls of Python's ``os`` that can do less than they are asked for, with those of the kernel."""
WORKERS = 2
SIGNALS = ("SIGKILL", "SIGKILL", "SIGTERM", "SIGINT")


class Amount(NamedTuple):
    """How much is tried."""

    turns: int
    """Calls of one name that fail in a case, one a run."""
    errors: int
    """Errors that each of them gets."""
    kills: int
    """For each case with an output."""
    short: int
    """Calls of one name that do less, one a run, besides a run where all do."""
    at_once: int
    """Times that several write one output."""
    changes: int
    """Calls of one name at which a source changes, one a run."""


WHOLE = Amount(12, 2, 24, 4, 3, 3)
QUICK = Amount(2, 1, 6, 1, 1, 0)


def _faults(case: Case, calls: dict[str, list[int]], amount: Amount, chance: Random) -> list[Fault]:
    """All that goes wrong in a case, one a run."""
    found = []
    for call, numbers in sorted(calls.items()):
        for turn, number in enumerate(picked(numbers, amount.turns)):
            errors = ERRORS[call]
            # Of several errors each has its turn.
            for k in range(min(amount.errors, len(errors))):
                what = errors[(turn * amount.errors + k) % len(errors)]
                found.append(Fault(call, number, what))
    for call in (name for name, made in SHORT_CALLS.items() if made & calls.keys()):
        found += [Fault(call, number, "short") for number in range(amount.short + 1)]
    if case.output:
        # Calls of each name are as likely: most reads are long before there is anything to lose.
        names = [call for call in LETHAL if call in calls]
        for turn in range(amount.kills):
            call = chance.choice(names)
            found.append(Fault(call, chance.choice(calls[call]), SIGNALS[turn % len(SIGNALS)]))
    return found


class Verdict(NamedTuple):
    """What became of a fault."""

    case: Case
    fault: Fault
    ran: Ran
    wrong: list[str]
    strays: int


def _try(world: World, case: Case, right: Ran, fault: Fault) -> Verdict:
    place = fresh(world)
    world.prepare(case, place)
    before = state(place)
    ran = run_in(world, case, place, fault)
    if fault.what == "SIGKILL":
        wrong = judge.after_kill(case, ran, before, right)
    else:
        wrong = judge.manners(ran, fault, idle=ran.state == before)
        wrong += judge.outcome(case, fault, ran, before, right)
    left = ran.state not in (before, right.state)
    if case.output and left:
        again = run_in(world, case, place)
        if again.status != right.status or again.state != right.state:
            what = judge.difference(again.state, right.state)
            wrong.append(f"the next run ends with {again.status}, {what}: {again.stderr[-300:]!r}")
    shutil.rmtree(place, ignore_errors=True)
    return Verdict(case, fault, ran, wrong, len(judge.strays(ran.state)))


def _tried(world: World, case: Case, options: argparse.Namespace) -> Iterator[Verdict]:
    amount = QUICK if options.short else WHOLE
    seen = traced(world, case)
    chance = Random(f"{options.seed} {case.name}")
    faults = [f for f in _faults(case, seen.calls, amount, chance)
              if fnmatch(f.call, options.calls) and fnmatch(f.what, options.errors)]  # fmt: skip
    yield from _undisturbed(case, seen)
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from pool.map(partial(_try, world, case, seen.ran), faults)


def _undisturbed(case: Case, seen: Traced) -> Iterator[Verdict]:
    wrong = [f"maps {line}" for line in seen.mapped]
    if seen.ran.status != 0:
        wrong.append(f"ends with {seen.ran.status} undisturbed: {seen.ran.stderr}")
    if wrong:
        yield Verdict(case, Fault("nothing", 0, ""), seen.ran, wrong, 0)


class Sums:
    """What is told at the end."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.strays: Counter[str] = Counter()
        self.wrong = 0

    def add(self, verdict: Verdict) -> None:
        fault = verdict.fault
        kind = "kills" if fault.what.startswith("SIG") else "failing calls"
        self.kinds["short calls" if fault.what == "short" else kind] += 1
        self.calls[fault.call] += 1
        self.statuses[verdict.ran.status] += 1
        if verdict.strays:
            self.strays[kind] += 1
        for line in verdict.wrong:
            self.wrong += 1
            where = f"{verdict.case.name}: {fault.what} at {fault.call} {fault.number}"
            print(f"WRONG {where}: {line} {verdict.ran.stderr[-400:]!r}", flush=True)

    def add_others(self, kind: str, results: Iterable[str | None]) -> None:
        """What else was tried: what is wrong, or None for a run that went well."""
        for wrong in results:
            self.kinds[kind] += 1
            if wrong is not None:
                self.wrong += 1
                print(f"WRONG {wrong}", flush=True)

    def lines(self) -> Iterable[str]:
        yield "calls: " + ", ".join(f"{name} {n}" for name, n in self.calls.most_common())
        yield "runs: " + ", ".join(f"{kind} {n}" for kind, n in sorted(self.kinds.items()))
        yield "statuses: " + ", ".join(f"{s}: {n}" for s, n in sorted(self.statuses.items()))
        left = ", ".join(f"{kind} {n}" for kind, n in sorted(self.strays.items())) or "none"
        yield f"files left for the next run to remove, after: {left}"
        yield f"wrong: {self.wrong}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="faults", description="elfpack while calls fail")
    parser.add_argument("--short", action="store_true", help="a few of each, in three minutes")
    parser.add_argument("--cases", default="*", help="only cases with such a name (a pattern)")
    parser.add_argument("--calls", default="*", help="only calls with such a name (a pattern)")
    parser.add_argument("--errors", default="*", help="only such errors or signals (a pattern)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of kills")
    parser.add_argument("--list", action="store_true", help="list the names of the cases")
    return parser.parse_args()


def main() -> int:
    """1 if anything is wrong."""
    options = _options()
    if options.list:
        print(*(case.name for case in CASES), sep="\n")
        return 0
    if shutil.which("strace") is None:
        raise SystemExit("faults: strace is not installed")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
    sums = Sums()
    with tempfile.TemporaryDirectory(prefix="elfpack-faults-") as name:
        world = World(Path(name))
        for case in CASES:
            if not fnmatch(case.name, options.cases):
                continue
            start, runs, wrong = time.monotonic(), sum(sums.kinds.values()), sums.wrong
            for verdict in _tried(world, case, options):
                sums.add(verdict)
            runs = sum(sums.kinds.values()) - runs
            seconds = time.monotonic() - start
            print(f"{case.name:<24} {runs:5} runs, {sums.wrong - wrong} wrong, {seconds:.0f} s",
                  flush=True)  # fmt: skip
        if options.cases == "*":
            amount = QUICK if options.short else WHOLE
            sums.add_others("several at once", at_once(world, amount.at_once))
            sums.add_others("sources that change", changing(world, amount.changes))
            sums.add_others("full disks", full_disk(world))
    print(*sums.lines(), sep="\n")
    return 1 if sums.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
