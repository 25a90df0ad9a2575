"""``--add`` and ``--mkdir``: what comes along, what is data, and that nothing else appears."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import Ran, elfpack, well_spoken
from tests.contract.tree import (
    LIBC,
    LOADER,
    Content,
    library,
    members,
    plant,
    program,
    rows,
    static,
    system,
)
from tests.elfbuild import elf

BASE = {"/bin/app", LOADER, f"/lib/{LIBC}"}
"""The files of the layer of the root's program."""


def _root(top: Path, files: dict[str, Content]) -> Path:
    return system(top / "root", {"/bin/app": program(LIBC), **files})


def _layer(root: Path, *arguments: str) -> Ran:
    ran = elfpack("layer", "--root", root, "/bin/app", *arguments, "-o", "-")
    well_spoken(ran)
    return ran


def _files(ran: Ran) -> set[str]:
    assert ran.status == 0, ran.err
    return {path for path, member in members(ran.stdout).items() if not member.isdir()}


class Added(NamedTuple):
    name: str
    files: dict[str, Content]
    """Of the root."""
    add: str
    more: set[str]
    """What the layer has besides the program's files."""


ADDED = [
    Added("text", {"/data/x": "x"}, "/data/x", {"/data/x"}),
    Added("inside the root", {"/etc/passwd": "x"}, "/etc/passwd", {"/etc/passwd"}),
    Added(
        "library with what it needs",
        {"/opt/p.so": library("p.so", "libq.so.1", LIBC), "/lib/libq.so.1": library("libq.so.1")},
        "/opt/p.so",
        {"/opt/p.so", "/lib/libq.so.1"},
    ),
    Added(
        "directory of plugins",
        {"/opt/p/a.so": library("a.so", "libq.so.1"), "/lib/libq.so.1": library("libq.so.1")},
        "/opt/p",
        {"/opt/p/a.so", "/lib/libq.so.1"},
    ),
    Added(
        "libraries for one that is opened before them",
        {
            "/opt/p/launcher": program(LIBC, content=b"/libmachine.so\0"),
            "/opt/p/a.so": library("a.so", "libmachine.so", "libq.so.1"),
            "/opt/p/b.so": library("b.so", "a.so", runpath="$ORIGIN"),
            "/opt/p/server/libmachine.so": library("libmachine.so", LIBC),
            "/lib/libq.so.1": library("libq.so.1"),
        },
        "/opt/p",
        {
            *("/opt/p/launcher", "/opt/p/a.so", "/opt/p/b.so", "/opt/p/server/libmachine.so"),
            "/lib/libq.so.1",
        },
    ),
    Added("object file", {"/data/x.o": elf(type=1)}, "/data/x.o", {"/data/x.o"}),
    Added(
        "of another machine",
        {"/data/x.so": library("x.so", "libarm.so", machine=183)},
        "/data",
        {"/data/x.so"},
    ),
    Added(
        "of another class",
        {"/data/x.so": library("x.so", "libx86.so", machine=3, bits=32)},
        "/data",
        {"/data/x.so"},
    ),
    Added("broken", {"/data/x.so": library("x.so", "liby.so")[:90]}, "/data", {"/data/x.so"}),
    Added("static", {"/data/tool": static()}, "/data", {"/data/tool"}),
    Added("empty file", {"/data/x": b""}, "/data", {"/data/x"}),
    Added("program again", {}, "/bin/app", set()),
    Added("library again", {}, f"/lib/{LIBC}", set()),
    Added("links", {"/data/x": "x", "/data/l": "-> x"}, "/data", {"/data/x", "/data/l"}),
    Added(
        "at another place",
        {"/opt/p.so": library("p.so", "libq.so.1"), "/lib/libq.so.1": library("libq.so.1")},
        "/opt/p.so:/plugins/",
        {"/plugins/p.so", "/lib/libq.so.1"},
    ),
    Added(
        "directory at another place",
        {"/opt/p/a.so": library("a.so"), "/opt/p/text": "x"},
        "/opt/p:/plugins",
        {"/plugins/a.so", "/plugins/text"},
    ),
]


