"""Archives, trees and texts that are made to take time, memory or descriptors. What a rule counts
is counted; what would take ten times as much otherwise is held by a limit of the system."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import os
import resource
import subprocess
import sys
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import elfpack
from elfpack.api.check import check_stream
from elfpack.blob import BytesSource
from elfpack.errors import InputError, RequestError
from elfpack.formats import pem
from elfpack.formats.decompression import CompressionFault, decompress
from elfpack.formats.strace import events, starts
from elfpack.formats.tar import BLOCK, Member, TarFault, members
from elfpack.formats.zstdframes import Frames
from elfpack.root.archived import ArchiveRoot
from elfpack.root.directory import DirectoryRoot
from elfpack.root.node import Node
from elfpack.root.streams import EACH, TIMES, TREE, Budget
from elfpack.runtime import traced
from tests.cli import elfpack as command
from tests.unit.test_tar_index import END, header, info, tar

CPU = 60
"""Seconds of a processor that a child may take: what is right takes three, on a slow one."""
MEMORY = 600 << 20


def limited(*arguments: str | Path, files: int = 0) -> subprocess.CompletedProcess[str]:
    """The command, with little time and memory."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU, CPU))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        if files:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    words = [sys.executable, "-m", "elfpack", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, preexec_fn=limit)


def record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n"
    size = len(body)
    while size != len(body) + len(str(size)):
        size = len(body) + len(str(size))
    return f"{size}{body}".encode()


def special(kind: bytes, raw: bytes) -> bytes:
    """A header that says something of the next member."""
    return header(b"x", b"%011o\0" % len(raw), kind) + raw + bytes(-len(raw) % BLOCK)


def pax(*records: tuple[str, str]) -> bytes:
    return special(b"x", b"".join(record(*row) for row in records))


def index(raw: bytes) -> list[Member]:
    return list(members(BytesSource(raw).pread))


def tree(raw: bytes) -> ArchiveRoot:
    root = ArchiveRoot("x.tar")
    root.add_layer(BytesSource(raw), "x.tar", whiteouts=False)
    return root


def link(name: bytes, target: bytes, kind: bytes = b"2") -> bytes:
    """A link whose text may be long."""
    return special(b"K", target + b"\0") + header(name, kind=kind)


# Tars

DEEP = "/".join(["a"] * 100_000)
_PIECE = b"%011o\0%011o\0" % (0, 0)
_FULL_MAP = (_PIECE * 21).ljust(504, b"\0") + b"\1" + bytes(7)


def _sparse_header() -> bytes:
    raw = bytearray(header(b"s", kind=b"S"))
    raw[386:482] = _PIECE * 4
    raw[482], raw[148:156] = 1, b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


class Refused(NamedTuple):
    name: str
    raw: bytes
    told: str


REFUSED = [
    Refused("path of pax", pax(("path", DEEP)) + header(b"x") + END, "a name of 199999 bytes"),
    Refused("GNU's long name", special(b"L", b"a/" * 9000) + header(b"x") + END, "of 18000 bytes"),
    Refused("GNU's long link", link(b"l", b"a/" * 2048) + END, "a name of 4096 bytes"),
    Refused("map of an old sparse file", _sparse_header() + _FULL_MAP * 3000, "does not end"),
    Refused("length of a record", special(b"x", b"9999999999 path=a\n") + header(b"f"), "pax"),
    Refused("header of GBs", header(b"x", b"77777777777\0", b"x"), "a header of 8589934591 bytes"),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda r: r.name)
def test_refused_by_its_index(row: Refused) -> None:
    with pytest.raises(TarFault) as caught:
        index(row.raw)
    assert row.told in caught.value.message


def test_longest_names() -> None:
    name = "/".join(["a"] * 2047) + "/"
    found = index(
        special(b"L", name.encode() + b"\0") + header(b"x") + link(b"l", b"t" * 4095) + END
    )
    assert [len(one.name) for one in found] == [4094, 1]
    assert len(found[1].link) == 4095


