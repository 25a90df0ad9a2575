"""The parsers one by one, under atheris, which keeps what reaches code that nothing had reached
before: with the same seeds, and the same changes beside its own. A process for each format.

Source: atheris, README.md; libFuzzer's options: https://llvm.org/docs/LibFuzzer.html.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

from tools.fuzz import corpus
from tools.fuzz.formats import FORMATS, seeds
from tools.fuzz.parsers import PARSERS

_LONGEST = 1 << 16
_SECONDS, _MEMORY = 10, 1000
"""What an input may take, with every branch of it counted: s, MB."""


def rounds(forms: Sequence[str], seconds: int, jobs: int, finds: Path) -> int:
    """Guided by coverage for so many seconds in all; how many finds there are."""
    chosen = [form for form in forms if form in PARSERS]
    if not seconds or not chosen:
        return 0
    if find_spec("atheris") is None:
        print("atheris is not installed (it is made for some Pythons on x86-64 only):"
              " nothing was guided by coverage")  # fmt: skip
        return 0
    total = sum(FORMATS[form].share for form in chosen)
    each = {form: 1 + seconds * jobs * FORMATS[form].share // total for form in chosen}
    with ThreadPoolExecutor(jobs) as pool:
        return sum(pool.map(lambda form: _round(form, each[form], finds), chosen))


def _round(form: str, seconds: int, finds: Path) -> int:
    with tempfile.TemporaryDirectory(prefix="elfpack-fuzz-") as work:
        for number, seed in enumerate(seeds(form)):
            Path(work, str(number)).write_bytes(seed.raw)
        argv = [
            *(sys.executable, "-m", "tools.fuzz.guided", form, work, "-seed=1"),
            *(f"-max_total_time={seconds}", f"-max_len={_LONGEST}", f"-timeout={_SECONDS}"),
            *(f"-rss_limit_mb={_MEMORY}", f"-artifact_prefix={finds}/{form}-coverage-"),
            "-print_final_stats=1",
        ]
        done = subprocess.run(argv, cwd=corpus.PROJECT, capture_output=True, check=False)
    # What Python says stands in the first, libFuzzer's steps in the second.
    told = (done.stderr + done.stdout).decode(errors="replace")
    lines = told.splitlines()
    stats = dict(line[6:].split(":", 1) for line in lines if line.startswith("stat::"))
    covered = [line.split("cov:")[1].split()[0] for line in lines if "cov:" in line] or ["?"]
    inputs, peak = (stats.get(key, "?").strip() for key in _STATS)
    print(f"{form:10}{inputs:>8} by coverage, {covered[0]} to {covered[-1]} branches, {peak} MB",
          flush=True)  # fmt: skip
    if done.returncode:
        (finds / f"{form}-coverage.txt").write_text("\n".join(lines[-400:]))
        print(f"{form}: ended with {done.returncode}: see {finds}/{form}-coverage.txt", flush=True)
    return int(done.returncode != 0)


_STATS = ("number_of_executed_units", "peak_rss_mb")
