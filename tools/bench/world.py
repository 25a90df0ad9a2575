"""What is measured on: the machine's own programs, and copies of them in a working directory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from glob import glob
from pathlib import Path
from typing import NamedTuple

from tools.bench.runs import ERR, OUT, Command, WrongError, run

PROJECT = Path(__file__).parents[2]
FAVOURITES = ("ffmpeg", "node", "gdb", "php", "skopeo", "git", "java", "python3", "vim", "docker")
"""Programs with much below them, for the closure that is packed; then come the largest."""
PLAIN = {
    f"{name}.so.{number}"
    for name, number in (
        ("libc", 6), ("libm", 6), ("libz", 1), ("libdl", 2), ("libpthread", 0), ("libgcc_s", 1),
        ("libstdc++", 6), ("libtinfo", 6), ("libselinux", 1), ("libpcre2-8", 0), ("librt", 1),
    )
}  # fmt: skip
"""Programs that need no more than these are copied: their libraries weigh little beside them."""
HELLO = '#include <stdio.h>\nint main(void) { puts("Hello from scratch"); return 0; }\n'


class Size(NamedTuple):
    """How much is measured."""

    programs: int | None = None
    """Of /usr/bin; None is all."""
    megabytes: int = 300
    """Of the closure that is packed, and of the larger of two layers."""
    copies: int = 1200
    """The larger number of programs."""
    files: int = 20_000


QUICK = Size(programs=60, megabytes=20, copies=120, files=1000)


class World:
    """Made as far as somebody asks for it. The working directory is the current one."""

    def __init__(self, size: Size, env: Mapping[str, str]) -> None:
        self.size = size
        self.env = env
        self.python = sys.executable
        self.elfpack = str(Path(sys.executable).parent / "elfpack")

    def of(self, *arguments: str) -> tuple[str, ...]:
        """A call of elfpack."""
        return (self.elfpack, *arguments)

    @cached_property
    def programs(self) -> tuple[str, ...]:
        """Every ELF program of /usr/bin, by name."""
        found = [e.path for e in sorted(os.scandir("/usr/bin"), key=lambda e: e.name) if _elf(e)]
        return tuple(found[: self.size.programs])

    @cached_property
    def needed(self) -> dict[str, list[str]]:
        """What each program needs, by names."""
        run(Command(self.of("deps", *self.programs), (0, 1)), self.env)
        found: dict[str, list[str]] = {}
        for program, line in listed(OUT):
            found.setdefault(program, []).append(line.split()[0])
        return found

    @cached_property
    def largest(self) -> tuple[str, int]:
        """The program with the most objects, and their number."""
        return max(((p, len(names)) for p, names in self.needed.items()), key=lambda x: x[1])

    @cached_property
    def hello(self) -> str:
        """A small dynamic program, by its relative name."""
        Path("hello.c").write_text(HELLO)
        if shutil.which("cc") is None or subprocess.call(["cc", "-O2", "-o", "hello", "hello.c"]):
            shutil.copy("/bin/true", "hello")
        return "./hello"

    @cached_property
    def packed(self) -> tuple[str, ...]:
        """Programs whose closures have some 300 MB together."""
        chosen: list[str] = []
        for program in self._candidates():
            size = self.planned(*chosen, program)
            if size is None:
                continue
            chosen.append(program)
            if size >= self.size.megabytes * 1_000_000:
                break
        return tuple(chosen)

    def _candidates(self) -> Iterator[str]:
        paths = [f"/usr/bin/{name}" for name in FAVOURITES]
        seen = {os.path.realpath(p): p for p in paths if os.access(p, os.R_OK) and _is_elf(p)}
        by_size = sorted((p for p in self.programs), key=os.path.getsize, reverse=True)
        if self.size.megabytes < 100:
            by_size, seen = by_size[len(by_size) // 3 :], {}
        for program in by_size:
            seen.setdefault(os.path.realpath(program), program)
        yield from seen.values()

    def planned(self, *programs: str) -> int | None:
        """Bytes of a layer of these, or None if it cannot be made."""
        command = self.of("layer", "-q", "--dry-run", "--format", "json", *programs)
        try:
            run(Command(command), self.env)
        except WrongError:
            return None
        with open(OUT) as stream:
            size = re.search(r'^  "size": (\d+)', stream.read(2000), re.M)
        return int(size[1]) if size else None

    @cached_property
    def copy(self) -> str:
        """A copy of what all programs need, with /etc/ld.so.cache: a root of its own."""
        run(Command(self.of("deps", "--format", "paths", *self.programs), (0, 1)), self.env)
        with open(OUT) as stream:
            paths = {line.rstrip("\n") for line in stream}
        made: set[str] = set()
        # musl's loader is looked for by name where its programs are listed, and read by none.
        more = ["/etc/ld.so.cache", *glob("/lib/ld-musl-*"), *glob("/etc/ld-musl-*.path")]
        for path in (*sorted(paths | set(self.programs)), *more):
            _copy("root", path, made)
        return "root"

    @cached_property
    def small(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """A number of small programs, and ten times as many: copies, each a file of its own."""
        tenth = self.size.copies // 10
        chosen = self._plain(0, 200_000)
        if not chosen:
            raise WrongError("/usr/bin has no small programs")
        chosen = (chosen * tenth)[:tenth]
        return self._copied("small", chosen)

    @cached_property
    def heavy(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Programs whose layer has some 30 MB, and copies for ten times as much."""
        bound, total, chosen = self.size.megabytes * 60_000, 0, list[str]()
        plain = sorted(self._plain(20_000, bound // 4), key=os.path.getsize, reverse=True)
        if not plain:
            raise WrongError("/usr/bin has no programs to copy")
        while total < bound:
            chosen.append(plain[len(chosen) % len(plain)])
            total += os.path.getsize(chosen[-1])
        few, many = self._copied("heavy", chosen)
        size = self.planned(*few)
        if size is None:
            raise WrongError(f"a layer of copies cannot be planned: {', '.join(few)}")
        # What all of them share is there once only: more programs make up for it.
        more = range(10, 10 + 9 * (size - total) // total)
        return few, (*many, *self._more("heavy", chosen, more))

    def _plain(self, least: int, most: int) -> list[str]:
        """Programs of such a size that need little."""
        return [
            program
            for program, names in self.needed.items()
            if least < os.path.getsize(program) < most
            and {n for n in names if not n.startswith("/")} <= PLAIN
            and not os.path.islink(program)
        ]

    def _copied(self, name: str, chosen: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        made = self._more(name, chosen, range(10))
        return tuple(made[: len(chosen)]), tuple(made)

    def _more(self, name: str, chosen: list[str], turns: range) -> list[str]:
        made = []
        for turn in turns:
            os.makedirs(f"{name}/{turn}")
            for number, program in enumerate(chosen):
                made.append(f"{name}/{turn}/{number}-{os.path.basename(program)}")
                shutil.copy(program, made[-1])
        return made

    @cached_property
    def files(self) -> str:
        """A directory with many small files."""
        for number in range(self.size.files):
            directory = f"files/{number // 500}"
            if number % 500 == 0:
                os.makedirs(directory)
            Path(directory, str(number)).write_text("x")
        return "files"

    def prove(self, command: Command) -> None:
        """Run what has to succeed; other files stay as they are."""
        kept = os.path.exists(OUT)
        if kept:
            os.replace(OUT, f"{OUT}.kept")
        run(command._replace(makes=()), self.env)
        if kept:
            os.replace(f"{OUT}.kept", OUT)


def _elf(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and os.access(entry.path, os.R_OK) and _is_elf(entry.path)


def _is_elf(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def _copy(root: str, path: str, made: set[str]) -> None:
    """A file and the links on the way to it: one more name of it, where a file system can."""
    while path not in made:
        made.add(path)
        parent = os.path.realpath(os.path.dirname(path))
        _copy_directory(root, os.path.dirname(path), made)
        os.makedirs(root + parent, exist_ok=True)
        real = os.path.join(parent, os.path.basename(path))
        if not os.path.islink(real):
            _link(real, root + real)
            return
        if not os.path.lexists(root + real):
            os.symlink(os.readlink(real), root + real)
        path = os.path.join(parent, os.readlink(real))


def _copy_directory(root: str, path: str, made: set[str]) -> None:
    """The directories on a way that are links."""
    for above in [*reversed(Path(path).parents), Path(path)]:
        if above.is_symlink() and str(above) not in made and ".." not in str(above):
            made.add(str(above))
            os.makedirs(root + os.path.realpath(above.parent), exist_ok=True)
            here = root + os.path.join(os.path.realpath(above.parent), above.name)
            if not os.path.lexists(here):
                os.symlink(os.readlink(above), here)


def _link(source: str, target: str) -> None:
    if os.path.lexists(target):
        return
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


_ADDRESS = re.compile(r" \(0x[0-9a-f]+\)$")


def listed(path: str) -> Iterator[tuple[str, str]]:
    """Each line of a listing in ldd's format, with its program, without what ldd alone tells."""
    program = ""
    with open(path, errors="surrogateescape") as stream:
        for line in stream:
            if not line.startswith("\t"):
                program = line.rstrip(":\n")
                continue
            text = _ADDRESS.sub("", line.strip())
            if not text.startswith(("linux-vdso", "linux-gate", "statically", "not a dynamic")):
                yield program, text


def facts_of(path: str) -> set[int]:
    """The lines of a listing, as numbers, to compare."""
    return {hash(line) for line in listed(path)}


__all__ = ["ERR", "OUT", "PROJECT", "QUICK", "Size", "World", "facts_of", "listed"]