def test_global_headers_are_not_kept() -> None:
    """Of any number of records those that count are kept, once each."""
    many = b"".join(
        special(b"g", b"".join(record(f"k{n}.{k}", "v" * 20) for k in range(500)))
        for n in range(20)
    )
    (found,) = index(many + special(b"g", record("path", "named")) + header(b"f") + END)
    assert found.name == "named"
    plain = index(many + header(b"a") + header(b"b") + END)
    assert [one.name for one in plain] == ["a", "b"]


def test_global_header_makes_no_holes() -> None:
    raw = special(b"g", record("GNU.sparse.map", "0,1") + record("GNU.sparse.size", "1"))
    (found,) = index(raw + header(b"f") + END)
    assert found.segments is None


def test_pieces_of_all_sparse_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elfpack.formats.tar._PIECES", 10)
    one = pax(("GNU.sparse.size", "9"), ("GNU.sparse.map", "0,1,2,1,4,1")) + tar(
        (info("f"), b"abc")
    )
    one = one[: -len(one) % BLOCK or len(one)].rstrip(b"\0")
    one += bytes(-len(one) % BLOCK)
    assert len(index(one * 3 + END)) == 3
    with pytest.raises(TarFault, match="more than 10 pieces"):
        index(one * 4 + END)


WAY = b"a/../" * 800
LINKS = b"".join(link(b"l%d" % n, WAY + b"l%d" % (n + 1)) for n in range(30))
LINKS += header(b"a", kind=b"5", x100=b"0000755\0") + header(b"l30", kind=b"5")


