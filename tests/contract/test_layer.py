"""``elfpack layer``: what is in a layer, where, and that equal input gives equal bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import Ran, elfpack, environment, well_spoken
from tests.contract.tree import (
    LIBC,
    LOADER,
    content,
    library,
    members,
    plant,
    program,
    rows,
    static,
    system,
    tar,
)

ENV = "/usr/bin/env"
ACCOUNTS = "/usr/bin/getent"


def _refused(ran: Ran) -> str:
    """The error line of a request that contradicts itself."""
    well_spoken(ran)
    assert (ran.status, ran.stdout, len(ran.said("error"))) == (2, b"", 1), ran
    return ran.said("error")[0]


def test_parents_are_0755_whatever_the_source_has(tmp_path: Path) -> None:
    plant(tmp_path, {"private/deep/app": static()})
    (tmp_path / "private").chmod(0o700)
    (tmp_path / "private/deep").chmod(0o1777)
    found = members(tar("private/deep/app", cwd=tmp_path))
    assert {p: m.mode for p, m in found.items()} == {
        "/private": 0o755,
        "/private/deep": 0o755,
        "/private/deep/app": 0o755,
    }


def test_added_directory_keeps_its_mode(tmp_path: Path) -> None:
    plant(tmp_path, {"app": static(), "data/in/x": "x"})
    (tmp_path / "data").chmod(0o750)
    (tmp_path / "data/in").chmod(0o1777)
    found = members(tar("./app", "--add", "data:/srv/data", cwd=tmp_path))
    modes = {p: m.mode for p, m in found.items() if m.isdir()}
    assert modes == {"/srv": 0o755, "/srv/data": 0o750, "/srv/data/in": 0o1777}


def test_set_id_bits_are_dropped_with_a_warning(tmp_path: Path) -> None:
    plant(tmp_path, {"app": static()})
    (tmp_path / "app").chmod(0o6755)
    ran = elfpack("layer", "./app", "-o", "-", cwd=tmp_path)
    assert members(ran.stdout)["/app"].mode == 0o755
    assert [w.partition(":")[0] for w in ran.said("warning")] == ["/app"]


def test_links_on_the_way_are_kept(tmp_path: Path) -> None:
    root = system(
        tmp_path / "root",
        {
            "/bin": "-> usr/bin",
            "/usr/bin/app": program("libz.so.1", LIBC),
            "/usr/lib/libz.so.1.2": library("libz.so.1", LIBC),
            "/lib/libz.so.1": "-> ../usr/lib/libz.so.1.2",
        },
    )
    found = members(tar("--root", root, "/bin/app"))
    links = {p: m.linkname for p, m in found.items() if m.issym()}
    assert links == {"/bin": "usr/bin", "/lib/libz.so.1": "../usr/lib/libz.so.1.2"}
    assert found["/usr/lib/libz.so.1.2"].isreg()


def test_one_file_is_packed_once(tmp_path: Path) -> None:
    plant(tmp_path, {"app": static() + bytes(5000)})
    os.link(tmp_path / "app", tmp_path / "same")
    found = members(tar("./app", "./same", cwd=tmp_path))
    assert [m.isreg() for m in found.values()] == [True, False]
    assert found["/same"].islnk()
    assert found["/same"].linkname == "app"


# Where programs and added files go


class Placed(NamedTuple):
    name: str
    arguments: list[str]
    paths: list[str]
    """The regular files and links of the layer."""


PLACES = [
    Placed("relative", ["./app"], ["/app"]),
    Placed("bare", ["app"], ["/app"]),
    Placed("below", ["sub/app"], ["/sub/app"]),
    Placed("dots", ["./sub/.//app"], ["/sub/app"]),
    Placed("destination", ["./app:/bin/x"], ["/bin/x"]),
    Placed("into a directory", ["./app:/bin/"], ["/bin/app"]),
    Placed("into the top", ["sub/app:/"], ["/app"]),
    Placed("destination with dots", ["./app:/bin/./x"], ["/bin/x"]),
    Placed("above", ["sub/../app:/app"], ["/app"]),
    Placed("name with a colon", ["./a:b"], ["/a:b"]),
    Placed("name like one with a destination", ["./c:/d"], ["/c:/d"]),
    Placed("name with a colon and a destination", ["./a:b:/x"], ["/x"]),
    Placed("twice the same", ["./app", "app"], ["/app"]),
    Placed("two places", ["./app:/a", "./app:/b"], ["/a", "/b"]),
    Placed("two programs", ["./app", "sub/app"], ["/app", "/sub/app"]),
    Placed("added file", ["./app", "--add", "data/f"], ["/app", "/data/f"]),
    Placed("added file elsewhere", ["./app", "--add", "data/f:/etc/g"], ["/app", "/etc/g"]),
    Placed("added into", ["./app", "--add", "data/f:/etc/"], ["/app", "/etc/f"]),
    Placed("added directory", ["./app", "--add", "data"], ["/app", "/data/f", "/data/l"]),
    Placed("content at DEST", ["./app", "--add", "data:/srv"], ["/app", "/srv/f", "/srv/l"]),
    Placed(
        "directory into", ["./app", "--add", "data:/srv/"], ["/app", "/srv/data/f", "/srv/data/l"]
    ),
    Placed("dropped", ["./app", "--add", "data", "--exclude", "*/data/l"], ["/app", "/data/f"]),
]


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    return plant(
        tmp_path,
        {
            "app": static(),
            "sub/app": static() + b"x",
            "a:b": static(),
            "c:/d": static(),
            "data/f": "f",
            "data/l": "-> f",
        },
    )


@pytest.mark.parametrize("case", rows(PLACES))
def test_place(case: Placed, here: Path) -> None:
    found = members(tar(*case.arguments, cwd=here))
    assert [path for path, member in found.items() if not member.isdir()] == case.paths


def test_absolute_program_keeps_its_path() -> None:
    assert members(tar(ENV))[ENV].isreg()


def test_layer_does_not_depend_on_the_working_directory(here: Path) -> None:
    assert tar(ENV, cwd=here) == tar(ENV, cwd=Path("/"))
    assert tar(f"{here}/app:/x", cwd=here) == tar(f"{here}/app:/x", cwd=Path("/"))


class Wrong(NamedTuple):
    name: str
    arguments: list[str]
    told: list[str]


WRONG = [
    Wrong("above without a destination", ["sub/../app"], ["sub/../app", "..", ":/app"]),
    Wrong("relative destination", ["./app:bin/x"], ["./app:bin/x", "absolute"]),
    Wrong("empty destination", ["./app:"], ["./app:"]),
    Wrong("destination with ..", ["./app:/bin/../x"], ["./app:/bin/../x", ".."]),
    Wrong("no name", [":/x"], [":/x"]),
    Wrong("two for one path", ["./app", "sub/app:/app"], ["/app", "./app", "sub/app"]),
    Wrong("program and added file", ["./app", "--add", "data/f:/app"], ["/app", "./app", "data/f"]),
    Wrong("file where a directory is needed", ["./app", "sub/app:/app/x"], ["/app"]),
    Wrong("nothing to add", ["./app", "--add", "nope"], ["nope", "no such file"]),
    Wrong("device to add", ["./app", "--add", "/dev/null"], ["/dev/null"]),
    Wrong("relative directory", ["./app", "--mkdir", "tmp"], ["tmp", "/PATH"]),
    Wrong("directory with ..", ["./app", "--mkdir", "/a/../b"], ["/a/../b"]),
    Wrong("mode that is none", ["./app", "--mkdir", "/a:rwx"], ["/a:rwx"]),
    Wrong("mode too large", ["./app", "--mkdir", "/a:77777"], ["/a:77777"]),
    Wrong("user without group", ["./app", "--mkdir", "/a:755:0"], ["/a:755:0"]),
    Wrong("user by name", ["./app", "--mkdir", "/a:755:app:app"], ["/a:755:app:app"]),
    Wrong("negative user", ["./app", "--mkdir", "/a:755:-1:0"], ["/a:755:-1:0"]),
    Wrong("mode with underscore", ["./app", "--mkdir", "/a:7_5_5"], ["/a:7_5_5"]),
    Wrong("directory where a file is", ["./app", "--mkdir", "/app"], ["/app"]),
    Wrong("user root", ["./app", "--with", "users=root:0:0"], ["users", "root"]),
    Wrong("user twice", ["./app", "--with=users=a:1:1", "--with=users=a:2:2"], ["users"]),
]


@pytest.mark.parametrize("case", rows(WRONG))
def test_wrong(case: Wrong, here: Path) -> None:
    line = _refused(elfpack("layer", *case.arguments, "-o", "-", cwd=here))
    for word in case.told:
        assert word in line
    assert line.endswith(")")


class Made(NamedTuple):
    name: str
    text: str
    path: str
    mode: int
    owner: tuple[int, int]


MADE = [
    Made("plain", "/data", "/data", 0o755, (0, 0)),
    Made("mode", "/tmp:1777", "/tmp", 0o1777, (0, 0)),
    Made("mode with zero", "/tmp:0700", "/tmp", 0o700, (0, 0)),
    Made("owner", "/home/app:750:1000:1001", "/home/app", 0o750, (1000, 1001)),
    Made("slash at the end", "/data/", "/data", 0o755, (0, 0)),
    Made("large ids", f"/x:755:{2**21 + 1}:{2**32 - 2}", "/x", 0o755, (2**21 + 1, 2**32 - 2)),
]


@pytest.mark.parametrize("case", rows(MADE))
def test_mkdir(case: Made, here: Path) -> None:
    found = members(tar("./app", "--mkdir", case.text, cwd=here))[case.path]
    assert found.isdir()
    assert (found.mode, (found.uid, found.gid)) == (case.mode, case.owner)


# Runtime modules


def test_users(here: Path) -> None:
    raw = tar("./app", "--with", "users=app:1000:1001", cwd=here)
    passwd = [
        "root:x:0:0:root:/root:/bin/sh",
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
    ]
    lines = content(raw, "/etc/passwd").decode().splitlines()
    assert lines[:2] == passwd
    assert len(lines) == 3
    assert lines[2].startswith("app:x:1000:1001:")
    assert lines[2].split(":")[5] == "/home/app"
    group = content(raw, "/etc/group").decode().splitlines()
    assert group == ["root:x:0:", "nogroup:x:65534:", "app:x:1001:"]
    home = members(raw)["/home/app"]
    assert (home.mode, home.uid, home.gid) == (0o755, 1000, 1001)
    assert members(raw)["/home"].uid == 0


def test_modules_by_evidence_say_so() -> None:
    ran = elfpack("layer", ACCOUNTS, "-o", "-")
    found = members(ran.stdout)
    assert {"/etc/passwd", "/etc/group", "/etc/nsswitch.conf"} <= found.keys()
    notes = [note.partition(":")[0] for note in ran.said("note")]
    assert {"nss", "users"} <= set(notes)
    assert content(ran.stdout, "/etc/group") == b"root:x:0:\nnogroup:x:65534:\n"
    lines = content(ran.stdout, "/etc/nsswitch.conf").decode()
    assert "passwd:" in lines
    assert "files dns" in lines


def test_without() -> None:
    found = members(tar(ACCOUNTS, "--without", "users", "--without", "nss"))
    assert not [path for path in found if path.startswith("/etc")]
    assert not [path for path in found if "libnss" in path]


def test_without_one_leaves_the_other() -> None:
    found = members(tar(ACCOUNTS, "--without", "users"))
    assert "/etc/passwd" not in found
    assert "/etc/nsswitch.conf" in found


def test_program_without_evidence_gets_nothing() -> None:
    assert not [path for path in members(tar(ENV)) if path.startswith("/etc")]


def test_what_the_user_names_wins(here: Path) -> None:
    plant(here, {"passwd": "mine"})
    arguments = ("layer", "./app", "--with", "users", "--add", "passwd:/etc/passwd", "-o", "-")
    ran = elfpack(*arguments, cwd=here)
    assert ran.status == 0
    assert content(ran.stdout, "/etc/passwd") == b"mine"
    assert content(ran.stdout, "/etc/group").startswith(b"root:")
    assert [n for n in ran.said("note") if n.startswith("/etc/passwd: ") and "passwd" in n]


def test_library_found_through_the_environment(tmp_path: Path) -> None:
    """It is noted, packed where it is, and the image's loader is told of the place."""
    name, path = elfpack("deps", ENV).out[0].strip().split(" => ")
    plant(tmp_path, {f"own/{name}": Path(path).read_bytes()})
    env = environment(LD_LIBRARY_PATH=f"{tmp_path}/own")
    ran = elfpack("layer", ENV, "-o", "-", env=env)
    assert ran.status == 0, ran.err
    place = f"{tmp_path}/own/{name}"
    assert members(ran.stdout)[place].isreg()
    assert any("LD_LIBRARY_PATH" in note and place in note for note in ran.said("note"))
    unpacked = tmp_path / "unpacked"
    assert elfpack("layer", ENV, "-o", f"{unpacked}/", env=env).status == 0
    inside = elfpack("deps", "--root", unpacked, ENV)
    assert inside.out[0] == f"\t{name} => {place}"


