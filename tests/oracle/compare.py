"""A world on disk, what the real loader says of it, and where elfpack differs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from elfpack.api.session import Session
from elfpack.errors import ElfpackError
from elfpack.loader.closure import Closure
from elfpack.paths import basename
from elfpack.report import ldd
from tests.oracle import generate
from tests.oracle.chroot import run, trace
from tests.oracle.generate import Made
from tests.worlds import LOADER, MUSL_LOADER, on_disk

WORDS = {
    "cannot read file data: Is a directory": "cannot read file data: Error 21",
    "Too many levels of symbolic links": "Symbolic link loop",
}
"""Reasons that elfpack words otherwise than a loader that has no libc yet: ours, the loader's."""
MUSL_LISTING = True
"""Whether elfpack prints musl's list as musl does: its own name first, and each reserved kind."""
_MUSL_ERROR = re.compile(r"^Error loading shared library (.*): (.*) \(needed by .*\)$")


class Verdict(NamedTuple):
    """What came of one comparison."""

    died: bool = False
    """The real loader died by a signal, or never ended: there is nothing to compare with."""
    expected: str = ""
    got: str = ""

    @property
    def equal(self) -> bool:
        return self.expected == self.got


@contextmanager
def standing(made: Made, loader: str) -> Iterator[Path]:
    """The world with a copy of this machine's loader in a directory of its own, for a while."""
    top = Path(tempfile.mkdtemp(prefix="elfpack-world-"))
    try:
        on_disk(made.world, top)
        place = top / os.path.realpath(top / os.path.dirname(loader).lstrip("/"))
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(os.path.realpath(loader), place / os.path.basename(loader))
        (place / os.path.basename(loader)).chmod(0o755)
        if made.by_kernel:
            _tell_origin(made, top)
        if made.cache:
            write_cache(made, top)
        yield top
    finally:
        shutil.rmtree(top)


def _tell_origin(made: Made, top: Path) -> None:
    """What /proc shows of the process: the loader asks it where the program is."""
    with Session(str(top)) as session:
        real = session.resolve(made.program).hits[0].real_path
    on_disk({"/proc/self/exe": f"-> {real}"}, top)


