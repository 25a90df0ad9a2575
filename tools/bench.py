"""Measures elfpack against its peers, in turns, and prints median ratios.

Every figure is a whole process. Peers that are not installed are left out, and said so.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

TURNS = 5
ELFPACK = [str(Path(sys.executable).parent / "elfpack")]


class Row(NamedTuple):
    name: str
    ours: Callable[[], None]
    peer_name: str
    peer: Callable[[], None]
    goal: float
    """The ratio that is aimed at, ours to the peer's."""


def run(command: Sequence[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def programs() -> list[str]:
    """Every dynamic ELF program of /usr/bin, as its loader would run it."""
    found = []
    for entry in sorted(os.scandir("/usr/bin"), key=lambda e: e.name):
        if entry.is_file() and os.access(entry.path, os.R_OK):
            with open(entry.path, "rb") as file:
                if file.read(4) == b"\x7fELF":
                    found.append(entry.path)
    return found


def seconds(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def rows(work: Path) -> list[Row]:
    everything = programs()
    hello = "/bin/true"
    tar, layer = str(work / "peer.tar"), str(work / "ours.tar")
    plan = [*ELFPACK, "deps", "--format", "paths", *everything[:200]]
    files = subprocess.run(plan, capture_output=True, text=True, check=False).stdout.split()
    return [
        Row(
            f"deps, {len(everything)} programs in one call",
            lambda: run([*ELFPACK, "deps", *everything]),
            "ldd, in one call",
            lambda: run(["ldd", *everything]),
            1 / 40,
        ),
        Row(
            "deps, one program",
            lambda: run([*ELFPACK, "deps", hello]),
            "python -c 'import click'",
            lambda: run([sys.executable, "-c", "import click"]),
            1.4,
        ),
        Row(
            "layer of 200 programs, .tar",
            lambda: run([*ELFPACK, "layer", "-q", *everything[:200], "-o", layer]),
            "tar -cf of the same files",
            lambda: run(["tar", "-chf", tar, *files]),
            1.2,
        ),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as work:
        print(f"{'what':<42} {'against':<28} {'ours s':>8} {'peer s':>8} {'ratio':>8} {'goal':>7}")
        for row in rows(Path(work)):
            if row.peer_name.startswith("ldd") and shutil.which("ldd") is None:
                print(f"{row.name:<42} ldd is not installed: left out")
                continue
            ours, peer = [], []
            for _ in range(TURNS):
                ours.append(seconds(row.ours))
                peer.append(seconds(row.peer))
            a, b = statistics.median(ours), statistics.median(peer)
            print(
                f"{row.name:<42} {row.peer_name:<28} {a:>8.3f} {b:>8.3f} {a / b:>8.3f} "
                f"{row.goal:>7.3f}"
            )


if __name__ == "__main__":
    main()
