"""The command."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from fnmatch import fnmatch
from importlib.util import find_spec

from tools.bench.contests import CONTESTS
from tools.bench.goals import ALL
from tools.bench.machine import facts
from tools.bench.runs import WrongError, environment
from tools.bench.table import Figure, bound, cells, headline, put, tables, verdict
from tools.bench.turns import measure
from tools.bench.world import PROJECT, QUICK, Size, World

DOCUMENT, README = PROJECT / "BENCHMARKS.md", PROJECT / "README.md"
ROOM = 4_000_000_000
"""Bytes that the working directory may need."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="elfpack against its peers")
    parser.add_argument("--rows", default="*", help="only rows with such a name (a pattern)")
    parser.add_argument("--turns", type=int, help="so many turns in each contest")
    parser.add_argument("--quick", action="store_true", help="one turn, small: does it work?")
    parser.add_argument("--write", action="store_true", help="write BENCHMARKS.md and README.md")
    parser.add_argument("--list", action="store_true", help="list the names of the rows")
    return parser.parse_args()


def _surroundings() -> dict[str, str]:
    """What all commands get. Installed packages are compiled, so this one is."""
    env = environment()
    where = "import elfpack, os; print(os.path.dirname(elfpack.__file__))"
    found = subprocess.run([sys.executable, "-c", where], env=env, cwd="/", text=True,
                           capture_output=True, check=False).stdout.strip()  # fmt: skip
    if found != str(PROJECT / "elfpack"):
        env["PYTHONPATH"] = str(PROJECT)
        print("elfpack is not installed from here: PYTHONPATH leads every Python here", flush=True)
    click = find_spec("click")
    places = [str(PROJECT / "elfpack"), *(click.submodule_search_locations or () if click else ())]
    subprocess.run([sys.executable, "-m", "compileall", "-q", *places], env=env, check=True)
    return env


def _contest(keys: list[str], world: World, make: str, turns: int | None) -> list[Figure]:
    try:
        return measure(CONTESTS[make](world), set(keys), turns, world.env)
    except (WrongError, OSError, subprocess.CalledProcessError) as e:
        return [Figure(key, wrong=str(e)) for key in keys]


def _measured(options: argparse.Namespace, env: dict[str, str]) -> dict[str, Figure]:
    """All figures, told as they come."""
    figures: dict[str, Figure] = {}
    goals = {goal.key: goal for goal in ALL}
    world = World(QUICK if options.quick else Size(), env)
    if options.quick:
        print("quick: it shows that all of it works; sizes are small, and figures mean little")
    turns = options.turns or (1 if options.quick else None)
    for make in CONTESTS:
        keys = [key for key in make.split() if fnmatch(key, options.rows)]
        if not keys:
            continue
        start = time.monotonic()
        for figure in _contest(keys, world, make, turns):
            figures[figure.key] = figure
            print(f"{figure.key:<18}", " | ".join(filter(None, cells(goals[figure.key], figure))))
        print(f"{'':<18} {time.monotonic() - start:.0f} s", flush=True)
    return figures


def _write(lines: list[str]) -> None:
    DOCUMENT.write_text(put(DOCUMENT.read_text(), "\n".join(lines) + "\n"))
    README.write_text(put(README.read_text(), headline(DOCUMENT.read_text())))


def main() -> int:
    """0: everything was measured; 1: something did not work; a missed goal is no fault."""
    options = _options()
    if options.list:
        print(*(f"{g.key:<18} {g.what} | {g.against} | {bound(g)}" for g in ALL), sep="\n")
        return 0
    if options.write and (options.rows != "*" or options.quick):
        raise SystemExit("bench: --write needs a whole run")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    env = _surroundings()
    with tempfile.TemporaryDirectory(prefix="elfpack-bench-") as work:
        room = os.statvfs(work)
        if not options.quick and room.f_bavail * room.f_frsize < ROOM:
            raise SystemExit(f"bench: {ROOM // 10**9} GB are needed (set TMPDIR)")
        os.chdir(work)
        figures = _measured(options, env)
        lines = [*facts(work), "", *tables(figures)]
        os.chdir("/")
    print("", *lines, sep="\n")
    missed = [g.key for g in ALL if g.key in figures and not figures[g.key].wrong
              and verdict(g, figures[g.key].ratio or figures[g.key].peak) == "**no**"]  # fmt: skip
    if missed:
        print("\ngoals that were missed:", *missed)
    wrong = [figure for figure in figures.values() if figure.wrong]
    for figure in wrong:
        print(f"{figure.key}: {figure.wrong}", file=sys.stderr)
    if options.write:
        _write(lines)
    return 1 if any("not installed" not in figure.wrong for figure in wrong) else 0


if __name__ == "__main__":
    sys.exit(main())
