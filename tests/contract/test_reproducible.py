"""Equal input gives equal bytes: on any day, for any user, in every form of output."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import zstandard

from tests.cli import elfpack, environment
from tests.contract.tree import described, described_tree, members, rows, somebody, tar
from tests.ocilayout import of_archive, of_directory

ENV = "/usr/bin/env"
ACCOUNTS = "/usr/bin/getent"


class World(NamedTuple):
    name: str
    variables: dict[str, str]
    preexec: Callable[[], None] | None = None


def _strict_umask() -> None:
    os.umask(0o077)


def _no_umask() -> None:
    os.umask(0)


WORLDS = [
    World("again", {}),
    World("umask 077", {}, _strict_umask),
    World("umask 0", {}, _no_umask),
    World("time zone", {"TZ": "Pacific/Auckland"}),
    World("language", {"LANG": "tr_TR.UTF-8", "LC_ALL": "C"}),
    World("hash seed 1", {"PYTHONHASHSEED": "1"}),
    World("hash seed 2", {"PYTHONHASHSEED": "2"}),
    World("other home and user", {"HOME": "/nonexistent", "USER": "somebody", "LOGNAME": "x"}),
    World("empty epoch", {"SOURCE_DATE_EPOCH": ""}),
    World("no locale, no path", {"PATH": "", "LC_ALL": "POSIX"}),
]
ENDINGS = ("a.tar", "a.tar.gz", "a.tar.zst", "a/")
IMAGE = (
    *(ACCOUNTS, ENV, "-t", "a:1", "-t", "b/c", "--env", "B=2", "--env", "A=1", "--user", "nobody"),
    *("--label", "y=1", "--label", "x=2", "--expose", "80-90", "--volume", "/v", "--volume", "/u"),
)


@pytest.fixture(name="first", scope="module")
def _first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs that all others have to equal."""
    here = tmp_path_factory.mktemp("first")
    for ending in ENDINGS:
        assert elfpack("layer", "-q", ACCOUNTS, ENV, "-o", f"{here}/{ending}").status == 0
    for ending in ("image.tar", "image/"):
        assert elfpack("image", "-q", *IMAGE, "-o", f"{here}/{ending}").status == 0
    return here


@pytest.mark.parametrize("world", rows(WORLDS))
def test_same_bytes(world: World, first: Path, tmp_path: Path) -> None:
    env = environment(**world.variables)
    for ending in ("b.tar", "b.tar.gz", "b.tar.zst"):
        arguments = ("layer", ACCOUNTS, ENV, "-o", ending)
        ran = elfpack(*arguments, cwd=tmp_path, env=env, preexec=world.preexec)
        assert ran.status == 0, ran.err
        assert (tmp_path / ending).read_bytes() == (first / ending.replace("b.", "a.")).read_bytes()


@pytest.mark.parametrize("world", rows(WORLDS[:3]))
def test_same_tree(world: World, first: Path, tmp_path: Path) -> None:
    arguments = ("layer", ACCOUNTS, ENV, "-o", "b/")
    ran = elfpack(*arguments, cwd=tmp_path, env=environment(), preexec=world.preexec)
    assert ran.status == 0
    assert described_tree(tmp_path / "b") == described((first / "a.tar").read_bytes())
    assert sorted(os.listdir(tmp_path)) == [".b.elfpack", "b"]


@pytest.mark.parametrize("world", rows(WORLDS))
def test_same_image(world: World, first: Path, tmp_path: Path) -> None:
    env = environment(**world.variables)
    for ending in ("b.tar", "b/"):
        arguments = ("image", *IMAGE, "-o", ending)
        ran = elfpack(*arguments, cwd=tmp_path, env=env, preexec=world.preexec)
        assert ran.status == 0, ran.err
    assert (tmp_path / "b.tar").read_bytes() == (first / "image.tar").read_bytes()
    assert described_tree(tmp_path / "b") == described_tree(first / "image")
    assert of_directory(tmp_path / "b") == of_archive((first / "image.tar").read_bytes())


