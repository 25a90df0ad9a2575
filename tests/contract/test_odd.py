"""Odd but legal surroundings: every command does its work, or says in one line why not."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import COMMAND, PATIENCE, Ran, elfpack, environment, well_spoken
from tests.contract.tree import obey_permissions, plant, program, rows, somebody, static, system

F_SETPIPE_SZ = 1031


class Command(NamedTuple):
    """A command over the tree ``root`` of the working directory."""

    name: str
    arguments: tuple[str, ...]
    status: int = 0
    written: str | None = None
    printed: bool = False
    """Whether it has results for standard output."""


COMMANDS = [
    Command("deps", ("deps", "--root", "root", "/bin/app"), printed=True),
    Command(
        "deps -v json",
        ("deps", "-v", "--format", "json", "--root", "root", "/bin/app"),
        0,
        None,
        True,
    ),
    Command("check", ("check", "root")),
    Command("layer", ("layer", "--root", "root", "/bin/app", "-o", "out.tar"), 0, "out.tar"),
    Command("gzip", ("layer", "--root", "root", "/bin/app", "-o", "out.tgz"), 0, "out.tgz"),
    Command("tree", ("layer", "--root", "root", "/bin/app", "-o", "out/"), 0, "out"),
    Command("plan", ("layer", "--root", "root", "/bin/app", "--dry-run"), printed=True),
    Command("stream", ("layer", "--root", "root", "/bin/app", "-o", "-"), printed=True),
    Command(
        "image", ("image", "--root", "root", "/bin/app", "-t", "a", "-o", "out.tar"), 0, "out.tar"
    ),
    Command("layout", ("image", "--root", "root", "/bin/app", "-t", "a", "-o", "out/"), 0, "out"),
]
HELP = Command("help", ("layer", "--help"), printed=True)


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    """A directory with the tree. Its program is longer than any pipe or buffer."""
    system(tmp_path / "root", {"/bin/app": program("libc.so.6", content=bytes(3 << 20))})
    return tmp_path


def _run(command: Command, here: Path, **options: object) -> Ran:
    return elfpack(*command.arguments, cwd=here, **options)  # type: ignore[arg-type]


def _as_ever(command: Command, ran: Ran, here: Path) -> None:
    """It did its work."""
    well_spoken(ran)
    assert ran.status == command.status, ran.err
    assert command.written is None or (here / command.written).exists()
    assert bool(ran.stdout) == command.printed


# Variables


VARIABLES: dict[str, dict[str, str | bytes]] = {
    "none": {},
    "no such locale": {"LANG": "xx_YY.FOO", "LC_ALL": "nonsense", "LANGUAGE": "\x1b[2J"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "an encoding": {"PYTHONIOENCODING": "ascii:strict"},
    "no temporary directory": {"TMPDIR": "/nonexistent", "TEMP": "", "HOME": "/nonexistent"},
    "hashes": {"PYTHONHASHSEED": "7"},
    "no UTF-8": {"HOME": b"/\xff\xfe", "PATH": b"\xff:\x1b", "COLUMNS": "-1", "TERM": "\x1b"},
}


@pytest.mark.parametrize("name", VARIABLES)
def test_environment(name: str, here: Path) -> None:
    variables = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), **VARIABLES[name]}
    for command in (COMMANDS[1], COMMANDS[2], COMMANDS[4]):
        _as_ever(command, _run(command, here, env=variables), here)


# Streams


def _slowly(fd: int) -> bytes:
    pieces = []
    while piece := os.read(fd, 1 << 16):
        pieces.append(piece)
    os.close(fd)
    return b"".join(pieces)


def _pipe() -> tuple[int, int]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, F_SETPIPE_SZ, 4096)
    return reading, writing


def _socket() -> tuple[int, int]:
    reading, writing = socket.socketpair()
    return reading.detach(), writing.detach()


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "non-blocking"])
@pytest.mark.parametrize("make", [_pipe, _socket])
@pytest.mark.parametrize("command", rows([*(c for c in COMMANDS if c.printed), HELP]))
def test_standard_output(
    command: Command, make: Callable[[], tuple[int, int]], blocking: bool, here: Path
) -> None:
    """All arrives, however slow the reader is, and whoever else has the other end."""
    expected = _run(command, here).stdout
    reading, writing = make()
    os.set_blocking(writing, blocking)
    process = subprocess.Popen(
        [*COMMAND, *command.arguments],
        cwd=here,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        assert _slowly(reading) == expected
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("deps", "--help")])
def test_help_to_a_closed_standard_output(arguments: tuple[str, ...]) -> None:
    ran = elfpack(*arguments, preexec=lambda: os.close(1))
    well_spoken(ran)
    assert (ran.status, len(ran.said("error"))) == (2, 1)


@pytest.mark.parametrize("arguments", [("check", "-"), ("deps", "-"), ("deps", "--from-file", "-")])
def test_closed_standard_input(arguments: tuple[str, ...]) -> None:
    ran = elfpack(*arguments, stdin=None, preexec=lambda: os.close(0))
    well_spoken(ran)
    assert ran.status == 2
    assert ran.said("error")[0].startswith("standard input: is closed (")


@pytest.mark.parametrize("closed", [(0,), (2,), (0, 2)], ids=str)
@pytest.mark.parametrize("command", rows(COMMANDS))
def test_closed_streams(command: Command, closed: tuple[int, ...], here: Path) -> None:
    """What is opened then gets their numbers, and nothing but its content is written to it."""
    expected = _run(command, here).stdout
    outputs = _contents(here / command.written) if command.written else None

    def close() -> None:
        for number in closed:
            os.close(number)

    ran = _run(command, here, preexec=close)
    assert (ran.status, ran.stdout) == (command.status, expected)
    assert outputs is None or _contents(here / (command.written or "")) == outputs


def _contents(path: Path) -> dict[str, bytes]:
    files = [path, *path.rglob("*")]
    return {str(p): p.read_bytes() for p in files if p.is_file() and not p.is_symlink()}


# Limits and signals


def _limited(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))


@pytest.mark.parametrize("limit", [6, 10, 20, 64])
@pytest.mark.parametrize("command", rows(COMMANDS))
def test_few_open_files(command: Command, limit: int, here: Path) -> None:
    ran = _run(command, here, preexec=_limited(resource.RLIMIT_NOFILE, limit))
    well_spoken(ran)
    if limit >= 20:
        _as_ever(command, ran, here)
    elif ran.status:
        assert "too many open files (raise the limit of open files" in ran.said("error")[0]
        assert command.written is None or not (here / command.written).exists()


@pytest.mark.parametrize("command", rows([c for c in COMMANDS if c.written]))
def test_files_of_a_limited_size(command: Command, here: Path) -> None:
    limit = 1 << 20 if command.name != "gzip" else 1 << 10
    ran = _run(command, here, preexec=_limited(resource.RLIMIT_FSIZE, limit))
    well_spoken(ran)
    assert ran.status == 2
    assert "file too large" in ran.said("error")[0]
    assert os.listdir(here) == ["root"], "nothing was left behind"


def test_results_into_a_file_of_a_limited_size(here: Path) -> None:
    with (here / "list").open("wb") as file:
        limit = _limited(resource.RLIMIT_FSIZE, 16)
        ran = _run(COMMANDS[0], here, stdout=file, preexec=limit)
    well_spoken(ran)
    assert ran.status == 2
    assert ran.said("error")[0].startswith("standard output: file too large (")


@pytest.mark.parametrize("megabytes", [14, 16, 20, 24, 28, 40])
@pytest.mark.parametrize("command", rows([COMMANDS[0], COMMANDS[2], COMMANDS[4], COMMANDS[8]]))
def test_little_memory(command: Command, megabytes: int, here: Path) -> None:
    """With too little for Python itself it tells in its own way, or none. With a little more it is
    one line of elfpack's."""
    enough = _limited(resource.RLIMIT_AS, megabytes - 1 << 20)
    start = [sys.executable, "-c", "import runpy, elfpack.cli"]
    if subprocess.run(start, preexec_fn=enough, capture_output=True, check=False).returncode:
        return
    ran = _run(command, here, preexec=_limited(resource.RLIMIT_AS, megabytes << 20))
    assert b"Traceback" not in ran.stderr
    assert ran.status in (0, 2)
    assert ran.status == 0 or ran.said("error")
    for line in ran.said("error"):
        assert "out of memory" not in line or "ulimit -v" in line


