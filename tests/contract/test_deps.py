"""``elfpack deps``: what it prints, and the status it ends with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli import COMMAND, Ran, elfpack, environment, one_error, well_spoken
from tests.contract.tree import LIBC, LOADER, library, plant, program, static, system
from tests.worlds import loader_of

ENV = "/usr/bin/env"
SHELL = "/bin/sh"
LDD = re.compile(r"\t(\S+ => (/\S+|not found)|/\S+|statically linked)")


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    """A root with several programs, one of which lacks libraries."""
    return system(
        tmp_path / "root",
        {
            "/bin/good": program("liba.so.1", LIBC),
            "/bin/bad": program("libgone.so.1", "liba.so.1", "libgone.so.2", LIBC),
            "/bin/static": static(),
            "/bin/orphan": program(LIBC, interpreter="/lib/ld-none.so.1"),
            "/bin/text": "just text\n",
            "/lib/liba.so.1": library("liba.so.1", "libb.so.1", LIBC),
            "/lib/libb.so.1": library("libb.so.1", LIBC),
            "/opt/lib/libgone.so.1": library("libgone.so.1"),
        },
    )


def _deps(root: Path, *arguments: str, **variables: str) -> Ran:
    ran = elfpack("deps", "--root", root, *arguments, env=environment(**variables))
    well_spoken(ran)
    return ran


@pytest.mark.parametrize("path", [ENV, SHELL, sys.executable])
def test_real_program_in_the_format_of_ldd(path: str) -> None:
    ran = elfpack("deps", path)
    well_spoken(ran)
    assert ran.status == 0
    assert ran.out
    for line in ran.out:
        assert LDD.fullmatch(line), line
        named = line.rpartition(" => ")[2].strip()
        assert not named.startswith("/") or os.path.exists(named)


def test_lines_in_load_order(root: Path) -> None:
    ran = _deps(root, "/bin/good")
    assert (ran.status, ran.err) == (0, [])
    assert ran.out == [
        "\tliba.so.1 => /lib/liba.so.1",
        f"\t{LIBC} => /lib/{LIBC}",
        "\tlibb.so.1 => /lib/libb.so.1",
        f"\t{LOADER}",
    ]


def test_several_programs_have_headings(root: Path) -> None:
    ran = _deps(root, "/bin/static", "/bin/good", "/bin/static")
    assert ran.out[:3] == ["/bin/static:", "\tstatically linked", "/bin/good:"]
    assert ran.out[-2:] == ["/bin/static:", "\tstatically linked"]
    assert ran.status == 0


class Status(NamedTuple):
    name: str
    programs: list[str]
    status: int


STATUSES = [
    Status("all is well", ["/bin/good", "/bin/static"], 0),
    Status("a library is missing", ["/bin/bad"], 1),
    Status("missing between good ones", ["/bin/good", "/bin/bad", "/bin/good"], 1),
    Status("the interpreter is missing", ["/bin/orphan"], 1),
    Status("unreadable", ["/bin/text"], 2),
    Status("unreadable before missing", ["/bin/text", "/bin/bad"], 2),
    Status("unreadable after missing", ["/bin/bad", "/bin/nope"], 2),
]


@pytest.mark.parametrize("form", ["ldd", "tree", "paths", "json"])
@pytest.mark.parametrize("case", STATUSES, ids=lambda c: c.name)
def test_status_is_the_highest(case: Status, form: str, root: Path) -> None:
    assert _deps(root, "--format", form, *case.programs).status == case.status


def test_unreadable_program_does_not_stop_the_others(root: Path) -> None:
    ran = _deps(root, "/bin/text", "/bin/static")
    assert ran.out == ["/bin/static:", "\tstatically linked"]
    assert [line.partition(":")[0] for line in ran.said("error")] == ["/bin/text"]


def test_static(root: Path) -> None:
    ran = _deps(root, "/bin/static")
    assert (ran.status, ran.out, ran.err) == (0, ["\tstatically linked"], [])


def test_missing_libraries(root: Path) -> None:
    ran = _deps(root, "/bin/bad")
    assert ran.status == 1
    assert ran.out == [
        "\tlibgone.so.1 => not found",
        "\tliba.so.1 => /lib/liba.so.1",
        "\tlibgone.so.2 => not found",
        f"\t{LIBC} => /lib/{LIBC}",
        "\tlibb.so.1 => /lib/libb.so.1",
        f"\t{LOADER}",
    ]


def test_missing_interpreter(root: Path) -> None:
    ran = _deps(root, "/bin/orphan")
    assert ran.status == 1
    assert "\t/lib/ld-none.so.1 => not found" in ran.out


class Allowed(NamedTuple):
    name: str
    globs: list[str]
    status: int


ALLOWED = [
    Allowed("one of two", ["libgone.so.1"], 1),
    Allowed("both, one by one", ["libgone.so.1", "libgone.so.2"], 0),
    Allowed("both by a pattern", ["libgone.so.*"], 0),
    Allowed("another case is another name", ["LIBGONE*"], 1),
    Allowed("a pattern matches the whole name", ["libgone"], 1),
]


@pytest.mark.parametrize("case", ALLOWED, ids=lambda c: c.name)
def test_allow_missing(case: Allowed, root: Path) -> None:
    options = [word for glob in case.globs for word in ("--allow-missing", glob)]
    ran = _deps(root, *options, "/bin/bad")
    assert ran.status == case.status
    assert ran.out == _deps(root, "/bin/bad").out


def test_exclude(root: Path) -> None:
    ran = _deps(root, "--exclude", "libgone.*", "--exclude", "liba.*", "/bin/bad")
    assert ran.status == 0
    assert ran.out == [f"\t{LIBC} => /lib/{LIBC}", f"\t{LOADER}"]


# Where names are looked up


def test_absolute_links_stay_inside(tmp_path: Path) -> None:
    root = system(
        tmp_path / "root",
        {
            "/bin/app": "-> /opt/app/bin/app",
            "/opt/app/bin/app": program("liba.so", LIBC, runpath="$ORIGIN/../lib"),
            "/opt/app/lib/liba.so": "-> /store/liba.so",
            "/store/liba.so": library("liba.so"),
            "/lib/up": "-> ../../../../../lib",
        },
    )
    ran = _deps(root, "/bin/app")
    assert ran.status == 0
    assert ran.out[0] == "\tliba.so => /opt/app/bin/../lib/liba.so"
    again = _deps(root, f"--library-path=/lib/up:/lib/up/{LIBC}", "/bin/app")
    assert f"\t{LIBC} => /lib/up/{LIBC}" in again.out


def test_nothing_outside_the_root_is_found(tmp_path: Path) -> None:
    outside = plant(tmp_path / "outside", {"liba.so": library("liba.so")})
    root = system(
        tmp_path / "root",
        {
            "/bin/app": program("liba.so", LIBC),
            "/lib/liba.so": f"-> {outside}/liba.so",
            "/out": f"-> {outside}",
        },
    )
    for options in ([], ["--library-path", f"/out:{outside}:/../../{outside}"]):
        ran = _deps(root, *options, "/bin/app")
        assert (ran.status, ran.out[0]) == (1, "\tliba.so => not found")


def test_environment_does_not_count_in_a_root(root: Path) -> None:
    ran = _deps(root, "/bin/bad", LD_LIBRARY_PATH="/opt/lib")
    assert (ran.status, ran.out[0], ran.err) == (1, "\tlibgone.so.1 => not found", [])


def test_relative_name_in_a_root(root: Path) -> None:
    """The working directory is the root's top."""
    for name in ("bin/good", "./bin/good", "../bin/good"):
        ran = _deps(root, name)
        assert (ran.status, ran.out) == (0, _deps(root, "/bin/good").out)


