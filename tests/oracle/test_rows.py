"""The rows built with gcc and given to the real loaders."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from elfpack.api.session import Session
from elfpack.loader.closure import Closure
from elfpack.report import ldd
from tests.oracle.realloader import ask, candidates, message, traced
from tests.oracle.rows import GLIBC_ROWS, MUSL_ROWS, SYSTEM_ROWS, Row
from tests.worlds import LOADER, MUSL_LOADER, World, on_disk

SHARED = {"lib": "-shared", "exe": "-pie", "exec": "-no-pie"}
BUILT = ("needs", "soname", "rpath", "runpath", "filter", "auxiliary", "nodeflib")
"""What gcc is asked for; a file with any other option is one of ``tests/elfbuild.py``."""

pytestmark = pytest.mark.skipif(not Path(LOADER).exists(), reason=f"no {LOADER} here")


@dataclass(frozen=True)
class Linker:
    """Links empty objects: what they need are stubs of that soname."""

    gcc: str
    stubs: Path

    @property
    def empty(self) -> str:
        path = self.stubs / "empty.o"
        if not path.exists():
            self.run("-c", "-x", "c", "/dev/null", "-o", str(path))
        return str(path)

    def run(self, *args: str) -> None:
        subprocess.run([self.gcc, *args], check=True, stdin=subprocess.DEVNULL, timeout=60)

    def stub(self, name: str) -> str:
        path = self.stubs / f"lib-{name.replace('/', '%')}.so"
        if not path.exists():
            self.run("-shared", "-nostdlib", self.empty, f"-Wl,-soname,{name}", "-o", str(path))
        return str(path)

    def link(self, spec: str, path: Path) -> None:
        kind, *words = spec.split()
        flags = ["-nostdlib", "-Wl,--no-as-needed,-e,0", SHARED[kind], self.empty]
        for word in words:
            key, _, value = word.partition("=")
            if key == "needs":
                flags += [self.stub(name) for name in value.split(",")]
            elif key in ("rpath", "runpath"):
                tags = "disable" if key == "rpath" else "enable"
                flags += [f"-Wl,--{tags}-new-dtags", "-Xlinker", "-rpath", "-Xlinker", value]
            elif key == "nodeflib":
                flags.append("-Wl,-z,nodefaultlib")
            else:
                flags.append(f"-Wl,--{key},{value}")
        self.run(*flags, "-o", str(path))


def can_link(spec: str) -> bool:
    kind, *words = spec.split()
    keys = [word.partition("=")[0] for word in words]
    return kind in SHARED and set(keys) <= set(BUILT) and not {"rpath", "runpath"} <= set(keys)


def build(world: World, top: Path, linker: Linker) -> None:
    """The world below ``top``, which takes the place of ``/w``."""
    moved = {p.removeprefix("/w"): s.replace("/w/", f"{top}/") for p, s in world.items()}
    linked = {p: s for p, s in moved.items() if can_link(s)}
    for path, spec in linked.items():
        place = top / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        linker.link(spec, place)
    on_disk({p: _inside(s, top) for p, s in moved.items() if p not in linked}, top)


def _inside(spec: str, top: Path) -> str:
    return spec.replace(f"= {top}", "= ")


@pytest.fixture(scope="session")
def gcc(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    return Linker("gcc", tmp_path_factory.mktemp("stubs"))


def moved(text: str, top: Path) -> str:
    return text.replace("/w/", f"{top}/")


def resolve(row: Row, top: Path) -> tuple[Session, Closure]:
    session = Session(
        cwd=moved(f"{row.cwd}/", top).rstrip("/"),
        library_path=moved(row.library_path, top),
        preload=moved(row.preload, top),
    )
    return session, session.resolve(moved(row.program, top))


def environment(row: Row, top: Path) -> dict[str, str]:
    given = {"LD_LIBRARY_PATH": row.library_path, "LD_PRELOAD": row.preload}
    return {name: moved(value, top) for name, value in given.items() if value}


@pytest.mark.part("(b) rows of glibc")
@pytest.mark.parametrize("row", GLIBC_ROWS, ids=lambda row: row.name)
def test_glibc(row: Row, tmp_path: Path, gcc: Linker) -> None:
    build(row.world, tmp_path, gcc)
    session, closure = resolve(row, tmp_path)
    program, cwd = moved(row.program, tmp_path), Path(moved(f"{row.cwd}/", tmp_path))
    env = environment(row, tmp_path)
    command = (program, "") if row.by_kernel else (LOADER, program)
    status, lines = ask(*command, cwd=cwd, **env)
    if row.refusal:
        assert status != 0
        assert closure.refusal is not None
        reason = row.words.get(closure.refusal.reason, closure.refusal.reason)
        # Before the reason stands the path, or the needed name.
        assert message(*command, cwd=cwd, **env).endswith(f": {reason}")
        assert row.refusal in reason
        return
    assert status == 0
    assert list(ldd.lines(closure)) == lines
    # The row itself says what the loader does.
    assert [moved(f"\t{line}", tmp_path) for line in row.lines] == lines
    tried = candidates(*command, cwd=cwd, **env)
    assert traced(session, closure) == tried


@pytest.mark.part("(b) rows of glibc")
@pytest.mark.parametrize("row", SYSTEM_ROWS, ids=lambda row: row.name)
def test_glibc_with_libraries_of_this_machine(row: Row, tmp_path: Path, gcc: Linker) -> None:
    build(row.world, tmp_path, gcc)
    session, closure = resolve(row, tmp_path)
    program = moved(row.program, tmp_path)
    assert (0, list(ldd.lines(closure))) == ask(LOADER, program, cwd=tmp_path)
    tried = candidates(LOADER, program, cwd=tmp_path)
    if "nodeflib" in row.world["/w/bin/exe"]:
        return  # the loader tells of what the cache answers before it drops it
    assert traced(session, closure) == tried


@pytest.fixture(scope="session")
def musl_gcc(tmp_path_factory: pytest.TempPathFactory) -> Linker:
    return Linker("musl-gcc", tmp_path_factory.mktemp("musl-stubs"))


@pytest.mark.skipif(not Path(MUSL_LOADER).exists(), reason=f"no {MUSL_LOADER} here")
@pytest.mark.part("(f) musl: rows")
@pytest.mark.parametrize("row", MUSL_ROWS, ids=lambda row: row.name)
def test_musl(row: Row, tmp_path: Path, musl_gcc: Linker) -> None:
    world = {
        path: f"{spec} interp={MUSL_LOADER}"
        if spec.startswith("ex") and not can_link(spec)
        else spec
        for path, spec in row.world.items()
    }
    build(world, tmp_path, musl_gcc)
    _, closure = resolve(row, tmp_path)
    done = subprocess.run(
        [MUSL_LOADER, "--list", moved(row.program, tmp_path)],
        env=environment(row, tmp_path),
        cwd=moved(f"{row.cwd}/", tmp_path),
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    errors = re.findall(
        r"^Error loading shared library (.*): (.*) \(needed by .*\)$",
        os.fsdecode(done.stderr),
        re.M,
    )
    if row.refusal:
        reason = closure.refusals[0].reason
        assert (row.refusal, row.words.get(reason, reason)) == (reason, errors[0][1])
        return
    shown = [os.fsdecode(line).partition(" (0x")[0] for line in done.stdout.splitlines()]
    ours = list(ldd.lines(closure))
    missing = [f"\t{name} => not found" for name, _ in errors]
    # The real one tells of what is missing elsewhere.
    assert [line for line in ours if line not in missing] == shown
    assert [line for line in ours if line in missing] == missing
    found = [line for line in ours if MUSL_LOADER not in line]
    assert [moved(f"\t{line}", tmp_path) for line in row.lines] == found
