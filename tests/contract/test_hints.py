"""What elfpack cannot know it says: one note each, and nothing is added for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import elfpack
from tests.cli import elfpack as command
from tests.contract.tree import LIBC, NO_FILES, Content, library, program, static, system


def strings(*texts: str) -> bytes:
    return b"\0" + b"".join(text.encode() + b"\0" for text in texts)


@dataclass(frozen=True)
class Case:
    name: str
    files: Mapping[str, Content]
    notes: tuple[str, ...]
    """Parts of the notes, in order: ``CODE PATH``, and what else stands in the line."""
    program: str = "/app"
    add: tuple[str, ...] = ()
    hints: tuple[str, ...] = field(default=())


PLACED = ("interpreter", "link", "parent")
PLUGIN = library("plug.so")
PATHS = strings("/opt/plugins")
PYTHON: Mapping[str, Content] = {
    "/opt/bin/python3.11": program(LIBC),
    "/opt/lib/python3.11/os.py": "# os",
}

CASES = [
    Case("nothing to tell", {"/app": program(LIBC, imports=["puts"])}, ()),
    Case(
        "system()",
        {"/app": program(LIBC, imports=["system"])},
        ("no-shell /bin/sh",),
        hints=("system, imported by /app", "--add /bin/sh"),
    ),
    Case(
        "popen() of a library",
        {"/app": program("liba.so"), "/lib/liba.so": library("liba.so", imports=["popen"])},
        ("no-shell /bin/sh",),
        hints=("popen, imported by liba.so",),
    ),
    Case(
        "a shell that is packed",
        {"/app": program(LIBC, imports=["system"]), "/bin/sh": program(LIBC)},
        (),
        add=("/bin/sh",),
    ),
    Case(
        "a shell that it executes",
        {"/app": program(LIBC, imports=["execve"], content=strings("/bin/sh"))},
        ("no-shell /bin/sh",),
        hints=("/bin/sh, compiled into /app",),
    ),
    Case("another program", {"/app": program(LIBC, content=strings("/bin/sh"))}, ()),
    Case(
        "helpers of a program",
        {"/app": program(LIBC, content=strings("/usr/lib/app")), "/usr/lib/app/a": program(LIBC)},
        ("no-helpers /app",),
        hints=("may run programs of /usr/lib/app", "--add /usr/lib/app"),
    ),
    Case(
        "a directory of commands",
        {"/app": program(LIBC, content=strings("/usr/bin")), "/usr/bin/a": program(LIBC)},
        (),
    ),
    Case(
        "plug-ins of a program",
        {"/app": program(LIBC, content=PATHS), "/opt/plugins/a.so": PLUGIN},
        ("no-plugins /app",),
        hints=("/opt/plugins", "--add /opt/plugins"),
    ),
    Case(
        "plug-ins of a library, in a list of paths",
        {
            "/app": program("liba.so"),
            "/lib/liba.so": library("liba.so", LIBC, content=strings("/no/such:/opt/plugins/")),
            "/opt/plugins/a.so.1": PLUGIN,
        },
        ("no-plugins liba.so",),
    ),
    Case(
        "plug-ins of a library that needs no other, and has code",
        {
            "/app": program("liba.so"),
            "/lib/liba.so": library("liba.so", content=PATHS + bytes(1024)),
            "/opt/plugins/a.so": PLUGIN,
        },
        ("no-plugins liba.so",),
    ),
    Case(
        "a library that is nothing but data",
        {
            "/app": program("liba.so"),
            "/lib/liba.so": library("liba.so", content=PATHS),
            "/opt/plugins/a.so": PLUGIN,
        },
        (),
    ),
    Case(
        "plug-ins named in quotes, as OpenSSL does",
        {
            "/app": program(LIBC, content=strings('MODULESDIR: "/opt/plugins"')),
            "/opt/plugins/a.so": PLUGIN,
        },
        ("no-plugins /app",),
    ),
    Case(
        "plug-ins that are packed",
        {"/app": program(LIBC, content=PATHS), "/opt/plugins/a.so": PLUGIN},
        (),
        add=("/opt/plugins",),
    ),
    Case(
        "a directory that holds none",
        {
            "/app": program(LIBC, content=PATHS),
            "/opt/plugins/a.txt": "a",
            "/opt/plugins/b.so/c": "",
        },
        (),
    ),
    Case(
        "a directory that is none", {"/app": program(LIBC, content=PATHS), "/opt/plugins": ""}, ()
    ),
    Case(
        "directories of libc in a static program",
        {
            "/app": static(content=strings("/lib", "/usr/lib/x/", "/usr/lib/x/gconv/")),
            "/usr/lib/x/libc.so.6": PLUGIN,
            "/usr/lib/x/gconv/UTF-16.so": PLUGIN,
            "/usr/lib/x/gconv/gconv-modules": "",
        },
        (),
    ),
    Case("the loader's own directories", {"/app": program(LIBC, content=strings("/lib/"))}, ()),
    Case(
        "the path where it looks for what it needs",
        {
            "/app": program("plug.so", runpath="/opt/plugins"),
            "/opt/plugins/plug.so": PLUGIN,
        },
        (),
    ),
    Case(
        "python without its library",
        PYTHON,
        ("no-library-directory /opt/bin/python3.11",),
        "/opt/bin/python3.11",
        hints=("--add /opt/lib/python3.11",),
    ),
    Case("python with its library", PYTHON, (), "/opt/bin/python3.11", ("/opt/lib/python3.11",)),
    Case(
        "python in a library, by a link",
        {
            "/usr/bin/gdb": program("libpython3.11.so.1.0"),
            "/lib/libpython3.11.so.1.0": library("libpython3.11.so.1.0"),
            "/bin/debugger": "-> ../usr/bin/gdb",
            "/usr/lib/python3.11/os.py": "",
        },
        ("no-library-directory libpython3.11.so.1.0",),
        "/bin/debugger",
        hints=("--add /usr/lib/python3.11",),
    ),
    Case(
        "perl: all the directories that are compiled in",
        {
            "/usr/bin/perl": program(
                LIBC,
                content=strings("/etc/perl", "/usr/share/perl/5.36", "/usr/lib/x/perl-base", "/x"),
            ),
            "/usr/share/perl/5.36/strict.pm": "",
            "/usr/lib/x/perl-base/strict.pm": "",
            "/etc/perl/a.pm": "",
        },
        ("no-library-directory /usr/bin/perl",),
        "/usr/bin/perl",
        hints=("--add /usr/share/perl/5.36 --add /usr/lib/x/perl-base",),
    ),
    Case(
        "java by its launcher's library",
        {
            "/opt/jdk/bin/java": program("libjli.so", runpath="$ORIGIN/../lib"),
            "/opt/jdk/lib/libjli.so": library("libjli.so"),
            "/opt/jdk/lib/modules": "",
        },
        ("no-library-directory libjli.so",),
        "/opt/jdk/bin/java",
        hints=("--add /opt/jdk",),
    ),
]


OPENS = {"/app": program(LIBC, imports=["dlopen"], content=strings("liba.so.1", "/opt/b.so"))}
OPENED = {"/lib/liba.so.1": library("liba.so.1"), "/opt/b.so": PLUGIN}


def test_names_of_libraries_are_one_line(tmp_path: Path) -> None:
    system(tmp_path, {**OPENS, **OPENED})
    (found,) = elfpack.plan(["/app"], root=tmp_path).findings
    assert (found.code, found.path, found.note) == ("dlopen-strings", "liba.so.1, /opt/b.so", True)
    assert "stands in /app" in found.message
    assert "--with dlopen=strings" in (found.hint or "")


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ({"modules": {"dlopen": "strings"}}, None),
        ({"add": ["/opt/b.so"]}, "liba.so.1"),
        ({"add": ["/lib/liba.so.1"]}, "/opt/b.so"),
        ({"exclude": ["liba*"]}, "/opt/b.so"),
    ],
)
def test_names_of_libraries_that_are_packed(
    options: dict[str, Any], left: str | None, tmp_path: Path
) -> None:
    system(tmp_path, {**OPENS, **OPENED})
    found = elfpack.plan(["/app"], root=tmp_path, **options).findings
    assert [f.path for f in found if f.code == "dlopen-strings"] == ([left] if left else [])


def test_a_library_in_the_place_that_is_named(tmp_path: Path) -> None:
    system(tmp_path, {**OPENS, "/b.so": PLUGIN, "/opt/b.so": PLUGIN + b"x"})
    found = elfpack.plan(["/app"], root=tmp_path, add=["/b.so:/opt/b.so"]).findings
    assert not [f for f in found if f.code == "dlopen-strings"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hints(case: Case, tmp_path: Path) -> None:
    system(tmp_path, {**NO_FILES, **case.files})
    plan = elfpack.plan([case.program], root=tmp_path, add=case.add)
    found = [f for f in plan.findings if f.code.startswith("no-")]
    assert [f"{f.code} {f.path}" for f in found] == list(case.notes)
    assert all(f.note for f in found)
    told = "\n".join(map(str, found))
    assert all(part in told for part in case.hints), told
    if not case.add:
        assert all(e.reason.source in ("program", "library", *PLACED) for e in plan.entries)


def _one_processor() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def test_the_command_tells_the_same_whoever_looks_for_them(tmp_path: Path) -> None:
    """A copy of the process, if there is a processor for it."""
    system(tmp_path, {**OPENS, **OPENED})
    layer = ("layer", "--root", tmp_path, "/app", "-o", "a.tar")
    both = [command(*layer, cwd=tmp_path, preexec=p) for p in (None, _one_processor)]
    assert [ran.status for ran in both] == [0, 0]
    assert both[0].err == both[1].err
    assert [line for line in both[0].err if "--with dlopen=strings" in line] == both[0].err[:1]
    assert both[0].err[1].startswith("elfpack: note: a.tar: ")
