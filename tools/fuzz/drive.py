"""Sends an input through elfpack, and judges what comes back."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import elfpack
from elfpack.cli import main
from elfpack.cli.main import elfpack as group
from elfpack.cli.ui import Talk
from tests.cli import Ran, well_spoken
from tools.fuzz import archives, corpus
from tools.fuzz.corpus import ARCHIVE, LAYOUT, PROGRAM, Seed
from tools.fuzz.formats import Case

_OUT = Path("out")
_SAMPLE = 8
"""One of so many is looked at more closely."""
_EVERY_CHOICE: dict[str, bool | str | tuple[str, ...]] = {
    **{"dlopen": ("strings", "suggested"), "nss": "host", "certs": True, "tz": True, "tmp": True},
    **{"gconv": True, "locale": ("en_US.UTF-8", "german"), "shell": "/bin/busybox"},
    **{"users": True, "libgcc": True},
}


class WrongError(Exception):
    """An answer that nobody may get."""


class Place:
    """The working directory: a root, and what is written beside it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        os.chdir(top)
        self._changed: list[str] = []
        self._write(corpus.world())
        _OUT.mkdir()
        self.beside = {"root", "out"}

    def put(self, seed: Seed) -> None:
        """Put an input where it belongs; what the last one had changed is as it was."""
        for path in self._changed:
            self._remove(path)
        self._write({p: corpus.world()[p] for p in self._changed if p in corpus.world()})
        files = {**seed.beside, seed.path: seed.raw}
        self._changed = list(files)
        for path in files:
            self._remove(path)
        self._write(files)

    def _at(self, path: str) -> Path:
        return Path(f"root{path}") if path.startswith("/") else Path(path)

    def _remove(self, path: str) -> None:
        at = self._at(path)
        if path == LAYOUT:
            shutil.rmtree(at, ignore_errors=True)
        else:
            at.unlink(missing_ok=True)

    def _write(self, files: Mapping[str, bytes]) -> None:
        for path, raw in files.items():
            at = self._at(path)
            if path == LAYOUT:
                _unpack(raw, at)
                continue
            at.parent.mkdir(parents=True, exist_ok=True)
            if raw.startswith(b"-> "):
                at.symlink_to(os.fsdecode(raw[3:].replace(b"\0", b"")[:200] or b"x"))
            else:
                at.write_bytes(raw)
                at.chmod(0o755)

    def rootfs(self) -> str:
        """What ``check`` is asked about: what was put beside the root, or the root."""
        here = [name for name in (ARCHIVE, LAYOUT) if name in self._changed]
        return here[0] if here else "root"

    def nothing_else(self, written: bool) -> None:
        """Hold what is there against what may be there; then remove what was written.

        Raises:
            WrongError: something was left, or went astray.
        """
        more = set(os.listdir()) - self.beside - {p.rstrip("/") for p in self._changed}
        left = os.listdir(_OUT)
        if more or (left and not written):
            raise WrongError(f"left behind: {sorted(more) or left}")
        if left:
            shutil.rmtree(_OUT)
            _OUT.mkdir()


_DAMAGED = tarfile.TarError, ValueError, OSError, UnicodeError, OverflowError, RecursionError
"""What tarfile raises. It calls itself for each pax header."""


def _unpack(raw: bytes, top: Path) -> None:
    """The files of a layout. Of a tar that is damaged, nothing: there it is not the tar that is
    looked at."""
    try:
        files = archives.files(raw)
    except _DAMAGED:
        files = {}
    top.mkdir()
    for name, content in files.items():
        if ".." in name or "\0" in name or name.startswith("/") or len(name) > 100:
            continue
        try:
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            (top / name).write_bytes(content)
        except OSError:
            continue  # a file where a directory should be


def drive(case: Case, place: Place) -> None:
    """Send an input all its ways.

    Raises:
        Exception: whatever is wrong: a :class:`WrongError`, an AssertionError of
            :func:`tests.cli.well_spoken`, or what should have been an ElfpackError.
    """
    place.put(case.seed)
    for number, way in enumerate(case.ways):
        if not way:
            continue
        if way.startswith("api "):
            with _only_elfpack_errors():
                _API[way[4:]](place)
        else:
            _command(way, case.number + number, place)


@contextmanager
def _only_elfpack_errors() -> Iterator[None]:
    try:
        yield
    except elfpack.ElfpackError as e:
        if not str(e).strip():
            raise WrongError("an error without a word") from e


def _resolve(place: Place) -> None:
    with elfpack.Session("root") as session:
        closure = session.resolve(PROGRAM)
        for library in closure.libraries:
            str((library.name, library.path, library.found_by))
        session.symbols(closure)
        session.newest_versions(closure)
        session.borrowed(closure)