@pytest.mark.parametrize("case", rows(ADDED))
def test_added(case: Added, tmp_path: Path) -> None:
    ran = _layer(_root(tmp_path, case.files), "--add", case.add)
    assert _files(ran) == BASE | case.more
    assert not ran.said("warning")


def test_added_by_a_relative_name(tmp_path: Path) -> None:
    """No path of the machine that elfpack runs on gets into the layer."""
    plant(tmp_path, {"app": static(), "lib/p.so": library("p.so")})
    ran = elfpack("layer", "./app", "--add", "lib", "-o", "-", cwd=tmp_path)
    assert [p for p, m in members(ran.stdout).items() if m.isreg() or m.islnk()] == [
        "/app",
        "/lib/p.so",
    ]


def test_library_that_an_added_file_lacks_is_missing(tmp_path: Path) -> None:
    root = _root(tmp_path, {"/opt/p/a.so": library("a.so", "libgone.so")})
    ran = _layer(root, "--add", "/opt/p")
    assert (ran.status, ran.stdout) == (1, b"")
    assert [line.partition(" is missing")[0] for line in ran.said("error")] == [
        "/opt/p/a.so: libgone.so"
    ]
    assert _layer(root, "--add", "/opt/p", "--allow-missing", "libgone.so").status == 0
    assert _layer(root, "--add", "/opt/p", "--exclude", "*/a.so").status == 0


def test_exclude_drops_paths(tmp_path: Path) -> None:
    files: dict[str, Content] = {"/srv/a/__pycache__/x.pyc": "x", "/srv/a/x.py": "x"}
    ran = _layer(_root(tmp_path, files), "--add", "/srv", "--exclude", "*/__pycache__/*")
    assert _files(ran) == BASE | {"/srv/a/x.py"}


def test_link_that_dangles_in_the_image_is_noted(tmp_path: Path) -> None:
    files: dict[str, Content] = {"/srv/gone": "-> /nowhere", "/srv/out": "-> ../opt", "/opt/x": ""}
    ran = _layer(_root(tmp_path, files), "--add", "/srv")
    assert _files(ran) == BASE | {"/srv/gone", "/srv/out"}
    notes = ran.said("note")
    for link in ("/srv/gone", "/srv/out"):
        assert any(note.startswith(f"{link}: ") for note in notes)


def test_many_links_into_one_directory_are_one_note(tmp_path: Path) -> None:
    files: dict[str, Content] = {f"/srv/{n}": f"-> ../etc/app/{n}" for n in range(9)}
    ran = _layer(_root(tmp_path, files), "--add", "/srv")
    (note,) = [n for n in ran.said("note") if n.startswith("/srv/")]
    assert "leads to /etc/app/0, which the image has not, and 8 more into /etc/app" in note
    assert "--add /etc/app," in note


def test_a_program_by_a_link_of_a_directory_that_is_added(tmp_path: Path) -> None:
    """As in a virtual environment of Python: the program is what its link leads to."""
    plant(tmp_path, {"usr/python": static(), "env/bin/python3": f"-> {tmp_path}/usr/python"})
    plant(tmp_path, {"env/bin/python": "-> python3", "env/cfg": "x"})
    for asked in (["env/bin/python", "--add", "env"], ["env/bin/python:/a/python", "--add", "env"]):
        ran = elfpack("layer", *asked, "-o", "x.tar", cwd=tmp_path)
        well_spoken(ran)
        assert ran.status == 0, ran.err
    ran = elfpack("layer", "env/bin/python", "--add", "env", "-o", "x.tar", cwd=tmp_path)
    found = members((tmp_path / "x.tar").read_bytes())
    assert found["/env/bin/python"].linkname == "python3"
    assert found["/env/bin/python3"].isfile()


