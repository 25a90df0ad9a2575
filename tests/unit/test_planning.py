"""Plans of worlds in memory, shown as the tar that they are written to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from elfpack.blob import Blob
from elfpack.errors import ElfpackError, IncompleteError, InputError, RequestError
from elfpack.formats.ldcache import LdCache
from elfpack.loader.resolve import Options, Resolver
from elfpack.pack.tar import members
from elfpack.planning.entry import Plan, Regular
from elfpack.planning.make import make
from elfpack.planning.planned import PlanRoot
from elfpack.planning.request import Request
from tests.worlds import GLIBC, LOADER, MUSL, MUSL_LOADER, World, dump_tar, tree


def plan_of(
    world: World,
    *programs: str,
    cwd: str = "/",
    library_path: str = "",
    cpu: str = "baseline",
    **request: object,
) -> Plan:
    options = Options(library_path, cwd, cpu=cpu)
    wanted = Request(programs=programs, **request)  # type: ignore[arg-type]
    return make(Resolver(tree(world)), options, wanted)


def tar_of(plan: Plan) -> bytes:
    pieces = (b"".join(p.chunks()) if isinstance(p, Blob) else p for p in members(plan))
    return b"".join(pieces)


def shown(plan: Plan) -> dict[str, str]:
    """The plan without sizes, and without directories that stand there as parents."""
    parents = {entry.path for entry in plan.entries if entry.reason.source == "parent"}
    rows = dump_tar(tar_of(plan)).items()
    return {p: " ".join(v.split()[:2]) for p, v in rows if p not in parents}


@dataclass(frozen=True)
class Case:
    name: str
    world: Mapping[str, str]
    programs: tuple[str, ...]
    entries: Mapping[str, str]
    request: Mapping[str, object] = field(default_factory=dict)


EXE, LIB = "file 0755", "file 0644"
LD = {LOADER: EXE}

CASES = [
    Case(
        "a static program",
        {"/hello": "static"},
        ("/hello",),
        {"/hello": EXE},
    ),
    Case(
        "a relative name goes below /",
        {"/build/app": "static"},
        ("build/app", "./build/app:/bin/", "build/app:/x"),
        {"/bin/app": EXE, "/build/app": "hard /bin/app", "/x": "hard /bin/app"},
    ),
    Case(
        "merged directories keep their links",
        {
            "/lib": "-> usr/lib",
            "/lib64": "-> usr/lib64",
            f"/usr{LOADER}": "glibc",
            "/usr/bin/exe": "exe needs=liba.so.1",
            "/bin": "-> usr/bin",
            "/usr/lib64/liba.so.1": "-> liba.so.1.2",
            "/usr/lib64/liba.so.1.2": "lib soname=liba.so.1",
        },
        ("/bin/exe",),
        {
            "/bin": "link usr/bin",
            "/lib64": "link usr/lib64",
            f"/usr{LOADER}": EXE,
            "/usr/bin/exe": EXE,
            "/usr/lib64/liba.so.1": "link liba.so.1.2",
            "/usr/lib64/liba.so.1.2": LIB,
        },
    ),
    Case(
        "absolute links on the way",
        {
            **GLIBC,
            "/exe": "exe needs=libblas.so.3 runpath=/usr/lib",
            "/usr/lib/libblas.so.3": "-> /etc/alternatives/blas",
            "/etc/alternatives/blas": "-> /usr/lib/blas/libblas.so.3",
            "/usr/lib/blas/libblas.so.3": "lib soname=libblas.so.3",
        },
        ("/exe",),
        {
            **LD,
            "/exe": EXE,
            "/usr/lib/libblas.so.3": "link /etc/alternatives/blas",
            "/etc/alternatives/blas": "link /usr/lib/blas/libblas.so.3",
            "/usr/lib/blas/libblas.so.3": LIB,
        },
    ),
    Case(
        "one file under two names is a hard link",
        {
            **GLIBC,
            "/a": "exe needs=liba.so runpath=/p",
            "/b": "= /a",
            "/p/liba.so": "lib",
        },
        ("/a", "/b"),
        {**LD, "/a": EXE, "/b": "hard /a", "/p/liba.so": LIB},
    ),
    Case(
        "a library of two programs is packed once",
        {
            **GLIBC,
            "/a": "exe needs=liba.so runpath=/p",
            "/b": "exe needs=liba.so runpath=/p",
            "/p/liba.so": "lib",
        },
        ("/a", "/b"),
        {**LD, "/a": EXE, "/b": EXE, "/p/liba.so": LIB},
    ),
    Case(
        "a program named through a link to it",
        {"/bin/ls": "-> busybox", "/bin/busybox": "static"},
        ("/bin/ls",),
        {"/bin/ls": "link busybox", "/bin/busybox": EXE},
    ),
    Case(
        "a moved multi-call program keeps its name",
        {"/bin/ls": "-> busybox", "/bin/busybox": "static"},
        ("/bin/ls:/x/list",),
        {"/x/list": "link busybox", "/x/busybox": EXE},
    ),
    Case(
        "a moved program takes what its $ORIGIN finds along",
        {
            **GLIBC,
            "/build/bin/app": "exe needs=liba.so runpath=$ORIGIN/../lib",
            "/build/lib/liba.so": "-> liba.so.1",
            "/build/lib/liba.so.1": "lib needs=libb.so runpath=$ORIGIN",
            "/build/lib/libb.so": "lib",
        },
        ("/build/bin/app:/opt/bin/app",),
        {
            **LD,
            "/opt/bin/app": EXE,
            "/opt/lib/liba.so": "link liba.so.1",
            "/opt/lib/liba.so.1": LIB,
            "/opt/lib/libb.so": LIB,
        },
    ),
    Case(
        "a relative program takes its libraries along too",
        {
            **GLIBC,
            "/home/app": "exe needs=liba.so runpath=$ORIGIN/lib",
            "/home/lib/liba.so": "lib",
        },
        ("./app",),
        {**LD, "/app": EXE, "/lib/liba.so": LIB},
        {"cwd": "/home"},
    ),
    Case(
        "a moved program leaves what an absolute path finds",
        {
            **GLIBC,
            "/build/app": "exe needs=liba.so runpath=/build/lib",
            "/build/lib/liba.so": "lib",
        },
        ("/build/app:/app",),
        {**LD, "/app": EXE, "/build/lib/liba.so": LIB},
    ),
    Case(
        "a library found by LD_LIBRARY_PATH gets a cache",
        {**GLIBC, "/exe": "exe needs=liba.so", "/p/liba.so": "lib"},
        ("/exe",),
        {
            **LD,
            "/exe": EXE,
            "/p/liba.so": LIB,
            "/etc/ld.so.cache": LIB,
            "/etc/ld.so.conf": LIB,
        },
        {"library_path": "/p"},
    ),
    Case(
        "a library found by the root's cache gets one too",
        {
            **GLIBC,
            "/exe": "exe needs=liba.so",
            "/p/liba.so": "lib",
            "/etc/ld.so.cache": "cache liba.so=/p/liba.so libz.so=/z/libz.so",
        },
        ("/exe",),
        {
            **LD,
            "/exe": EXE,
            "/p/liba.so": LIB,
            "/etc/ld.so.cache": LIB,
            "/etc/ld.so.conf": LIB,
        },
    ),
    Case(
        "a musl program gets a path file",
        {
            **MUSL,
            "/exe": f"exe interp={MUSL_LOADER} needs=liba.so",
            "/p/liba.so": "lib",
        },
        ("/exe",),
        {
            MUSL_LOADER: EXE,
            "/exe": EXE,
            "/p/liba.so": LIB,
            "/etc/ld-musl-x86_64.path": LIB,
        },
        {"library_path": "/p"},
    ),
    Case(
        "the root's own path file is not enough by itself",
        {
            **MUSL,
            "/exe": f"exe interp={MUSL_LOADER} needs=liba.so",
            "/p/liba.so": "lib",
            "/etc/ld-musl-x86_64.path": "text /p",
        },
        ("/exe",),
        {
            MUSL_LOADER: EXE,
            "/exe": EXE,
            "/p/liba.so": LIB,
            "/etc/ld-musl-x86_64.path": LIB,
        },
    ),
    Case(
        "a script and its interpreter",
        {**GLIBC, "/bin/sh": "exe", "/s": "script #!/bin/sh\\n"},
        ("/s",),
        {**LD, "/s": EXE, "/bin/sh": EXE},
    ),
    Case(
        "a script by env",
        {
            **GLIBC,
            "/usr/bin/env": "exe",
            "/usr/bin/python3": "-> python3.11",
            "/usr/bin/python3.11": "exe",
            "/s": "script #!/usr/bin/env python3\\n",
        },
        ("/s:/bin/",),
        {
            **LD,
            "/bin/s": EXE,
            "/usr/bin/env": EXE,
            "/usr/bin/python3": "link python3.11",
            "/usr/bin/python3.11": EXE,
        },
    ),
    Case(
        "added files and directories",
        {
            "/exe": "static",
            "/etc/conf": "text x",
            "/data/a": "text a",
            "/data/sub/b": "text b",
            "/data/link": "-> a",
            "/data/sub": "dir 0700",
        },
        ("/exe",),
        {
            "/exe": EXE,
            "/etc/conf": LIB,
            "/srv": "dir 0755",
            "/srv/a": LIB,
            "/srv/link": "link a",
            "/srv/sub": "dir 0700",
            "/srv/sub/b": LIB,
        },
        {"added": ("/etc/conf", "/data:/srv")},
    ),
    Case(
        "an added library brings its own",
        {
            **GLIBC,
            "/exe": "exe needs=libc.so",
            "/lib64/libc.so": "lib",
            "/plugins/p.so": "lib needs=liba.so,libc.so",
            "/plugins/other.so": "lib machine=aarch64 needs=libnone.so",
            "/plugins/p.o": "rel",
            "/plugins/broken": "text \\0ELF",
            "/lib64/liba.so": "lib",
        },
        ("/exe",),
        {
            **LD,
            "/exe": EXE,
            "/lib64/libc.so": LIB,
            "/lib64/liba.so": LIB,
            "/plugins": "dir 0755",
            "/plugins/p.so": LIB,
            "/plugins/other.so": LIB,
            "/plugins/p.o": LIB,
            "/plugins/broken": LIB,
        },
        {"added": ("/plugins",)},
    ),
    Case(
        "made directories",
        {"/exe": "static"},
        ("/exe",),
        {"/exe": EXE, "/tmp": "dir 1777", "/a/b": "dir 0700"},
        {"directories": ("/tmp:1777", "/a/b:700:1:2")},
    ),
    Case(
        "paths that are dropped",
        {"/exe": "static", "/d/a.py": "text x", "/d/__pycache__/a.pyc": "text x"},
        ("/exe",),
        {"/exe": EXE, "/d": "dir 0755", "/d/a.py": LIB},
        {"added": ("/d",), "exclude": ("*/__pycache__",)},
    ),
    Case(
        "what may be missing",
        {**GLIBC, "/exe": "exe needs=libcuda.so.1,liba.so", "/lib64/liba.so": "lib"},
        ("/exe",),
        {**LD, "/exe": EXE, "/lib64/liba.so": LIB},
        {"allow_missing": ("libcuda.so.*",)},
    ),
    Case(
        "what is left out",
        {
            **GLIBC,
            "/exe": "exe needs=libcuda.so.1",
            "/lib64/libcuda.so.1": "lib needs=libnv.so",
        },
        ("/exe",),
        {**LD, "/exe": EXE},
        {"exclude": ("libcuda.so.*",)},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_plan(case: Case) -> None:
    plan = plan_of(case.world, *case.programs, **case.request)  # type: ignore[arg-type]
    assert shown(plan) == case.entries
    assert all(entry.reason.source for entry in plan.entries)
    again = plan_of(case.world, *case.programs, **case.request)  # type: ignore[arg-type]
    assert tar_of(plan) == tar_of(again)


def test_parents_are_there_and_0755() -> None:
    plan = plan_of({"/a/b/exe": "static", "/a": "dir 0700"}, "/a/b/exe")
    assert dump_tar(tar_of(plan)) == {
        "/a": "dir 0755",
        "/a/b": "dir 0755",
        "/a/b/exe": dump_tar(tar_of(plan))["/a/b/exe"],
    }


def test_the_cache_answers_for_what_it_was_made_for() -> None:
    world = {
        **GLIBC,
        "/exe": "exe needs=libx.so.1",
        "/p/libx.so.1": "lib soname=libx.so.1 needs=liby.so.2",
        "/p/liby.so.2": "-> liby.so.2.1",
        "/p/liby.so.2.1": "lib soname=liby.so.2",
    }
    plan = plan_of(world, "/exe", library_path="/p")
    blobs = {e.path: e.blob for e in plan.entries if isinstance(e, Regular)}
    cache = LdCache(b"".join(blobs["/etc/ld.so.cache"].chunks()), little=True, bits=64)
    for name in ("libx.so.1", "liby.so.2"):
        assert cache.best(name, flags=(0x0303,)) == f"/p/{name}"
    assert b"".join(blobs["/etc/ld.so.conf"].chunks()) == b"/p\n"


LEVELS = {
    LOADER: "glibc version=2.37 hwcaps=x86-64-v3:x86-64-v2",
    "/exe": "exe needs=liba.so",
    "/lib64/liba.so": "lib",
    "/lib64/glibc-hwcaps/x86-64-v3/liba.so": "lib isa=7 needs=libb.so",
    "/lib64/libb.so": "lib",
}
"""A library whose variant for a CPU level needs one more."""


@pytest.mark.parametrize(
    ("cpu", "libraries"),
    [
        ("baseline", {"/lib64/liba.so"}),
        ("x86-64-v2", {"/lib64/liba.so"}),
        (
            "x86-64-v3",
            {
                "/lib64/liba.so",
                "/lib64/glibc-hwcaps/x86-64-v3/liba.so",
                "/lib64/libb.so",
            },
        ),
    ],
)
def test_variants_come_beside_the_baseline(cpu: str, libraries: set[str]) -> None:
    plan = plan_of(LEVELS, "/exe", cpu=cpu)
    assert {path for path in shown(plan) if path.endswith(".so")} == libraries
    assert [p.path for p in plan.programs if p.named] == ["/exe"]


def test_a_cache_has_the_variants_too() -> None:
    world = {
        path.replace("/lib64/g", "/p/g").replace("/lib64/lib", "/p/lib"): spec
        for path, spec in LEVELS.items()
    }
    plan = plan_of(world, "/exe", library_path="/p", cpu="x86-64-v3")
    blobs = {e.path: e.blob for e in plan.entries if isinstance(e, Regular)}
    cache = LdCache(b"".join(blobs["/etc/ld.so.cache"].chunks()), little=True, bits=64)
    levels = ("x86-64-v3", "x86-64-v2")
    assert cache.best("liba.so", flags=(0x0303,)) == "/p/liba.so"
    better = cache.best("liba.so", flags=(0x0303,), hwcaps=levels, isa=7)
    assert better == "/p/glibc-hwcaps/x86-64-v3/liba.so"
    assert cache.best("liba.so", flags=(0x0303,), hwcaps=levels[1:], isa=3) == "/p/liba.so"
    assert b"".join(blobs["/etc/ld.so.conf"].chunks()) == b"/p\n"


def test_the_entrypoint_is_the_first_program() -> None:
    world = {"/a": "static", "/b": "static"}
    assert plan_of(world, "/b:/x/y", "/a").entrypoint == "/x/y"


def test_entrypoint_of_a_script() -> None:
    world = {**GLIBC, "/bin/sh": "exe", "/s": "script #!/bin/sh\\n"}
    assert plan_of(world, "/s:/run").entrypoint == "/run"


# Conflicts


def test_two_named_sources_for_one_path() -> None:
    with pytest.raises(RequestError) as caught:
        plan_of({"/a": "static", "/b": "static soname=b"}, "/a:/x", "/b:/x")
    assert "/a" in str(caught.value)
    assert "/b" in str(caught.value)
    assert caught.value.path == "/x"


def test_one_source_named_twice() -> None:
    assert shown(plan_of({"/a": "static"}, "/a", "/a")) == {"/a": EXE}


def test_what_the_user_names_wins() -> None:
    world = {**GLIBC, "/exe": "exe imports=getpwuid hash=sysv", "/mine": "text mine"}
    plan = plan_of(world, "/exe", added=("/mine:/etc/passwd",))
    blobs = {e.path: e.blob for e in plan.entries if isinstance(e, Regular)}
    assert b"".join(blobs["/etc/passwd"].chunks()) == b"mine"
    notes = [f for f in plan.findings if f.path == "/etc/passwd"]
    assert len(notes) == 1
    assert notes[0].note
    assert "users" in notes[0].message


def test_a_file_where_a_directory_is_needed() -> None:
    with pytest.raises(RequestError, match="needs a directory there"):
        plan_of({"/a": "static", "/b": "static soname=b"}, "/a:/x", "/b:/x/y")


def test_a_program_below_a_link_that_the_plan_has() -> None:
    """/bin is a link in the image, so /bin/app stands behind it."""
    world = {"/bin": "-> usr/bin", "/usr/bin/a": "static", "/b": "static soname=b"}
    plan = plan_of(world, "/bin/a", "/b:/bin/b")
    assert shown(plan) == {"/bin": "link usr/bin", "/usr/bin/a": EXE, "/usr/bin/b": EXE}


# What is missing


def fault(world: World, *programs: str, **more: object) -> ElfpackError:
    with pytest.raises(ElfpackError) as caught:
        plan_of(world, *programs, **more)  # type: ignore[arg-type]
    return caught.value


def test_all_that_is_missing_is_listed() -> None:
    world = {
        **GLIBC,
        "/a": "exe needs=libx.so,liby.so,liba.so rpath=/p",
        "/p/liba.so": "lib needs=libz.so",
        "/b": "exe needs=libx.so",
    }
    error = fault(world, "/a", "/b")
    assert isinstance(error, IncompleteError)
    assert error.exit_code == 1
    told = [(f.path, f.message.partition(";")[0]) for f in error.findings]
    assert told == [
        ("/a", "libx.so is missing, needed by /a"),
        ("/a", "liby.so is missing, needed by /a"),
        ("/a", "libz.so is missing, needed by /p/liba.so"),
        ("/b", "libx.so is missing, needed by /b"),
    ]
    assert "looked for in /p" in error.findings[0].message


FAULTS = [
    ("a missing interpreter", {"/exe": "exe"}, "its interpreter"),
    (
        "a refused library",
        {**GLIBC, "/exe": "exe needs=liba.so rpath=/p", "/p/liba.so": "empty"},
        "the loader stops at /p/liba.so",
    ),
    (
        "a script's interpreter",
        {"/exe": "script #!/bin/sh\\n"},
        "its interpreter /bin/sh is missing",
    ),
    (
        "a command of env",
        {**GLIBC, "/usr/bin/env": "exe", "/exe": "script #!/usr/bin/env ruby\\n"},
        "ruby is missing",
    ),
]


@pytest.mark.parametrize(("name", "world", "message"), FAULTS, ids=lambda v: str(v)[:30])
def test_faults(name: str, world: World, message: str) -> None:
    error = fault(world, "/exe")
    assert error.exit_code == 1, name
    assert message in error.message


def test_a_missing_program_is_an_error() -> None:
    assert isinstance(fault({}, "/none"), InputError)


def test_a_missing_added_file_is_an_error() -> None:
    assert isinstance(fault({"/a": "static"}, "/a", added=("/none",)), InputError)


def test_an_added_library_that_lacks_one() -> None:
    world = {**GLIBC, "/exe": "exe", "/d/p.so": "lib needs=libgone.so"}
    error = fault(world, "/exe", added=("/d",))
    assert error.exit_code == 1
    assert "libgone.so is missing" in error.message


def test_special_files_are_left_out_with_a_note() -> None:
    plan = plan_of({"/exe": "static", "/d/f": "fifo", "/d/a": "text a"}, "/exe", added=("/d",))
    assert "/d/f" not in shown(plan)
    assert [(f.path, f.note) for f in plan.findings] == [("/d/f", True)]


def test_a_program_that_loses_its_libraries_by_moving() -> None:
    """What is found above the directory that moves stays where it is, and a cache names it."""
    world = {
        **GLIBC,
        "/a/b/c/app": "exe needs=liba.so runpath=$ORIGIN/../../lib",
        "/a/lib/liba.so": "lib",
    }
    plan = plan_of(world, "/a/b/c/app:/app")
    assert plan.programs[0].path == "/app"
    found = Resolver(PlanRoot(plan)).resolve("/app", Options())
    assert [lib.name for lib in found.libraries] == ["liba.so"]


def test_setuid_is_dropped_with_a_warning() -> None:
    root = tree({"/exe": "static"})
    place = Resolver(root).files.find("/exe")
    assert not isinstance(place, int)
    root.add_file(
        "/su", Blob(place.node.size, lambda: root.open("", "exe", place.node), "/su"), 0o6755
    )
    plan = make(Resolver(root), Options(), Request(programs=("/su",)))
    assert shown(plan) == {"/su": EXE}
    assert [f.code for f in plan.findings] == ["privileges-dropped"]
