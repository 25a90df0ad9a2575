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
from tests.worlds import GLIBC, MUSL, MUSL_LOADER, World, tree


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
