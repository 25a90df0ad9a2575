"""Somebody swaps what is read for a link that leads outside, all the time while it is read."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

import elfpack
from tests.cli import elfpack as command
from tests.cli import well_spoken
from tests.contract.tree import rows
from tests.worlds import LOADER, on_disk
from tools.hostile.tree import SECRET

_SWAP = """
import ctypes, os, sys
swap = ctypes.CDLL(None, use_errno=True).renameat2
one, other = map(os.fsencode, sys.argv[1:])
while True:
    if swap(-100, one, -100, other, 2):  # AT_FDCWD, RENAME_EXCHANGE
        sys.exit(os.strerror(ctypes.get_errno()))
"""
TURNS = 150
TREE = {
    LOADER: "glibc version=2.36 dirs=/lib64:/lib",
    "/lib/libc.so.6": "lib soname=libc.so.6",
    "/lib/libx.so": "lib soname=libx.so needs=liby.so",
    "/lib/liby.so": "lib soname=liby.so",
    "/bin/app": "exe needs=libx.so,libc.so.6",
    "/data/deep/er/file": "text inside\\n",
    "/data/deep/er/other": "text inside\\n",
}
OUTSIDE = {
    "/lib/libc.so.6": f"lib soname={SECRET}.so",
    "/lib/libx.so": f"lib soname={SECRET}.so",
    "/lib/liby.so": f"lib soname={SECRET}.so",
    "/deep/er/file": f"text {SECRET}\\n",
    "/deep/er/other": f"text {SECRET}\\n",
    "/deep/er/more": f"text {SECRET}\\n",
    "/er/file": f"text {SECRET}\\n",
    "/file": f"text {SECRET}\\n",
}


class Swapped(NamedTuple):
    """A path of the tree, and what outside takes its place."""

    name: str
    path: str
    target: str


SWAPPED = [
    Swapped("the libraries", "lib", "lib"),
    Swapped("one library", "lib/libx.so", "lib/libx.so"),
    Swapped("a tree", "data", ""),
    Swapped("a directory", "data/deep", "deep"),
    Swapped("one file", "data/deep/er/file", "file"),
]


@contextmanager
def _swapping(top: Path, row: Swapped) -> Iterator[Path]:
    """A tree in which a path is sometimes a link that leads out."""
    outside = on_disk(OUTSIDE, top / "outside")
    root = on_disk(TREE, top / "root")
    link = root / "link"
    link.symlink_to(outside / row.target)
    swapper = subprocess.Popen([sys.executable, "-c", _SWAP, str(root / row.path), str(link)])
    try:
        yield root
        assert swapper.poll() is None, "it swapped up to the end"
    finally:
        swapper.kill()
        swapper.wait()


def _packs(root: Path, out: Path) -> bytes:
    plan = elfpack.plan(["/bin/app"], root=root, add=["/data"], allow_missing=["*"])
    plan.write_tar(out)
    return out.read_bytes()


def _checks(root: Path, out: Path) -> bytes:
    return repr(elfpack.check(root)).encode()


def _resolves(root: Path, out: Path) -> bytes:
    return repr(elfpack.resolve("/bin/app", root=root)).encode()


@pytest.mark.parametrize(
    ("row", "work"),
    [
        *(pytest.param(row, _packs, id=f"{row.name}, packed") for row in SWAPPED),
        *(pytest.param(row, _checks, id=f"{row.name}, checked") for row in SWAPPED[:2]),
        *(pytest.param(row, _resolves, id=f"{row.name}, resolved") for row in SWAPPED[:2]),
    ],
)
def test_what_is_outside_is_never_read(
    row: Swapped, work: Callable[[Path, Path], bytes], tmp_path: Path
) -> None:
    told = set()
    with _swapping(tmp_path, row) as root:
        for _ in range(TURNS):
            try:
                answer = work(root, tmp_path / "out.tar")
                told.add(hash(answer))
                assert SECRET.encode() not in answer
            except elfpack.ElfpackError as e:
                told.add(hash(str(e)))
                assert SECRET not in str(e)
    assert len(told) > 1, "the swaps were seen"
    left = set(os.listdir(tmp_path)) - {"out.tar"}
    assert left == {"outside", "root"}


@pytest.mark.parametrize("row", rows(SWAPPED))
def test_commands_end_well(row: Swapped, tmp_path: Path) -> None:
    with _swapping(tmp_path, row) as root:
        for arguments in (
            ("layer", "--root", root, "--add", "/data", "/bin/app", "-o", "out/"),
            ("deps", "--root", root, "-v", "/bin/app"),
            ("check", root),
        ):
            ran = command(*arguments, cwd=tmp_path)
            well_spoken(ran)
            assert SECRET.encode() not in ran.stdout + ran.stderr
    found = [Path(here, name) for here, _, names in os.walk(tmp_path / "out") for name in names]
    # The link itself may have been packed: it leads out of here still, but in no image.
    assert not [f for f in found if not f.is_symlink() and SECRET in f.read_text("latin-1")]