@pytest.mark.parametrize("command", rows(COMMANDS))
def test_no_further_process(command: Command, here: Path) -> None:
    before = somebody() if os.geteuid() == 0 else ()  # no limit binds root
    here.chmod(0o777)
    ran = _run(command, here, preexec=_limited(resource.RLIMIT_NPROC, 1), before=before)
    _as_ever(command, ran, here)


_IGNORED = (signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _ignore() -> None:
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)


@pytest.mark.parametrize("command", rows(COMMANDS))
def test_ignored_signals(command: Command, here: Path) -> None:
    _as_ever(command, _run(command, here, preexec=_ignore), here)


def test_many_programs_whose_ends_nobody_is_told_of(here: Path) -> None:
    arguments = ("deps", "--root", "root", *["/bin/app"] * 1000)
    ran = elfpack(*arguments, cwd=here, preexec=_ignore)
    assert (ran.status, ran.err) == (0, [])
    assert ran.stdout == elfpack(*arguments, cwd=here).stdout
    assert len(ran.out) == 1000 * 3


# Permissions


@pytest.mark.parametrize("command", rows([c for c in COMMANDS if c.written]))
def test_a_directory_that_may_not_be_written(command: Command, here: Path) -> None:
    """Nobody may write to a read-only file system either, which looks the same."""
    here.chmod(0o555)
    try:
        ran = _run(command, here, preexec=obey_permissions)
        well_spoken(ran)
        assert ran.status == 2
        assert "permission denied" in ran.said("error")[0]
        assert os.listdir(here) == ["root"]
    finally:
        here.chmod(0o755)


