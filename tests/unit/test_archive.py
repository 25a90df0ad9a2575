"""What tars, layers and images unpack to: by the rules of the engines, without unpacking."""

from __future__ import annotations

import bz2
import gc
import gzip
import hashlib
import json
import lzma
import os
import stat
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from elfpack.blob import BytesSource, chunks
from elfpack.errors import InputError
from elfpack.formats.decompression import CompressionFault, compression, decompress
from elfpack.root.archive import Opened, open_root, open_stream
from elfpack.root.archived import ArchiveRoot
from elfpack.root.node import Root
from elfpack.root.streams import Budget, Sparse, inflated
from elfpack.root.walk import Walker
from tests.unit.test_tar_index import END, SPARSE, info, tar

DIR, LINK, HARD = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


def made(*rows: str) -> bytes:
    """A tar from lines: ``usr/``, ``a=text``, ``l -> target``, ``h == target``, ``fifo|``."""
    found: list[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]] = []
    for row in rows:
        if " -> " in row:
            name, target = row.split(" -> ")
            found.append(info(name, type=LINK, linkname=target))
        elif " == " in row:
            name, target = row.split(" == ")
            found.append(info(name, type=HARD, linkname=target))
        elif row.endswith("/"):
            found.append(info(row, type=DIR, mode=0o700))
        elif row.endswith("|"):
            found.append(info(row[:-1], type=tarfile.FIFOTYPE))
        else:
            name, _, text = row.partition("=")
            found.append((info(name), text.encode()))
    return tar(*found)


def tree(*layers: bytes) -> ArchiveRoot:
    root = ArchiveRoot("the image")
    for number, layer in enumerate(layers):
        root.add_layer(BytesSource(layer), f"layer {number}", whiteouts=len(layers) > 1)
    return root


def shown(root: Root) -> dict[str, str]:
    """Every path with its content, target, or a slash for a directory."""
    found: dict[str, str] = {}
    pending = [""]
    while pending:
        directory = pending.pop()
        names = root.entries(directory)
        assert not isinstance(names, int)
        for name in names:
            node = root.node(directory, name)
            assert not isinstance(node, int)
            path = f"{directory}/{name}"
            if node.is_directory:
                pending.append(path)
                found[path] = "/"
            elif node.is_regular:
                source = root.open(directory, name, node)
                found[path] = source.pread(source.size, 0).decode()
            else:
                found[path] = f"-> {node.target}" if node.is_link else "special"
    return found


class Case(NamedTuple):
    name: str
    layers: tuple[tuple[str, ...], ...]
    expected: dict[str, str]