def test_links_on_the_way_cost_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirty links of 1,600 components each, for every member."""
    monkeypatch.setattr("elfpack.root.archived._LOOKS", 1 << 16)
    assert tree(LINKS + header(b"l1/f") + END).entries("/l30") == ("f",)
    with pytest.raises(InputError, match="lies behind too many links") as caught:
        tree(LINKS + b"".join(header(b"l1/d%d/f" % n) for n in range(1000)) + END)
    assert "\n" not in str(caught.value)


def test_directories_that_no_member_stands_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elfpack.root.archived._MADE", 1000)

    def deep(levels: int) -> bytes:
        names = ("/".join([str(n)] + ["d"] * levels) for n in range(200))
        return b"".join(special(b"L", n.encode() + b"\0") + header(b"x") for n in names) + END

    assert tree(deep(15)).entries("/7/d") == ("d",)
    with pytest.raises(InputError, match="too few for so many directories"):
        tree(deep(100))


def test_a_path_longer_than_any(tmp_path: Path) -> None:
    """Links make one of names that are short enough."""
    part = b"/".join([b"d" * 50] * 70)
    raw = special(b"L", part + b"\0") + header(b"x", kind=b"5") + link(b"l", part)
    with pytest.raises(InputError, match="deeper than a path can be long"):
        tree(raw + special(b"L", b"l/" + part + b"/f\0") + header(b"x") + END)


def test_directories_by_number() -> None:
    """A directory that comes again keeps what is in it; one in place of a file has nothing."""
    root = tree(
        header(b"d/f")
        + header(b"d", kind=b"5")
        + header(b"e/f")
        + header(b"e")
        + header(b"e/", kind=b"5")
        + header(b"./", kind=b"5")
        + END
    )
    assert root.entries("") == ("d", "e")
    assert (root.entries("/d"), root.entries("/e")) == (("f",), ())
    assert isinstance(root.node("/e", "f"), int)


def test_whiteouts_of_an_upper_layer_wherever_they_stand() -> None:
    root = ArchiveRoot("x")
    root.add_layer(BytesSource(header(b"d/low") + header(b"d/both") + header(b"keep") + END), "x")
    upper = header(b"d/both") + header(b"d/up") + header(b"d/.wh.both") + header(b"d/.wh..wh..opq")
    root.add_layer(BytesSource(upper + END), "x")
    assert root.entries("/d") == ("both", "up")
    assert root.entries("") == ("d", "keep")


MANY = 40_000


def _many(name: str) -> Iterator[bytes]:
    if name == "files":
        yield from (header(b"d%d/f%d" % (n // 1000, n)) for n in range(MANY))
    elif name == "hard links in a chain":
        yield header(b"h0")
        yield from (_hard(n) for n in range(MANY // 4))
    elif name == "a directory that is replaced":
        yield from (header(b"d/f%d" % n) for n in range(MANY // 4))
        for _ in range(MANY // 4):
            yield _SYMLINK
            yield _DIRECTORY
    else:
        yield from (header(b"/".join([b"a/.."] * 15) + b"/f%d" % n) for n in range(MANY // 4))


_SYMLINK = tar((info("d", type=tarfile.SYMTYPE, linkname="x"), b""))[:BLOCK]
_DIRECTORY = header(b"d", kind=b"5")


def _hard(number: int) -> bytes:
    return tar((info(f"h{number + 1}", type=tarfile.LNKTYPE, linkname=f"h{number}"), b""))[:BLOCK]


@pytest.mark.parametrize(
    "name", ["files", "hard links in a chain", "a directory that is replaced", ".."]
)
def test_many_members(name: str, tmp_path: Path) -> None:
    with open(tmp_path / "x.tar", "wb") as file:
        file.writelines(_many(name))
        file.write(END)
    ran = limited("check", tmp_path / "x.tar")
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr


# Compressed


def _zstd(raw: bytes, **more: Any) -> bytes:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    packed: bytes = zstandard.ZstdCompressor(**more).compress(raw)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": _zstd,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_a_cut_stream_whose_tar_is_whole(kind: str, tmp_path: Path) -> None:
    """Its last bytes, which hold a checksum or the end of the last frame."""
    packed = PACKERS[kind](tar((info("etc/x"), os.urandom(5000))))
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.write_bytes(packed)
    for left in (1, 3, 6):
        cut.write_bytes(packed[:-left])
        with pytest.raises(InputError, match="cut short"):
            elfpack.check(cut)
    assert elfpack.check(whole).findings == ()


def test_every_cut_of_a_zstd_stream() -> None:
    """Frames with and without checksum and size, a block of one byte over and over, a frame that
    is skipped."""
    raw = bytes(300_000) + os.urandom(1000)
    frames = [
        _zstd(raw, write_checksum=True),
        _zstd(raw, write_content_size=False),
        b"\x53\x2a\x4d\x18\x05\0\0\0hello",
        _zstd(b""),
    ]
    ends = {sum(map(len, frames[:n])) for n in range(5)}
    stream = b"".join(frames)
    for step in (1, 7, len(stream)):
        found = Frames()
        whole = {0}
        for at in range(0, len(stream), step):
            found.passed(stream[at : at + step])
            if found.whole:
                whole.add(min(at + step, len(stream)))
        assert whole == (ends if step == 1 else whole & ends | {len(stream)})


@pytest.mark.parametrize("kind", PACKERS)
def test_many_small_members(kind: str) -> None:
    """What each leaves is not copied: counted by the bytes that are put in."""
    stream = PACKERS[kind](b"") * 40_000 + PACKERS[kind](b"the last")
    pieces = (stream[at : at + (1 << 20)] for at in range(0, len(stream), 1 << 20))
    assert b"".join(decompress(kind, pieces)) == b"the last"


def test_more_memory_than_there_is() -> None:
    wide = bytearray(lzma.compress(b"x"))
    wide[16] = 36  # the dictionary's size, 1 GiB. Source: xz-file-format.txt, 5.3.1
    end = 12 + 4 * wide[12]
    wide[end : end + 4] = zlib.crc32(wide[12:end]).to_bytes(4, "little")
    with pytest.raises(CompressionFault, match="more than 128 MiB of memory"):
        list(decompress("xz", [bytes(wide)]))
    # A frame with a window of 2 GiB: its descriptor, then an empty last block.
    frame = b"\x28\xb5\x2f\xfd\0" + bytes([21 << 3]) + b"\1\0\0"
    pytest.importorskip("zstandard", reason="zstandard is not installed")
    with pytest.raises(CompressionFault, match="more than 128 MiB of memory"):
        list(decompress("zstd", [frame]))


def test_a_bomb(tmp_path: Path) -> None:
    bomb = tmp_path / "x.tar.gz"
    bomb.write_bytes(gzip.compress(tar((info("zeros"), bytes(40 << 20)))))
    ran = command("check", "--max-unpacked", "8M", bomb)
    assert (ran.status, ran.out) == (2, [])
    (line,) = ran.err
    assert "unpacks to more than 8 MiB" in line
    assert line.endswith("--max-unpacked 16M)")
    (line,) = command("check", "--max-unpacked", "10", bomb).err
    assert line.endswith(
        "unpacks to more than 10 bytes (if it is no bomb, allow more: --max-unpacked 20)"
    )
    assert command("check", "--max-unpacked", "41m", bomb).status == 0
    with pytest.raises(InputError, match="unpacks to more than 1 MiB"):
        elfpack.check(bomb, max_unpacked=1 << 20)
    with pytest.raises(InputError, match="unpacks to more than 1 MiB"):
        list(elfpack.images(bomb, max_unpacked=1 << 20))
    assert elfpack.check(bomb).findings == ()


@pytest.mark.parametrize("size", ["", "x", "4X", "-1", "1.5G", "٣", "9" * 13, "GG", "0", "0K"])
def test_no_size(size: str) -> None:
    assert command("check", "--max-unpacked", size, ".").status == 2


@pytest.mark.parametrize("most", [0, -1, "5", 1.5, float("nan")])
def test_no_limit(most: Any) -> None:
    with pytest.raises(RequestError, match="max_unpacked: cannot be"):
        elfpack.check(".", max_unpacked=most)
    with pytest.raises(RequestError, match="max_unpacked: cannot be"):
        list(elfpack.images(".", max_unpacked=most))


def test_what_an_archive_may_become(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elfpack.root.streams.UNPACKED", 1000)
    budget = Budget("x")
    budget.earn("a", 100)
    budget.earn("a", 100)  # it is there once
    budget.spend(TIMES * 100)
    with pytest.raises(InputError, match="unpacks to more than 7 KiB"):
        budget.spend(1)


def test_what_an_archive_may_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("elfpack.root.streams.LISTED", 2)
    budget = Budget("x")
    for size in (2 * EACH, 2 * EACH, TREE * EACH):  # the last comes through a pipe by and by
        budget.passed(size)
    budget.tree()
    for _ in range(4):
        budget.file()
    with pytest.raises(InputError, match=rf"more than {TREE + 4} files.*--max-unpacked 4G"):
        budget.file()
    allowed = Budget("x", 136 << 10)
    allowed.tree()
    for _ in range(TREE + 8):
        allowed.file()
    with pytest.raises(InputError, match=r"more than 136 files.*--max-unpacked 272K"):
        allowed.file()


def test_a_pipe_earns_by_what_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNPACKED", "LISTED"):
        monkeypatch.setattr(f"elfpack.root.streams.{name}", 1)
    packed = gzip.compress(tar(*[(info(f"f{n}"), os.urandom(1000)) for n in range(20)]))
    reader, writer = os.pipe()
    with open(writer, "wb") as file:
        file.write(packed)  # a pipe holds 64 KiB
    assert check_stream(reader, "standard input").findings == ()


# Images


class Layout:
    """An OCI image layout in a directory."""

    def __init__(self, top: Path) -> None:
        self._blobs = top / "blobs/sha256"
        self._blobs.mkdir(parents=True)
        self._top = top
        (top / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, content: object, kind: str) -> dict[str, object]:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(raw).hexdigest()
        (self._blobs / digest).write_bytes(raw)
        media_type = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(raw)}

    def image(self, layers: list[dict[str, object]]) -> dict[str, object]:
        config = self.blob({"architecture": "amd64"}, "config.v1+json")
        return self.blob({"config": config, "layers": layers}, "manifest.v1+json")

    def index(self, manifests: list[dict[str, object]]) -> dict[str, object]:
        return self.blob({"manifests": manifests}, "index.v1+json")

    def lists(self, manifests: list[dict[str, object]]) -> Path:
        (self._top / "index.json").write_text(json.dumps({"manifests": manifests}))
        return self._top


LAYER = tar((info("etc/x"), b"x"))


def test_indexes_that_fan_out(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    row = layout.index([])
    for _ in range(7):
        row = layout.index([row] * 100)
    ran = limited("check", layout.lists([row]))
    assert ran.returncode == 2
    assert "leads to more than 4096 images" in ran.stderr


def test_one_layer_many_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tmp_path)
    layer = layout.blob(LAYER, "layer.v1.tar")
    manifests = [layout.image([layer] * number) for number in (500, 501)]
    assert elfpack.check(layout.lists(manifests[:1])).findings == ()
    with pytest.raises(InputError, match="501 layers, more than 500"):
        elfpack.check(layout.lists(manifests))
    monkeypatch.setattr("elfpack.root.streams.UNPACKED", 1)
    with pytest.raises(InputError, match="unpacks to more than"):
        elfpack.check(layout.lists([layout.image([layer] * 4 * TIMES)]))


def test_one_layer_of_many_images(tmp_path: Path) -> None:
    """A docker-archive of a few kilobytes that stands for a hundred thousand files."""
    layer = tar(*[(info(f"usr/lib/lib{n}.so"), b"") for n in range(300)])
    saved = [{"Config": "config", "RepoTags": None, "Layers": ["layer"]}] * 400
    archive = tmp_path / "images.tar"
    parts = {"layer": layer, "config": b"{}", "manifest.json": json.dumps(saved).encode()}
    archive.write_bytes(tar(*[(info(name), raw) for name, raw in parts.items()]))
    ran = command("check", archive)
    assert (ran.status, ran.out) == (2, [])
    assert "files, those of each of its images counted (if it is no bomb" in ran.err[-1]
    assert ran.err[-1].endswith("--max-unpacked 4G)")
    with pytest.raises(InputError, match="lists more than 20000 files"):
        elfpack.check(archive, max_unpacked=20_000 << 10)
    assert elfpack.check(archive, max_unpacked=200 << 20).findings == ()


def test_many_images_on_one_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer that is not compressed is listed for each of them, and not read."""
    monkeypatch.setattr("elfpack.root.streams.UNPACKED", 1)
    layout = Layout(tmp_path)
    base = layout.blob(tar((info("usr/big"), bytes(1 << 20))), "layer.v1.tar")
    images = []
    for number in range(2 * TIMES):
        own = layout.blob(tar((info(f"app{number}"), b"x")), "layer.v1.tar")
        images.append(layout.image([base, own]))
    assert elfpack.check(layout.lists(images)).findings == ()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 2_000_000,
        '{"manifests": [{"size": ' + "9" * 5000 + "}]}",
        '{"manifests": [{"size": 1e999, "digest": "sha256:' + "0" * 64 + '"}]}',
        '{"manifests": NaN}',
        '{"manifests": [{"digest": "\\ud800", "size": 1}]}',
        '{"manifests": [], "manifests": 1}',
    ],
    ids=["deep", "digits", "infinite", "NaN", "surrogate", "twice"],
)
@pytest.mark.parametrize("name", ["index.json", "manifest.json"])
def test_json(name: str, text: str, tmp_path: Path) -> None:
    layout = Layout(tmp_path).lists([])
    (layout / name).write_text(text)
    ran = limited("check", layout)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1)
    assert ran.stderr.startswith("elfpack: error: ")


