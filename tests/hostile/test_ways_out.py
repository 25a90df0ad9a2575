"""No way leads out of a root or an archive, and nothing is run, whatever is in it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import well_spoken
from tests.contract.tree import rows
from tests.hostile.traces import CHECK_EACH, PLAIN, Allowed, traced, violations
from tools.hostile.elves import malformed
from tools.hostile.tree import COMPLETE, LEADING_OUT, LIBRARIES, MODULES, PROGRAMS, SECRET

_PROGRAMS = tuple(f"/bin/{name}" for name in (*LIBRARIES, *PROGRAMS))


class Run(NamedTuple):
    """Arguments of a run over the corpus. ROOT stands for its tree, LIST for a list of all its
    programs, FEW for one without the malformed files."""

    name: str
    arguments: tuple[str, ...]
    status: int


def _deps(*arguments: str, names: str = "FEW") -> tuple[str, ...]:
    return ("deps", "--root", "ROOT", "--from-file", names, *arguments)


def _packing(command: str, *arguments: str) -> tuple[str, ...]:
    return (command, "--root", "ROOT", "--allow-missing", "*", "/bin/calls", *arguments)


def _all(option: str, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(word for value in values for word in (option, value))


_LAYER = ("layer", "--root", "ROOT", "/bin/calls", "-o", "out.tar")
ADDED = ("/lib", "/lib64", "/etc", "/usr", "/names", "/deep", "/loop", "/fifos", "/dev")
LONG = ("--add", "/nested")
"""A path that only a tar can hold."""
ALL = (*(f"/bin/{name}" for name in COMPLETE), *_all("--add", ADDED))
WITH = _all("--with", MODULES)
RUNS = [
    Run("deps as JSON", _deps("--format", "json", "--symbols", "-v", names="LIST"), 2),
    *(Run(f"deps as {form}", _deps("--format", form), 2) for form in ("ldd", "tree", "dot")),
    Run("deps as paths", _deps("--format", "paths", "-v"), 2),
    Run("deps --why", _deps("--why", "libevil.so"), 2),
    Run("deps --library-path", _deps("--library-path", "/out/lib:/up/lib:../outside/lib:."), 2),
    Run(
        "deps of what is outside", ("deps", "--root", "ROOT", "../outside/bin/sh", "/out/ld.so"), 2
    ),
    Run("layer", _packing("layer", "-o", "out.tar", *ALL, *LONG), 0),
    Run("layer with all modules", _packing("layer", "-o", "out.tar", *WITH), 0),
    Run("stripped tree", _packing("layer", "--strip", "-o", "out/", *ALL, *WITH), 0),
    Run("plan", _packing("layer", "--dry-run", "--format", "json", "-v", *ALL, *WITH), 0),
    Run("image", _packing("image", "-t", "a", "-o", "out.tar", *ALL, *WITH), 0),
    Run("layout", _packing("image", "-t", "a", "-o", "out/", *ALL), 0),
    Run(
        "layer that fails",
        _packing("layer", "-o", "out/", *_all("--add", ("/bin", "/malformed"))),
        1,
    ),
    Run(
        "layer of a way out", _packing("layer", "-o", "out.tar", *_all("--add", ("/out", "/up"))), 2
    ),
    *(
        Run(f"--with {value}", (*_LAYER, "--with", value), status)
        for value, status in LEADING_OUT.items()
    ),
    Run("check as JSON", ("check", "--format", "json", "-v", "ROOT"), 1),
]


def _lists(corpus: Path, place: Path) -> dict[str, str]:
    """LIST and FEW: names with a NUL behind each."""
    few = [*_PROGRAMS, *(f"/names/{name}" for name in os.listdir(corpus / "root/names"))]
    names = {"FEW": few, "LIST": [*few, *(f"/malformed/{name}" for name, _ in malformed())]}
    place.mkdir()
    for key, listed in names.items():
        (place / key).write_bytes(b"".join(os.fsencode(name) + b"\0" for name in listed))
    return {key: str(place / key) for key in names}


def _outputs(top: Path) -> bytes:
    """The bytes of every file below a directory, and all names and texts of links."""
    pieces = []
    for here, directories, files in os.walk(os.fsencode(top)):
        for name in (*directories, *files):
            path = here + b"/" + name
            pieces.append(name)
            if os.path.islink(path):
                pieces.append(os.readlink(path))
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    pieces.append(file.read())
    return b"\n".join(pieces)


@pytest.mark.parametrize("row", rows(RUNS))
def test_run_over_the_tree(row: Run, corpus: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    root, lists = corpus / "root", tmp_path / "lists"
    words = {**_lists(corpus, lists), "ROOT": str(root)}
    seen = traced(tmp_path / "log", *(words.get(a, a) for a in row.arguments), cwd=work)
    well_spoken(seen.ran)
    assert seen.ran.status == row.status, seen.ran.err[-3:]
    assert violations(seen, Allowed([root], [lists], [work])) == []
    assert SECRET.encode() not in seen.ran.stdout + seen.ran.stderr + _outputs(work)


def test_check_of_each_archive(corpus: Path, tmp_path: Path) -> None:
    archives = sorted((corpus / "archives").iterdir())
    seen = traced(tmp_path / "log", *archives, cwd=tmp_path, code=CHECK_EACH)
    well_spoken(seen.ran)
    assert violations(seen, Allowed(archives)) == []
    assert SECRET.encode() not in seen.ran.stdout + seen.ran.stderr
    told = os.fsdecode(seen.ran.stderr)
    assert [path for path in archives if f" {path}: " not in told] == []


def test_check_of_the_whole_corpus_starts_nothing(corpus: Path, tmp_path: Path) -> None:
    """As ``strace -f -e trace=execve,network elfpack check CORPUS`` shows it."""
    seen = traced(
        tmp_path / "log", "check", corpus, cwd=tmp_path, code=PLAIN, calls="execve,network"
    )
    well_spoken(seen.ran)
    assert seen.ran.status == 1
    assert [call.name for call in seen.calls] == ["execve"]


class Planted(NamedTuple):
    """A call that must be found."""

    name: str
    code: str
    told: str


_AS_ROOT = "import os; root = os.open({root!r}, os.O_PATH | os.O_DIRECTORY); "
PLANTED = [
    Planted("a program", "os.spawnlp(os.P_WAIT, 'cat', 'cat', {secret!r})", "executes"),
    Planted("a file outside", "open({secret!r})", "opens"),
    Planted("a look outside", "os.stat({secret!r})", "looks outside"),
    Planted("a link outside", "os.path.islink({secret!r})", "looks outside"),
    Planted("another root", "os.stat('/etc/passwd')", "looks outside"),
    Planted("a directory outside", "os.listdir({outside!r})", "opens"),
    Planted("through a link", "os.open('out', os.O_PATH, dir_fd=root)", "opens"),
    Planted("by a path", "os.stat('bin/../bin/calls', dir_fd=root)", "walks"),
    Planted("up", "os.stat('..', dir_fd=root, follow_symlinks=False)", "walks"),
    Planted("following", "os.stat('bin', dir_fd=root)", "follows"),
    Planted("an open that follows", "os.open('bin', os.O_PATH, dir_fd=root)", "follows"),
    Planted("one that may block", "os.open('bin/calls', os.O_NOFOLLOW, dir_fd=root)", "block"),
    Planted("one to write", "open({root!r} + '/bin/calls', 'r+')", "for writing"),
    Planted("a map", "import mmap; mmap.mmap(os.open({calls!r}, 0), 9, prot=1)", "a map"),
    Planted("a socket", "import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "network"),
    Planted("copies", "[os.fork() or os._exit(0) for _ in range(9)]", "copies"),
    Planted("a directory to be in", "os.chdir({outside!r})", "changes its directory"),
]


@pytest.mark.parametrize("row", rows(PLANTED))
def test_the_log_shows_it(row: Planted, corpus: Path, tmp_path: Path) -> None:
    """The tests above can fail."""
    root, outside = str(corpus / "root"), str(corpus / "outside")
    words = {
        **{"root": root, "outside": outside, "secret": f"{outside}/passwd"},
        "calls": f"{root}/bin/calls",
    }
    code = (_AS_ROOT + row.code).format(**words)
    seen = traced(tmp_path / "log", cwd=tmp_path, code=code)
    # What Python opens when it starts is not looked at here.
    start = next(n for n, c in enumerate(seen.processes[0]) if root.encode() in c.names)
    seen = seen._replace(processes=[seen.processes[0][start:], *seen.processes[1:]])
    found = violations(seen, Allowed([corpus / "root"]))
    assert any(row.told in line for line in found), found
