"""What is no program, or lacks something: one line that says so, the right status, no leftover."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import one_error
from tests.contract.tree import (
    LIBC,
    LOADER,
    NO_FILES,
    Content,
    library,
    obey_permissions,
    plant,
    program,
    rows,
    run,
    static,
    system,
)
from tests.elfbuild import elf

ENV = Path("/usr/bin/env")
WHOLE = program("liba.so.1", LIBC, sections=False, imports=("puts",))
MACH_O = struct.pack("<IIIIIII", 0xFEEDFACF, 0x01000007, 3, 2, 0, 0, 0).ljust(4096, b"\0")
PE = b"MZ".ljust(60, b"\0") + struct.pack("<I", 64) + b"PE\0\0" + bytes(400)
COMMANDS = ("deps", "layer")


# What is named is no program


class Bad(NamedTuple):
    name: str
    content: Content
    fact: str
    """Part of the error line."""


BAD = [
    Bad("directory", None, "is a directory"),
    Bad("empty", b"", "empty"),
    Bad("text", "hello\n", ""),
    Bad("one byte", b"\x7f", ""),
    Bad("only the magic", b"\x7fELF", ""),
    Bad("header alone", WHOLE[:64], ""),
    Bad("half", WHOLE[: len(WHOLE) // 2], ""),
    Bad("all but a byte", WHOLE[:-1], ""),
    Bad("half of a static program", elf(type=2, content=bytes(4096), sections=False)[:2000], ""),
    Bad("half of a real program", ENV.read_bytes()[: ENV.stat().st_size // 2], ""),
    Bad("a tenth of a real program", ENV.read_bytes()[: ENV.stat().st_size // 10], ""),
    Bad("Mach-O", MACH_O, "Mach-O"),
    Bad("PE", PE, "PE"),
    Bad("object file", elf(type=1), "object file"),
    Bad("script without interpreter", "#!\n", "interpreter"),
    Bad("script of itself", "#!bad\n", "scripts"),
    Bad("link to itself", "-> bad", ""),
    Bad("dangling link", "-> gone", "no such file"),
    Bad("link to a directory", "-> /usr", "is a directory"),
    Bad("no class", b"\x7fELF\0" + WHOLE[5:], ""),
    Bad("no byte order", b"\x7fELF\2\0" + WHOLE[6:], ""),
    Bad("zeros behind the magic", b"\x7fELF".ljust(4096, b"\0"), ""),
    Bad("ones behind the magic", b"\x7fELF\2\1\1".ljust(4096, b"\xff"), ""),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("bad", rows(BAD))
def test_no_program(command: str, bad: Bad, tmp_path: Path) -> None:
    plant(tmp_path, {"bad": bad.content})
    fact = one_error(run(command, "./bad", cwd=tmp_path), 2, "./bad")
    assert bad.fact in fact


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", ["./nope", "/nowhere/nope", "./good/nope", ".", "/", "nope/"])
def test_no_such_file(command: str, name: str, tmp_path: Path) -> None:
    plant(tmp_path, {"good": static()})
    one_error(run(command, name, cwd=tmp_path), 2, name)


@pytest.mark.parametrize("command", COMMANDS)
def test_empty_name(command: str, tmp_path: Path) -> None:
    ran = run(command, "", cwd=tmp_path)
    assert (ran.status, len(ran.said("error"))) == (2, 1)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("length", [255, 256, 5000])
def test_long_name(command: str, length: int, tmp_path: Path) -> None:
    one_error(run(command, "x" * length, cwd=tmp_path), 2, "x" * length)


def _cut(directory: Path, cuts: range) -> None:
    """A file that lacks a byte of what its headers tell of is an error, and only that."""
    plant(directory, {f"cut-{n}": WHOLE[:n] for n in cuts})
    ran = run("deps", *[f"cut-{n}" for n in cuts], cwd=directory)
    assert ran.stdout == b""
    assert ran.status == 2
    assert [e.partition(":")[0] for e in ran.said("error")] == [f"cut-{n}" for n in cuts]


DYNAMIC = WHOLE.index(struct.pack("<QQ", 1, 1))
"""Where the dynamic section is: it begins with DT_NEEDED, of the first string."""


def test_cut_before_the_dynamic_section(tmp_path: Path) -> None:
    _cut(tmp_path, range(0, DYNAMIC, 3))


def test_cut_within_the_dynamic_section(tmp_path: Path) -> None:
    _cut(tmp_path, range(DYNAMIC, len(WHOLE), 3))


def test_bytes_changed_anywhere(tmp_path: Path) -> None:
    """Each may be right or wrong, but none stops the others, hangs or shows a traceback."""
    places = range(4, len(WHOLE), 2)
    wrong = {f"at-{n}": WHOLE[:n] + b"\xff\x7f" + WHOLE[n + 2 :] for n in places}
    plant(tmp_path, dict(wrong))
    ran = run("deps", *wrong, cwd=tmp_path)
    named = {line.rstrip(":") for line in ran.out if not line.startswith("\t")}
    named |= {line.partition(":")[0] for line in ran.said("error")}
    assert named == set(wrong)


@pytest.mark.parametrize("command", COMMANDS)
def test_unreadable(command: str, tmp_path: Path) -> None:
    plant(tmp_path, {"secret": static()})
    (tmp_path / "secret").chmod(0o111)
    ran = run(command, "./secret", cwd=tmp_path, preexec=obey_permissions)
    assert "permission denied" in one_error(ran, 2, "./secret")


@pytest.mark.parametrize("command", COMMANDS)
def test_below_a_directory_that_may_not_be_searched(command: str, tmp_path: Path) -> None:
    plant(tmp_path, {"locked/app": static()})
    (tmp_path / "locked").chmod(0o600)
    ran = run(command, "./locked/app", cwd=tmp_path, preexec=obey_permissions)
    assert "permission denied" in one_error(ran, 2, "./locked/app")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_special_file(command: str, kind: str, tmp_path: Path) -> None:
    path = "/dev/null" if kind == "device" else f"./{kind}"
    if kind == "fifo":
        os.mkfifo(tmp_path / "fifo")
    elif kind == "socket":
        os.mknod(tmp_path / "socket", 0o140600)
    one_error(run(command, path, cwd=tmp_path), 2, path)


# What it needs is not right


def _root(top: Path, more: Mapping[str, Content] = NO_FILES) -> Path:
    return system(top / "root", {"/bin/app": program("libx.so.1", LIBC), **more})


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_interpreter(command: str, tmp_path: Path) -> None:
    plant(tmp_path, {"app": program(interpreter="/lib/ld-none.so.1")})
    ran = run(command, "./app", cwd=tmp_path)
    assert ran.status == 1
    if command == "deps":
        assert (ran.out, ran.err) == (["\t/lib/ld-none.so.1 => not found"], [])
    else:
        assert "/lib/ld-none.so.1" in one_error(ran, 1, "./app")


@pytest.mark.parametrize("command", COMMANDS)
def test_script_without_its_interpreter(command: str, tmp_path: Path) -> None:
    plant(tmp_path, {"run": "#!/nowhere/shell -e\n"})
    ran = run(command, "./run", cwd=tmp_path)
    assert ran.status == 1
    assert "/nowhere/shell" in (ran.out if command == "deps" else ran.said("error"))[0]


def _fifo(root: Path) -> None:
    os.mkfifo(root / "lib/libx.so.1")


def _loop(root: Path) -> None:
    plant(root, {"lib/libx.so.1": "-> libx.so.1"})


def _content(content: Content) -> Callable[[Path], object]:
    return lambda root: plant(root, {"lib/libx.so.1": content})


class Library(NamedTuple):
    name: str
    make: Callable[[Path], object]
    fatal: bool
    """The loader stops; else the library is not found."""


LIBRARIES = [
    Library("none", lambda root: None, False),
    Library("dangling link", _content("-> libgone.so"), False),
    Library("link loop", _loop, False),
    Library("wrong class", _content(library("libx.so.1", machine=3, bits=32)), False),
    Library("wrong machine", _content(library("libx.so.1", machine=183)), False),
    Library("text", _content("INPUT ( -lx )\n"), True),
    Library("empty", _content(b""), True),
    Library("directory", _content(None), True),
    Library("truncated", _content(library("libx.so.1")[:40]), True),
    Library("object file", _content(elf(type=1)), True),
    Library("executable", _content(elf(type=2, needed=[LIBC])), True),
    Library("other byte order", _content(library("libx.so.1", little=False)), True),
]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("case", rows(LIBRARIES))
def test_library(command: str, case: Library, tmp_path: Path) -> None:
    root = _root(tmp_path)
    case.make(root)
    ran = run(command, "--root", root, "/bin/app", cwd=tmp_path)
    if case.fatal:
        assert "/lib/libx.so.1" in one_error(ran, 1, "/bin/app")
        assert ran.stdout == b""
    elif command == "deps":
        assert (ran.status, ran.err) == (1, [])
        assert "\tlibx.so.1 => not found" in ran.out
    else:
        assert "libx.so.1" in one_error(ran, 1, "/bin/app")


@pytest.mark.parametrize("command", COMMANDS)
def test_fifo_as_library_does_not_hang(command: str, tmp_path: Path) -> None:
    root = _root(tmp_path)
    _fifo(root)
    ran = run(command, "--root", root, "/bin/app", cwd=tmp_path)
    assert ran.status == 1
    assert "libx.so.1" in os.fsdecode(ran.stdout + ran.stderr)


@pytest.mark.parametrize("name", ["/etc/ld.so.cache", LOADER, "/usr/bin/env"])
@pytest.mark.parametrize("command", COMMANDS)
def test_fifo_elsewhere_does_not_hang(command: str, name: str, tmp_path: Path) -> None:
    root = _root(
        tmp_path,
        {
            "/lib/libx.so.1": library("libx.so.1"),
            "/bin/run": "#!/usr/bin/env app\n",
            "/etc": None,
        },
    )
    (root / name.lstrip("/")).unlink(missing_ok=True)
    (root / "usr/bin").mkdir(parents=True)
    os.mkfifo(root / name.lstrip("/"))
    run(command, "--root", root, "/bin/run", cwd=tmp_path)


@pytest.mark.parametrize("command", COMMANDS)
def test_unreadable_library_is_skipped(command: str, tmp_path: Path) -> None:
    root = _root(tmp_path, {"/lib/libx.so.1": library("libx.so.1")})
    (root / "lib/libx.so.1").chmod(0)
    ran = run(command, "--root", root, "/bin/app", cwd=tmp_path, preexec=obey_permissions)
    assert ran.status == 1
    assert "libx.so.1" in os.fsdecode(ran.stdout + ran.stderr)


@pytest.mark.parametrize("raw", [b"", b"\0" * 200, b"glibc-ld.so.cache1.1" + b"\xff" * 100])
@pytest.mark.parametrize("command", COMMANDS)
def test_broken_cache(command: str, raw: bytes, tmp_path: Path) -> None:
    more: dict[str, Content] = {"/lib/libx.so.1": library("libx.so.1"), "/etc/ld.so.cache": raw}
    ran = run(command, "--root", _root(tmp_path, more), "/bin/app", cwd=tmp_path)
    assert ran.status == 0


def test_layer_lists_all_that_is_missing(tmp_path: Path) -> None:
    root = _root(
        tmp_path,
        {
            "/bin/other": program("libz.so.9", "libm.so.8"),
            "/lib/libm.so.8": library("libm.so.8", "liby.so.2", runpath="$ORIGIN/own"),
        },
    )
    arguments = ("--root", root, "--library-path", "/opt/a:/opt/b", "/bin/app", "/bin/other")
    ran = run("layer", *arguments, cwd=tmp_path)
    assert (ran.status, ran.stdout) == (1, b"")
    rows = [
        ("/bin/app", "libx.so.1", "/bin/app", ["/opt/a", "/opt/b", "/lib"]),
        ("/bin/other", "libz.so.9", "/bin/other", ["/opt/a", "/lib"]),
        ("/bin/other", "liby.so.2", "/lib/libm.so.8", ["/opt/a", "/lib/own", "/lib"]),
    ]
    errors = ran.said("error")
    assert len(errors) == len(rows)
    for line, (subject, name, requester, places) in zip(errors, rows, strict=True):
        assert line.startswith(f"{subject}: {name} is missing, needed by {requester}")
        assert line.endswith(")")
        for place in places:
            assert place in line


def test_layer_with_one_of_two_unreadable(tmp_path: Path) -> None:
    root = _root(tmp_path, {"/bin/text": "text", "/lib/libx.so.1": library("libx.so.1")})
    ran = run("layer", "--root", root, "/bin/app", "/bin/text", cwd=tmp_path)
    one_error(ran, 2, "/bin/text")
