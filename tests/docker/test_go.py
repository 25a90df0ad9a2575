"""Programs of Go, with and without C in them: from scratch each does what it does on the host."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from elfpack.runtime import module
from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, Outcome, on_host, run
from tests.docker.packing import SOURCES, host_name, layer, need

Build = Callable[[str, str], Path]
NAME, ADDRESS = host_name()


@dataclass(frozen=True)
class How:
    """A way to build a program."""

    cgo: int
    options: tuple[str, ...] = ()
    sections: bool = True
    """False: the section headers are taken away."""


_STRIP = ("-ldflags", "-s -w")
_STATIC = ("-ldflags", "-linkmode external -extldflags -static")
HOW = {
    "pure": How(0),
    "pure, stripped": How(0, _STRIP),
    "pure, no sections": How(0, _STRIP, sections=False),
    "pure, pie": How(0, ("-buildmode=pie",)),
    "cgo": How(1),
    "cgo, stripped": How(1, _STRIP),
    "cgo, pie": How(1, ("-buildmode=pie", *_STRIP)),
    "cgo, static": How(1, _STATIC),
}
PURE = tuple(name for name in HOW if name.startswith("pure"))


@dataclass(frozen=True)
class Row:
    """A program and its arguments."""

    program: str
    args: tuple[str, ...]
    says: str
    how: Sequence[str]
    packing: tuple[str, ...] = ()
    """More for ``elfpack layer``."""
    options: tuple[str, ...] = ()
    """More for ``docker run``."""


ROWS = [
    Row("hello", (), "hello, ::1", ("pure, stripped", "cgo")),
    Row("host", (NAME,), ADDRESS, tuple(HOW), options=("--add-host", f"{NAME}:{ADDRESS}")),
    Row("host", ("localhost",), "127.0.0.1", ("pure, stripped", "cgo")),
    Row("account", (), "root 0 0 /root", tuple(HOW)),
    Row("account", ("nobody",), "nobody 65534 65534", ("pure, stripped", "cgo")),
    Row("port", ("ldap",), "port 389", (*PURE, "cgo", "cgo, static")),
    Row("protocol", ("ospf",), "known, 127.0.0.1", ("pure, stripped", "cgo")),
    Row("temporary", (), "made one, <nil>", (*PURE, "cgo")),
    Row("zone_embedded", ("Europe/Paris",), "+0100 CET", ("pure, stripped",)),
]
if module("tz") is not None:
    ROWS += [
        Row("zone", ("Europe/Paris",), "+0100 CET", ("pure, stripped", "cgo"), ("--with", "tz")),
        Row("zone", ("Asia/Tokyo",), "+0900 JST", ("pure",), ("--with", "tz=Asia/Tokyo")),
    ]


@pytest.fixture(name="build", scope="session")
def _build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Builds a program once, without a network, and tells where it is."""
    top = tmp_path_factory.mktemp("go")
    fixed = {"GOCACHE": f"{top}/cache", "GOPATH": f"{top}/path", "GOPROXY": "off", "GOFLAGS": ""}
    made: dict[tuple[str, str], Path] = {}

    def build(program: str, name: str) -> Path:
        how = HOW[name]
        if (program, name) not in made:
            need("go")
            path = top / f"{len(made)}" / program
            words = ["go", "build", *how.options, "-o", str(path), f"{SOURCES}/go/{program}.go"]
            environment = {**os.environ, **fixed, "CGO_ENABLED": str(how.cgo)}
            done = run(words, top, environment)
            assert done.status == 0, done
            if not how.sections:
                _drop_sections(path)
            made[program, name] = path
        return made[program, name]

    return build


def _drop_sections(path: Path) -> None:
    """As sstrip does: nobody needs section headers to run a program."""
    raw = bytearray(path.read_bytes())
    struct.pack_into("<Q", raw, 0x28, 0)
    struct.pack_into("<HH", raw, 0x3C, 0, 0)
    path.write_bytes(raw)


def _cases() -> list[object]:
    return [
        pytest.param(row, how, id=" ".join((row.program, *row.args, *row.packing, f"({how})")))
        for row in ROWS
        for how in row.how
    ]


