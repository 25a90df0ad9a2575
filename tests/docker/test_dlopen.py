"""What programs open at run time: by the metadata note, by names that are compiled in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, on_host
from tests.docker.packing import build, elfpack, layer, words


def note(*entries: Mapping[str, object]) -> str:
    """The argument that compiles a note into ``opener.c``, for a shell-like line."""
    literal = json.dumps(json.dumps(entries))
    return f"'-DNOTE={literal}'"


def opens(*names: str) -> str:
    """The argument that compiles names into it."""
    return f"'-DOPENS={','.join(json.dumps(name) for name in names)}'"


def plug(name: str = "libplug.so.1", where: str = "private", more: str = "") -> str:
    """The line that makes a library with a greeting."""
    return f"gcc -shared -fPIC -Wl,-soname,{name} -o {where}/{name} {{src}}/greet.c {more}"


def program(*more: str, run: str = "$ORIGIN/private") -> str:
    """The line that makes the opener, which looks in a directory beside it."""
    path = f"-Wl,-rpath,{run}" if run else ""
    return f"gcc -o app {{src}}/opener.c {' '.join(more)} {path}"


PLUG = {"soname": ["libplug.so.1"]}
DIRECTORY = "mkdir private"


@dataclass(frozen=True)
class Row:
    name: str
    build: tuple[str, ...]
    args: str = "libplug.so.1"
    request: str = "./app"
    without: str = "--without dlopen"
    """What makes it fail in the container; nothing if there is no such way."""
    says: str = "greetings from the library"


ROWS = (
    Row("recommended by default", (DIRECTORY, plug(), program(note(PLUG)))),
    Row(
        "required",
        (DIRECTORY, plug(), program(note({**PLUG, "priority": "required", "feature": "plugs"}))),
    ),
    Row(
        "suggested",
        (DIRECTORY, plug(), program(note({**PLUG, "priority": "suggested"}))),
        request="./app --with dlopen=suggested",
        without="",
    ),
    Row(
        "the first alternative that is there",
        (DIRECTORY, plug(), program(note({"soname": ["libnone.so.2", "libplug.so.1"]}))),
    ),
    Row(
        "the program elsewhere",
        (DIRECTORY, plug(), program(note(PLUG))),
        request="./app:/opt/bin/app",
        without="--without dlopen",
    ),
    Row(
        "what it needs is loaded by the program",
        (
            DIRECTORY,
            plug("libcore.so.1"),
            "gcc -shared -fPIC -Wl,-soname,libplug.so.1 -o private/libplug.so.1 -Dmain=greet2 "
            "{src}/greeter.c private/libcore.so.1",
            program(note(PLUG), "-Wl,--no-as-needed", "private/libcore.so.1"),
        ),
        says="libplug.so.1: opened",
    ),
    Row(
        "what it needs is found by the program's DT_RPATH alone",
        (
            "mkdir private other",
            plug("libcore.so.1", "other"),
            "gcc -shared -fPIC -Wl,-soname,libplug.so.1 -o private/libplug.so.1 -Dmain=greet2 "
            "{src}/greeter.c -Wl,--no-as-needed other/libcore.so.1",
            program(note(PLUG), "-Wl,--disable-new-dtags", run="$ORIGIN/private:$ORIGIN/other"),
        ),
        says="libplug.so.1: opened",
    ),
    Row(
        "opened by a library that looks beside itself",
        (
            "mkdir -p lib/plugins",
            plug(where="lib/plugins"),
            f"gcc -shared -fPIC -DNAME=middle -o lib/libmiddle.so {{src}}/opener.c {note(PLUG)} "
            "-Wl,-rpath,$ORIGIN/plugins",
            "gcc -o app {src}/call_middle.c -Llib -lmiddle -Wl,-rpath,$ORIGIN/lib",
        ),
        request="./app:/srv/app",
        without="--without dlopen",
    ),
    Row(
        "a library of a note has a note",
        (
            DIRECTORY,
            plug(),
            f"gcc -shared -fPIC -DNAME=other -Wl,-soname,libfirst.so -o private/libfirst.so "
            f"{{src}}/opener.c {note(PLUG)} -Wl,-rpath,$ORIGIN",
            program(note({"soname": ["libfirst.so"]})),
        ),
        args="libfirst.so libplug.so.1",
    ),
    Row(
        "by a name that is compiled in",
        (DIRECTORY, plug(), program(opens("libplug.so.1"))),
        args="",
        request="./app --with dlopen=strings",
        without="",
    ),
    Row(
        "by a path that is compiled in",
        (DIRECTORY, plug(), program(opens("{here}/private/libplug.so.1"), run="")),
        args="",
        request="./app --with dlopen=strings",
        without="",
    ),
    Row(
        "by LD_LIBRARY_PATH here, and by the cache there",
        (DIRECTORY, plug(), program(note(PLUG), run="")),
        request="./app --library-path {here}/private",
        without="",
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_opens_what_it_opens_here(row: Row, engine: Engine, tmp_path: Path, report: Report) -> None:
    build(row.build, tmp_path)
    told, _ = layer(row.request, "x.tar", tmp_path)
    arguments = words(row.args, tmp_path)
    with engine.imported(told, tmp_path) as image:
        inside = image.run(arguments)
    environment = (
        {"LD_LIBRARY_PATH": f"{tmp_path}/private"} if "library-path" in row.request else {}
    )
    outside = on_host(["./app", *arguments], tmp_path, environment)
    equal = inside[:2] == outside[:2]
    size = (tmp_path / "x.tar").stat().st_size
    report(Line(f"dlopen: {row.name}", outside.status, inside.status, equal, size))
    assert outside.status == 0, outside
    assert row.says.encode() in outside.stdout
    assert equal, f"on the host: {outside}\nin the container: {inside}"


@pytest.mark.parametrize("row", [r for r in ROWS if r.without], ids=lambda row: row.name)
def test_fails_without_the_module(row: Row, engine: Engine, tmp_path: Path, report: Report) -> None:
    build(row.build, tmp_path)
    told, _ = layer(f"{row.request} {row.without}", "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        inside = image.run(words(row.args, tmp_path))
    size = (tmp_path / "x.tar").stat().st_size
    report(Line(f"dlopen: {row.name} {row.without}", "-", inside.status, inside.status == 1, size))
    assert inside.status == 1, inside
    assert b"cannot open" in inside.stdout


def test_a_name_that_is_compiled_in_is_told(tmp_path: Path) -> None:
    build((DIRECTORY, plug(), program(opens("libplug.so.1", "libnone.so.7"))), tmp_path)
    done = elfpack(["layer", "./app", "--dry-run"], tmp_path)
    assert done.status == 0
    lines = [line for line in done.stderr.decode().splitlines() if "dlopen" in line]
    assert len(lines) == 1, lines
    assert "libplug.so.1" in lines[0]
    assert "--with dlopen=strings" in lines[0]
    assert "libnone" not in lines[0], "the root has none of that name"