# Trees


def deep(top: Path, levels: int) -> None:
    """Deeper than a path can be long; beside each level a directory."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(top)
        for _ in range(levels):
            os.mkdir("d")
            os.mkdir("s")
            os.chdir("d")
        Path("f").write_text("x")
    finally:
        os.fchdir(before)
        os.close(before)


def raze(top: Path, levels: int) -> None:
    """From below, for what clears up afterwards goes by recursion."""
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(top)
        for _ in range(levels):
            os.chdir("d")
        Path("f").unlink()
        for _ in range(levels):
            os.chdir("..")
            os.rmdir("d")
            os.rmdir("s")
    finally:
        os.fchdir(before)
        os.close(before)


def test_a_deep_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted by the directories that are opened: two for each, and again on the way up."""
    deep(tmp_path, 1200)
    opened = [0]
    before = os.open

    def counted(*arguments: Any, **named: Any) -> int:
        opened[0] += 1
        return before(*arguments, **named)

    try:
        monkeypatch.setattr(os, "open", counted)
        report = elfpack.check(tmp_path)
        monkeypatch.undo()
        assert report.findings == ()
        assert 2400 < opened[0] < 50_000  # without what is kept on the way 700,000
    finally:
        raze(tmp_path, 1200)


def test_many_levels_that_are_added(tmp_path: Path) -> None:
    deep(tmp_path, 700)
    try:
        ran = limited("layer", "-q", "/bin/true", "--add", f"{tmp_path}:/x", "--dry-run")
        assert ran.returncode == 0, ran.stderr
    finally:
        raze(tmp_path, 700)


