"""The rules of symbols and versions, row by row, in memory."""

from __future__ import annotations

import pytest

from elfpack.loader.binding import Binder, Binding
from elfpack.loader.closure import Closure
from elfpack.loader.linkages import Linkages
from elfpack.loader.resolve import Options, Resolver
from elfpack.report import symbols
from elfpack.root.tree import TreeRoot
from tests.oracle.symbol_rows import GLIBC_SYMBOL_ROWS, MUSL_SYMBOL_ROWS, Row
from tests.worlds import GLIBC, LOADER, MUSL, MUSL_LOADER, World, tree


def bound(root: TreeRoot) -> tuple[Closure, Binding]:
    resolver = Resolver(root)
    closure = resolver.resolve("/w/exe", Options())
    return closure, Binder(Linkages(resolver.files)).bind(closure)


def check(row: Row, world: World) -> Binding:
    closure, binding = bound(tree(world))
    lines = [*symbols.before(closure, binding), *symbols.after(closure, binding)]
    assert lines == [line.replace("EXE", "/w/exe") for line in row.lines]
    assert binding.faults == ()
    return binding


@pytest.mark.parametrize("row", GLIBC_SYMBOL_ROWS, ids=lambda row: row.name)
def test_glibc(row: Row) -> None:
    binding = check(row, {**GLIBC, **row.world})
    assert (binding.stop is not None) == row.aborts


@pytest.mark.parametrize("row", MUSL_SYMBOL_ROWS, ids=lambda row: row.name)
def test_musl(row: Row) -> None:
    exe = row.world["/w/exe"] + f" interp={MUSL_LOADER}"
    check(row, {**MUSL, **row.world, "/w/exe": exe})


RELR = {
    **GLIBC,
    "/w/exe": "exe needs=libc.so.6 rpath=/w relr versions=libc.so.6:V1",
    "/w/libc.so.6": "lib soname=libc.so.6 defines=V1,GLIBC_ABI_DT_RELR exports=f",
}
"""DT_RELR, and no word of it in what the program asks libc.so for."""


def test_relr_has_to_be_asked_for() -> None:
    _, binding = bound(tree(RELR))
    assert binding.stop is not None
    assert "GLIBC_ABI_DT_RELR" in binding.stop.reason


@pytest.mark.parametrize(
    "change",
    [
        {"/w/exe": RELR["/w/exe"] + "+GLIBC_ABI_DT_RELR"},
        {"/w/exe": RELR["/w/exe"].replace("relr ", "")},
        {LOADER: "glibc version=2.35"},
    ],
    ids=["asked for", "none there", "older than it"],
)
def test_relr_is_right(change: World) -> None:
    _, binding = bound(tree({**RELR, **change}))
    assert binding.stop is None


def test_newer_releases_take_what_has_lost_its_versions() -> None:
    row = next(row for row in GLIBC_SYMBOL_ROWS if row.aborts)
    _, binding = bound(tree({LOADER: "glibc version=2.41", **row.world}))
    assert binding.stop is None
    assert [symbol.name for symbol in binding.undefined] == ["e"]


def test_without_a_loader_what_it_gives_is_not_known() -> None:
    world = {
        "/w/liba.so": "lib needs=ld-linux-x86-64.so.2,libb.so rpath=/w "
        "imports=f,g relocations=plt:f,plt:g",
        "/w/exe": "lib needs=liba.so,libb.so rpath=/w imports=h relocations=plt:h",
        "/w/libb.so": "lib exports=g",
    }
    _, binding = bound(tree(world))
    assert [(s.name, s.object) for s in binding.undefined] == [("h", "/w/exe")]


def test_nothing_is_said_of_what_does_not_start() -> None:
    exe = "exe needs=liba.so rpath=/w imports=f relocations=plt:f"
    for world in (
        {"/w/exe": exe},
        {**GLIBC, "/w/exe": exe, "/w/liba.so": "text no library, but long enough " + "x" * 64},
        {"/w/exe": "static"},
    ):
        assert bound(tree(world))[1] == Binding()
