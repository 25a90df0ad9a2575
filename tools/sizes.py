"""Measures the README's tables: the same hello world, packed in every way, and real programs.

``sizes.py`` prints the table; ``sizes.py --write`` puts it into README.md, between its marks.
Needs gcc with static libraries, musl-gcc, busybox, and the programs.
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
_CACHES = "*/__pycache__/*"
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
    shell: str | None = None
    """Packed with --with shell=FILE."""


VARIANTS = (
    Variant("dynamic glibc", ("gcc", "-O2")),
    Variant("dynamic glibc, `--strip`", ("gcc", "-O2"), strip=True),
    Variant("dynamic glibc and a shell", ("gcc", "-O2"), shell="/bin/busybox"),
    Variant("static glibc", ("gcc", "-O2", "-static")),
    Variant("static glibc, `--strip`", ("gcc", "-O2", "-static"), strip=True),
    Variant("dynamic musl", ("musl-gcc", "-O2")),
    Variant("dynamic musl, `--strip`", ("musl-gcc", "-O2"), strip=True),
    Variant("static musl", ("musl-gcc", "-O2", "-static")),
    Variant("static musl, `--strip`", ("musl-gcc", "-O2", "-static"), strip=True),
)


class Program(NamedTuple):
    name: str
    path: str
    add: tuple[str, ...] = ()
    """Patterns, below ``/``."""


PROGRAMS = (
    Program("curl", "/usr/bin/curl"),
    Program("python3 with its library", "/usr/bin/python3", ("usr/lib/python3.[0-9]*",)),
)


def row(name: str, plan: elfpack.Plan, work: Path) -> str:
    """One line of a table: the name, how many files, their bytes, the layer's bytes."""
    files = [entry for entry in plan.entries if isinstance(entry, Regular)]
    written = plan.write_tar(str(work / "layer.tar"))
    return f"| {name} | {len(files)} | {plan.size:,} | {written.size:,} |"


def packed(program: Program, work: Path) -> str:
    """The line of a real program."""
    if not Path(program.path).exists():
        raise SystemExit(f"sizes: {program.path} is missing: install it")
    add = [str(path) for pattern in program.add for path in sorted(Path("/").glob(pattern))]
    return row(program.name, elfpack.plan([program.path], add=add, exclude=[_CACHES]), work)


def measure(variant: Variant, work: Path) -> str:
    """The line of a hello world."""
    source, program = work / "hello.c", work / "hello"
    source.write_text(SOURCE)
    subprocess.run([*variant.command, "-o", str(program), str(source)], check=True)
    modules = {"shell": variant.shell} if variant.shell else {}
    plan = elfpack.plan([f"{program}:/hello"], strip=variant.strip, modules=modules)
    return row(variant.name, plan, work)


def _head(what: str) -> list[str]:
    return [
        f"| {what} | files | bytes of files | bytes of the layer |",
        "| --- | ---: | ---: | ---: |",
    ]


def table() -> str:
    """All tables, as Markdown."""
    lines = _head("hello world, packed by elfpack")
    for variant in VARIANTS:
        if shutil.which(variant.command[0]) is None:
            raise SystemExit(f"sizes: {variant.command[0]} is missing: install it")
        with tempfile.TemporaryDirectory() as work:
            lines.append(measure(variant, Path(work)))
    lines += ["", *_head("real programs, packed by elfpack")]
    with tempfile.TemporaryDirectory() as work:
        lines += [packed(program, Path(work)) for program in PROGRAMS]
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
