"""What was found for earlier programs is taken for later ones, and changes no answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from elfpack.errors import ElfpackError
from elfpack.loader import walked
from elfpack.loader.closure import Closure
from elfpack.loader.common import walk_common
from elfpack.loader.remarks import has_nothing_strange, strange
from elfpack.loader.resolve import Options, Resolver
from elfpack.root.node import Root
from tests.oracle.rows import GLIBC_ROWS, MUSL_ROWS, Row
from tests.worlds import GLIBC, MUSL, World, tree


def _named(world: World) -> World:
    """Each library with its file's name as soname, as real ones have it."""
    return {
        path: f"{spec} soname={path.rpartition('/')[2]}"
        if spec.split(" ")[0] == "lib" and "soname=" not in spec
        else spec
        for path, spec in world.items()
    }


def _answer(resolver: Resolver, name: str, options: Options) -> Closure | str:
    try:
        return resolver.resolve(name, options)
    except ElfpackError as e:
        return str(e)


def _programs(world: World) -> Iterator[str]:
    for path, spec in world.items():
        if spec.split(" ")[0] in ("exe", "exec", "lib"):
            yield path


def _same(root: Root, world: World, options: Options) -> None:
    shared = Resolver(root)
    for _ in range(2):
        for name in _programs(world):
            assert _answer(shared, name, options) == _answer(Resolver(root), name, options)


@pytest.mark.parametrize("row", GLIBC_ROWS + MUSL_ROWS, ids=lambda row: row.name)
def test_rows(row: Row) -> None:
    options = Options(row.library_path, row.cwd, preload=row.preload)
    libc = GLIBC if row in GLIBC_ROWS else MUSL
    for world in (row.world, _named(row.world)):
        ordered = dict(sorted(world.items(), key=lambda item: item[1].startswith("= ")))
        _same(tree({**libc, **ordered}), world, options)


LIBC = {
    "/lib/libc.so.6": "lib soname=libc.so.6 needs=ld-linux-x86-64.so.2",
    "/lib/liba.so": "lib soname=liba.so needs=libc.so.6",
    "/lib/libb.so": "lib soname=libb.so needs=liba.so,libc.so.6",
    "/own/libz.so": "lib soname=libz.so needs=libc.so.6",
    "/lib/libz.so": "lib soname=libz.so needs=libc.so.6",
    "/lib/liborigin.so": "lib soname=liborigin.so needs=libz.so runpath=/own",
    "/lib/libold.so": "lib soname=libold.so needs=libz.so rpath=/own",
    "/lib/libnext.so": "lib soname=libnext.so needs=libz.so",
    "/lib/libother.so": "lib soname=libstrange.so needs=libc.so.6",
    "/lib/libstrange.so": "lib soname=libstrange.so needs=libc.so.6",
    "/lib/liblink.so": "-> libz.so",
    "/lib/libfilter.so": "lib soname=libfilter.so needs=libc.so.6 filter=libz.so",
    "/lib/libnodef.so": "lib soname=libnodef.so needs=libz.so nodeflib",
}
LIB = Options("/lib")
CASES = {
    "plain": (("libb.so",), True),
    "a library has a search path that it passes to none": (("liborigin.so", "libb.so"), True),
    "two ask for one name, the first by its own path": (("liborigin.so", "libnext.so"), True),
    "two ask for one name, the second by its own path": (("libnext.so", "liborigin.so"), True),
    "a search path that is passed on": (("libold.so", "libnext.so"), False),
    "a soname that is no name of the file": (("libother.so",), False),
    "a soname that answers for another file": (("libother.so", "libstrange.so"), False),
    "one file by two names": (("libz.so", "liblink.so"), False),
    "a filter": (("libfilter.so",), False),
    "a library that looks into no system directory": (("libnodef.so",), True),
    "missing": (("libb.so", "libnone.so"), False),
}


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs, is_common = CASES[case]
    world = {**LIBC, "/bin/first": f"exe needs={','.join(needs)}"}
    world["/bin/second"] = world["/bin/first"]
    for name, spec in LIBC.items():  # each library was asked for, by itself, before
        if spec.startswith("lib"):
            world[f"/bin/{name[5:]}"] = f"exe needs={name.rpartition('/')[2]}"
    root = tree({**GLIBC, **world})
    taken: list[bool] = []

    def watched(*given: object) -> Closure | None:
        closure = walk_common(*given)  # type: ignore[arg-type]
        taken.append(closure is not None)
        return closure

    monkeypatch.setattr(walked, "walk_common", watched)
    shared = Resolver(root)
    for name in (*_programs(world), "/bin/second"):
        taken.clear()
        assert _answer(shared, name, LIB) == _answer(Resolver(root), name, LIB)
    assert taken[0] is is_common