def _plan(place: Place, **more: Any) -> None:
    with elfpack.Session("root") as session:
        choice = {"modules": _EVERY_CHOICE, "allow_missing": ["*"], **more}
        plan = session.plan([PROGRAM], **choice)
        str((plan.entries, plan.findings, plan.size))


def _check(place: Place) -> None:
    str(elfpack.check(place.rootfs()))


def _images(place: Place) -> None:
    for image in elfpack.images(place.rootfs()):
        for path in image.session.programs()[:5]:
            image.session.resolve(path)


_API: dict[str, Callable[[Place], None]] = {
    "resolve": _resolve,
    "plan": _plan,
    "traced": lambda place: _plan(place, modules={"strace": "/log"}),
    "check": _check,
    "images": _images,
}


# The command line


def _command(way: str, number: int, place: Place) -> None:
    """Run a command line; some twice, and some for a terminal."""
    words = {"PROGRAM": PROGRAM, "PROGRAM:/x/": f"{PROGRAM}:/x/", "ROOTFS": place.rootfs()}
    argv = [words.get(word, word) for word in way.split()]
    terminal = number % 2 == 0 and "-" not in argv
    ran = run(argv, terminal)
    if b"a fault of elfpack itself" in ran.stderr:
        place.nothing_else(True)
        # Once more without what makes a line of it, to see where it comes from.
        group.main(argv, prog_name="elfpack", standalone_mode=False, obj=Talk())
    judge(ran, argv, terminal)
    if ran.status == 0 and number % _SAMPLE == 0:
        _judge_output()
    place.nothing_else(ran.status == 0)
    if number % _SAMPLE == 1:
        again = run(argv, terminal)
        place.nothing_else(ran.status == 0)
        if again != ran:
            raise WrongError(f"another answer the second time: {ran} {again}")


def run(argv: list[str], terminal: bool = False) -> Ran:
    """Run a command line in this process, with what it prints in files of memory."""
    with _captured() as (out, err):
        isatty = os.isatty
        if terminal:
            os.isatty = lambda fd: fd == 1
        try:
            status = main(argv)
        finally:
            os.isatty = isatty
        return Ran(status, _content(out), _content(err))


@contextmanager
def _captured() -> Iterator[tuple[int, int]]:
    made = [os.memfd_create("captured") for _ in range(2)]
    kept = [os.dup(number) for number in (1, 2)]
    try:
        for number in (0, 1):
            os.dup2(made[number], number + 1)
        yield made[0], made[1]
    finally:
        sys.stdout.flush()
        for number in (0, 1):
            os.dup2(kept[number], number + 1)
        for number in (*made, *kept):
            os.close(number)


def _content(fd: int) -> bytes:
    return os.pread(fd, os.fstat(fd).st_size, 0)


def judge(ran: Ran, argv: list[str], terminal: bool) -> None:
    """Hold a run against the contract of the command line.

    Raises:
        WrongError: it does not keep it.
        AssertionError: the same.
    """
    if type(ran.status) is not int:
        raise WrongError(f"{ran.status!r} is no status")
    if ran.stdout and terminal:
        _judge_terminal(ran.out)
    well_spoken(ran)
    for words in (b"fault of elfpack", b"out of memory", b"interrupted"):
        if words in ran.stderr:
            raise WrongError(os.fsdecode(ran.stderr[-500:]))
    if ran.status == 2 and not ran.said("error"):
        raise WrongError("status 2 without an error")
    if "json" in argv and (ran.stdout or ran.status == 0):
        _judge_json(ran, argv[0])


def _judge_terminal(lines: list[str]) -> None:
    for line in lines:
        if not line.replace("\t", "").isprintable():
            raise WrongError(f"could steer a terminal: {line!r}")


def _judge_json(ran: Ran, command: str) -> None:
    try:
        document = json.loads(ran.stdout)
    except ValueError as e:
        raise WrongError(f"no JSON: {e}: {ran.stdout[:200]!r}") from e
    if len(ran.stdout) % _SAMPLE == 0:  # validating takes longer than all the rest
        _schema(command).validate(document)


@cache
def _schema(command: str) -> Any:
    text = (resources.files("elfpack") / "schema" / f"{command}-1.json").read_text("utf-8")
    return import_module("jsonschema").Draft202012Validator(json.loads(text))


def _judge_output() -> None:
    """What was written is read by others, and by elfpack itself."""
    for path in _OUT.glob("a.tar"):
        with tarfile.open(path) as read:
            names = read.getnames()
        if any(name.startswith("/") or ".." in name.split("/") for name in names):
            raise WrongError(f"a member that leads out: {names}")
        elfpack.check(path)