def test_special_files_are_left_out_with_a_note(tmp_path: Path) -> None:
    root = _root(tmp_path, {"/srv/x": "x"})
    os.mkfifo(root / "srv/fifo")
    ran = _layer(root, "--add", "/srv")
    assert _files(ran) == BASE | {"/srv/x"}
    assert [n for n in ran.said("note") if n.startswith("/srv/fifo: ")]


def test_files_keep_their_modes(tmp_path: Path) -> None:
    root = _root(tmp_path, {"/srv/private": "x", "/srv/tool": "x"})
    (root / "srv/private").chmod(0o600)
    (root / "srv/tool").chmod(0o751)
    found = members(_layer(root, "--add", "/srv").stdout)
    assert (found["/srv/private"].mode, found["/srv/tool"].mode) == (0o600, 0o751)


def test_second_name_has_the_mode_of_the_first(tmp_path: Path) -> None:
    """Docker, and Python's tarfile, set the mode of a hard link's header on the shared file."""
    root = _root(tmp_path, {"/srv/tool": static()})
    os.link(root / "srv/tool", root / "srv/twin")
    found = members(_layer(root, "--add", "/srv").stdout)
    assert found["/srv/twin"].islnk()
    assert found["/srv/twin"].mode == found["/srv/tool"].mode == 0o755


class Conflict(NamedTuple):
    name: str
    arguments: list[str]


CONFLICTS = [
    Conflict("directories of two modes", ["--mkdir", "/a:700", "--mkdir", "/a:755"]),
    Conflict("directories of two owners", ["--mkdir", "/a:755:1:1", "--mkdir", "/a:755:2:2"]),
    Conflict("two files", ["--add", "/srv/x:/a", "--add", "/srv/y:/a"]),
    Conflict("file and directory", ["--add", "/srv/x:/a", "--mkdir", "/a"]),
    Conflict("file below a file", ["--add", "/srv/x:/a", "--add", "/srv/y:/a/b"]),
    Conflict("library of the program", ["--add", f"/srv/x:/lib/{LIBC}"]),
    Conflict("interpreter", ["--add", f"/srv/x:{LOADER}"]),
    Conflict("file where the program's directory is", ["--add", "/srv/x:/lib"]),
]


@pytest.mark.parametrize("case", rows(CONFLICTS))
def test_conflict(case: Conflict, tmp_path: Path) -> None:
    """Two sources for one path, or an image in which the program would not run."""
    ran = _layer(_root(tmp_path, {"/srv/x": "x", "/srv/y": "y"}), *case.arguments)
    assert ran.status in (1, 2)
    assert ran.stdout == b""
    assert ran.said("error")


def test_program_in_the_way_of_its_interpreter(tmp_path: Path) -> None:
    root = plant(
        tmp_path / "root",
        {
            "/bin/app": program(),
            "/lib64": "-> usr/lib64",
            "/usr/lib64/ld-linux-x86-64.so.2": library("ld-linux-x86-64.so.2"),
        },
    )
    ran = elfpack("layer", "--root", root, "/bin/app:/lib64", "-o", "-")
    well_spoken(ran)
    assert ran.status in (1, 2)
    assert ran.stdout == b""