def test_image_holds_the_layer(first: Path) -> None:
    layer = described(of_archive((first / "image.tar").read_bytes()).layer)
    plain = described((first / "a.tar").read_bytes())
    assert {path: row for path, row in layer.items() if path not in ("/u", "/v")} == plain


def test_options_in_another_order_are_the_same_image(first: Path, tmp_path: Path) -> None:
    """Where order means nothing: labels, ports, volumes."""
    swapped = (
        *(ACCOUNTS, ENV, "--volume=/u", "--volume=/v", "--label", "x=2", "--label", "y=1"),
        *("--expose=85-90", "--expose=80-84", "--user=nobody", "-t", "a:1", "-t", "b/c"),
        *("--env", "B=2", "--env", "A=1"),
    )
    assert elfpack("image", *swapped, "-o", tmp_path / "b.tar").status == 0
    assert (tmp_path / "b.tar").read_bytes() == (first / "image.tar").read_bytes()


def test_same_bytes_for_another_user(first: Path) -> None:
    ran = elfpack("layer", ACCOUNTS, ENV, "-o", "-", before=somebody())
    assert ran.status == 0, ran.err
    assert ran.stdout == (first / "a.tar").read_bytes()


def test_same_image_for_another_user(first: Path) -> None:
    ran = elfpack("image", *IMAGE, "-o", "-", before=somebody())
    assert ran.status == 0, ran.err
    assert ran.stdout == (first / "image.tar").read_bytes()


def test_compressed_layer_holds_the_plain_one(first: Path) -> None:
    plain = (first / "a.tar").read_bytes()
    packed = (first / "a.tar.gz").read_bytes()
    assert gzip.decompress(packed) == plain
    assert packed[4:8] == bytes(4), "no time"
    assert packed[3] == 0, "no name"


def test_zstd_holds_the_plain_one(first: Path) -> None:
    packed = (first / "a.tar.zst").read_bytes()
    with zstandard.ZstdDecompressor().stream_reader(packed) as reader:
        assert reader.read() == (first / "a.tar").read_bytes()


def _one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def test_zstd_on_one_core(first: Path, tmp_path: Path) -> None:
    ran = elfpack("layer", ACCOUNTS, ENV, "-o", tmp_path / "b.tar.zst", preexec=_one_core)
    assert ran.status == 0
    assert (tmp_path / "b.tar.zst").read_bytes() == (first / "a.tar.zst").read_bytes()


def test_tgz_is_tar_gz(first: Path, tmp_path: Path) -> None:
    assert elfpack("layer", ACCOUNTS, ENV, "-o", tmp_path / "b.tgz").status == 0
    assert (tmp_path / "b.tgz").read_bytes() == (first / "a.tar.gz").read_bytes()


def test_standard_output_is_the_plain_layer(first: Path) -> None:
    assert tar(ACCOUNTS, ENV) == (first / "a.tar").read_bytes()


def test_entries(first: Path) -> None:
    found = members((first / "a.tar").read_bytes())
    for path, member in found.items():
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", ""), path
        assert member.mtime == 0, path
        if member.isdir():
            assert member.mode == 0o755, path
    assert list(found) == sorted(found, key=lambda path: os.fsencode(path).split(b"/"))
    for path in found:
        above = path.rpartition("/")[0]
        assert not above or found[above].isdir(), f"{above} comes before what is in it"


def test_tree_is_the_tar(first: Path) -> None:
    assert described_tree(first / "a") == described((first / "a.tar").read_bytes())
    assert int((first / "a").stat().st_mtime) == 0


def test_tree_in_an_empty_directory(first: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    inode = (tmp_path / "b").stat().st_ino
    assert elfpack("layer", ACCOUNTS, ENV, "-o", f"{tmp_path}/b/").status == 0
    assert described_tree(tmp_path / "b") == described((first / "a.tar").read_bytes())
    assert (tmp_path / "b").stat().st_ino == inode, "filled in place: it may be a mount point"


@pytest.mark.parametrize("epoch", [1, 1700000000, 2**31, 2**33 - 1])
def test_source_date_epoch(epoch: int) -> None:
    raw = tar(ACCOUNTS, SOURCE_DATE_EPOCH=str(epoch))
    assert {m.mtime for m in members(raw).values()} == {epoch}
