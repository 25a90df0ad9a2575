"""Minimal: hello is its three files, and a shell for debugging adds less than a base image has."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from elfpack.runtime import module
from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine
from tests.docker.packing import build, elfpack, layer, need

BUSYBOX_GLIBC = 5_000_000
"""Bytes of the image busybox:glibc, which would do instead."""


@pytest.mark.parametrize("compiler", ["gcc", "musl-gcc"])
def test_hello_is_exactly_its_files(compiler: str, tmp_path: Path) -> None:
    """The program, its interpreter, and the C library where that is another file."""
    build((f"{compiler} -o hello {{src}}/hello.c",), tmp_path)
    paths = elfpack(["deps", "--format", "paths", "./hello"], tmp_path).stdout.decode().split()
    files = {os.path.realpath(path) for path in paths}
    assert len(files) == (3 if compiler == "gcc" else 2)
    layer("./hello", "x.tar", tmp_path)
    with tarfile.open(tmp_path / "x.tar") as archive:
        members = archive.getmembers()
    sizes = sorted(member.size for member in members if member.isfile())
    assert sizes == sorted(Path(path).stat().st_size for path in files)
    assert all(m.issym() or m.isdir() for m in members if not m.isfile())
    # A header of 512 bytes each, content in blocks of 512, a record of 10240 at most at the end.
    content = sum(-(-size // 512) * 512 for size in sizes)
    assert (tmp_path / "x.tar").stat().st_size <= content + 512 * len(members) + 10240


def test_a_shell_for_debugging_is_small(engine: Engine, here: Path, report: Report) -> None:
    if module("shell") is None:
        pytest.skip("elfpack has no module shell")
    need("/bin/busybox")
    build(("gcc -o hello {src}/hello.c",), here)
    told, _ = layer("./hello --with shell=/bin/busybox", "x.tar", here)
    with engine.imported(told, here) as image:
        inside = image.run(["-c", "/hello && ls /hello"], "--entrypoint", "/bin/sh")
    size = (here / "x.tar").stat().st_size
    right = inside[:2] == (0, b"hello, world\n/hello\n")
    report(Line("hello and a shell", "-", inside.status, right, size))
    assert right, inside
    assert size < BUSYBOX_GLIBC
