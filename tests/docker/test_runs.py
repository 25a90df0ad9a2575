"""Each row is packed, imported and run from scratch, and must do what it does on the host."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import ABORTED, Engine, Outcome, on_host
from tests.docker.packing import build, host_name, layer, need, words
from tests.docker.rows import ROWS, Row


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with some data in it."""
    (tmp_path / "data.txt").write_text("some data\n")
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "a.txt").write_text("first\n")
    (tmp_path / "tree" / "sub" / "b.txt").write_text("second\n")
    return tmp_path


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: Row, engine: Engine, here: Path, report: Report) -> None:
    _compare(row, engine, here, report)


def _compare(row: Row, engine: Engine, here: Path, report: Report) -> None:
    build(row.build, here)
    _need_programs(row, here)
    variables = _library_path(row, here)
    told, _ = layer(row.layer, "x.tar", here, variables)
    with engine.imported(told, here) as image:
        arguments = words(row.args if row.inside is None else row.inside, here)
        inside = image.run(arguments, *row.options)
    outside = _on_host(row, here, variables)
    wanted = Outcome(0, row.instead.encode(), b"") if row.instead is not None else outside
    equal = inside[:2] == wanted[:2]
    size = (here / "x.tar").stat().st_size
    host = outside.status if row.instead is None else "-"
    report(Line(row.name, host, inside.status, equal, size))
    assert outside.status == row.status, outside
    assert row.says.encode() in outside.stdout, outside
    assert equal, f"on the host: {wanted}\nin the container: {inside}"


def _need_programs(row: Row, here: Path) -> None:
    """The machine's programs that the row packs."""
    for word in takewhile(lambda w: not w.startswith("--"), words(row.layer, here)):
        if word.startswith("/"):
            need(word)


def _on_host(row: Row, here: Path, variables: dict[str, str]) -> Outcome:
    program = row.host or words(row.layer, here)[0].partition(":")[0]
    return on_host([program, *words(row.args, here)], here, variables)


def _library_path(row: Row, here: Path) -> dict[str, str]:
    if not row.library_path:
        return {}
    return {"LD_LIBRARY_PATH": row.library_path.replace("{here}", str(here))}


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
    _compare(row, engine, here, report)


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
