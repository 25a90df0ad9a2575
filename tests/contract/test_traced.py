"""``--with strace=LOG``: what a log adds to a layer, and how it meets what others put there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Ran, elfpack, one_error, well_spoken
from tests.contract.tree import (
    LIBC,
    LOADER,
    Content,
    library,
    members,
    program,
    system,
)

BASE = {"/bin/app", LOADER, f"/lib/{LIBC}"}
COMMAND = "strace -f -e trace=%file,execve -o LOG PROGRAM"


def _log(*names: str) -> str:
    lines = ['7 execve("/bin/app", ["app"], 0x7ffd /* 9 vars */) = 0']
    lines += [f'7 openat(AT_FDCWD, "{name}", O_RDONLY|O_CLOEXEC) = 3' for name in names]
    return "\n".join([*lines, "7 +++ exited with 0 +++\n"])


def _layer(top: Path, files: dict[str, Content], *arguments: str) -> Ran:
    root = system(top / "root", {"/bin/app": program(LIBC, imports=["getpwnam"]), **files})
    ran = elfpack(
        *("layer", "--root", root, "/bin/app", "--without", "nss", "--without", "users"),
        *("--with", "strace=LOG", *arguments, "-o", "-"),
    )
    well_spoken(ran)
    return ran


def _files(ran: Ran) -> set[str]:
    assert ran.status == 0, ran.err
    return {path for path, member in members(ran.stdout).items() if not member.isdir()}


def test_what_was_opened(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "/LOG": _log("/data/x", "/data/../opt/p.so", "/gone", "/root/x", "/data"),
        "/data/x": "x",
        "/data/y": "y",
        "/opt/p.so": library("p.so", "libq.so.1"),
        "/lib/libq.so.1": library("libq.so.1"),
        "/root/x": "x",
    }
    ran = _layer(tmp_path, files)
    assert _files(ran) == BASE | {"/data/x", "/opt/p.so", "/lib/libq.so.1"}
    notes = [note for note in ran.said("note") if note.startswith("LOG: ")]
    assert len(notes) == 2
    assert "left out: 1 in home directories (/root/x)" in notes[0]
    assert "not there now, of what the run used: 1 (/gone)" in notes[1]


def test_a_plug_in_that_needs_one_which_was_opened_before(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "/LOG": _log("/vm/libjava.so", "/vm/server/libjvm.so", "/vm/libnet.so"),
        "/vm/libjava.so": library("libjava.so", "libjvm.so"),
        "/vm/libnet.so": library("libnet.so", "libjava.so", "libjvm.so", runpath="$ORIGIN"),
        "/vm/server/libjvm.so": library("libjvm.so", LIBC),
    }
    ran = _layer(tmp_path, files)
    assert _files(ran) == BASE | {"/vm/libjava.so", "/vm/libnet.so", "/vm/server/libjvm.so"}


def test_a_library_that_lacks_something_all_the_same(tmp_path: Path) -> None:
    files: dict[str, Content] = {"/LOG": _log("/p.so"), "/p.so": library("p.so", "libnone.so")}
    ran = _layer(tmp_path, files)
    assert "libnone.so is missing" in one_error(ran, 1, "/p.so")


def test_excluded_paths(tmp_path: Path) -> None:
    files: dict[str, Content] = {"/LOG": _log("/a/x.pyc", "/a/y"), "/a/x.pyc": "", "/a/y": ""}
    assert _files(_layer(tmp_path, files, "--exclude", "/a/*.pyc")) == (BASE | {"/a/y"})


def test_what_others_put_there_wins_without_a_word(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "/LOG": _log("/etc/nsswitch.conf"),
        "/etc/nsswitch.conf": "passwd: files sss\n",
    }
    root = system(tmp_path / "root", {"/bin/app": program(LIBC, imports=["getpwnam"]), **files})
    arguments = ("layer", "--root", root, "/bin/app", "--with", "strace=LOG", "--dry-run")
    ran = elfpack(*arguments)
    assert ran.status == 0, ran.err
    (line,) = [line for line in ran.out if line.startswith("/etc/nsswitch.conf ")]
    assert "nss: getpwnam" in line
    assert not [note for note in ran.said("note") if "is taken" in note]
    ran = elfpack(*arguments, "--without", "nss")
    (line,) = [line for line in ran.out if line.startswith("/etc/nsswitch.conf ")]
    assert line.endswith("strace: /etc/nsswitch.conf, opened by app")


def test_what_the_user_names_wins(tmp_path: Path) -> None:
    files: dict[str, Content] = {"/LOG": _log("/etc/x"), "/etc/x": "theirs", "/mine": "mine"}
    ran = _layer(tmp_path, files, "--add", "/mine:/etc/x")
    assert _files(ran) == BASE | {"/etc/x"}
    assert members(ran.stdout)["/etc/x"].size == len("mine")


def test_a_program_that_is_moved_is_not_packed_twice(tmp_path: Path) -> None:
    files: dict[str, Content] = {"/LOG": _log(), "/bin/app": program(LIBC)}
    root = system(tmp_path / "root", files)
    ran = elfpack("layer", "--root", root, "/bin/app:/opt/it", "--with", "strace=LOG", "-o", "-")
    assert _files(ran) == {"/opt/it", LOADER, f"/lib/{LIBC}"}


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (None, 1, "the root has none"),
        ("", 2, "holds no line of strace that names a file"),
        ("int main(void) { return 0; }\n", 2, "holds no line of strace that names a file"),
        (b"\x7fELF\0\xff\n" * 9, 2, "holds no line of strace that names a file"),
    ],
    ids=["no file", "empty", "source", "binary"],
)
def test_no_log(content: Content | None, status: int, told: str, tmp_path: Path) -> None:
    ran = _layer(tmp_path, {} if content is None else {"/LOG": content})
    fact = one_error(ran, status, "LOG")
    assert told in fact
    assert COMMAND in fact