# Summaries


def test_last_note_says_how_to_use_it(here: Path) -> None:
    ran = elfpack("layer", "./app", "-o", "out.tar", cwd=here)
    assert ran.stdout == b""
    command = """docker import --change 'ENTRYPOINT ["/app"]' out.tar app"""
    assert ran.said("note")[-1] == command


def test_last_note_for_another_machine(tmp_path: Path) -> None:
    loader = "/lib/ld-linux-aarch64.so.1"
    root = plant(
        tmp_path / "root",
        {
            "/app": program(interpreter=loader, machine=183),
            loader: library("ld-linux-aarch64.so.1", machine=183),
        },
    )
    ran = elfpack("layer", "--root", root, "/app", "-o", "out.tar", cwd=tmp_path)
    assert ran.status == 0, ran.err
    if os.uname().machine != "aarch64":
        assert "docker import --platform linux/arm64 " in ran.said("note")[-1]


def test_dry_run_writes_nothing(here: Path) -> None:
    before = sorted(os.listdir(here))
    for output in ([], ["-o", "out.tar"], ["-o", "out/"], ["-o", "-"]):
        ran = elfpack("layer", "./app", "--add", "data", "--dry-run", *output, cwd=here)
        assert ran.status == 0
        assert sorted(os.listdir(here)) == before
        assert [line.split()[0] for line in ran.out] == ["/app", "/data/", "/data/f", "/data/l"]
        assert all(len(line.split()) > 2 for line in ran.out), "path, size, reason"


