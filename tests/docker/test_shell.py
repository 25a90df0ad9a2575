"""A shell in an image from scratch."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, on_host
from tests.docker.packing import build, layer, need

BUSYBOX = "/bin/busybox"
HELLO = ("gcc -o hello {src}/hello.c",)
COMMAND = "ls / | head -n 1; echo $((6 * 7)) | tr 2 3; cat /etc/passwd | sed -n 1p | cut -d: -f1"
SAYS = b"bin\n43\nroot\n"


def test_busybox(engine: Engine, tmp_path: Path, report: Report) -> None:
    need(BUSYBOX)
    build(HELLO, tmp_path)
    told, _ = layer(f"./hello --with shell={BUSYBOX}", "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        itself = image.run([])
        inside = image.run(["-c", COMMAND], "--entrypoint", "sh")
        other = image.run(["-c", "/bin/ash -c 'busybox uname'"], "--entrypoint", "/bin/sh")
    size = (tmp_path / "x.tar").stat().st_size
    report(Line("hello with busybox, a shell", "-", inside.status, inside[:2] == (0, SAYS), size))
    assert itself[:2] == (0, b"hello, world\n"), itself
    assert inside[:2] == (0, SAYS), inside
    assert other[:2] == (0, b"Linux\n"), other
    assert size < 5_000_000, "smaller than busybox:glibc"


def test_every_applet_has_its_link(tmp_path: Path) -> None:
    need(BUSYBOX)
    build(HELLO, tmp_path)
    layer(f"./hello --with shell={BUSYBOX}", "x.tar", tmp_path)
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "x.tar").read_bytes())) as archive:
        links = {m.name for m in archive if m.issym() and m.linkname == BUSYBOX}
    applets = on_host([BUSYBOX, "--list"], tmp_path).stdout.decode().split()
    assert len(applets) > 100
    assert {name.rpartition("/")[2] for name in links} == set(applets) - {"busybox"}


def test_a_program_wins_over_the_applet(engine: Engine, tmp_path: Path) -> None:
    need(BUSYBOX)
    told, done = layer(f"/bin/ls --with shell={BUSYBOX}", "x.tar", tmp_path)
    assert b"is taken" not in done.stderr
    with engine.imported(told, tmp_path) as image:
        inside = image.run(["--version"])
        other = image.run(["-c", "cat --help"], "--entrypoint", "sh")
    assert inside.stdout.startswith(b"ls (GNU coreutils)"), inside
    assert b"BusyBox v" in other.stderr + other.stdout, other


def test_without_it_there_is_no_shell(engine: Engine, tmp_path: Path, report: Report) -> None:
    build(HELLO, tmp_path)
    told, _ = layer("./hello", "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        inside = image.run(["-c", COMMAND], "--entrypoint", "sh")
    size = (tmp_path / "x.tar").stat().st_size
    report(Line("hello, a shell", "-", inside.status, inside.status == 127, size))
    assert inside.status == 127, inside


def test_another_shell(engine: Engine, tmp_path: Path) -> None:
    need("/bin/dash")
    build(HELLO, tmp_path)
    told, done = layer("./hello --with shell=/bin/dash", "x.tar", tmp_path)
    assert b"/bin/dash: is no busybox" in done.stderr
    with engine.imported(told, tmp_path) as image:
        inside = image.run(["-c", "for i in 1 2; do echo $i; done"], "--entrypoint", "/bin/sh")
    assert inside[:2] == (0, b"1\n2\n"), inside
