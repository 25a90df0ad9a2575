"""Faults that were found by attack, each with the input that showed it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import elfpack
from elfpack.api.session import Session
from elfpack.elf.file import Abi
from elfpack.errors import ElfpackError
from elfpack.loader.identify import identify
from elfpack.report import ldd
from tests.contract.tree import LIBC, LOADER, library, program, system
from tests.elfbuild import elf

X86_64 = Abi(62, 64, True, 0)


def test_carriage_return_is_part_of_the_name(tmp_path: Path) -> None:
    """The kernel separates words by space and tab alone: such a script does not start."""
    script = tmp_path / "crlf.sh"
    script.write_bytes(b"#!/bin/sh\r\necho hi\r\n")
    with Session("/") as session:
        assert session.resolve(str(script)).missing_interpreter == "/bin/sh\r"


def test_release_of_a_thousand_digits() -> None:
    raw = b"\0/lib/\0/usr/lib/\0stable release version " + b"9" * 5000 + b".1\0"
    assert identify(raw, "/lib64/ld.so", X86_64).version == (0, 0)


def test_program_that_another_file_replaces(tmp_path: Path) -> None:
    """Added over the interpreter of a script: the plan is wrong, and that is said."""
    (tmp_path / "one.sh").write_text("#!/bin/sh\n")
    (tmp_path / "two.sh").write_text("#!/nonexistent\n")
    shell = Path("/bin/sh").resolve()
    with Session("/") as session, pytest.raises(ElfpackError):
        session.plan([f"{tmp_path}/one.sh"], add=[f"{tmp_path}/two.sh:{shell}"])


def test_order_of_additions_does_not_count(tmp_path: Path) -> None:
    """A link of one addition may lie behind a link that another brings along."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "link").symlink_to("x")
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_text("x")
    (tmp_path / "way").symlink_to("real")
    both = [f"{tmp_path}/d:{tmp_path}/way/d", f"{tmp_path}/way/file"]
    with Session("/") as session:
        paths = [
            [e.path for e in session.plan(["/bin/true"], add=a).entries] for a in (both, both[::-1])
        ]
    assert paths[0] == paths[1]


def test_few_descriptors_are_no_answer() -> None:
    """A look-up that fails for want of descriptors is an error, not a missing library."""
    code = (
        "import resource, sys\n"
        "from elfpack.cli import main\n"
        "import elfpack.cli.deps\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))\n"
        "sys.exit(main(['deps', '/bin/sh']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "not found" not in done.stdout
    assert "too many open files" in done.stderr


def test_directories_directly_behind_other_bytes() -> None:
    """armhf's loader of Debian 12: the first string is not preceded by a NUL."""
    raw = b"\x01\xf2/lib/arm-linux-gnueabihf/\0/usr/lib/arm-linux-gnueabihf/\0/lib/\0\0"
    found = identify(raw, "/lib/ld-linux-armhf.so.3", Abi(40, 32, True, 0x5000400))
    assert found.directories[0] == "/lib/arm-linux-gnueabihf/"


@pytest.mark.parametrize("byte", [b"/", b"a", b"/a"])
def test_identify_is_linear(byte: bytes) -> None:
    """A loader full of slashes: counted by what is read of it, this ends at once."""
    assert not identify(byte * 500_000 + b"\0", "/lib64/ld.so", X86_64).recognised


def test_pathlib_and_a_bare_text(tmp_path: Path) -> None:
    """What build scripts write: pathlib's paths; and a list that is forgotten is said."""
    assert elfpack.resolve(Path("/bin/true")).libraries
    elfpack.plan([Path("/bin/true")]).write_tar(tmp_path / "true.tar")
    assert (tmp_path / "true.tar").is_file()
    with pytest.raises(elfpack.RequestError, match="takes a list"):
        elfpack.plan("/bin/true")
    with elfpack.Session() as session, pytest.raises(elfpack.RequestError, match="takes a list"):
        list(session.resolve_many("/bin/true"))
    with pytest.raises(elfpack.RequestError):
        elfpack.resolve("")


@pytest.mark.parametrize("option", ["exclude", "allow_missing"])
def test_a_bare_pattern(option: str) -> None:
    """A star among its letters would match every library."""
    with pytest.raises(elfpack.RequestError, match="takes a list"):
        elfpack.plan(["/bin/true"], **{option: "libno*"})  # type: ignore[arg-type]
    with pytest.raises(elfpack.RequestError, match="takes a list"):
        elfpack.resolve("/bin/true", exclude="libno*")  # type: ignore[arg-type]
    assert elfpack.resolve("/bin/true", exclude=["libno*"]).libraries  # type: ignore[arg-type]


def test_a_text_that_no_file_can_have_for_a_name() -> None:
    for name in ("/bin/\ud800", "/bin/\0"):
        with pytest.raises(elfpack.RequestError, match="names no file"):
            elfpack.resolve(name)
        with elfpack.Session() as session:
            (failure,) = session.resolve_many([name])
        assert isinstance(failure, elfpack.Failure)
        assert failure.path == name


def test_command_of_env_that_is_missing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("#!/usr/bin/env no-such-command\n")
    closure = elfpack.resolve(tmp_path / "s")
    assert closure.missing_command == "no-such-command"
    assert list(ldd.lines(closure)) == ["\tno-such-command => not found"]


def test_all_that_is_wrong_is_told(tmp_path: Path) -> None:
    """One program that cannot be read does not hide what another lacks."""
    code = (
        "import sys\nfrom elfpack.cli import main\n"
        "sys.exit(main(['layer', '-v', 'nope', '/bin/sh', 'nope2', '-o', 'o.tar']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert [line.split(": ")[2] for line in done.stderr.splitlines()] == ["nope", "nope2"]
    assert not (tmp_path / "o.tar").exists()


def test_file_capabilities_are_dropped_with_a_warning(tmp_path: Path) -> None:
    program = tmp_path / "true"
    shutil.copy("/bin/true", program)
    cap_net_raw = bytes.fromhex("0100000200200000000000000000000000000000")
    try:
        os.setxattr(program, "security.capability", cap_net_raw)
    except OSError as e:
        pytest.skip(f"file capabilities cannot be set here: {e}")
    findings = elfpack.plan([f"{program}:/true"]).findings
    assert [f.message for f in findings] == ["its file capabilities are dropped"]


def test_a_loader_without_a_dynamic_section_is_opened(tmp_path: Path) -> None:
    """By its path, in a program's strings: what it is opened by is known all the same."""
    root = system(
        tmp_path,
        {
            LOADER: elf(dynamic=False),
            f"/lib/{LIBC}": library(LIBC),
            "/app": program(LIBC, imports=["dlopen"], content=f"\0{LOADER}\0".encode()),
        },
    )
    with Session(root) as session:
        plan = session.plan(["/app"], modules={"dlopen": "strings"})
    assert LOADER in [entry.path for entry in plan.entries]