CASES = [
    Case(
        "names",
        (("./", "./a=1", "/b=2", "c/./d=3"),),
        {"/a": "1", "/b": "2", "/c": "/", "/c/d": "3"},
    ),
    Case("directories on the way", (("a/b/c=1",),), {"/a": "/", "/a/b": "/", "/a/b/c": "1"}),
    Case("dots that stay inside", (("a/../b=1",),), {"/b": "1"}),
    Case("the later of two", (("a=1", "a=2"),), {"/a": "2"}),
    Case("directory for a file", (("a=1", "a/", "a/b=2"),), {"/a": "/", "/a/b": "2"}),
    Case("file for a directory", (("a/b/c=1", "a=2"),), {"/a": "2"}),
    Case(
        "directory for a link",
        (("b/", "a -> b", "a/", "a/c=1"),),
        {"/a": "/", "/b": "/", "/a/c": "1"},
    ),
    Case("directory twice", (("a/", "a/b=1", "a/"),), {"/a": "/", "/a/b": "1"}),
    Case(
        "below a link",
        (("usr/lib/", "lib -> usr/lib", "lib/x=1"),),
        {"/usr": "/", "/usr/lib": "/", "/lib": "-> usr/lib", "/usr/lib/x": "1"},
    ),
    Case(
        "below a link to the top",
        (("a/", "a/l -> /", "a/l/x=1"),),
        {"/a": "/", "/a/l": "-> /", "/x": "1"},
    ),
    Case(
        "below a link to outside",
        (("etc/", "l -> ../../etc", "l/x=1"),),
        {"/etc": "/", "/l": "-> ../../etc", "/etc/x": "1"},
    ),
    Case(
        "below a link that changes",
        (("a/", "b/", "l -> a", "l/x=1", "l -> b", "l/y=2"),),
        {"/a": "/", "/b": "/", "/l": "-> b", "/a/x": "1", "/b/y": "2"},
    ),
    Case(
        "hard link",
        (("a=1", "d/b == a", "c == ./d/b"),),
        {"/a": "1", "/d": "/", "/d/b": "1", "/c": "1"},
    ),
    Case("hard link to a link", (("l -> x", "m == l"),), {"/l": "-> x", "/m": "-> x"}),
    Case("hard link of a file that goes", (("a=1", "b == a", "a=2"),), {"/a": "2", "/b": "1"}),
    Case("special files", (("p|",),), {"/p": "special"}),
    Case("no whiteout outside images", ((".wh.a=", "a=1"),), {"/.wh.a": "", "/a": "1"}),
    Case("layers", (("a=1", "b=1"), ("b=2", "c=2")), {"/a": "1", "/b": "2", "/c": "2"}),
    Case("whiteout", (("a=1", "d/b=1"), (".wh.a=", "d/.wh.b=")), {"/d": "/"}),
    Case("whiteout of a directory", (("d/e/f=1", "x=1"), (".wh.d=",)), {"/x": "1"}),
    Case(
        "whiteout of nothing",
        (("a=1",), (".wh.x=", "y/.wh.z=")),
        {
            "/a": "1",
        },
    ),
    Case("whiteout and anew", (("d/b=1",), (".wh.d=", "d/c=2")), {"/d": "/", "/d/c": "2"}),
    Case("anew and whiteout", (("d/b=1",), ("d/c=2", ".wh.d=")), {"/d": "/", "/d/c": "2"}),
    Case(
        "opaque",
        (("d/b=1", "d/e/f=1"), ("d/", "d/c=2", "d/.wh..wh..opq=")),
        {"/d": "/", "/d/c": "2"},
    ),
    Case(
        "whiteout below a link",
        (("usr/lib/x=1", "lib -> usr/lib"), ("lib/.wh.x=",)),
        {"/usr": "/", "/usr/lib": "/", "/lib": "-> usr/lib"},
    ),
    Case("whiteout, then a third", (("a=1",), (".wh.a=",), ("a=3",)), {"/a": "3"}),
    Case("hard link to a lower layer", (("a=1",), ("b == a",)), {"/a": "1", "/b": "1"}),
    Case("whiteout of one of two names", (("a=1", "b == a"), (".wh.a=",)), {"/b": "1"}),
    Case("metadata of aufs", (("a=1",), (".wh..wh.plnk/", ".wh..wh.aufs=")), {"/a": "1"}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_tree(case: Case) -> None:
    assert shown(tree(*[made(*rows) for rows in case.layers])) == case.expected


def test_hard_links_are_one_file() -> None:
    root = tree(made("a=1", "b == a", "c=1"))
    a, b, c = (root.node("", name) for name in "abc")
    assert not isinstance(a, int)
    assert not isinstance(b, int)
    assert not isinstance(c, int)
    assert a.identity == b.identity != c.identity


def test_modes() -> None:
    root = tree(made("d/e=1", "f/", "g=1"))
    modes = {name: root.node("", name) for name in "dfg"}
    assert [oct(n.mode) for n in modes.values() if not isinstance(n, int)] == [
        oct(stat.S_IFDIR | 0o755),  # nobody told
        oct(stat.S_IFDIR | 0o700),
        oct(stat.S_IFREG | 0o644),
    ]


def test_capability() -> None:
    from elfpack.formats.tar import CAPABILITY

    root = tree(tar((info("ping", pax_headers={CAPABILITY: "\1\0\0\2"}), b"x"), (info("no"), b"x")))
    for name, wanted in (("ping", b"\1\0\0\2"), ("no", b"")):
        node = root.node("", name)
        assert not isinstance(node, int)
        assert root.capabilities("", name, node) == wanted


@pytest.mark.parametrize("raw", SPARSE.values(), ids=SPARSE)
def test_sparse_file(raw: bytes) -> None:
    assert shown(tree(raw + END))["/hole"] == "\0" * 1024 + "abc" + "\0" * 3069


def test_parts_of_a_sparse_file() -> None:
    whole = bytearray(100)
    whole[10:15], whole[15:18], whole[90:100] = b"abcde", b"fgh", b"0123456789"
    source = Sparse(BytesSource(b"abcdefgh0123456789"), ((10, 5), (15, 3), (90, 10)), 100)
    for start in range(101):
        for size in (1, 3, 30, 200):
            assert source.pread(size, start) == bytes(whole[start : start + size])


class Bad(NamedTuple):
    name: str
    rows: tuple[str, ...]
    told: str


BAD = [
    Bad("outside", ("../a=1",), "../a leads outside"),
    Bad("outside in the end", ("a/../../b=1",), "leads outside"),
    Bad("absolute and outside", ("/../a=1",), "leads outside"),
    Bad("hard link to nothing", ("a == b",), "a hard link to b, which is not there"),
    Bad("hard link to what comes later", ("a == b", "b=1"), "which is not there"),
    Bad("hard link to outside", ("a == ../b",), "leads outside"),
    Bad("hard link to a directory", ("d/", "a == d"), "a directory"),
    Bad("below a file", ("a=1", "a/b=1"), "lies below /a, which is no directory"),
    Bad("below a link to nothing", ("l -> gone", "l/x=1"), "a link that leads nowhere"),
    Bad("below a link to itself", ("l -> l", "l/x=1"), "a link that leads nowhere"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda b: b.name)
def test_refused(bad: Bad) -> None:
    with pytest.raises(InputError) as caught:
        tree(made(*bad.rows))
    assert bad.told in caught.value.message
    assert caught.value.path == "layer 0"


# Compressed


def _zstd(raw: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard", reason="zstandard is not installed")
    packed: bytes = zstandard.ZstdCompressor(write_checksum=True).compress(raw)
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": _zstd,
}
TEXT = b"".join(b"line %d of a text\n" % n for n in range(30_000))


def _unpacked(kind: str, raw: bytes, step: int = 1 << 16) -> bytes:
    return b"".join(decompress(kind, (raw[n : n + step] for n in range(0, len(raw), step))))


@pytest.mark.parametrize("kind", PACKERS)
def test_decompress(kind: str) -> None:
    packed = PACKERS[kind](TEXT)
    assert compression(packed[:512]) == kind
    assert _unpacked(kind, packed) == TEXT
    assert _unpacked(kind, packed + PACKERS[kind](b"more")) == TEXT + b"more"
    assert _unpacked(kind, PACKERS[kind](b"")) == b""


@pytest.mark.parametrize("kind", ["gzip", "xz"])
def test_decompress_byte_by_byte(kind: str) -> None:
    packed = PACKERS[kind](b"some text") + PACKERS[kind](b" more") + bytes(8)
    assert _unpacked(kind, packed, 1) == b"some text more"


def test_zstd_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = _zstd(TEXT)
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(CompressionFault, match="zstandard is not installed") as caught:
        _unpacked("zstd", packed)
    assert "zstd -d" in caught.value.hint


def test_skippable_frame() -> None:
    packed = b"\x5a\x2a\x4d\x18\x03\0\0\0abc" + _zstd(TEXT)
    assert compression(packed) == "zstd"
    assert _unpacked("zstd", packed) == TEXT


DAMAGES = [(kind, how) for kind in PACKERS for how in ("cut", "garbage behind", "changed")]


@pytest.mark.parametrize(("kind", "how"), DAMAGES)
def test_damaged(kind: str, how: str) -> None:
    packed = PACKERS[kind](os.urandom(5000) + TEXT)
    half = len(packed) // 2
    changed = bytes(byte ^ 255 for byte in packed[half : half + 40])
    damaged = {
        "cut": packed[:half],
        "garbage behind": packed + b"garbage behind the end",
        "changed": packed[:half] + changed + packed[half + 40 :],
    }
    with pytest.raises(CompressionFault) as caught:
        _unpacked(kind, damaged[how])
    assert kind in caught.value.message
    assert "\n" not in caught.value.message


def test_bomb_in_small_pieces() -> None:
    packed = gzip.compress(bytes(200 << 20), 9)
    assert len(packed) < 300_000
    assert max(len(piece) for piece in decompress("gzip", [packed])) <= 1 << 20


def test_budget() -> None:
    packed = gzip.compress(bytes(10 << 20))
    source = inflated(BytesSource(packed), "gzip", "x.tar.gz", Budget("x.tar.gz", 5 << 20))
    with pytest.raises(InputError, match="unpacks to more than 5 MiB"):
        list(chunks(source))


@pytest.mark.parametrize("kind", PACKERS)
def test_compressed_stream_at_any_place(kind: str) -> None:
    raw = TEXT * 8  # more than what is kept behind
    source = inflated(BytesSource(PACKERS[kind](raw)), kind, "x", Budget("x"))
    for place in (0, 10, 4_000_000, 100, 3_000_000, len(raw) - 5, len(raw), len(raw) + 10):
        assert source.pread(20, place) == raw[place : place + 20]


def _opened(raw: bytes, tmp_path: Path) -> Opened:
    path = tmp_path / "any.name"
    path.write_bytes(raw)
    return open_root(str(path))


@pytest.mark.parametrize("kind", ["none", *PACKERS])
def test_rootfs(kind: str, tmp_path: Path) -> None:
    raw = made("a=1", "etc/passwd=root:x", "bin/x=#!/bin/sh", "big=" + "x" * 100_000)
    packed = raw if kind == "none" else PACKERS[kind](raw)
    (found,) = [shown(t.root) for t in _opened(packed, tmp_path).trees()]
    assert found["/big"] == "x" * 100_000
    assert (found["/a"], found["/etc/passwd"], found["/bin/x"]) == ("1", "root:x", "#!/bin/sh")


def test_pipe() -> None:
    read, write = os.pipe()
    os.write(write, made("a=1", "b=" + "x" * 9000))
    os.close(write)
    (found,) = [shown(t.root) for t in open_stream(read, "standard input").trees()]
    os.close(read)
    assert found["/b"] == "x" * 9000


def test_closes_what_it_opened(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for raw in (made("a=1"), gzip.compress(made("a=1")), b"no tar", made("a == b")):
        try:
            opened = _opened(raw, tmp_path)
        except InputError:
            continue
        list(opened.trees())
        opened.close()
    assert len(os.listdir("/proc/self/fd")) == before


NO_ROOTFS = {
    "empty": (b"", "an empty file"),
    "text": (b"hello\n" * 200, "no tar"),
    "gzip of text": (gzip.compress(b"hello"), "no tar in its gzip data"),
    "cut gzip": (gzip.compress(made("a=" + "x" * 9000))[:-20], "cut short"),
    "garbage behind gzip": (gzip.compress(made("a=1")) + b"garbage", "behind its end"),
    "bzip2": (bz2.compress(made("a=1")), "bzip2"),
    "zip": (b"PK\x03\x04" + bytes(600), "zip"),
    "ELF": (b"\x7fELF" + bytes(600), "ELF file"),
    "zeros without end": (gzip.compress(bytes(100 << 20)), "more than 64 MiB behind the end"),
    "cut": (made("a=" + "x" * 9000)[:5000], "cut short"),
}


@pytest.mark.parametrize("case", NO_ROOTFS.values(), ids=NO_ROOTFS)
def test_no_rootfs(case: tuple[bytes, str], tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(_opened(case[0], tmp_path).trees())
    assert case[1] in caught.value.message
    assert caught.value.hint


# Images


def blob(raw: bytes) -> tuple[str, dict[str, object]]:
    digest = hashlib.sha256(raw).hexdigest()
    return f"blobs/sha256/{digest}", {"digest": f"sha256:{digest}", "size": len(raw)}


class Oci:
    """An OCI image layout in the making, as a table of files."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        self.rows: list[dict[str, object]] = []

    def add(self, raw: bytes) -> dict[str, object]:
        path, descriptor = blob(raw)
        self.files[path] = raw
        return descriptor

    def image(self, *layers: bytes, **config: object) -> dict[str, object]:
        """The descriptor of an image's manifest."""
        document = {"architecture": "amd64", "os": "linux", "config": config}
        manifest = {
            "schemaVersion": 2,
            "config": self.add(json.dumps(document).encode()),
            "layers": [self.add(layer) for layer in layers],
        }
        return self.add(json.dumps(manifest).encode())

    def done(self, *rows: dict[str, object]) -> dict[str, bytes]:
        self.files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": rows}).encode()
        return self.files


def saved(*images: tuple[str | None, tuple[bytes, ...]]) -> dict[str, bytes]:
    """What ``docker save`` wrote for long: no blobs, a directory a layer."""
    files: dict[str, bytes] = {}
    rows = []
    for tag, layers in images:
        names = []
        for layer in layers:
            name = f"{hashlib.sha256(layer).hexdigest()}/layer.tar"
            files[name] = layer
            names.append(name)
        config = json.dumps({"config": {"Cmd": ["/a"]}, "tag": tag}).encode()
        files[f"{hashlib.sha256(config).hexdigest()}.json"] = config
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        rows.append({"Config": config_name, "RepoTags": tag and [tag], "Layers": names})
    files["manifest.json"] = json.dumps(rows).encode()
    return files


def packed(files: dict[str, bytes]) -> bytes:
    return tar(*[(info(name), raw) for name, raw in files.items()])


def on_disk(files: dict[str, bytes], top: Path) -> Path:
    for name, raw in files.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(raw)
    return top


LOWER, UPPER = made("a=1", "b=1"), made(".wh.a=", "c=2")
MERGED = {"/b": "1", "/c": "2"}


@pytest.mark.parametrize("kind", ["none", *PACKERS])
def test_docker_archive(kind: str, tmp_path: Path) -> None:
    raw = packed(saved(("one:1", (LOWER, UPPER)), (None, (LOWER,))))
    opened = _opened(raw if kind == "none" else PACKERS[kind](raw), tmp_path)
    found = [(t.name, t.config and t.config.cmd, shown(t.root)) for t in opened.trees()]
    assert found == [("one:1", ("/a",), MERGED), ("", ("/a",), {"/a": "1", "/b": "1"})]


@pytest.mark.parametrize("kind", ["none", *PACKERS])
@pytest.mark.parametrize("form", ["directory", "tar", "tar.gz"])
def test_oci(kind: str, form: str, tmp_path: Path) -> None:
    pack = PACKERS.get(kind, bytes)
    layout = Oci()
    image = layout.image(pack(LOWER), pack(UPPER), Env=["PATH=/x"], Entrypoint=["/c"], User="me")
    image["annotations"] = {"org.opencontainers.image.ref.name": "1"}
    files = layout.done(image)
    if form == "directory":
        opened = open_root(str(on_disk(files, tmp_path)))
    else:
        opened = _opened(packed(files) if form == "tar" else gzip.compress(packed(files)), tmp_path)
    (tree_,) = [(t.name, t.config, shown(t.root)) for t in opened.trees()]
    assert (tree_[0], tree_[2]) == ("1", MERGED)
    assert tree_[1] is not None
    assert (tree_[1].variable("PATH"), tree_[1].entrypoint, tree_[1].user) == ("/x", ("/c",), "me")


def test_index_in_an_index(tmp_path: Path) -> None:
    """Of a multi-platform image, what was saved along; what is said of an image is none."""
    layout = Oci()
    amd, arm = layout.image(LOWER), layout.image(UPPER)
    amd["platform"] = {"os": "linux", "architecture": "amd64"}
    arm["platform"] = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    absent = {"digest": "sha256:" + "0" * 64, "size": 1, "platform": {"architecture": "s390x"}}
    said = {**layout.image(LOWER), "annotations": {"vnd.docker.reference.type": "attestation"}}
    nested = layout.add(json.dumps({"manifests": [amd, arm, absent, said]}).encode())
    nested["mediaType"] = "application/vnd.oci.image.index.v1+json"
    nested["annotations"] = {"org.opencontainers.image.ref.name": "app"}
    found = [t.name for t in open_root(str(on_disk(layout.done(nested), tmp_path))).trees()]
    assert found == ["app linux/amd64", "app linux/arm64/v8"]


def test_manifest_json_of_somebody_else(tmp_path: Path) -> None:
    """A root file system may hold files of these names."""
    for text in ('{"name": "app"}', "[]", "[1]", "no JSON", '[{"Config": 1}]'):
        (found,) = [shown(t.root) for t in _opened(made(f"manifest.json={text}"), tmp_path).trees()]
        assert found == {"/manifest.json": text}
    (found,) = [shown(t.root) for t in _opened(made("index.json={}"), tmp_path).trees()]
    assert found == {"/index.json": "{}"}


def _without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {path: raw for path, raw in files.items() if not path.startswith(name)}


def _oci() -> dict[str, bytes]:
    layout = Oci()
    return layout.done(layout.image(LOWER, UPPER))


def _wrong(place: int) -> dict[str, bytes]:
    files = _oci()
    name = list(files)[place]
    files[name] = files[name][:-1] + b"\1" if place < 3 else files[name] + b" "
    return files


IMAGES = {
    "docker without manifest": (_without(saved((None, (LOWER,))), "manifest"), "manifest.json"),
    "OCI without index": (_without(_oci(), "index"), "neither manifest.json nor index.json"),
    "blobs alone": (_without(_without(_oci(), "index"), "oci-layout"), "blobs of an image"),
    "docker without a layer": (
        {p: r for p, r in saved((None, (LOWER,))).items() if not p.endswith("layer.tar")},
        "layer.tar: no such file",
    ),
    "no JSON": ({**saved((None, (LOWER,))), "manifest.json": b"{"}, "manifest.json: is not"),
    "a huge manifest": (
        {**saved((None, (LOWER,))), "manifest.json": b" " * (4 << 20) + b"[]"},
        "manifest.json: has 4194306 bytes, too many for JSON",
    ),
    "a huge index": ({**_oci(), "index.json": b" " * (4 << 20) + b"{}"}, "too many for JSON"),
    "deep JSON": ({**_oci(), "index.json": b"[" * 100_000}, "index.json: is not"),
    "no list": ({**_oci(), "index.json": b'{"manifests": 1}'}, "no list of manifests"),
    "nothing listed": ({**_oci(), "index.json": b'{"manifests": []}'}, "holds no image"),
    "digest of a way out": (
        {**_oci(), "index.json": b'{"manifests": [{"digest": "sha256:../../x", "size": 1}]}'},
        "without a digest",
    ),
    "wrong digest of the config": (_wrong(1), "its digest is sha256:"),
    "wrong digest of a layer": (_wrong(2), "its digest is sha256:"),
    "wrong size of a layer": (_wrong(3), "bytes instead of"),
    "wrong size of the manifest": (_wrong(4), "bytes instead of"),
}


@pytest.mark.parametrize("form", ["directory", "tar"])
@pytest.mark.parametrize("case", IMAGES.values(), ids=IMAGES)
def test_broken_image(case: tuple[dict[str, bytes], str], form: str, tmp_path: Path) -> None:
    files, told = case
    with pytest.raises(InputError) as caught:
        if form == "tar":
            list(_opened(packed(files), tmp_path).trees())
        else:
            list(open_root(str(on_disk(files, tmp_path))).trees())
    assert told in caught.value.message
    assert caught.value.hint
    assert len(str(caught.value).split("\n")) == 1


def _both_ways() -> tuple[dict[str, bytes], str, str]:
    """One image as elfpack writes it, a layout and a docker-archive: its files, and the paths of
    its configuration and its layer."""
    layout = Oci()
    layer = made("a=1", "b=" + "1" * 2000)
    files = layout.done(layout.image(layer))
    (blob_,) = [name for name, raw in files.items() if raw == layer]
    (config,) = [name for name, raw in files.items() if b"architecture" in raw]
    row = {"Config": config, "RepoTags": ["a:1"], "Layers": [blob_]}
    files["manifest.json"] = json.dumps([row]).encode()
    return files, config, blob_


def test_a_tampered_layer(tmp_path: Path) -> None:
    """Not found in a file with manifest.json: to that a layer is a path, and an engine holds it
    against its diff ID when it loads it, which takes longer than all of a check. The same blob is
    found where a digest is all that names it, in a layout; and in a directory, which engines take
    for a layout only."""
    files, _, layer = _both_ways()
    files[layer] = files[layer].replace(b"1" * 2000, b"2" * 2000)
    layout = _without(files, "manifest.json")
    assert [t.name for t in _opened(packed(files), tmp_path).trees()] == ["a:1"]
    for opened in (
        _opened(packed(layout), tmp_path),
        open_root(str(on_disk(layout, tmp_path / "layout"))),
        open_root(str(on_disk(files, tmp_path / "both"))),
    ):
        with pytest.raises(InputError, match="its digest is sha256:"):
            list(opened.trees())


def test_a_tampered_configuration_in_a_docker_archive(tmp_path: Path) -> None:
    """It is read anyway, and its path tells its digest."""
    files, config, _ = _both_ways()
    files[config] += b" "
    with pytest.raises(InputError, match="its digest is sha256:"):
        list(_opened(packed(files), tmp_path).trees())


def test_walks_like_any_root() -> None:
    root = tree(made("usr/lib/x=1", "lib -> usr/lib"))
    place = Walker(root).find("/lib/../lib/x")
    assert not isinstance(place, int)
    assert place.path == "/usr/lib/x"
    assert root.node("", "y" * 300) == 36  # ENAMETOOLONG
    assert root.node("/none", "x") == 2


def test_images_close_what_they_opened(tmp_path: Path) -> None:
    gc.collect()  # what other tests left may have files open
    before = len(os.listdir("/proc/self/fd"))
    broken = _wrong(2)
    for number, files in enumerate((_oci(), broken, _without(_oci(), "blobs"))):
        opened = open_root(str(on_disk(files, tmp_path / str(number))))
        try:
            for _ in opened.trees():
                pass
        except InputError:
            pass
        opened.close()
    assert len(os.listdir("/proc/self/fd")) == before
