"""Measures the README's table: the same hello world, packed in every way.

``sizes.py`` prints the table; ``sizes.py --write`` puts it into README.md, between its marks.
Needs gcc with static libraries, and musl-gcc.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import elfpack
from elfpack.planning.entry import Regular

SOURCE = '#include <stdio.h>\nint main(void) { puts("Hello from scratch"); return 0; }\n'
README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- sizes: begin -->\n", "<!-- sizes: end -->\n"

PUBLISHED = (
    ("image of gcc", "1.14 GB"),
    ("image of ubuntu", "64.2 MB"),
    ("image of alpine, with the program", "6.5 MB"),
    ("image of alpine", "5.6 MB"),
    ("image of busybox:glibc", "5 MB"),
    ("static glibc in scratch", "940 kB"),
    ("static musl in scratch", "94 kB"),
)


class Variant(NamedTuple):
    name: str
    command: tuple[str, ...]
    strip: bool = False
    """Packed with --strip."""


VARIANTS = (
    Variant("dynamic glibc", ("gcc", "-O2")),
    Variant("dynamic glibc, `--strip`", ("gcc", "-O2"), strip=True),
    Variant("static glibc", ("gcc", "-O2", "-static")),
    Variant("static glibc, `--strip`", ("gcc", "-O2", "-static"), strip=True),
    Variant("dynamic musl", ("musl-gcc", "-O2")),
    Variant("dynamic musl, `--strip`", ("musl-gcc", "-O2"), strip=True),
    Variant("static musl", ("musl-gcc", "-O2", "-static")),
    Variant("static musl, `--strip`", ("musl-gcc", "-O2", "-static"), strip=True),
)


def measure(variant: Variant, work: Path) -> str:
    """One line of the table."""
    source, program = work / "hello.c", work / "hello"
    source.write_text(SOURCE)
    subprocess.run([*variant.command, "-o", str(program), str(source)], check=True)
    plan = elfpack.plan([f"{program}:/hello"], strip=variant.strip)
    files = [entry for entry in plan.entries if isinstance(entry, Regular)]
    written = plan.write_tar(str(work / "hello.tar"))
    return f"| {variant.name} | {len(files)} | {plan.size:,} | {written.size:,} |"


def table() -> str:
    """The whole table, as Markdown."""
    lines = ["| hello world, packed by elfpack | files | bytes of files | bytes of the layer |"]
    lines.append("| --- | ---: | ---: | ---: |")
    for variant in VARIANTS:
        if shutil.which(variant.command[0]) is None:
            raise SystemExit(f"sizes: {variant.command[0]} is missing: install it")
        with tempfile.TemporaryDirectory() as work:
            lines.append(measure(variant, Path(work)))
    lines += ["", "| published elsewhere, for the same program | size |", "| --- | ---: |"]
    lines += [f"| {name} | {size} |" for name, size in PUBLISHED]
    return "\n".join(lines) + "\n"


def main() -> None:
    text = table()
    if "--write" in sys.argv[1:]:
        readme = README.read_text()
        before, _, rest = readme.partition(START)
        _, _, after = rest.partition(END)
        README.write_text(before + START + text + END + after)
    print(text, end="")


if __name__ == "__main__":
    main()