def test_dry_run_tells_the_bytes_by_reason(tmp_path: Path) -> None:
    root = system(tmp_path / "root", {"/app": program(LIBC), "/data": b"12345"})
    arguments = ("layer", "--root", root, "/app", "--add", "/data", "--with", "users", "--dry-run")
    totals: dict[str, int] = {}
    for entry in json.loads(elfpack(*arguments, "--format", "json").stdout)["entries"]:
        if entry["type"] == "file":
            source = entry["reason"]["source"]
            totals[source] = totals.get(source, 0) + entry["size"]
    assert totals.keys() == {"program", "interpreter", "library", "users", "added"}
    first, last = elfpack(*arguments).said("note")[-2:]
    assert last.removeprefix("bytes by reason: ").split(", ") == [
        f"{source} {size}" for source, size in sorted(totals.items(), key=lambda t: (-t[1], t[0]))
    ]
    assert first.endswith(f" {sum(totals.values())} bytes of files")
    assert elfpack(*arguments, "-q").stderr == b""


def test_dry_run_of_what_is_missing(tmp_path: Path) -> None:
    root = system(tmp_path / "root", {"/app": program("libgone.so")})
    ran = elfpack("layer", "--root", root, "/app", "--dry-run")
    assert (ran.status, ran.stdout) == (1, b"")
    assert "libgone.so" in ran.said("error")[0]


