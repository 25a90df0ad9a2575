"""The world that elfpack works in, and what it is asked to do there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from compileall import compile_dir
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]
PROGRAMS = ("/bin/ls", "/bin/cat")
OLD = b"an older output\n"


class Case(NamedTuple):
    """A command, and what is there where it writes to."""

    name: str
    argv: tuple[str, ...]
    """``{top}`` is the world."""
    output: str = ""
    """Its OUT, below the working directory."""
    old: str = ""
    """What is at OUT before: nothing, ``file``, ``tree``, ``oci`` or ``empty``."""
    stdin: str = ""
    """The name of a file in the world."""
    to_pipe: bool = True
    """Where standard output leads; else to a file."""

    @property
    def is_tree(self) -> bool:
        return self.output.endswith("/")


_ROOT = ("--root", "{top}/root")
_LAYER = ("layer", *_ROOT, "/bin/ls", "--add", "/data")
_IMAGE = ("image", *_ROOT, "/bin/ls", "--add", "/data", "-t", "faults:1")


def _writes(name: str, argv: tuple[str, ...], output: str, *olds: str) -> list[Case]:
    return [
        Case(f"{name}{' over ' * bool(old)}{old}", (*argv, "-o", output), output, old)
        for old in olds
    ]


CASES = [
    Case("deps", ("deps", *_ROOT, "/bin/ls", "/bin/cat")),
    Case("deps on /", ("deps", *PROGRAMS)),
    Case("deps json", ("deps", *_ROOT, "--format", "json", "--symbols", "/bin/ls")),
    Case("deps -", ("deps", *_ROOT, "-"), stdin="list"),
    Case("deps shared", ("deps", *PROGRAMS * 150)),
    Case("check tree", ("check", "{top}/root")),
    Case("check tar", ("check", "{top}/root.tar")),
    Case("check tar.gz", ("check", "{top}/root.tar.gz")),
    Case("check image", ("check", "{top}/image.tar")),
    Case("check oci", ("check", "{top}/oci")),
    Case("check -", ("check", "-"), stdin="root.tar"),
    *_writes("layer tar", _LAYER, "x.tar", "", "file"),
    *_writes("layer tar.gz", _LAYER, "x.tar.gz", "file"),
    *_writes("layer tar.zst", _LAYER, "x.tar.zst", "file"),
    *_writes("layer tree", _LAYER, "x/", "", "tree", "empty"),
    *_writes("layer strip", (*_LAYER, "--strip"), "x.tar", "file"),
    Case("layer - to a pipe", (*_LAYER, "-o", "-")),
    Case("layer - to a file", (*_LAYER, "-o", "-"), to_pipe=False),
    Case("layer --dry-run", (*_LAYER, "--dry-run", "--format", "json")),
    *_writes("layer json", (*_LAYER, "--format", "json"), "x.tar", "file"),
    *_writes("image tar", _IMAGE, "x.tar", "", "file"),
    *_writes("image oci", _IMAGE, "x/", "", "oci", "empty"),
]


class World:
    """A root with programs and data, archives of it, and a place for each run."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.env = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "PYTHONPATH": str(PROJECT),
            "PYTHONHASHSEED": "0",
            # What Python keeps of a module is there before: its calls are none of elfpack's.
            "PYTHONDONTWRITEBYTECODE": "1",
            "LC_ALL": "C.UTF-8",
        }
        compile_dir(PROJECT / "elfpack", quiet=2)
        root = top / "root"
        self._elfpack("layer", "-q", *PROGRAMS, "-o", f"{root}/")
        self.big = max(root.rglob("*.so*"), key=lambda path: path.stat().st_size)
        """A file of more than a block: a C library."""
        data = root / "data"
        (data / "below").mkdir(parents=True)
        for number in range(8):
            (data / "below" / f"file-{number}").write_text(f"{number}\n" * number * 99)
        (data / "link").symlink_to("below/file-1")
        os.link(data / "below/file-2", data / "twice")
        with (data / "holes").open("wb") as file:
            file.truncate(1 << 20)
            file.seek(1 << 19)
            file.write(b"an island")
        (data / "script").write_text("#!/bin/cat\n")
        (data / "script").chmod(0o755)
        (top / "list").write_text("/bin/ls\n/bin/cat\n")
        for name in ("root.tar", "root.tar.gz"):
            self._layer(*PROGRAMS, "--add", "/data", "-o", name)
        for name in ("image.tar", "oci/"):
            self._image(*PROGRAMS, "-o", name)
        # Another program than the one that is packed later.
        self._layer("/bin/cat", "-o", "old-tree/x/")
        self._image("/bin/cat", "-o", "old-oci/x/")

    def _layer(self, *words: str) -> None:
        self._elfpack("layer", "-q", "--root", "root", *words)

    def _image(self, *words: str) -> None:
        self._elfpack("image", "-q", "--root", "root", "-t", "old:1", *words)

    def _elfpack(self, *words: str) -> None:
        if words[-1] in ("old-tree/x/", "old-oci/x/"):
            (self.top / words[-1]).parent.mkdir()
        command = [sys.executable, "-m", "elfpack", *words]
        subprocess.run(command, cwd=self.top, env=self.env, check=True)

    def argv(self, case: Case) -> list[str]:
        return [word.replace("{top}", str(self.top)) for word in case.argv]

    def prepare(self, case: Case, place: Path) -> None:
        """Put there what a case finds."""
        if case.old in ("tree", "oci"):
            shutil.copytree(self.top / f"old-{case.old}", place, symlinks=True)
            return
        place.mkdir()
        prepare = _PREPARE.get(case.old)
        if prepare is not None:
            prepare(place / case.output)


_PREPARE: dict[str, Callable[[Path], object]] = {
    "file": lambda path: path.write_bytes(OLD),
    "empty": Path.mkdir,
}
