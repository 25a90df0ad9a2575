"""Small roots on disk, and layers read back, for the contract tests. No compiler is needed."""

from __future__ import annotations

import ctypes
import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import pytest

from tests.cli import Ran, elfpack, environment, well_spoken
from tests.elfbuild import elf
from tests.worlds import loader_of

LOADER = "/lib64/ld-linux-x86-64.so.2"
LIBC = "libc.so.6"
Content = bytes | str | None
"""Of a file; the target of a link, as ``-> target``; None for a directory."""
NO_FILES: Mapping[str, Content] = MappingProxyType({})


def program(*needed: str, **options: object) -> bytes:
    """A program of x86-64 that needs these libraries."""
    return elf(**{"interpreter": LOADER, "needed": needed, "debug": True, **options})


def library(soname: str, *needed: str, **options: object) -> bytes:
    """A shared library."""
    return elf(soname=soname, needed=needed, **options)


def static(**options: object) -> bytes:
    """A static program."""
    return elf(type=2, **options)


def plant(top: Path, files: Mapping[str, Content]) -> Path:
    """Make these files below ``top``; ELF files and scripts can be executed."""
    for name, content in files.items():
        path = top / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(exist_ok=True)
        elif isinstance(content, str) and content.startswith("-> "):
            path.symlink_to(content.removeprefix("-> "))
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            path.chmod(0o755)
    return top


def system(top: Path, more: Mapping[str, Content] = NO_FILES) -> Path:
    """A root with a loader, a C library, and further files."""
    base: dict[str, Content] = {
        LOADER: loader_of("glibc version=2.37 dirs=/lib64:/usr/lib64:/lib:/usr/lib"),
        f"/lib/{LIBC}": library(LIBC, "ld-linux-x86-64.so.2"),
    }
    return plant(top, {**base, **more})


def members(raw: bytes) -> dict[str, tarfile.TarInfo]:
    """The members of a tar by their absolute paths, in order."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {f"/{m.name}": m for m in tar.getmembers()}


def content(raw: bytes, path: str) -> bytes:
    """The content of a tar's member."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        file = tar.extractfile(path.lstrip("/"))
        assert file is not None
        return file.read()


def described(raw: bytes) -> dict[str, str]:
    """What a tar holds, a line of text for each member."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        return {f"/{m.name}": _member(tar, m) for m in tar.getmembers()}


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    times = f"{member.mtime}"
    if member.issym():
        return f"link {times} -> {member.linkname}"
    if member.isdir():
        return f"directory {times} {member.mode:04o}"
    file = tar.extractfile(member)
    assert file is not None
    return f"file {times} {member.mode:04o} {hash(file.read())}"


def described_tree(top: Path) -> dict[str, str]:
    """As :func:`described`, for an unpacked tree."""
    return {
        f"/{p.relative_to(top)}": _on_disk(p)
        for p in sorted(top.rglob("*"), key=lambda p: os.fsencode(p).split(b"/"))
    }


def _on_disk(path: Path) -> str:
    seen = path.lstat()
    times = f"{int(seen.st_mtime)}"
    if path.is_symlink():
        return f"link {times} -> {path.readlink()}"
    mode = f"{stat.S_IMODE(seen.st_mode):04o}"
    if path.is_dir():
        return f"directory {times} {mode}"
    return f"file {times} {mode} {hash(path.read_bytes())}"


def tar(*arguments: str | Path, cwd: Path | None = None, **variables: str) -> bytes:
    """The layer that these arguments make, from standard output."""
    ran = elfpack("layer", *arguments, "-o", "-", cwd=cwd, env=environment(**variables))
    well_spoken(ran)
    assert ran.status == 0, ran.err
    return ran.stdout


def run(command: str, *arguments: str | bytes | Path, cwd: Path, **options: object) -> Ran:
    """A command that would write ``out.tar`` if it can; afterwards the directory is looked at."""
    output = ["-o", "out.tar"] if command == "layer" else []
    before = _names(cwd)
    ran = elfpack(command, *output, *arguments, cwd=cwd, **options)  # type: ignore[arg-type]
    well_spoken(ran)
    written = {"out.tar"} if command == "layer" and ran.status == 0 else set()
    assert _names(cwd) - before == written, "something was left behind"
    return ran


def _names(directory: Path) -> set[str]:
    return set(os.listdir(directory))


_PR_CAPBSET_DROP = 24
_OVERRIDES = (1, 2)
"""CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH. Source: capability.h of Linux."""


def obey_permissions() -> None:
    """To be called before exec: permissions count for root as for everybody."""
    if os.geteuid() == 0:
        prctl = ctypes.CDLL(None).prctl
        for capability in _OVERRIDES:
            prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


class Named(Protocol):
    @property
    def name(self) -> str: ...


def somebody() -> tuple[str, ...]:
    """What makes a command run as another user; nothing where that cannot be had."""
    # That user may read what root may: the interpreter that runs the tests can be in its home.
    command = (
        *("setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"),
        *("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"),
    )
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return ()
    return command if done.returncode == 0 else ()


def rows(table: Sequence[Named]) -> list[Any]:
    """The rows of a table as parameters, each under its name."""
    return [pytest.param(row, id=row.name) for row in table]
