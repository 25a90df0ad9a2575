"""Shows that equal input gives equal bytes: every form of output, written again and again under
other circumstances, each with the single file and whatever python3 there is.

    python tools/repro.py elfpack.pyz

The input is a tree with programs, links, a script and plain files, copied for each run, so that
its times, its inodes and the order of its directories are others each time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROGRAMS = ("/bin/sh", "/usr/bin/env", "/bin/cat", "/usr/bin/getent")
FORMS = {
    "layer .tar": ("layer", "out.tar"),
    "layer .tar.gz": ("layer", "out.tar.gz"),
    "layer .tar.zst": ("layer", "out.tar.zst"),
    "layer tree": ("layer", "out/"),
    "layer -": ("layer", "-"),
    "image .tar": ("image", "out.tar"),
    "image OCI": ("image", "out/"),
}
PYTHONS = ("python3.10", "python3.11", "python3.12", "python3.13", "python3.14")
OTHER_USER = 12345


class Circumstance(NamedTuple):
    """How a run differs from the first."""

    name: str
    variables: dict[str, str] = {}
    umask: int = 0o022
    user: int | None = None
    directory: str = "work"
    python: str | None = None
    """None: the one that runs this."""


def circumstances() -> Iterator[Circumstance]:
    yield Circumstance("again")
    yield Circumstance("umask 077", umask=0o077)
    yield Circumstance("umask 0", umask=0)
    yield Circumstance("time zone", {"TZ": "Pacific/Auckland"})
    yield Circumstance("locale C", {"LC_ALL": "C"})
    yield Circumstance("locale tr_TR", {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"})
    yield Circumstance("directory", directory="a/very/much/longer/directory with spaces")
    for seed in ("0", "1", "4711"):
        yield Circumstance(f"hash seed {seed}", {"PYTHONHASHSEED": seed})
    yield Circumstance("home and name", {"HOME": "/nonexistent", "USER": "x", "LOGNAME": "x"})
    if os.geteuid() == 0 and shutil.which("setpriv"):
        yield Circumstance(f"user {OTHER_USER}", user=OTHER_USER)
    for python in found_pythons():
        yield Circumstance(version(python), python=python)


def found_pythons() -> Iterator[str]:
    """Every other python3 that elfpack can run with, each version once."""
    places = [shutil.which(name) for name in PYTHONS]
    places += map(str, sorted(Path.home().glob(".pyenv/versions/*/bin/python3")))
    seen = {version(sys.executable)}
    for place in filter(None, places):
        told = version(place)
        if told and told not in seen and _is_new_enough(place):
            seen.add(told)
            yield place


def _is_new_enough(python: str) -> bool:
    check = "import sys; sys.exit(sys.version_info < (3, 10))"
    return subprocess.run([python, "-c", check], check=False).returncode == 0


def version(python: str) -> str:
    """Empty for one that does not run."""
    try:
        done = subprocess.run([python, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def source(pyz: Path, top: Path) -> Path:
    """The input as a tree."""
    tree = top / "source"
    run = [sys.executable, str(pyz), "layer", "-q", *PROGRAMS, "-o", f"{tree}/"]
    subprocess.run(run, check=True)
    (tree / "usr/share/data").mkdir(parents=True)
    for number in range(40):
        (tree / f"usr/share/data/file-{number * 7919 % 97}").write_text(f"{number}\n" * number)
    (tree / "usr/share/data/link").symlink_to("file-1")
    script = tree / "usr/bin/script"
    script.write_text("#!/bin/sh\necho hello\n")
    script.chmod(0o755)
    return tree


def copied(tree: Path, target: Path, number: int) -> None:
    """The same tree, made in another order at another time."""
    target.mkdir(parents=True, mode=0o755)
    names = sorted(
        os.listdir(tree), key=lambda name: hashlib.sha256(f"{number}{name}".encode()).digest()
    )
    for name in names:
        here, there = tree / name, target / name
        mode = here.lstat().st_mode
        if stat.S_ISLNK(mode):
            there.symlink_to(os.readlink(here))
        elif stat.S_ISDIR(mode):
            copied(here, there, number)
        else:
            shutil.copyfile(here, there)
        if not stat.S_ISLNK(mode):
            there.chmod(stat.S_IMODE(mode))
        os.utime(there, (number * 86_400, number * 86_400 + len(name)), follow_symlinks=False)


def fingerprint(path: Path) -> str:
    """Of a file its bytes; of a tree names, types, modes, times, links and contents."""
    if not path.is_dir():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    lines = []
    for one in sorted(path.rglob("*"), key=os.fsencode):
        status = one.lstat()
        content = os.readlink(one) if one.is_symlink() else ""
        if one.is_file() and not one.is_symlink():
            content = hashlib.sha256(one.read_bytes()).hexdigest()
        lines.append(f"{one.relative_to(path)} {status.st_mode:o} {status.st_mtime_ns} {content}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def written(pyz: Path, tree: Path, form: str, how: Circumstance, place: Path) -> str | None:
    """The fingerprint of one output; None if this python has not what the form needs."""
    command, output = FORMS[form]
    python = how.python or sys.executable
    if output.endswith(".zst") and not _has_zstandard(python):
        return None
    place.mkdir(parents=True, exist_ok=True)
    more = ["-t", "repro:1"] if command == "image" else []
    arguments = ["/usr/bin/script", *PROGRAMS, "--add", "/usr/share/data", "--mkdir", "/data:0700"]
    line = [python, str(pyz), command, "--root", str(tree), *arguments, *more, "-q", "-o", output]

    if how.user is not None:
        os.chown(place, how.user, how.user)
        line = [*_as(how.user), *line]
    done = subprocess.run(
        line,
        cwd=place,
        env={**os.environ, **how.variables},
        umask=how.umask,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"repro: {form}, {how.name}: {done.stderr.decode(errors='replace')}")
    if output == "-":
        return hashlib.sha256(done.stdout).hexdigest()
    found = fingerprint(place / output)
    shutil.rmtree(place)
    return found


def _as(user: int) -> tuple[str, ...]:
    """What runs a command as another user, who may read what root may: a python can be in root's
    home."""
    return (
        *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"),
        *("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"),
    )


def _has_zstandard(python: str) -> bool:
    done = subprocess.run([python, "-c", "import zstandard"], capture_output=True, check=False)
    return done.returncode == 0


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="repro-") as name:
        top = Path(name)
        top.chmod(0o755)
        pyz = Path(shutil.copy(sys.argv[1], top / "elfpack.pyz"))
        tree = source(pyz, top)
        first: dict[str, str] = {}
        runs: dict[str, int] = dict.fromkeys(FORMS, 0)
        differing: list[str] = []
        for number, how in enumerate((Circumstance("first"), *circumstances())):
            here = top / f"tree-{number}" / ("x" * number)
            copied(tree, here, number)
            for form in FORMS:
                place = top / f"run-{number}" / how.directory
                got = written(pyz, here, form, how, place)
                if got is None:
                    continue
                runs[form] += 1
                if got != first.setdefault(form, got):
                    differing.append(f"{form}: {how.name}")
            shutil.rmtree(top / f"tree-{number}")
    for form, count in runs.items():
        bad = sum(line.startswith(f"{form}: ") for line in differing)
        print(f"{form:15} {count - bad}/{count} equal")
    print("circumstances: " + ", ".join(how.name for how in circumstances()))
    for line in differing:
        print(f"differs: {line}")
    return 1 if differing or min(runs.values()) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
