"""What dlopen() finds and loads, for a program that opens a library itself and for a library that
does, by the real loaders."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from elfpack.api.session import Session
from elfpack.loader.program import Program
from elfpack.loader.records import Kind

SOURCE = Path(__file__).with_name("sources") / "opens.c"
COMPILERS = ("gcc", "musl-gcc")


@dataclass(frozen=True)
class Row:
    """Libraries of an empty source: where, its soname, what it needs, its search path.

    ``{here}`` is the directory. The program is ``app/main``; ``opener`` is what calls dlopen().
    """

    name: str
    libraries: tuple[tuple[str, str, str, str], ...]
    opens: str = "libplug.so"
    program: str = ""
    """Linker options of the program."""
    opener: str | None = None
    """Linker options of a library ``app/libopener.so`` that opens; None: the program does."""
    needs: str = ""
    """Libraries that the program needs, by path."""
    variable: str = ""


RPATH, RUNPATH = "-Wl,--disable-new-dtags,-rpath,", "-Wl,--enable-new-dtags,-rpath,"
PLUG = ("p/libplug.so", "libplug.so", "", "")
NEEDING = ("p/libplug.so", "libplug.so", "q/libq.so", "")
Q = ("q/libq.so", "libq.so", "", "")

ROWS = (
    Row("nothing of that name", ()),
    Row("RUNPATH of the program", (PLUG,), program=RUNPATH + "{here}/p"),
    Row("RPATH of the program", (PLUG,), program=RPATH + "{here}/p"),
    Row("its $ORIGIN", (PLUG,), program=RUNPATH + "$ORIGIN/../p"),
    Row("LD_LIBRARY_PATH", (PLUG,), variable="{here}/p"),
    Row("a path", (PLUG,), opens="{here}/p/libplug.so"),
    Row("RUNPATH is not inherited", (Q, NEEDING), program=RUNPATH + "{here}/p:{here}/q"),
    Row("RPATH of the program is", (Q, NEEDING), program=RPATH + "{here}/p:{here}/q"),
    Row(
        "its own RUNPATH",
        (Q, ("p/libplug.so", "libplug.so", "q/libq.so", RUNPATH + "{here}/q")),
        program=RUNPATH + "{here}/p",
    ),
    Row(
        "loaded by the program",
        (Q, NEEDING),
        program=RUNPATH + "{here}/p:{here}/q",
        needs="q/libq.so",
    ),
    Row(
        "what it needs needs more",
        (
            ("r/libr.so", "libr.so", "", ""),
            ("q/libq.so", "libq.so", "r/libr.so", ""),
            NEEDING,
        ),
        program=RPATH + "{here}/p:{here}/q:{here}/r",
    ),
    Row("RUNPATH of a library that opens", (PLUG,), opener=RUNPATH + "{here}/p"),
    Row("RPATH of a library that opens", (PLUG,), opener=RPATH + "{here}/p"),
    Row("$ORIGIN of a library that opens", (PLUG,), opener=RUNPATH + "$ORIGIN/../p"),
    Row(
        "RPATH of a library that opens, for what is needed",
        (Q, NEEDING),
        opener=RPATH + "{here}/p:{here}/q",
    ),
    Row(
        "RPATH of the program, RUNPATH of the opener",
        (PLUG,),
        program=RPATH + "{here}/p",
        opener=RUNPATH + "/none",
    ),
    Row("RPATH of the program, opener without", (PLUG,), program=RPATH + "{here}/p", opener=""),
    Row("RUNPATH of the program, opener without", (PLUG,), program=RUNPATH + "{here}/p", opener=""),
    Row(
        "RPATH of the program for what is needed, by an opener",
        (Q, NEEDING),
        program=RPATH + "{here}/q",
        opener=RUNPATH + "{here}/p",
    ),
)


@pytest.mark.part("(h) what dlopen() loads")
@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_opened(row: Row, compiler: str, tmp_path: Path) -> None:
    _build(row, compiler, tmp_path)
    variable = row.variable.format(here=tmp_path)
    name = row.opens.format(here=tmp_path)
    env = {"LD_LIBRARY_PATH": variable} if variable else {}
    program = tmp_path / "app/main"
    done = subprocess.run([program, name], env=env, capture_output=True, check=False, timeout=60)
    assert done.returncode in (0, 1), done
    real = [line for line in os.fsdecode(done.stdout).split("\n")[1:] if line]
    ours, found = _ours(program, name, variable, opener=row.opener is not None)
    assert (_files(ours), found) == (_files(real), done.returncode == 0)


def _build(row: Row, compiler: str, here: Path) -> None:
    (here / "app").mkdir()
    for where, soname, needs, search in row.libraries:
        place = here / where
        place.parent.mkdir(exist_ok=True)
        _run(
            here,
            *(compiler, "-shared", "-fPIC", "-x", "c", "/dev/null", "-x", "none", "-o", where),
            *(f"-Wl,-soname,{soname}", "-Wl,--no-as-needed", *needs.split()),
            *search.format(here=here).split(),
            *[f"-Wl,-rpath-link,{here}/{d}" for d in "pqr"],
        )
    opener = "app/libopener.so"
    options = [] if row.opener is None else row.opener.format(here=here).split()
    library = ("-shared", "-fPIC", "-DLIBRARY", "-o", opener, str(SOURCE))
    _run(here, compiler, *library, "-Wl,-soname,libopener.so", *options)
    path = row.program.format(here=here) or RUNPATH
    path += ("" if path.endswith(",") else ":") + f"{here}/app"
    given = [str(SOURCE), opener]
    if row.opener is None:
        given = ["-x", "c", str(SOURCE), "-DLIBRARY", "-o", "app/one.o", "-c"]
        _run(here, compiler, "-fPIC", *given)
        given = [str(SOURCE), "app/one.o"]
    given += ["-Wl,--no-as-needed", *row.needs.split(), path]
    _run(here, compiler, "-o", "app/main", *given)


def _run(here: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=here, capture_output=True, check=False)
    assert done.returncode == 0, os.fsdecode(done.stderr)


def _ours(program: Path, name: str, variable: str, *, opener: bool) -> tuple[list[str], bool]:
    """What is loaded after dlopen(), and whether it succeeds."""
    with Session(library_path=variable) as session:
        resolver, options = session.resolver, session.options._replace(preload_file=False)
        closure = resolver.resolve(str(program), options)
        sonames = [hit.elf.soname for hit in closure.hits]
        number = sonames.index("libopener.so") if opener else 0
        loaded = [hit.path for hit in closure.hits[1:]]
        hit = resolver.opened(closure, name, options, number)
        if hit is None:
            return loaded, False
        assert closure.loader is not None
        library = Program(name, hit.path, hit)
        opened = resolver.closure(library, options, closure.loader.path, (closure,))
        if opened.missing or opened.refusals:
            return loaded, False
        more = [h.path for h in opened.hits if h.via.kind is not Kind.INTERPRETER]
        return list(dict.fromkeys([*loaded, *more])), True


def _files(paths: list[str]) -> list[str]:
    """Real paths, without the loader and the vDSO, which stand at different places in the list."""
    real = [os.path.realpath(p) for p in paths if p.startswith("/")]
    return [p for p in real if "/ld-" not in p and not p.endswith("/libc.so")]