def test_library_path(root: Path) -> None:
    ran = _deps(root, "--library-path", "/nowhere:/opt/lib", "/bin/bad")
    assert ran.status == 1
    assert ran.out[0] == "\tlibgone.so.1 => /opt/lib/libgone.so.1"


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    """The root is ``/`` here: a program of the machine's own class, without a C library."""
    return plant(
        tmp_path,
        {
            "app": program("libprivate.so.7"),
            "lib/libprivate.so.7": library("libprivate.so.7"),
        },
    )


def test_library_path_of_the_environment_is_noted(here: Path) -> None:
    found = f"{here}/lib/libprivate.so.7"
    env = environment(LD_LIBRARY_PATH=f"{here}/lib")
    ran = elfpack("deps", "./app", cwd=here, env=env)
    well_spoken(ran)
    assert f"\tlibprivate.so.7 => {found}" in ran.out
    notes = ran.said("note")
    assert len(notes) == 1
    assert notes[0].startswith("./app: ")
    assert "LD_LIBRARY_PATH" in notes[0]
    assert found in notes[0]
    assert elfpack("deps", "-q", "./app", cwd=here, env=env).err == []


def test_option_wins_over_the_environment(here: Path) -> None:
    env = environment(LD_LIBRARY_PATH=f"{here}/lib")
    ran = elfpack("deps", "--library-path", "/nowhere", "./app", cwd=here, env=env)
    assert "\tlibprivate.so.7 => not found" in ran.out
    assert ran.said("note") == []
    named = elfpack("deps", "--library-path", f"{here}/lib", "./app", cwd=here)
    assert f"\tlibprivate.so.7 => {here}/lib/libprivate.so.7" in named.out
    assert named.said("note") == []