def test_allowed_to_be_missing(tmp_path: Path) -> None:
    root = system(tmp_path / "root", {"/app": program("libgone.so", LIBC)})
    ran = elfpack("layer", "--root", root, "/app", "--allow-missing", "libg*", "-o", "-")
    assert ran.status == 0
    assert list(members(ran.stdout)) == ["/app", "/lib", f"/lib/{LIBC}", "/lib64", LOADER]
    assert any("libgone.so" in note for note in ran.said("note"))


def test_json_beside_a_tar_on_standard_output(here: Path) -> None:
    ran = elfpack("layer", "-q", "./app", "--format", "json", "-o", "-", cwd=here)
    assert list(members(ran.stdout)) == ["/app"]
    assert json.loads(ran.stderr)["output"] == "-"


def test_json_of_a_dry_run_to_standard_output(here: Path) -> None:
    arguments = ("layer", "-q", "./app", "--format", "json", "-o", "-", "--dry-run")
    ran = elfpack(*arguments, cwd=here)
    assert json.loads(ran.stdout)["output"] is None


def test_simple_program_gets_nothing_more() -> None:
    """The program, its interpreter, libc.so.6; links and directories."""
    regular = [path for path, member in members(tar(ENV)).items() if member.isreg()]
    needed = elfpack("deps", "--format", "paths", ENV).out
    assert sorted(map(os.path.realpath, needed)) == sorted(map(os.path.realpath, regular))