@pytest.mark.parametrize("command", rows(COMMANDS))
def test_umask(command: Command, here: Path) -> None:
    """A tree that its maker may not enter cannot be filled; a file can be written all the same."""

    def closed() -> None:
        obey_permissions()
        os.umask(0o777)

    ran = _run(command, here, preexec=closed)
    well_spoken(ran)
    if command.written == "out":
        assert ran.status == 2
        assert os.listdir(here) == ["root"]
    else:
        assert ran.status == 0


def test_a_directory_that_may_not_be_entered(here: Path) -> None:
    """``.`` and ``..`` behind it are as closed as all else in it."""
    top = plant(here / "root", {"/closed/below/libx.so": static(), "/open/libx.so": static()})
    ways = ("closed/below", "closed/./below", "closed/below/../below", "closed/../open")
    for way in ways:
        plant(top, {"/bin/other": program("libx.so", "libc.so.6", runpath=f"/{way}")})
        (top / "closed").chmod(0o600)
        try:
            arguments = ("deps", "-v", "--root", "root", "/bin/other")
            ran = elfpack(*arguments, cwd=here, preexec=obey_permissions)
        finally:
            (top / "closed").chmod(0o755)
        well_spoken(ran)
        assert ran.status == 1
        assert "\tlibx.so => not found" in ran.out
        assert any(f"/{way}/libx.so: permission denied" in line for line in ran.err), ran.err


# Names


@pytest.fixture(name="long")
def _long(here: Path) -> Iterator[tuple[Path, str]]:
    """The tree with a program whose path in it has 4,095 bytes, and that path."""
    name = "n" * 255
    path = f"/{name}" * 15
    path += "/" + "m" * (4095 - len(path) - 1)
    fd = os.open(here / "root", os.O_PATH)
    for part in path[1:].split("/")[:-1]:
        os.mkdir(part, dir_fd=fd)
        below = os.open(part, os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = below
    file = os.open(path.rpartition("/")[2], os.O_CREAT | os.O_WRONLY, 0o755, dir_fd=fd)
    os.write(file, program("libc.so.6"))
    os.close(file)
    os.close(fd)
    yield here, path


def test_longest_names(long: tuple[Path, str]) -> None:
    here, path = long
    assert len(path) == 4095
    ran = elfpack("deps", "--root", "root", path, cwd=here)
    assert (ran.status, len(ran.out), ran.err) == (0, 2, [])
    longer = elfpack("deps", "--root", "root", path + "m", cwd=here)
    well_spoken(longer)
    assert (longer.status, len(longer.said("error"))) == (2, 1)
    packed = elfpack("layer", "--root", "root", path, "-o", "out.tar", cwd=here)
    _as_ever(COMMANDS[3], packed, here)
    assert elfpack("check", "out.tar", cwd=here).status == 0
    assert elfpack("check", "root", cwd=here).status == 0


ODD = b"a\n\x1b]0;x\x07\x1b[2J\xff\xc2\x9b\xe2\x80\xae"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-v", "deps", "--format", "ldd"),
        ("deps", "--format", "tree"),
        ("deps", "--format", "dot"),
        ("deps", "--format", "json"),
        ("deps", "--format", "paths"),
        ("deps", "--why", "libc.so.6"),
        ("deps", "--symbols"),
        ("layer", "--dry-run"),
        ("layer", "--dry-run", "--format", "json"),
    ],
    ids=" ".join,
)
def test_odd_names_on_a_terminal(arguments: tuple[str, ...], here: Path) -> None:
    """A name is shown, and steers nothing."""
    name = os.fsdecode(ODD)
    plant(here / "root", {f"/bin/{name}": program("libc.so.6", name, runpath=f"/{name}")})
    plant(here / "root", {f"/{name}/{name}": program("libc.so.6", type=3, interpreter=None)})
    primary, terminal = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--root", "root", os.fsencode("/bin/") + ODD],
        cwd=here,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=terminal,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(primary, 1 << 16):
            shown += piece
    except OSError:
        pass  # the other end is closed
    os.close(primary)
    assert process.wait(PATIENCE) in (0, 1)
    text = shown.replace(b"\r\n", b"\n").decode()  # no byte that is not UTF-8
    assert all(c in "\n\t" or c.isprintable() for c in text), ascii(text)
    assert "\\x1b" in text or "\\u001b" in text
