"""What musl's rules depend on besides the world: the path file and the interpreter's prefix."""

from __future__ import annotations

import pytest

from elfpack.loader.musl import path_file
from elfpack.loader.remarks import foreign
from elfpack.loader.resolve import Options, Resolver
from elfpack.report import ldd
from tests.worlds import MUSL, MUSL_LOADER, World, tree

EXE = f"exe interp={MUSL_LOADER} needs=liba.so"
PATH_FILE = "/etc/ld-musl-x86_64.path"


def lines(world: World) -> list[str]:
    closure = Resolver(tree({**MUSL, **world})).resolve("/exe", Options())
    return [line[1:] for line in ldd.lines(closure)]


PATHS = [
    ("no file: /lib goes first", {"/lib/liba.so": "lib", "/usr/lib/liba.so": "lib"}, "/lib"),
    (
        "no file: /usr/local/lib before /usr/lib",
        {"/usr/local/lib/liba.so": "lib", "/usr/lib/liba.so": "lib"},
        "/usr/local/lib",
    ),
    ("no file: no /lib64", {"/lib64/liba.so": "lib"}, None),
    ("the file replaces them", {PATH_FILE: "text /p", "/lib/liba.so": "lib"}, None),
    ("the file", {PATH_FILE: "text /p\\n", "/p/liba.so": "lib"}, "/p"),
    ("newlines", {PATH_FILE: "text /o\\n/p\\n", "/p/liba.so": "lib"}, "/p"),
    ("colons", {PATH_FILE: "text /o:/p", "/p/liba.so": "lib"}, "/p"),
    ("empty lines", {PATH_FILE: "text \\n\\n/p\\n", "/p/liba.so": "lib"}, "/p"),
    ("ends at a NUL", {PATH_FILE: "text /o\\0:/p", "/p/liba.so": "lib"}, None),
    ("an empty file: no directory", {PATH_FILE: "empty", "/lib/liba.so": "lib"}, None),
    ("a directory: no directory", {PATH_FILE: "dir", "/lib/liba.so": "lib"}, None),
    ("a dangling link: as no file", {PATH_FILE: "-> none", "/lib/liba.so": "lib"}, "/lib"),
    ("no cache", {"/etc/ld.so.cache": "cache liba.so=/c/liba.so", "/c/liba.so": "lib"}, None),
]


@pytest.mark.parametrize(("name", "world", "directory"), PATHS, ids=lambda v: str(v)[:40])
def test_system_path(name: str, world: World, directory: str | None) -> None:
    found = f"{directory}/liba.so" if directory else "not found"
    assert lines({"/exe": EXE, **world}) == [MUSL_LOADER, f"liba.so => {found}"], name


@pytest.mark.parametrize(("steps", "is_tried"), [(248, True), (249, False)])
def test_the_longest_path(steps: int, is_tried: bool) -> None:
    """511 bytes fit, 513 do not: path_open() has a buffer of 512."""
    directory = "/o/lib" + "/." * steps
    exe = f"exe interp={MUSL_LOADER} needs=libxa.so runpath={directory}"
    found = f"{directory}/libxa.so" if is_tried else "not found"
    assert lines({"/exe": exe, "/o/lib/libxa.so": "lib"}) == [MUSL_LOADER, f"libxa.so => {found}"]


@pytest.mark.parametrize(
    ("loader", "arch", "file"),
    [
        ("/lib/ld-musl-x86_64.so.1", "", "/etc/ld-musl-x86_64.path"),
        ("/lib/ld-musl-armhf.so.1", "armhf", "/etc/ld-musl-armhf.path"),
        ("/opt/m/lib/ld-musl-x86_64.so.1", "x86_64", "/opt/m/etc/ld-musl-x86_64.path"),
        ("/lib/loader", "x86_64", "/etc/ld-musl-x86_64.path"),
        ("/loader", "x86_64", "/etc/ld-musl-x86_64.path"),
    ],
)
def test_path_file(loader: str, arch: str, file: str) -> None:
    assert path_file(loader, arch) == file


def test_prefix_of_the_interpreter() -> None:
    loader = "/opt/m/lib/ld-musl-x86_64.so.1"
    world = {
        loader: "musl",
        "/exe": f"exe interp={loader} needs=liba.so",
        "/opt/m/etc/ld-musl-x86_64.path": "text /p",
        "/p/liba.so": "lib",
    }
    assert lines(world) == [loader, "liba.so => /p/liba.so"]


def test_each_kind_of_reserved_names_is_listed_once() -> None:
    world = {
        "/exe": f"{EXE},libc.so",
        "/lib/liba.so": "lib needs=libc.musl-x86_64.so.1,libm.so.6,libpthread.so.0",
    }
    assert lines(world) == [
        MUSL_LOADER,
        "liba.so => /lib/liba.so",
        f"libc.so => {MUSL_LOADER}",
        f"libm.so.6 => {MUSL_LOADER}",
        f"libpthread.so.0 => {MUSL_LOADER}",
    ]


def test_the_wrong_machine_is_loaded_and_told() -> None:
    """ldso maps it all the same, and crashes in it."""
    world = {**MUSL, "/exe": EXE, "/lib/liba.so": "lib machine=aarch64"}
    closure = Resolver(tree(world)).resolve("/exe", Options())
    assert [hit.path for hit in foreign(closure)] == ["/lib/liba.so"]
    assert list(ldd.lines(closure)) == [f"\t{MUSL_LOADER}", "\tliba.so => /lib/liba.so"]


def test_what_is_refused_does_not_stop_the_others() -> None:
    world = {
        **MUSL,
        "/exe": f"exe interp={MUSL_LOADER} needs=liba.so,libb.so,libc.so",
        "/lib/liba.so": "text",
        "/lib/libb.so": "lib",
    }
    closure = Resolver(tree(world)).resolve("/exe", Options())
    assert [(r.path, r.needed_by) for r in closure.refusals] == [("/lib/liba.so", "/exe")]
    assert closure.missing == ()
    assert list(ldd.lines(closure))[1:] == [
        "\tliba.so => not found",
        "\tlibb.so => /lib/libb.so",
        f"\tlibc.so => {MUSL_LOADER}",
    ]


@pytest.mark.parametrize("needed", ["libc.so", "libc.musl-x86_64.so.1"])
def test_a_library_of_musl_is_known_by_what_it_needs(needed: str) -> None:
    world = {**MUSL, "/lib64/ld-linux-x86-64.so.2": "glibc", "/liba.so": f"lib needs={needed}"}
    closure = Resolver(tree(world)).resolve("/liba.so", Options())
    assert closure.loader is not None
    assert closure.loader.path == MUSL_LOADER
