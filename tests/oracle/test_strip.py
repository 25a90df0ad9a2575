"""``--strip`` beside binutils' ``strip``: as small or smaller, and what runs runs as before."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from elfpack.blob import BytesSource
from elfpack.elf import constants as c
from elfpack.elf.edit import strip
from elfpack.elf.layout import ElfFault, read_layout
from tests.oracle.everyfile import elf_files
from tests.oracle.figures import record
from tests.oracle.realloader import ask

FIXTURES = Path(__file__).parent.parent / "fixtures"
SOURCES = Path(__file__).parent.parent / "docker" / "sources"
PART = "(s) files as small as strip makes them"
LARGEST = 32 << 20
"""Bytes of a file of this machine that is compared: what is larger takes long and shows no more."""
LOADER = {"aarch64": "/lib/ld-linux-aarch64.so.1"}.get(
    platform.machine(), "/lib64/ld-linux-x86-64.so.2"
)


def ours(raw: bytes) -> bytes:
    """What elfpack packs of a file with ``--strip``."""
    edit = strip(BytesSource(raw))
    if edit is None:
        return raw
    source = edit.apply(BytesSource(raw))
    return source.pread(source.size, 0)


def theirs(path: Path, where: Path, tool: str = "strip") -> bytes | None:
    """What strip makes of a file; None if it refuses it."""
    out = where / "stripped"
    done = subprocess.run([tool, "-o", out, path], capture_output=True, check=False, timeout=300)
    return out.read_bytes() if done.returncode == 0 else None


def mapped(raw: bytes) -> list[tuple[int, int]]:
    """Where in memory a file goes: addresses and sizes."""
    segments = read_layout(BytesSource(raw)).segments
    return [(s.vaddr, s.memsz) for s in segments if s.type == c.PT_LOAD]


def readelf(path: Path, *options: str) -> list[str]:
    done = subprocess.run(
        ["readelf", "-W", *options, path], capture_output=True, check=True, text=True
    )
    assert not done.stderr, done.stderr
    return done.stdout.splitlines()


def run(path: Path, *before: str) -> tuple[int, bytes]:
    done = subprocess.run([*before, path], capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout


class Built(NamedTuple):
    name: str
    command: str
    """What makes ``app``."""
    after: str = ""
    """What is done to it."""


GCC = "gcc -g -O2 -o app {src}/hello.c"
CPP = "g++ -g -pthread -o app {src}/catcher.cpp -L. -lthrower -Wl,-rpath,$ORIGIN"
BUILT = [
    Built("dynamic", GCC),
    Built("not PIE", f"{GCC} -no-pie"),
    Built("static", f"{GCC} -static"),
    Built("static-pie", f"{GCC} -static-pie"),
    Built("large pages", f"{GCC} -Wl,-z,max-page-size=0x200000"),
    Built("no separate code", f"{GCC} -Wl,-z,noseparate-code"),
    Built("compressed", f"{GCC} -gz"),
    Built("relocations kept", f"{GCC} -Wl,--emit-relocs"),
    Built("old hash", f"{GCC} -Wl,--hash-style=sysv"),
    Built("exported", f"{GCC} -rdynamic"),
    Built("C++", "g++ -g -o app {src}/hello.cpp"),
    Built("C++, static", "g++ -g -static -o app {src}/hello.cpp"),
    Built("exceptions and threads", CPP),
    Built("backtrace", "gcc -g -O0 -rdynamic -o app {src}/backtrace.c"),
    Built("musl", "musl-gcc -g -o app {src}/hello.c"),
    Built("musl, static", "musl-gcc -g -static -o app {src}/hello.c"),
    Built("stripped", f"{GCC} -s"),
    Built("debug link", GCC, "objcopy --add-gnu-debuglink=app app"),
    Built("a section for data", GCC, "objcopy --add-section=data={src}/hello.c app"),
    Built("patchelf", GCC, "patchelf --set-rpath $ORIGIN/some/directory app"),
    Built("patchelf, not PIE", f"{GCC} -no-pie", "patchelf --set-rpath $ORIGIN/directory app"),
]


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    _make(tmp_path, "g++ -g -shared -fPIC -o libthrower.so {src}/thrower.cpp")
    return tmp_path


def _make(where: Path, line: str) -> None:
    words = [word.replace("{src}", str(SOURCES)) for word in line.split()]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    subprocess.run(words, cwd=where, check=True, capture_output=True)


@pytest.mark.part(PART)
@pytest.mark.parametrize("case", BUILT, ids=lambda case: case.name)
def test_built(case: Built, here: Path) -> None:
    _make(here, case.command)
    if case.after:
        _make(here, case.after)
    before = here / "app"
    raw, reference = before.read_bytes(), theirs(before, here)
    outcome, listed = run(before), ask(LOADER, str(before))
    headers = readelf(before, "-l")
    before.write_bytes(ours(raw))
    assert reference is not None
    assert before.stat().st_size <= len(reference)
    assert run(before) == outcome
    assert ask(LOADER, str(before)) == listed
    _no_symbols(before)
    if "patchelf" not in case.name:  # what patchelf puts behind the symbols moves down
        assert _plain(readelf(before, "-l")) == _plain(headers)


def _plain(lines: list[str]) -> list[str]:
    return [line for line in lines if "section" not in line.lower()]


def _no_symbols(path: Path) -> None:
    text = "\n".join(readelf(path, "-S"))
    assert ".symtab" not in text
    assert ".debug_" not in text


@pytest.mark.part(PART)
def test_libraries_of_a_program(here: Path) -> None:
    _make(here, CPP)
    outcome = run(here / "app")
    for name in ("libthrower.so", "app"):
        raw, reference = (here / name).read_bytes(), theirs(here / name, here)
        (here / name).write_bytes(ours(raw))
        assert reference is not None
        assert (here / name).stat().st_size <= len(reference)
        _no_symbols(here / name)
    assert outcome[0] == 0
    assert run(here / "app") == outcome


@pytest.mark.part(PART)
def test_patched_over_and_over(here: Path) -> None:
    """strip breaks such a file where patchelf left a hole in a segment; elfpack does not."""
    _make(here, GCC)
    for number in (100, 300, 3000, 9000):
        _make(here, f"patchelf --set-rpath /{'x' * number} app")
    raw, outcome = (here / "app").read_bytes(), run(here / "app")
    (here / "app").write_bytes(ours(raw))
    assert (here / "app").stat().st_size < len(raw)
    assert run(here / "app") == outcome
    _no_symbols(here / "app")


CROSS = [
    ("aarch64-linux-gnu", "aarch64"),
    ("arm-linux-gnueabihf", "arm"),
    ("i686-linux-gnu", "i386"),
    ("mips-linux-gnu", "mips"),
    ("powerpc-linux-gnu", "ppc"),
    ("powerpc64le-linux-gnu", "ppc64le"),
    ("riscv64-linux-gnu", "riscv64"),
    ("s390x-linux-gnu", "s390x"),
]


@pytest.mark.part(PART)
@pytest.mark.parametrize("options", ["", "-static", "-shared -fPIC"])
@pytest.mark.parametrize(("triplet", "emulator"), CROSS, ids=lambda value: value)
def test_other_machines(triplet: str, emulator: str, options: str, tmp_path: Path) -> None:
    _make(tmp_path, f"{triplet}-gcc -g {options} -o app {{src}}/hello.c")
    path = tmp_path / "app"
    raw, reference = path.read_bytes(), theirs(path, tmp_path, f"{triplet}-strip")
    path.write_bytes(ours(raw))
    assert reference is not None
    assert path.stat().st_size <= len(reference)
    _no_symbols(path)
    if options == "-static":
        status, output = run(path, f"qemu-{emulator}-static")
        assert (status, output[:5]) == (0, b"hello")


@pytest.mark.part(PART)
def test_debug_file_stays(here: Path) -> None:
    _make(here, GCC)
    _make(here, "objcopy --only-keep-debug app app.debug")
    with pytest.raises(ElfFault, match="debug sections of another file"):
        ours((here / "app.debug").read_bytes())


PLACES = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/local/bin")


def test_every_elf_file(tmp_path: Path) -> None:
    """None is larger than strip makes it, unless strip changes what is mapped."""
    seen: set[tuple[int, int]] = set()
    equal, larger, left = 0, [], 0
    for name in elf_files(Path("/"), PLACES):
        path = Path(name)
        found = path.stat()
        if found.st_size > LARGEST or (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        size = _size(path.read_bytes())
        reference = theirs(path, tmp_path) if size is not None else None
        if size is None or reference is None:
            left += 1
        elif size <= len(reference) or mapped(path.read_bytes()) != mapped(reference):
            equal += 1
        else:
            larger.append(name)
    record(PART, equal, equal + len(larger), f"{left} files of this machine left as they are")
    assert larger == []


def _size(raw: bytes) -> int | None:
    """Bytes of what is packed; None for what is refused, which has to have a reason."""
    try:
        return len(ours(raw))
    except ElfFault as e:
        assert e.message
        return None


def test_this_is_binutils() -> None:
    done = subprocess.run(["strip", "--version"], capture_output=True, check=True)
    assert b"GNU strip" in done.stdout, os.fsdecode(done.stdout)