def test_same_file_twice_is_no_conflict(tmp_path: Path) -> None:
    root = _root(tmp_path, {"/srv/x": "x"})
    ran = _layer(root, "--add", "/srv/x", "--add", "/srv", "--mkdir", "/a", "--mkdir", "/a")
    assert _files(ran) == BASE | {"/srv/x"}
    assert not ran.said("warning")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_what_is_mounted_in_an_added_directory_is_left_out(tmp_path: Path) -> None:
    """/proc in a tree that is added is none of its files; by its own name it comes along."""
    mounted = tmp_path / "d/mounted"
    mounted.mkdir(parents=True)
    (tmp_path / "d/file").write_text("x")
    (tmp_path / "app").write_bytes(static())
    (tmp_path / "app").chmod(0o755)
    if subprocess.run(["mount", "-t", "tmpfs", "none", str(mounted)], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        (mounted / "inside").write_text("y")
        ran = elfpack("layer", "./app", "--add", "d", "-o", "a.tar", cwd=tmp_path)
        both = ("--add", "d", "--add", "d/mounted")
        named = elfpack("layer", "./app", *both, "-o", "b.tar", cwd=tmp_path)
    finally:
        subprocess.run(["umount", str(mounted)], check=True)
    assert ran.status == 0
    told = f"elfpack: warning: {tmp_path}/d/mounted: another file system is mounted there"
    assert any(line.startswith(told) for line in ran.err)
    assert sorted(members((tmp_path / "a.tar").read_bytes())) == ["/app", "/d", "/d/file"]
    assert named.status == 0
    assert "/d/mounted/inside" in members((tmp_path / "b.tar").read_bytes())


def test_a_plugin_that_needs_what_the_program_has_loaded(tmp_path: Path) -> None:
    """By itself it lacks it: its directory is in the program's RUNPATH alone."""
    system(
        tmp_path,
        {
            "/app/app": program("libcore.so", runpath="$ORIGIN/lib"),
            "/app/lib/libcore.so": library("libcore.so"),
            "/app/plugins/a.so": library("a.so", "libcore.so"),
            "/app/plugins/b.so": library("b.so", "libnone.so"),
        },
    )
    dry = ("layer", "--root", str(tmp_path), "/app/app", "--dry-run", "--add")
    listed = {line.split()[0] for line in elfpack(*dry, "/app/plugins/a.so").out}
    assert {"/app/plugins/a.so", "/app/lib/libcore.so"} <= listed
    ran = elfpack(*dry, "/app/plugins")
    assert ran.status == 1
    (told,) = ran.err
    assert "libnone.so is missing" in told


def test_a_library_that_an_added_one_finds_once_the_program_has_opened_it(tmp_path: Path) -> None:
    """As java opens libjvm.so, by a path that it makes, before what is linked with it."""
    files = {
        "/vm/bin/app": program("libl.so", runpath="$ORIGIN/../lib"),
        "/vm/lib/libl.so": library("libl.so", content=b"\0%s/lib/server/libvm.so\0"),
        "/vm/lib/liba.so": library("liba.so", "libvm.so"),
        "/vm/lib/libb.so": library("libb.so", "liba.so", runpath="$ORIGIN"),
        "/vm/lib/server/libvm.so": library("libvm.so"),
    }
    system(tmp_path, files)
    arguments = ("layer", "--root", str(tmp_path), "/vm/bin/app", "-o", "-", "--add", "/vm/lib")
    ran = elfpack(*arguments)
    assert ran.status == 0, ran.err
    assert files.keys() <= members(ran.stdout).keys()
    told = "added libraries that need it find it only when libl.so has opened it before"
    assert ran.said("note").count(f"/vm/lib/server/libvm.so: {told}") == 1


@pytest.mark.parametrize("why", ["no name of it", "not among them", "of another machine"])
def test_a_library_that_nothing_opens_before_an_added_one(why: str, tmp_path: Path) -> None:
    text = b"" if why == "no name of it" else b"\0libvm.so\0"
    where = "/other" if why == "not among them" else "/vm"
    machine = {"machine": 183} if why == "of another machine" else {}
    system(
        tmp_path,
        {
            "/vm/bin/app": program(content=text),
            "/vm/lib/liba.so": library("liba.so", "libvm.so"),
            f"{where}/lib/server/libvm.so": library("libvm.so", **machine),
        },
    )
    ran = elfpack("layer", "--root", str(tmp_path), "/vm/bin/app", "-o", "-", "--add", "/vm/lib")
    assert (ran.status, ran.stdout) == (1, b"")
    (told,) = ran.err
    assert "libvm.so is missing" in told
