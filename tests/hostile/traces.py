"""What a process did, by the log of strace, and what of it no reading of files needs.

The log is read here by few lines of its own: elfpack's reader of such logs is among what is tested.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.cli import PATIENCE, Ran, environment

REPOSITORY = Path(__file__).parents[2]
_START = "/elfpack-starts-to-work"
_BEFORE = f"""
import importlib, os, pkgutil, sys
import _bz2, _ctypes, _hashlib, _json, _lzma, _posixsubprocess, _uuid, mmap, tarfile, zlib
import elfpack
for module in pkgutil.walk_packages(elfpack.__path__, "elfpack."):
    if not module.name.endswith(("main", "main__")):  # whose name is that of a function beside it
        importlib.import_module(module.name)
import click, elftools.elf.elffile, fnmatch, json, lief, select
from elfpack.cli import main, script
try:
    os.stat({_START!r})
except OSError:
    pass
"""
_WORK = _BEFORE + "sys.exit(script())"
"""elfpack as its script starts it, after all that Python's own loading opens."""
CHECK_EACH = _BEFORE + "sys.exit(max(main(['check', path]) for path in sys.argv[1:]))"
"""``elfpack check`` of each of its arguments."""
PLAIN = "from elfpack.cli import script; raise SystemExit(script())"
"""The same, with nothing before it."""
_STRACE = ("strace", "-ff", "-y", "-xx", "-s", "0", "-e", "signal=none", "--seccomp-bpf")
CALLS = "%file,%process,%network,mmap"
_CALL = re.compile(rb"(?P<name>\w+)\((?P<rest>.*)")
_TEXT = re.compile(rb'"((?:\\x[0-9a-f]{2})*)"')
_PATH = rb"(?:<((?:\\x[0-9a-f]{2})*)>)?"
_DIRECTORY = re.compile(rb"(?:AT_FDCWD|\d+)" + _PATH + rb"[,)]")
_MAPPED = re.compile(rb", \d+" + _PATH + rb", \w+\)$")
_RETURNED = re.compile(rb"\d+" + _PATH + rb"$")


class Call(NamedTuple):
    """A system call."""

    name: str
    text: str
    """As strace shows it, what stands in quotes and in <> decoded."""
    names: tuple[bytes, ...]
    """The texts among its arguments: paths, for calls that take some."""
    base: bytes | None
    """The path of the descriptor that its name counts from, or that it is about. Empty if it is
    longer than any path: strace cannot tell it."""
    result: bytes | None
    """The path of the descriptor that it returned."""


class Traced(NamedTuple):
    """A run and its calls: of each process the list, its own first."""

    ran: Ran
    processes: Sequence[Sequence[Call]]

    @property
    def calls(self) -> Iterator[Call]:
        for process in self.processes:
            yield from process


def traced(
    log: Path,
    *arguments: str | bytes | Path,
    cwd: Path,
    code: str = _WORK,
    calls: str = CALLS,
) -> Traced:
    """Run elfpack with these arguments, or other code, in ``cwd``; the calls from its work on."""
    log.mkdir()
    command = [*_STRACE, "-e", f"trace={calls}", "-o", str(log / "log"), sys.executable, "-c", code]
    done = subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env=environment(PYTHONPATH=str(REPOSITORY), PYTHONDONTWRITEBYTECODE="1"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=4 * PATIENCE,
    )
    logs = sorted(log.iterdir(), key=lambda path: int(path.suffix[1:]))
    processes = [list(_calls(path.read_bytes())) for path in logs]
    if code.startswith(_BEFORE):
        start = next(n for n, c in enumerate(processes[0]) if _START.encode() in c.names)
        processes[0] = processes[0][start + 1 :]
    return Traced(Ran(done.returncode, done.stdout, done.stderr), processes)


def _calls(raw: bytes) -> Iterator[Call]:
    for line in raw.split(b"\n"):
        found = _CALL.match(line)
        if found is None:
            continue  # the end of the process
        arguments, _, result = found["rest"].rpartition(b" = ")
        about = _MAPPED.search(arguments) if found["name"] == b"mmap" else None
        yield Call(
            found["name"].decode(),
            os.fsdecode(re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes.fromhex(m[1].decode()), line)),
            tuple(_plain(m[1]) for m in _TEXT.finditer(arguments)),
            _shown(about or _DIRECTORY.match(arguments)),
            _shown(_RETURNED.match(result)) if found["name"].startswith(b"open") else None,
        )


def _shown(found: re.Match[bytes] | None) -> bytes | None:
    """The path that a descriptor is shown with."""
    return None if found is None else _plain(found[1] or b"")


def _plain(raw: bytes) -> bytes:
    return bytes.fromhex(raw.replace(b"\\x", b"").decode())