@pytest.mark.parametrize("root", ["/", "//", "/./", "/usr/.."])
def test_root_written_otherwise_is_the_root(root: str, here: Path) -> None:
    env = environment(LD_LIBRARY_PATH=f"{here}/lib")
    ran = elfpack("deps", "--root", root, f"{here}/app", cwd=here, env=env)
    assert f"\tlibprivate.so.7 => {here}/lib/libprivate.so.7" in ran.out


def test_bare_name_on_the_path(tmp_path: Path) -> None:
    fact = one_error(
        elfpack("deps", "env", cwd=tmp_path, env=environment(PATH="/usr/bin")), 2, "env"
    )
    assert "/usr/bin/env" in fact


def test_bare_name_that_is_nowhere(tmp_path: Path) -> None:
    fact = one_error(elfpack("deps", "no-such-name", cwd=tmp_path), 2, "no-such-name")
    assert "no such file" in fact


def test_bare_name_in_the_working_directory(here: Path) -> None:
    assert elfpack("deps", "app", cwd=here).out == elfpack("deps", "./app", cwd=here).out


# The other formats


def test_tree(root: Path) -> None:
    ran = _deps(root, "--format", "tree", "/bin/good", "/bin/static")
    assert ran.status == 0
    assert ran.out == [
        "/bin/good",
        f"  {LOADER} [interpreter]",
        "  liba.so.1 => /lib/liba.so.1 [default path]",
        "    libb.so.1 => /lib/libb.so.1 [default path]",
        f"      {LIBC} => /lib/{LIBC} [default path]",
        f"        ld-linux-x86-64.so.2 => {LOADER} [interpreter]",
        f"    {LIBC} => /lib/{LIBC} [default path] (above)",
        f"  {LIBC} => /lib/{LIBC} [default path] (above)",
        "/bin/static",
    ]


def test_tree_of_one_that_lacks_libraries(root: Path) -> None:
    ran = _deps(root, "--format", "tree", "--exclude", "liba.*", "/bin/bad", "/bin/orphan")
    assert ran.status == 1
    assert "  libgone.so.1 => not found" in ran.out
    assert any("/lib/ld-none.so.1 => not found" in line for line in ran.out)


def test_paths(root: Path) -> None:
    ran = _deps(root, "--format", "paths", "/bin/good", "/bin/static", "/bin/good")
    assert (ran.status, ran.err) == (0, [])
    expected = ["/bin/good", LOADER, "/lib/liba.so.1", f"/lib/{LIBC}", "/lib/libb.so.1"]
    assert ran.out == [*expected, "/bin/static"]


