"""What glibc's rules depend on besides the world: release, vendor, machine, cache, constants."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from elfpack.loader.closure import Closure
from elfpack.loader.records import Kind, Outcome
from elfpack.loader.resolve import Options, Resolver
from elfpack.report import ldd
from tests.worlds import GLIBC, LOADER, World, tree


def resolve(world: World, program: str = "/exe", **options: object) -> Closure:
    return Resolver(tree(world)).resolve(program, Options(**options))  # type: ignore[arg-type]


def lines(world: World, program: str = "/exe", **options: object) -> list[str]:
    return [line[1:] for line in ldd.lines(resolve(world, program, **options))]


# The cache and the default directories


@dataclass(frozen=True)
class Case:
    name: str
    world: World
    lines: tuple[str, ...]
    library_path: str = ""


NEEDS = {"/exe": "exe needs=liba.so"}
SYSTEM = [
    Case(
        "default directories in their order",
        {**NEEDS, "/usr/lib64/liba.so": "lib", "/lib64/liba.so": "lib"},
        ("liba.so => /lib64/liba.so",),
    ),
    Case(
        "the second default directory",
        {**NEEDS, "/usr/lib64/liba.so": "lib"},
        ("liba.so => /usr/lib64/liba.so",),
    ),
    Case(
        "the cache goes before them",
        {
            **NEEDS,
            "/lib64/liba.so": "lib",
            "/opt/liba.so": "lib",
            "/etc/ld.so.cache": "cache liba.so=/opt/liba.so",
        },
        ("liba.so => /opt/liba.so",),
    ),
    Case(
        "runpath goes before the cache",
        {
            "/exe": "exe needs=liba.so runpath=/r",
            "/r/liba.so": "lib",
            "/opt/liba.so": "lib",
            "/etc/ld.so.cache": "cache liba.so=/opt/liba.so",
        },
        ("liba.so => /r/liba.so",),
    ),
    Case(
        "a stale entry of the cache is passed over",
        {
            **NEEDS,
            "/lib64/liba.so": "lib",
            "/etc/ld.so.cache": "cache liba.so=/opt/liba.so",
        },
        ("liba.so => /lib64/liba.so",),
    ),
    Case(
        "an entry of the wrong class too",
        {
            **NEEDS,
            "/lib64/liba.so": "lib",
            "/opt/liba.so": "lib machine=i386",
            "/etc/ld.so.cache": "cache liba.so=/opt/liba.so",
        },
        ("liba.so => /lib64/liba.so",),
    ),
    Case(
        "a cache that is none",
        {**NEEDS, "/lib64/liba.so": "lib", "/etc/ld.so.cache": "text x"},
        ("liba.so => /lib64/liba.so",),
    ),
    Case(
        "nodeflib: no default directory",
        {"/exe": "exe needs=liba.so nodeflib", "/lib64/liba.so": "lib"},
        ("liba.so => not found",),
    ),
    Case(
        "nodeflib: no entry of the cache below one",
        {
            "/exe": "exe needs=liba.so nodeflib",
            "/lib64/sub/liba.so": "lib",
            "/etc/ld.so.cache": "cache liba.so=/lib64/sub/liba.so",
        },
        ("liba.so => not found",),
    ),
    Case(
        "nodeflib: but other entries",
        {
            "/exe": "exe needs=liba.so nodeflib",
            "/opt/liba.so": "lib needs=libb.so",
            "/lib64/libb.so": "lib",
            "/etc/ld.so.cache": "cache liba.so=/opt/liba.so",
        },
        ("liba.so => /opt/liba.so", "libb.so => /lib64/libb.so"),
    ),
    Case(
        "merged directories keep the spelling of the search",
        {
            "/exe": "exe needs=liba.so",
            "/lib64": "-> usr/lib64",
            "/usr/lib64/liba.so": "lib",
            f"/usr{LOADER}": "glibc",
        },
        ("liba.so => /lib64/liba.so",),
    ),
    Case(
        "$LIB and $PLATFORM",
        {
            "/exe": "exe needs=liba.so,libb.so rpath=/o/$LIB:/o/$PLATFORM",
            "/o/lib64/liba.so": "lib",
            "/o/x86_64/libb.so": "lib",
        },
        ("liba.so => /o/lib64/liba.so", "libb.so => /o/x86_64/libb.so"),
    ),
]


@pytest.mark.parametrize("case", SYSTEM, ids=lambda case: case.name)
def test_system_directories(case: Case) -> None:
    loader = {} if f"/usr{LOADER}" in case.world else GLIBC
    assert tuple(lines({**loader, **case.world})) == case.lines


def test_how_each_was_found() -> None:
    world = {
        **GLIBC,
        "/exe": "exe needs=libp.so,libe.so,libc1.so,libd.so,/abs.so,ld-linux-x86-64.so.2 rpath=/p",
        "/p/libp.so": "lib needs=libr.so runpath=$ORIGIN/../r",
        "/r/libr.so": "lib",
        "/e/libe.so": "lib",
        "/c/libc1.so": "lib",
        "/lib64/libd.so": "lib",
        "/abs.so": "lib",
        "/etc/ld.so.cache": "cache libc1.so=/c/libc1.so",
    }
    closure = resolve(world, library_path="/e")
    assert [(lib.path, lib.found_by, lib.needed_by) for lib in closure.libraries] == [
        ("/p/libp.so", "rpath", ("/exe",)),
        ("/e/libe.so", "LD_LIBRARY_PATH", ("/exe",)),
        ("/c/libc1.so", "ld.so.cache", ("/exe",)),
        ("/lib64/libd.so", "default path", ("/exe",)),
        ("/abs.so", "path", ("/exe",)),
        (LOADER, "interpreter", ("/exe",)),
        ("/p/../r/libr.so", "runpath", ("/p/libp.so",)),
    ]
    via = closure.hits[7].via
    assert (via.kind, via.owner, via.written) == (Kind.RUNPATH, "/p/libp.so", "$ORIGIN/../r")
    assert closure.libraries[6].real_path == "/r/libr.so"


def test_the_trail_of_a_search() -> None:
    world = {
        LOADER: "glibc version=2.37",
        "/exe": "exe needs=liba.so rpath=/p:/q",
        "/p/liba.so": "lib machine=i386",
        "/q/liba.so": "-> liba.so",
        "/lib64/liba.so": "lib",
        "/etc/ld.so.cache": "cache liba.so=/c/liba.so",
    }
    resolver = Resolver(tree(world))
    options = Options("/e")
    closure = resolver.resolve("/exe", options)
    state, search = resolver.steps(closure, options)
    assert state.steps is not None
    (step,) = state.steps
    assert step.scope is not None
    trail = search.trail(step.name, step.scope)
    assert [(p.path, p.via.kind.value, p.outcome) for p in trail] == [
        ("/p/liba.so", "rpath", Outcome.SKIPPED),
        ("/q/liba.so", "rpath", Outcome.END_OF_LIST),
        ("/e/liba.so", "LD_LIBRARY_PATH", Outcome.MISSING),
        ("/c/liba.so", "ld.so.cache", Outcome.MISSING),
        ("/lib64/liba.so", "default path", Outcome.FOUND),
    ]


def test_what_is_missing_tells_where_it_was_looked_for() -> None:
    world = {
        **GLIBC,
        "/exe": "exe needs=liba.so,libm.so rpath=/p:",
        "/p/liba.so": "lib needs=libm.so",
    }
    closure = resolve(world, library_path="/e", cwd="/here")
    assert len(closure.missing) == 1
    missing = closure.missing[0]
    assert (missing.name, missing.needed_by) == ("libm.so", ("/exe", "/p/liba.so"))
    assert missing.searched == ("/p", "/here", "/e", "/etc/ld.so.cache", "/lib64", "/usr/lib64")


def test_excluded_names_are_not_followed() -> None:
    world = {
        **GLIBC,
        "/exe": "exe needs=libcuda.so.1,liba.so rpath=/p",
        "/p/libcuda.so.1": "lib needs=libgone.so",
        "/p/liba.so": "lib needs=libcuda.so.1",
    }
    closure = resolve(world, exclude=("libcuda.so.*",))
    assert closure.excluded == ("libcuda.so.1",)
    assert [lib.name for lib in closure.libraries] == ["liba.so"]
    assert not closure.missing


# Releases and vendors


def judged(loader: str, first: str) -> str:
    """``first``, ``second``, ``none``, or the reason of a refusal."""
    world = {
        LOADER: loader,
        "/exe": "exe needs=liba.so runpath=/first:/second",
        "/first/liba.so": first,
        "/second/liba.so": "lib",
    }
    closure = resolve(world)
    if closure.refusal is not None:
        return closure.refusal.reason
    return closure.libraries[0].path.split("/")[1] if closure.libraries else "none"


RELEASES = [
    ("ENOTDIR ends the list before 2.39", "glibc version=2.38", "-> ../exe/x", "none"),
    ("ENOTDIR is passed over since", "glibc version=2.39", "-> ../exe/x", "second"),
    ("ELOOP ends it always", "glibc version=2.43", "-> liba.so", "none"),
    ("a PIE is taken before 2.30", "glibc version=2.29", "exe", "first"),
    ("a PIE is refused since", "glibc version=2.30", "exe", "position-independent"),
    ("Debian passes over another byte order", "glibc vendor=debian", "lib machine=s390x", "second"),
    ("others stop at it", "glibc", "lib machine=s390x", "data encoding not little-endian"),
    (
        "Debian passes over a foreign OS ABI",
        "glibc vendor=debian",
        "lib machine=aarch64 osabi=9",
        "second",
    ),
    ("others stop at that", "glibc", "lib machine=aarch64 osabi=9", "OS ABI invalid"),
    ("another machine alone is passed over by all", "glibc", "lib machine=aarch64", "second"),
]


@pytest.mark.parametrize(("name", "loader", "first", "outcome"), RELEASES, ids=lambda v: v[:50])
def test_releases_and_vendors(name: str, loader: str, first: str, outcome: str) -> None:
    assert outcome in judged(loader, first), name


# Machines


MACHINES = [
    ("i386", "/lib/ld-linux.so.2", "", "", True),
    ("i386", "/lib/ld-linux.so.2", "", "machine=x32", False),
    ("x32", "/libx32/ld-linux-x32.so.2", "", "machine=i386", False),
    ("aarch64", "/lib/ld-linux-aarch64.so.1", "", "", True),
    ("arm", "/lib/ld-linux-armhf.so.3", "e_flags=0x5000400", "e_flags=0x5000400", True),
    ("arm", "/lib/ld-linux-armhf.so.3", "e_flags=0x5000400", "e_flags=0x5000200", False),
    ("arm", "/lib/ld-linux-armhf.so.3", "e_flags=0x5000400", "e_flags=0x5000000", True),
    ("ppc64le", "/lib64/ld64.so.2", "e_flags=2", "e_flags=1", False),
    ("ppc64le", "/lib64/ld64.so.2", "e_flags=2", "e_flags=0", True),
    ("riscv64", "/lib/ld-linux-riscv64-lp64d.so.1", "e_flags=5", "e_flags=4", True),
    ("riscv64", "/lib/ld-linux-riscv64-lp64d.so.1", "e_flags=5", "e_flags=1", False),
    ("s390x", "/lib/ld64.so.1", "", "", True),
]


@pytest.mark.parametrize(("machine", "loader", "flags", "library", "taken"), MACHINES)
def test_machines(machine: str, loader: str, flags: str, library: str, taken: bool) -> None:
    library = library if library.startswith("machine") else f"machine={machine} {library}"
    world = {
        loader: f"glibc machine={machine}",
        "/exe": f"exe machine={machine} {flags} interp={loader} needs=liba.so runpath=/p",
        "/p/liba.so": f"lib {library}",
    }
    assert lines(world) == [f"liba.so => {'/p/liba.so' if taken else 'not found'}"]


# Programs


def test_a_static_program() -> None:
    assert lines({"/exe": "static"}) == ["statically linked"]
    assert lines({"/exe": "static-pie"}) == ["statically linked"]


def test_a_missing_interpreter() -> None:
    world = {"/exe": "exe needs=liba.so rpath=/p interp=/none/ld.so", "/p/liba.so": "lib"}
    closure = resolve(world)
    assert closure.missing_interpreter == "/none/ld.so"
    assert lines(world) == ["liba.so => /p/liba.so", "/none/ld.so => not found"]


def test_an_interpreter_behind_links() -> None:
    world = {
        "/lib64": "-> usr/lib64",
        LOADER: "-> ../lib/ld.so",
        "/usr/lib64/ld-linux-x86-64.so.2": "-> ../lib/ld.so",
        "/usr/lib/ld.so": "glibc",
        "/exe": "exe needs=ld-linux-x86-64.so.2",
    }
    del world[LOADER]
    closure = resolve(world)
    assert lines(world) == [LOADER]
    assert closure.interpreter is not None
    assert closure.interpreter.real_path == "/usr/lib/ld.so"


def test_a_library_is_looked_up_by_the_loader_of_its_machine() -> None:
    world = {
        **GLIBC,
        "/lib/ld-linux.so.2": "glibc machine=i386 dirs=/lib:/usr/lib lib=lib",
        "/p.so": "lib machine=i386 needs=liba.so",
        "/lib/liba.so": "lib machine=i386 needs=ld-linux-x86-64.so.2",
        "/lib64/liba.so": "lib",
    }
    closure = resolve(world, "/p.so")
    assert closure.loader is not None
    assert closure.loader.path == "/lib/ld-linux.so.2"
    assert closure.libraries[0].path == "/lib/liba.so"


def test_the_program_itself_answers_to_its_soname() -> None:
    world = {
        **GLIBC,
        "/lib64/liba.so": "lib soname=liba.so needs=libb.so",
        "/lib64/libb.so": "lib needs=liba.so",
    }
    assert lines(world, "/lib64/liba.so") == ["libb.so => /lib64/libb.so"]


def test_the_program_is_loaded_again_under_its_file_name() -> None:
    """Its own file is never compared: the kernel mapped it, not the loader."""
    world = {**GLIBC, "/p/liba.so": "lib needs=libb.so rpath=/p", "/p/libb.so": "lib needs=liba.so"}
    assert lines(world, "/p/liba.so") == ["libb.so => /p/libb.so", "liba.so => /p/liba.so"]


def test_a_deep_chain_does_not_recurse() -> None:
    world = {**GLIBC, "/exe": "exe needs=lib0.so rpath=/p"}
    world.update({f"/p/lib{n}.so": f"lib needs=lib{n + 1}.so" for n in range(3000)})
    assert len(resolve(world).libraries) == 3000


def test_names_that_are_not_utf8() -> None:
    world = {**GLIBC, "/exe": "exe needs=lib\udcff.so rpath=/\udcfe", "/\udcfe/lib\udcff.so": "lib"}
    assert lines(world) == ["lib\udcff.so => /\udcfe/lib\udcff.so"]


def test_objects_that_filter_each_other_end() -> None:
    """glibc's loader crashes over them; a reader must not."""
    world = {
        **GLIBC,
        "/exe": "exe needs=liba.so,libb.so rpath=/p",
        "/p/liba.so": "lib filter=libb.so",
        "/p/libb.so": "lib filter=liba.so",
    }
    assert sorted(lines(world)) == ["liba.so => /p/liba.so", "libb.so => /p/libb.so"]