@pytest.mark.parametrize(("row", "how"), _cases())
def test_as_on_the_host(
    row: Row, how: str, engine: Engine, build: Build, tmp_path: Path, report: Report
) -> None:
    program = build(row.program, how)
    inside, size = _packed(engine, program, row.args, row.packing, row.options, tmp_path)
    outside = on_host([str(program), *row.args], tmp_path)
    equal = inside[:2] == outside[:2]
    label = " ".join((f"{row.program}.go", *row.packing, f"({how})"))
    report(Line(label, outside.status, inside.status, equal, size))
    assert row.says.encode() in outside.stdout, outside
    assert outside.status == 0
    assert equal, f"on the host: {outside}\nin the container: {inside}"


def _packed(
    engine: Engine,
    program: Path,
    args: Sequence[str],
    packing: Sequence[str],
    options: Sequence[str],
    here: Path,
) -> tuple[Outcome, int]:
    """What a program says from scratch, and the size of its layer in bytes."""
    told, _ = layer(f"{program}:/app {' '.join(packing)}", "x.tar", here)
    with engine.imported(told, here) as image:
        inside = image.run(args, *options)
    return inside, (here / "x.tar").stat().st_size


@pytest.mark.parametrize("how", ["pure, stripped", "cgo"])
@pytest.mark.parametrize(
    ("program", "args", "packing", "says"),
    [
        ("account", ["nobody"], "--without users", b"no such file or directory"),
        ("port", ["ldap"], "--without nss", b"unknown port"),
        ("protocol", ["ospf"], "--without nss", b"unknown IP protocol"),
        ("temporary", [], "--without tmp", b"no directory"),
        ("zone", ["Europe/Paris"], "", b"unknown time zone Europe/Paris"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_without(
    program: str,
    args: list[str],
    packing: str,
    says: bytes,
    how: str,
    engine: Engine,
    build: Build,
    tmp_path: Path,
    report: Report,
) -> None:
    """What a module is there for."""
    inside, size = _packed(engine, build(program, how), args, [packing], (), tmp_path)
    failed = inside.status == 1 and says in inside.stdout
    report(Line(f"{program}.go {packing} ({how})", "-", inside.status, failed, size))
    assert failed, inside


def test_what_is_packed(build: Build, tmp_path: Path) -> None:
    """No library for a pure program, and nothing that it has no use for."""
    need("go")
    expected = {
        "hello": set(),
        "host": {"etc/nsswitch.conf", "etc/services", "etc/protocols"},
        "account": {"etc/passwd", "etc/group"},
        "port": {"etc/services"},
        "temporary": {"tmp"},
        "zone": set(),
    }
    for program, paths in expected.items():
        done = layer(f"{build(program, 'pure, stripped')}:/app", "tree/", tmp_path)[1]
        tree = tmp_path / "tree"
        found = {str(path.relative_to(tree)) for path in tree.rglob("*")} - {"app", "etc"}
        assert found == paths, done


SORT = "/usr/bin/sort --add ./lines.txt"


@pytest.mark.parametrize(
    ("packing", "status"), [("", 0), ("--without tmp", 2)], ids=["tmp", "--without tmp"]
)
def test_sort(packing: str, status: int, engine: Engine, tmp_path: Path, report: Report) -> None:
    """sort puts what does not fit into memory into /tmp."""
    lines = "".join(f"{number * 7919 % 100_003}\n" for number in range(100_003))
    (tmp_path / "lines.txt").write_text(lines)
    args = ["-n", "-S", "16k", "lines.txt"]
    told, _ = layer(f"{SORT} {packing}", "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        inside = image.run(args)
    outside = on_host(["/usr/bin/sort", *args], tmp_path)
    equal = inside.status == status and (inside.stdout == outside.stdout) == (status == 0)
    size = (tmp_path / "x.tar").stat().st_size
    report(Line(f"sort -S 16k {packing}", outside.status, inside.status, equal, size))
    assert outside.status == 0
    assert equal, inside.stderr
    assert status == 0 or b"cannot create temporary file in '/tmp'" in inside.stderr


def test_mkstemp_in_c(engine: Engine, tmp_path: Path, report: Report) -> None:
    done = run(["gcc", "-o", "mkstemp", f"{SOURCES}/mkstemp.c"], tmp_path)
    assert done.status == 0, done
    for packing, says in (("", b"mode 1777"), ("--without tmp", b"")):
        told, _ = layer(f"./mkstemp {packing}", "x.tar", tmp_path)
        with engine.imported(told, tmp_path) as image:
            inside = image.run([])
        right = inside.status == (not says) and says in inside.stdout
        size = (tmp_path / "x.tar").stat().st_size
        report(Line(f"mkstemp {packing}", "-", inside.status, right, size))
        assert right, inside