def test_paths_are_absolute(here: Path) -> None:
    ran = elfpack("deps", "--format", "paths", "--library-path", "lib", "./app", cwd=here)
    assert all(line.startswith("/") for line in ran.out)
    assert f"{here}/app" in ran.out
    assert f"{here}/lib/libprivate.so.7" in ran.out


def test_paths_of_a_real_program_exist() -> None:
    ran = elfpack("deps", "--format", "paths", SHELL)
    assert ran.out[0] == SHELL
    assert len(ran.out) == len(set(ran.out)) > 2
    assert all(os.path.isfile(path) for path in ran.out)


def test_paths_of_one_that_lacks_libraries(root: Path) -> None:
    ran = _deps(root, "--format", "paths", "/bin/bad")
    assert ran.status == 1
    assert all(line.startswith("/") for line in ran.out)
    assert any("libgone.so.1" in line for line in ran.err)


# Streams


@pytest.mark.parametrize("form", ["ldd", "tree", "paths", "json"])
def test_standard_output_closed_by_its_reader(form: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = elfpack("deps", "--format", form, *[SHELL] * 500, stdout=writing)
    finally:
        os.close(writing)
    assert ran.stderr == b""
    assert ran.status >= 0


def test_terminal_is_not_steered(root: Path) -> None:
    name = "/bin/\x1b[2J\u202e\x07"
    plant(root, {name: static()})
    shown = _on_terminal("deps", "--root", str(root), name, "/bin/static")
    assert b"\x1b" not in shown
    assert b"\x07" not in shown
    assert rb"/bin/\x1b[2J\u202e\x07:" in shown


def test_pipe_gets_the_bytes(root: Path) -> None:
    name = os.fsdecode(b"/bin/\xff\x1b[2J")
    plant(root, {name: static()})
    assert elfpack("deps", "--root", root, name, "/bin/static").stdout.startswith(
        b"/bin/\xff\x1b[2J:\n\tstatically linked\n"
    )


def _on_terminal(*arguments: str) -> bytes:
    """Standard output of a run on a terminal."""
    master, slave = os.openpty()
    try:
        ran = elfpack(*arguments, stdout=slave)
        assert ran.status == 0
        return os.read(master, 1 << 16)
    finally:
        os.close(slave)
        os.close(master)


def test_why(root: Path) -> None:
    ran = _deps(root, "--why", "libb.so.1", "/bin/good")
    assert (ran.status, ran.err) == (0, [])
    assert ran.out == [
        "libb.so.1 => /lib/libb.so.1 [default path]",
        "  /bin/good -> liba.so.1 -> libb.so.1",
    ]


def test_why_of_what_nothing_loads(root: Path) -> None:
    ran = _deps(root, "--why", "libz.so", "/bin/good")
    assert (ran.status, ran.out) == (1, [])
    assert "libz.so" in one_error(ran, 1, "/bin/good")


def test_why_of_what_is_missing(root: Path) -> None:
    ran = _deps(root, "--why", "libgone.so.1", "/bin/bad")
    assert ran.status == 1
    assert ran.out == ["libgone.so.1 => not found", "  /bin/bad -> libgone.so.1"]


def test_why_has_its_own_format(root: Path) -> None:
    ran = _deps(root, "--why", LIBC, "--format", "json", "/bin/good")
    one_error(ran, 2, "--why")


@pytest.mark.parametrize("program", ["/bin/good", "/bin/none"])
def test_why_of_no_name(root: Path, program: str) -> None:
    """A variable that a script did not set asks for nothing."""
    ran = _deps(root, "--why", "", program)
    assert one_error(ran, 2, "--why").startswith("names no library")
    assert ran.out == []


def test_dot_is_one_graph(root: Path) -> None:
    ran = _deps(root, "--format", "dot", "/bin/good", "/bin/static", "/bin/bad")
    assert ran.status == 1
    assert ran.out[0] == "digraph elfpack {"
    assert ran.out[-1] == "}"
    assert sum(line.startswith("digraph") for line in ran.out) == 1
    assert f'  "/bin/good" -> "/lib/{LIBC}" [label="{LIBC}\\ndefault path"];' in ran.out


@pytest.fixture(name="levels")
def _levels(tmp_path: Path) -> Path:
    return system(
        tmp_path / "levels",
        {
            LOADER: loader_of("glibc version=2.37 hwcaps=x86-64-v4:x86-64-v3:x86-64-v2"),
            "/bin/good": program("liba.so.1"),
            "/lib64/liba.so.1": library("liba.so.1"),
            "/lib64/glibc-hwcaps/x86-64-v3/liba.so.1": library("liba.so.1"),
        },
    )


@pytest.mark.parametrize(
    ("level", "directory"),
    [
        (None, "/lib64"),
        ("baseline", "/lib64"),
        ("x86-64-v2", "/lib64"),
        ("x86-64-v3", "/lib64/glibc-hwcaps/x86-64-v3"),
        ("x86-64-v4", "/lib64/glibc-hwcaps/x86-64-v3"),
        ("power9", "/lib64"),
    ],
)
def test_cpu(level: str | None, directory: str, levels: Path) -> None:
    chosen = () if level is None else ("--cpu", level)
    ran = _deps(levels, *chosen, "/bin/good")
    assert ran.status == 0
    assert len(ran.said("note")) == len(ran.err) == (level == "power9"), "no level of x86_64"
    assert ran.out == [f"\tliba.so.1 => {directory}/liba.so.1"]


def test_cpu_that_there_is_not(levels: Path) -> None:
    ran = _deps(levels, "--cpu", "x86-64-v9", "/bin/good")
    assert "x86-64-v3" in one_error(ran, 2, "x86-64-v9"), "it says which there are"


def test_preload_counts_on_the_machine_alone(root: Path) -> None:
    inside = _deps(root, "/bin/good", LD_PRELOAD="libm.so.6")
    assert (inside.status, inside.err) == (0, [])
    assert not any("libm" in line for line in inside.out)
    with_it = elfpack("deps", ENV, env=environment(LD_PRELOAD="libm.so.6"))
    assert with_it.status == 0
    assert with_it.out[0].startswith("\tlibm.so.6 => /")
    (note,) = with_it.said("note")
    assert "because of LD_PRELOAD" in note


def test_a_root_without_a_name(root: Path) -> None:
    one_error(elfpack("deps", "--root", "", "/bin/good"), 2, "--root")


def test_a_reader_that_has_seen_enough(root: Path) -> None:
    """No status of its own: nothing is wrong with the programs."""
    command = [*COMMAND, "deps", "--root", str(root), *["/bin/good"] * 3000]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_dot_tells_what_programs_share_once(root: Path) -> None:
    ran = _deps(root, "--format", "dot", "/bin/good", "/bin/good", "/lib/liba.so.1")
    assert len(set(ran.out)) == len(ran.out)


def test_the_preload_file_of_a_root_is_told(root: Path) -> None:
    plant(root, {"/etc/ld.so.preload": "/lib/libz.so\n"})
    ran = _deps(root, "/bin/static", "/bin/good")
    (note,) = ran.said("note")
    assert "/lib/libz.so" in note


def test_a_program_inside_the_root_is_meant(root: Path) -> None:
    ran = _deps(root, f"{root.name}/bin/good")
    assert f"inside {root}" in one_error(ran, 2, f"{root.name}/bin/good")


def test_a_broken_file_is_told_of_though_its_name_is_on_path(tmp_path: Path) -> None:
    """Only a name that leads nowhere can have meant another file."""
    plant(tmp_path, {"env": "just text"})
    fact = one_error(elfpack("deps", "env", cwd=tmp_path), 2, "env")
    assert "text file" in fact
    missing = one_error(elfpack("deps", "env", cwd=tmp_path / ".."), 2, "env")
    assert ENV in missing
