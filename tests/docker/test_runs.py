"""Each row is packed, imported and run from scratch, and must do what it does on the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.comparing import compare
from tests.docker.conftest import Line, Report
from tests.docker.engine import ABORTED, Engine
from tests.docker.packing import build, host_name, layer
from tests.docker.rows import ROWS, Row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row, engine: Engine, here: Path, report: Report) -> None:
    compare(row, engine, here, report)


def test_name_of_etc_hosts(engine: Engine, here: Path, report: Report) -> None:
    name, address = host_name()
    recipe = ("gcc -o getaddrinfo {src}/getaddrinfo.c",)
    row = Row(
        "a name in /etc/hosts",
        "./getaddrinfo",
        name,
        recipe,
        says=address,
        options=("--add-host", f"{name}:{address}"),
    )
    compare(row, engine, here, report)


def test_without_libgcc_a_cancelled_thread_aborts(
    engine: Engine, here: Path, report: Report
) -> None:
    build(
        (
            "gcc -pthread -o cancel {src}/cancel.c",
            "gcc -static -o parent {src}/parent.c",
        ),
        here,
    )
    told, _ = layer("./parent ./cancel --without libgcc", "x.tar", here)
    with engine.imported(told, here) as image:
        inside = image.run(["./cancel"])
    size = (here / "x.tar").stat().st_size
    equal = inside.status == ABORTED
    report(Line("pthread_cancel --without libgcc", "-", inside.status, equal, size))
    assert equal, inside
    assert b"libgcc_s.so.1 must be installed" in inside.stderr


def test_without_users_nobody_is_known(engine: Engine, here: Path, report: Report) -> None:
    build(("gcc -o getpwuid {src}/getpwuid.c",), here)
    told, _ = layer("./getpwuid --without users", "x.tar", here)
    with engine.imported(told, here) as image:
        inside = image.run([])
    size = (here / "x.tar").stat().st_size
    equal = (inside.status, inside.stdout) == (1, b"nobody has uid 0\n")
    report(Line("getpwuid --without users", "-", inside.status, equal, size))
    assert equal, inside


def test_every_program_of_a_layer_runs(engine: Engine, here: Path) -> None:
    build(("gcc -o hello {src}/hello.c",), here)
    told, _ = layer("./hello /usr/bin/id", "x.tar", here)
    with engine.imported(told, here) as image:
        first = image.run([])
        second = image.run(["-un"], "--entrypoint", "/usr/bin/id")
        named = image.run(["-un"], "--user", "65534", "--entrypoint", "/usr/bin/id")
    assert first[:2] == (0, b"hello, world\n"), first
    assert second[:2] == (0, b"root\n"), second
    assert named[:2] == (0, b"nobody\n"), named