def test_a_relative_interpreter_is_another_file_in_another_directory() -> None:
    root = tree(
        {
            "/one/lib/ld.so": "glibc dirs=/one/lib",
            "/two/lib/ld.so": "glibc dirs=/two/lib:/usr/two/lib version=2.42",
            "/bin/exe": "exe interp=lib/ld.so needs=libz.so",
            "/one/lib/libz.so": "lib soname=libz.so",
            "/two/lib/libz.so": "lib soname=libz.so",
        }
    )
    shared = Resolver(root)
    for cwd in ("/one", "/two", "/", "/one"):
        options = Options(cwd=cwd)
        answer = _answer(shared, "/bin/exe", options)
        assert answer == _answer(Resolver(root), "/bin/exe", options)


@pytest.mark.parametrize("flag", ["nodeflib", "runpath=/own", "rpath=/own", "soname=exe", "isa=8"])
def test_programs_that_need_the_same_and_differ_in_what_counts(flag: str) -> None:
    programs = {
        "/bin/plain": "exe needs=libz.so,libc.so.6",
        "/bin/again": "exe needs=libz.so,libc.so.6",
        "/bin/other": f"exe needs=libz.so,libc.so.6 {flag}",
        "/bin/order": "exe needs=libc.so.6,libz.so",
        "/bin/script": "text #!/bin/plain\\n",
    }
    usual = {path.replace("/lib/", "/lib64/"): spec for path, spec in LIBC.items()}
    root = tree({**GLIBC, **usual, **programs})
    options = Options()
    for order in (list(programs), list(programs)[::-1]):
        shared = Resolver(root)
        for name in order * 3:
            assert _answer(shared, name, options) == _answer(Resolver(root), name, options)


@pytest.mark.parametrize("care", ["rpath=/own", "filter=libz.so", "runpath=/own"])
def test_a_loader_that_asks_for_care(care: str) -> None:
    """No real one needs anything; a file that is named as one may."""
    root = tree(
        {
            "/lib64/libz.so": "lib soname=libz.so",
            "/own/libz.so": "lib soname=libz.so",
            "/lib64/libc.so.6": "lib soname=libc.so.6 needs=ld.so",
            "/lib/ld.so": f"lib soname=ld.so needs=libz.so {care}",
            "/bin/exe": "exe interp=/lib/ld.so needs=libc.so.6",
            "/bin/z": "exe interp=/lib/ld.so needs=libz.so",
            "/bin/both": "exe interp=/lib/ld.so needs=libz.so,libc.so.6",
        }
    )
    shared = Resolver(root)
    for name in ("/bin/z", "/bin/exe", "/bin/both", "/bin/exe", "/bin/z"):
        assert _answer(shared, name, Options("/lib64")) == _answer(
            Resolver(root), name, Options("/lib64")
        )


@pytest.mark.parametrize("row", GLIBC_ROWS + MUSL_ROWS, ids=lambda row: row.name)
def test_what_is_called_plain_has_nothing_strange(row: Row) -> None:
    libc = GLIBC if row in GLIBC_ROWS else MUSL
    resolver = Resolver(tree({**libc, **row.world}))
    for preload_file in (False, True):
        options = Options(
            row.library_path, row.cwd, preload=row.preload, preload_file=preload_file, secure=True
        )
        for name in _programs(row.world):
            closure = _answer(resolver, name, options)
            if isinstance(closure, Closure) and has_nothing_strange(resolver, closure, options):
                assert not list(strange(resolver, closure, options))


def test_most_programs_are_plain() -> None:
    resolver = Resolver(tree({**GLIBC, **LIBC, "/bin/exe": "exe needs=libb.so"}))
    closure = resolver.resolve("/bin/exe", LIB._replace(preload_file=True))
    assert has_nothing_strange(resolver, closure, LIB._replace(preload_file=True))