def write_cache(made: Made, top: Path) -> None:
    """The cache as this machine's ldconfig writes it; then what makes it stale.

    The older formats and glibc-hwcaps together break the heap of some ldconfig, which dies: then
    the cache is what it left.
    """
    done = subprocess.run(
        ["/sbin/ldconfig", "-i", "-c", made.cache, "-r", str(top)],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    if done.returncode > 0:
        done.check_returncode()
    for path, spec in made.stale.items():
        place = top / path.lstrip("/")
        if place.is_symlink() or place.exists():
            shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
        if spec:
            on_disk({path: spec}, top)


def resolve(made: Made, top: Path) -> Closure | str:
    """elfpack's closure, or why it made none."""
    more: dict[str, Any] = {}
    if generate.HWCAPS:
        more["cpu"] = "host"
    if generate.PRELOAD:
        more["preload"] = made.preload
    try:
        with Session(str(top), cwd=made.cwd, library_path=made.library_path, **more) as session:
            return session.resolve(made.program)
    except ElfpackError as e:
        return f"elfpack: {e.message}"


def _environment(made: Made) -> dict[str, str]:
    env = {"LD_LIBRARY_PATH": made.library_path, "LD_PRELOAD": made.preload}
    return {name: value for name, value in env.items() if value}


def compare_glibc(made: Made, top: Path) -> Verdict:
    command = [made.program] if made.by_kernel else [LOADER, made.program]
    answer = trace(top, command, cwd=made.cwd, env=_environment(made))
    if answer.status < 0:
        return Verdict(died=True)
    expected = [f"status {answer.status}", *answer.lines]
    if answer.status:
        error = answer.errors.partition("error while loading shared libraries: ")[2]
        expected.append(_by_name(*_parted(error)) if error else answer.errors)
    return _verdict(expected, _as_glibc(resolve(made, top)))


def _parted(error: str) -> tuple[str, str]:
    file, _, reason = error.partition(": ")
    return file, reason


def _as_glibc(closure: Closure | str) -> list[str]:
    if isinstance(closure, str):
        return [closure]
    if closure.refusal is None:
        return ["status 0", *ldd.lines(closure)]
    path, reason = closure.refusal[:2]
    return ["status 127", _by_name(path, WORDS.get(reason, reason))]


def _by_name(file: str, reason: str) -> str:
    """A reason to stop. Before it stands the path, or the needed name, by where it is found out."""
    return f"{basename(file)}: {reason}"


def compare_musl(made: Made, top: Path) -> Verdict:
    command = [MUSL_LOADER, "--list", made.program]
    answer = run(top, command, cwd=made.cwd, env=_environment(made), together=True)
    if answer.status < 0:
        return Verdict(died=True)
    closure = resolve(made, top)
    if isinstance(closure, str):
        return _verdict(answer.lines, [closure])
    status = 127 if closure.misses else 0
    expected = [f"status {answer.status}", *comparable(musl_lines(answer.lines))]
    return _verdict(expected, [f"status {status}", *comparable(ldd.lines(closure))])


def _verdict(expected: Sequence[str], got: Sequence[str]) -> Verdict:
    return Verdict(False, "\n".join(expected), "\n".join(got))


def musl_lines(lines: Iterable[str]) -> Iterator[str]:
    """The list of the real loader, which tells of what is missing as of an error."""
    for line in lines:
        if error := _MUSL_ERROR.match(line):
            yield f"\t{error[1]} => not found"
        elif line.startswith("\t"):
            yield line


def comparable(lines: Iterable[str]) -> list[str]:
    """Lines of either in a form that both have. With :data:`MUSL_LISTING` nothing is changed."""
    if MUSL_LISTING:
        return list(lines)
    short = (re.sub(r"^\t(.*) => \1$", r"\t\1", line) for line in lines)
    return [line for line in short if MUSL_LOADER not in line and line != "\tstatically linked"]


Compare = Callable[[Made, Path], Verdict]


def verdict(made: Made, compare: Compare) -> Verdict:
    loader = MUSL_LOADER if compare is compare_musl else LOADER
    with standing(made, loader) as top:
        try:
            return compare(made, top)
        except subprocess.TimeoutExpired:
            return Verdict(died=True)


def reduce(made: Made, compare: Compare) -> Made:
    """A world with the same fault of which nothing can be left out."""
    while True:
        for less in _smaller(made):
            if _differs(less, compare):
                made = less
                break
        else:
            return made


def _differs(made: Made, compare: Compare) -> bool:
    try:
        found = verdict(made, compare)
    except (OSError, KeyError, subprocess.SubprocessError):
        return False  # it does not stand without that part
    return not found.died and not found.equal and "elfpack:" not in found.got


def _smaller(made: Made) -> Iterator[Made]:
    plain = Made(world={})
    for name in ("library_path", "preload", "cwd", "stale", "cache", "by_kernel"):
        if getattr(made, name) != getattr(plain, name):
            changed: dict[str, Any] = {name: getattr(plain, name)}
            yield replace(made, **changed)
    for path, spec in made.world.items():
        if path != made.program:
            yield replace(made, world={p: s for p, s in made.world.items() if p != path})
        for less in _fewer_words(spec):
            yield replace(made, world={**made.world, path: less})
    for less in _shorter(made.library_path, ":"):
        yield replace(made, library_path=less)


def _fewer_words(spec: str) -> Iterator[str]:
    if spec.startswith(("->", "= ", "text", "dir")):
        return
    words = spec.split()
    for number, word in enumerate(words[1:], start=1):
        if not word.startswith(("interp=", "exports=")) and words[0] != "exec":
            yield " ".join(words[:number] + words[number + 1 :])
        key, _, value = word.partition("=")
        for less in _shorter(value, "," if key == "needs" else ":"):
            yield " ".join([*words[:number], f"{key}={less}", *words[number + 1 :]])


def _shorter(text: str, separator: str) -> Iterator[str]:
    parts = text.split(separator)
    for number in range(len(parts) if len(parts) > 1 else 0):
        yield separator.join(parts[:number] + parts[number + 1 :])


def told(made: Made, found: Verdict) -> str:
    """A difference for a reader: the world as a table, what is expected, what came."""
    rows = [f"    {path}: {spec}" for path, spec in made.world.items()]
    rest = {k: v for k, v in vars(made).items() if k != "world" and v}
    return "\n".join(
        [*rows, f"  {rest}", "  the real loader:", found.expected, "  elfpack:", found.got]
    )