def test_few_descriptors_are_enough(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number}/a/b").mkdir(parents=True)
        (tmp_path / f"{number}/a/b/f").write_text("#!x\n")
    ran = limited("check", tmp_path, files=12)
    assert ran.returncode == 0, ran.stderr


def test_descriptors_are_kept_by_what_is_allowed(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"{number}/a").mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(160, hard), hard))
    try:
        root = DirectoryRoot(str(tmp_path))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        for number in range(300):
            assert isinstance(root.node(f"/{number}", "a"), Node)
    assert len(os.listdir("/proc/self/fd")) - before <= 40
    root.release()
    assert len(os.listdir("/proc/self/fd")) == before
    assert isinstance(root.node("/1/a", "x"), int)
    root.close()


def test_a_plan_keeps_no_directories() -> None:
    before = len(os.listdir("/proc/self/fd"))
    plan = elfpack.plan(["/bin/true"])
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    assert plan.entries


def test_a_fifo_waits_for_its_writer(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    written = threading.Event()

    def write() -> None:
        with open(fifo, "wb") as file:
            written.set()
            file.write(LAYER)

    writer = threading.Timer(0.3, write)
    writer.start()
    assert elfpack.check(fifo).findings == ()
    assert written.is_set()
    writer.join()


def test_what_is_no_file_in_a_tree(tmp_path: Path) -> None:
    for name in ("etc/nsswitch.conf", "etc/passwd", "etc/ld.so.preload", "lib/libx.so.1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        os.mkfifo(tmp_path / name)
    assert limited("check", tmp_path).returncode == 0
    assert limited("check", "/dev/zero").returncode == 2


# Texts

LINE = b"1 openat(AT_FDCWD, "
LINES = {
    "decorations in decorations": b"1 open(" + b"3<a" * 300_000,
    "decorations that do not end": b"1 open(3<" + b"<a>" * 300_000,
    "results": b"1 open(" + b") = <<" * 120_000,
    "quotes": LINE + b'"' * 1_000_000,
    "backslashes": LINE + b'"' + b"\\" * 1_000_000,
    "blanks": b"[pid " + b" " * 1_000_000,
    "columns": b"1 " + b"1:" * 400_000,
    "signals": b"1 --- " + b"SIGCHLD {" * 20_000,
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_lines_of_a_log(line: bytes) -> None:
    """Each of a million bytes, gone through at once: a square of them would take hours."""
    assert list(events([line])) == []
    assert list(starts([line])) == []


def test_many_processes() -> None:
    many = 20_000
    lines = [b'%d openat(AT_FDCWD, "/a", O_RDONLY <unfinished ...>' % n for n in range(many)]
    lines += [b"%d <... openat resumed>) = 3" % n for n in range(many)]
    assert len(traced.used(lines).uses) == 1


def test_paths_of_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traced, "_MOST_KEPT", 100_000)
    lines = [b'1 chdir("%s") = 0' % (b"d" * 3000)]
    lines += [b'1 openat(AT_FDCWD, "%d", O_RDONLY) = 3' % n for n in range(1000)]
    run = traced.used(lines)
    assert run.full
    assert len(run.uses) < 40
    assert not traced.used(lines[:20]).full


def test_a_log_of_too_many_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traced, "_MOST_KEPT", 10)
    log = tmp_path / "log"
    log.write_text('1 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3\n')
    with pytest.raises(InputError, match="more paths than can be kept"):
        elfpack.plan(["/bin/true"], modules={"strace": str(log)})


def test_marks_of_keys() -> None:
    mark = b'"-----BEGIN PRIVATE KEY-----'
    assert not pem.has_key([mark * 40_000])
    assert pem.has_key([mark * 10 + b"\\n" + b"MIIEvQIBADANBgkqhkiG9w0BAQEFAASC" * 2])
    assert pem.certificates(b"-----BEGIN CERTIFICATE-----\n" * 100_000)[:1] == (None,)
