"""The rows of the oracle in memory: each says by itself what a loader does."""

from __future__ import annotations

import pytest

from elfpack.loader.resolve import Options, Resolver
from elfpack.report import ldd
from tests.oracle.rows import GLIBC_ROWS, MUSL_ROWS, Row
from tests.worlds import LOADER, MUSL, MUSL_LOADER, World, tree

DEBIAN = {LOADER: "glibc vendor=debian hwcaps=x86-64-v3:x86-64-v2"}
"""Objects of the other byte order are passed over by Debian's loader alone."""


def check(row: Row, world: World) -> None:
    options = Options(row.library_path, row.cwd, cpu="x86-64-v2", preload=row.preload)
    closure = Resolver(tree(world)).resolve(row.program, options)
    if row.refusal:
        assert row.refusal in closure.refusals[0].reason
        assert list(ldd.lines(closure)) == [] or closure.refusal is None
    else:
        lines = [line for line in ldd.lines(closure) if MUSL_LOADER not in line]
        assert lines == [f"\t{line}" for line in row.lines]


@pytest.mark.parametrize("row", GLIBC_ROWS, ids=lambda row: row.name)
def test_glibc(row: Row) -> None:
    check(row, {**DEBIAN, **_ordered(row.world)})


def _ordered(world: World) -> World:
    """Second names of a file behind the file."""
    return dict(sorted(world.items(), key=lambda item: item[1].startswith("= ")))


@pytest.mark.parametrize("row", MUSL_ROWS, ids=lambda row: row.name)
def test_musl(row: Row) -> None:
    world = {
        path: f"{spec} interp={MUSL_LOADER}" if spec.startswith("exe ") else spec
        for path, spec in row.world.items()
    }
    check(row, {**MUSL, **world})
