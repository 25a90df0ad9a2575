"""A world packed into a tree: whether the real loader loads in it what it loads in the world.

Files are told apart by what is written behind their last byte, which no loader reads.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

from elfpack.api.session import Session
from elfpack.errors import ElfpackError, IncompleteError
from elfpack.loader.identify import MUSL
from elfpack.paths import basename
from elfpack.root.directory import DirectoryRoot
from elfpack.root.walk import Walker
from tests.oracle.chroot import Answer, run
from tests.oracle.compare import musl_lines
from tests.oracle.generate import Made
from tests.worlds import MUSL_LOADER, on_disk

_LINE = re.compile(r"^\t(?:(.*) => )?(.*?)$")
_FAULTY = ("loader-refuses", "wrong-machine", "missing-interpreter")
"""Findings of a program that does not start in its own world either."""
_MISSING = " not found"
_MARK = b"\0elfpack-world:"


class Packed(NamedTuple):
    """What came of packing one world."""

    outcome: str
    """``equal``, ``differs``, ``refused`` by elfpack, or ``nothing`` to pack."""
    told: str = ""


def mark(top: Path) -> None:
    """Give every ELF file of a world a content of its own."""
    seen = set()
    for directory, _, names in os.walk(top):
        for name in names:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            if os.path.islink(path) or (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with open(path, "r+b") as file:
                if file.read(4) == b"\x7fELF":
                    file.seek(0, os.SEEK_END)
                    file.write(_MARK + os.fsencode(os.path.relpath(path, top)))


def _content(walker: Walker, path: str) -> str:
    place = walker.find(path)
    if isinstance(place, int):
        return f"{path}: {os.strerror(place)}"
    source = walker.root.open(place.directory, place.name, place.node)
    try:
        return os.fsdecode(source.pread(source.size, 0).rpartition(_MARK)[2])
    finally:
        source.close()


def _objects(top: Path, answer: Answer, cwd: str) -> list[str]:
    """The list of a loader, with contents in place of paths."""
    root = DirectoryRoot(str(top))
    walker = Walker(root)
    found = []
    for line in answer.lines:
        match = _LINE.match(line)
        assert match, line
        path = match[2]
        if path == "not found":
            found.append(f"{basename(match[1])}{_MISSING}")  # $ORIGIN moves with the program
            continue
        if not path.startswith("/"):
            path = f"{cwd}/{path}"
        # A loader's own line bears its path for a name, which may be another one in the image.
        name = "" if "/ld-" in path else basename(match[1] or match[2])
        found.append(f"{name} {_content(walker, path)}")
    root.close()
    return found


def _loaded(objects: list[str]) -> list[str]:
    """What is loaded, in order; but the loader, which musl lists for each of its names."""
    return [line for line in objects if not line.endswith(_MISSING) and "/ld-" not in line]


def _missing(objects: list[str]) -> set[str]:
    """What is missing. Where something may be, an image may find more than its world: /lib is
    below the working directory of one and not of the other."""
    return {line for line in objects if line.endswith(_MISSING)}


def _start(top: Path, program: str, *, cwd: str, library_path: str) -> Answer:
    """What the loader lists when the kernel starts a program; musl's when it is asked to."""
    with Session(str(top), cwd=cwd, library_path=library_path) as session:
        closure = session.resolve(program)
    real = closure.hits[0].real_path
    env = {"LD_LIBRARY_PATH": library_path} if library_path else {}
    if closure.loader is not None and closure.loader.libc == MUSL:
        answer = run(top, [MUSL_LOADER, "--list", real], cwd=cwd, env=env, together=True)
        return answer._replace(lines=list(musl_lines(answer.lines)))
    exe = top / "proc/self/exe"  # what /proc would show: the loader asks it for $ORIGIN
    if exe.is_symlink():
        exe.unlink()
    on_disk({"/proc/self/exe": f"-> {real}"}, top)
    return run(top, [program], cwd=cwd, env={"LD_TRACE_LOADED_OBJECTS": "1", **env})


def destination(seed: int, program: str) -> str:
    """Where the program goes: mostly its own path."""
    random = Random(seed)
    if random.random() < 0.6:
        return ""
    choices = ("/app", "/app/bin/exe", "/opt/b/exe", "/usr/bin/other", "/lib/exe", "/x/y/z/exe")
    return ":" + choices[random.randrange(len(choices))]


def pack(made: Made, top: Path, out: Path, moved: str = "", cpu: str | None = None) -> Packed:
    """Pack the program of a world that stands in ``top``, and ask the loader in both trees."""
    mark(top)
    made = replace(made, preload="")
    try:
        here = _start(top, made.program, cwd=made.cwd, library_path=made.library_path)
    except ElfpackError:
        return Packed("nothing")
    if here.status not in (0, 127):
        return Packed("nothing")
    with Session(str(top), cwd=made.cwd, library_path=made.library_path, cpu=cpu) as session:
        try:
            plan = session.plan([made.program + moved], allow_missing=["*"])
        except ElfpackError as e:
            if not isinstance(e, IncompleteError):
                return Packed("refused", str(e))
            if any(finding.code in _FAULTY for finding in e.findings):
                return Packed("nothing")
            return Packed("refused", "; ".join(map(str, e.findings)))
        plan.write_tree(str(out))
    assert plan.entrypoint is not None
    there = _start(out, plan.entrypoint, cwd="/", library_path="")
    expected = _objects(top, here, made.cwd)
    got = _objects(out, there, "/")
    if _loaded(expected) == _loaded(got) and _missing(got) <= _missing(expected):
        return Packed("equal")
    return Packed(
        "differs", "\n".join(["in the world:", *expected, "in the image:", *got, there.errors])
    )
