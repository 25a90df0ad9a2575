"""Symbols and versions: line for line what the real loaders say with ``ldd -r``."""

from __future__ import annotations

import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from elfpack.api.session import Session
from elfpack.loader.closure import Closure
from elfpack.report import ldd, symbols
from tests.oracle.everyfile import elf_files, survey
from tests.oracle.figures import record
from tests.oracle.symbol_rows import GLIBC_SYMBOL_ROWS, MUSL_SYMBOL_ROWS, Row
from tests.oracle.symbol_worlds import Maker
from tests.oracle.test_machine import PLACES, native
from tests.worlds import LOADER, MUSL_LOADER, on_disk

_ADDRESS = re.compile(rb" \(0x[0-9a-f]+\)$")
_VDSO = re.compile(rb"\tlinux-(vdso|gate)")
_OTHER = re.compile(rb"has different size in shared object, consider re-linking$|^warning: ")
"""What glibc says of symbols that it has found."""
RELOCATING = "Error relocating "
ABORTED = "Inconsistency detected by ld.so: dl-lookup.c"


def said(*command: str, **env: str) -> list[str]:
    """Both streams of a loader in one, as ldd has it, without addresses and the vDSO."""
    done = subprocess.run(
        command,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
        timeout=60,
    )
    return [
        os.fsdecode(_ADDRESS.sub(b"", line))
        for line in done.stdout.split(b"\n")
        if line and not _VDSO.match(line) and not _OTHER.search(line)
    ]


def by_glibc(loader: str, program: str) -> tuple[list[str], bool]:
    """What ``ldd -r`` says, and whether the loader failed its own assertion at the end."""
    env = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_WARN": "yes", "LD_BIND_NOW": "yes"}
    lines = said(loader, program, **env)
    aborted = bool(lines) and lines[-1].startswith(ABORTED)
    return (lines[:-1] if aborted else lines), aborted


def by_elfpack(session: Session, closure: Closure) -> tuple[list[str], bool]:
    """The same by elfpack."""
    binding = session.symbols(closure)
    assert binding.faults == ()
    lines = [
        *symbols.before(closure, binding),
        *ldd.lines(closure),
        *symbols.after(closure, binding),
    ]
    return lines, binding.stop is not None


@pytest.mark.part("(b) symbols: rows of glibc")
@pytest.mark.parametrize("row", GLIBC_SYMBOL_ROWS, ids=lambda row: row.name)
def test_row_of_glibc(row: Row, tmp_path: Path) -> None:
    on_disk(row.world, tmp_path)
    program = f"{tmp_path}/w/exe"
    lines, aborted = by_glibc(LOADER, program)
    told = [line for line in lines if not line.startswith("\t")]
    assert told == [_placed(line, tmp_path) for line in row.lines]
    assert aborted == row.aborts
    with Session("/") as session:
        assert by_elfpack(session, session.resolve(program)) == (lines, aborted)


@pytest.mark.part("(f) musl: rows of symbols")
@pytest.mark.skipif(not os.path.exists(MUSL_LOADER), reason="musl is not installed")
@pytest.mark.parametrize("row", MUSL_SYMBOL_ROWS, ids=lambda row: row.name)
def test_row_of_musl(row: Row, tmp_path: Path) -> None:
    world = {**row.world, "/w/exe": row.world["/w/exe"] + f" interp={MUSL_LOADER}"}
    on_disk(world, tmp_path)
    program = f"{tmp_path}/w/exe"
    told = [line for line in said(MUSL_LOADER, "--list", program) if not line.startswith("\t")]
    assert told == [_placed(line, tmp_path) for line in row.lines]
    with Session("/") as session:
        closure = session.resolve(program)
        assert list(symbols.after(closure, session.symbols(closure))) == told


APP = "int a(void); int b(void); extern int d; int (*p)(void) = b;\n" + (
    "int main(void) { return a() + b() + d + (p != 0); }"
)
WHOLE = "int a(void) { return 1; } int b(void) { return 2; } int d = 3;"
MAP = "V1 { a; };\nV2 { b; d; };\n"
LATER = [
    ("nothing changed", WHOLE, MAP),
    ("a symbol is gone", "int a(void) { return 1; } int d = 3;", MAP),
    ("a version is gone", WHOLE, "V1 { a; b; d; };\n"),
    ("a version and its symbols are gone", "int a(void) { return 1; }", "V1 { a; };\n"),
    ("a symbol has another version", WHOLE, "V1 { b; };\nV2 { a; d; };\n"),
    ("all versions and all symbols are gone", "int e(void) { return 1; }", ""),
    ("all versions are gone", WHOLE, ""),
    ("data is gone", "int a(void) { return 1; } int b(void) { return 2; }", MAP),
    ("the library is gone", None, ""),
]
"""The library that a program was linked with, and what is in its place later."""