class Allowed(NamedTuple):
    """What a run may open, all else being a violation."""

    inputs: Sequence[Path]
    """Directories and archives that it was given, in a corpus that no other path may lead to."""
    read: Sequence[Path] = ()
    """Files that it was told to read besides."""
    written: Sequence[Path] = ()
    """Directories that outputs may go to."""


_OWN = tuple(
    os.path.realpath(path)
    for path in {
        *(sys.prefix, sys.base_prefix, sys.exec_prefix, str(REPOSITORY / "elfpack")),
        *(sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")),
        *(sysconfig.get_path("purelib"), os.path.dirname(sys.executable)),
    }
)
"""Directories of Python and of elfpack: modules are loaded when they are needed. What they need of
the system was loaded before, see _WORK."""
_DEVICES = (b"/dev/null", b"/dev/urandom")
_OF_ITSELF = (b"/proc/cpuinfo", b"/proc/self/mountinfo", b"/sys/fs/cgroup", b"/proc/self/cgroup")
_EXECUTES = ("execve", "execveat")
_FORKS = ("clone", "clone3", "fork", "vfork")
_NETWORK: tuple[str, ...] = (
    "socket",
    "connect",
    "bind",
    "accept",
    "accept4",
    "listen",
    "sendto",
    "recvfrom",
)
_NETWORK += ("sendmsg", "recvmsg", "socketpair", "getsockopt", "setsockopt", "shutdown")
_MOST_COPIES = 4
"""Processes that elfpack shares work among, and threads."""


def violations(traced: Traced, allowed: Allowed) -> list[str]:
    """Every call that is none of a program which reads these inputs, and what is wrong with it."""
    found = []
    copies = 0
    for call in traced.calls:
        copies += call.name in _FORKS and "CLONE_THREAD" not in call.text
        wrong = _wrong(call, allowed)
        if wrong:
            found.append(f"{wrong}: {call.text}")
    if copies > _MOST_COPIES:
        found.append(f"{copies} copies of the process")
    return found


def _wrong(call: Call, allowed: Allowed) -> str | None:
    if call.name in _EXECUTES:
        return "executes"
    if call.name in _NETWORK:
        return "network"
    if call.name in ("chdir", "fchdir"):
        return "changes its directory"
    if call.name == "mmap":
        return "a map of an input" if call.base and _is_input(call.base, allowed) else None
    if not call.names or call.names[0] == b"":  # about the descriptor itself
        return None
    names = call.names[1:] if call.name.startswith("symlink") else call.names  # its text is none
    wrong = _opened(call, allowed)
    return wrong or next(filter(None, (_named(call, name, allowed) for name in names)), None)


def _opened(call: Call, allowed: Allowed) -> str | None:
    """How an input may be opened: never for writing, and never so that a FIFO could block."""
    if call.result is None:
        return None
    if not _may(call.result, allowed):
        return f"opens {os.fsdecode(call.result)}"
    if not _is_input(call.result, allowed):
        return None
    if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND", call.text):
        return "opens an input for writing"
    if not re.search(r"O_PATH|O_DIRECTORY|O_NONBLOCK", call.text):
        return "opens an input that may block"
    return None


def _named(call: Call, name: bytes, allowed: Allowed) -> str | None:
    """Whether what it names may be looked at; in a tree, by one component that is no link."""
    if name.startswith(b"/") or call.base is None:
        path = os.path.normpath(name)
        inside = _is_input(path, allowed) and path not in _named_by_user(allowed)
        return "walks by the kernel's rules" if inside else _outside(path, allowed)
    if not _is_input(call.base, allowed):
        return _outside(os.path.normpath(call.base + b"/" + name), allowed)
    if b"/" in name or name == b"..":
        return "walks by the kernel's rules"
    stays = name == b"." or "NOFOLLOW" in call.text or call.name == "readlinkat"
    return None if stays else "follows links inside the tree"


def _outside(path: bytes, allowed: Allowed) -> str | None:
    return None if _may(path, allowed) else "looks outside"


def _named_by_user(allowed: Allowed) -> list[bytes]:
    return [os.fsencode(path) for path in (*allowed.inputs, *allowed.read)]


def _may(path: bytes, allowed: Allowed) -> bool:
    if path in (b"/", os.fsencode(REPOSITORY), *_DEVICES, *_OF_ITSELF) or _is_input(path, allowed):
        return True
    places = (*map(str, (*allowed.written, *allowed.read)), *_OWN)
    return any(_below(path, os.fsencode(place)) for place in places)


def _is_input(path: bytes, allowed: Allowed) -> bool:
    # A path that cannot be told is longer than any outside of a corpus.
    return path == b"" or any(_below(path, os.fsencode(place)) for place in allowed.inputs)


def _below(path: bytes, top: bytes) -> bool:
    return path == top or path.startswith(top.rstrip(b"/") + b"/")