@pytest.mark.part("(b) symbols: libraries that changed after the link")
@pytest.mark.parametrize("flags", [("-pie",), ("-no-pie",), ("-Wl,-z,now",), ("-Wl,-z,lazy",)])
@pytest.mark.parametrize(("name", "source", "versions"), LATER, ids=[row[0] for row in LATER])
def test_changed(
    name: str, source: str | None, versions: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    _library(tmp_path, WHOLE, MAP)
    (tmp_path / "app.c").write_text(APP)
    wanted = ("-o", "app", "app.c", "./libl.so", "-Wl,-rpath,$ORIGIN", *flags)
    subprocess.run(["gcc", *wanted], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "libl.so").unlink()
    if source is not None:
        _library(tmp_path, source, versions)
    expected = said("ldd", "-r", f"{tmp_path}/app", PATH=os.environ["PATH"])
    aborted = expected[-1].startswith(ABORTED)
    with Session("/") as session:
        closure = session.resolve(f"{tmp_path}/app")
        lines = by_elfpack(session, closure)
    assert lines == (expected[: len(expected) - aborted], aborted)


def _library(where: Path, source: str, versions: str) -> None:
    (where / "l.c").write_text(source)
    (where / "l.map").write_text(versions)
    wanted = ["-shared", "-fPIC", "-Wl,-soname,libl.so", "-o", "libl.so", "l.c"]
    script = ["-Wl,--version-script=l.map"] if versions else []
    subprocess.run(["gcc", *wanted, *script], cwd=where, check=True, capture_output=True)


def _placed(line: str, top: Path) -> str:
    return line.replace("EXE", "/w/exe").replace("/w/", f"{top}/w/")


WORLDS = int(os.environ.get("ELFPACK_SYMBOL_WORLDS", "300"))
"""Random worlds of each libc."""


@pytest.mark.parametrize("first", range(0, WORLDS, 50))
def test_random_worlds_of_glibc(first: int, tmp_path: Path) -> None:
    differing = []
    for seed in range(first, first + 50):
        top = on_disk(Maker(seed).world(), tmp_path / str(seed))
        program = f"{top}/w/exe"
        with Session("/") as session:
            if by_elfpack(session, session.resolve(program)) != by_glibc(LOADER, program):
                differing.append(seed)
    record("(c) symbols: random worlds of glibc", 50 - len(differing), 50)
    assert not differing


@pytest.mark.skipif(not os.path.exists(MUSL_LOADER), reason="musl is not installed")
@pytest.mark.parametrize("first", range(0, WORLDS, 50))
def test_random_worlds_of_musl(first: int, tmp_path: Path) -> None:
    differing = []
    for seed in range(first, first + 50):
        top = on_disk(Maker(seed, MUSL_LOADER).world(), tmp_path / str(seed))
        program = f"{top}/w/exe"
        told = [t for t in said(MUSL_LOADER, "--list", program) if t.startswith(RELOCATING)]
        with Session("/") as session:
            closure = session.resolve(program)
            if list(symbols.after(closure, session.symbols(closure))) != told:
                differing.append(seed)
    record("(f) musl: random worlds of symbols", 50 - len(differing), 50)
    assert not differing


def test_every_elf_file() -> None:
    with Session("/") as session:
        found = survey(session, elf_files(Path("/"), PLACES)).closures
        closures = {path: c for path, c in found.items() if c.refusal is None}
        loaders = native(closures)
        with ThreadPoolExecutor(2) as pool:
            expected = dict(
                zip(loaders, pool.map(lambda p: by_glibc(loaders[p], p), loaders), strict=True)
            )
        ours = {path: by_elfpack(session, closures[path]) for path in loaders}
    differing = {path for path in loaders if ours[path] != expected[path]}
    lines = sum(not line.startswith("\t") for told, _ in expected.values() for line in told)
    aborted = sum(aborted for _, aborted in expected.values())
    record(
        "(a) symbols: every ELF file of this machine",
        len(loaders) - len(differing),
        len(loaders),
        f"{lines} lines of symbols and versions, {aborted} failed assertions of the loader",
    )
    assert loaders
    assert not differing
