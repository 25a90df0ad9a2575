"""What a check reads: counts of opens, reads and bytes, never times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from elfpack import check
from elfpack.blob import Source
from elfpack.checking import check as check_tree
from elfpack.checking.probe import probe
from elfpack.root.archived import ArchiveRoot
from elfpack.root.node import Node
from elfpack.root.streams import Forward
from elfpack.root.tree import TreeRoot
from tests.unit.test_archive import Oci, packed
from tests.unit.test_tar_index import info, tar
from tests.worlds import GLIBC, World, content_of, elf_of, tree

LIBC = {"/lib64/libc.so.6": "lib soname=libc.so.6 defines=GLIBC_2.2.5,GLIBC_2.34"}
WORLD: World = {
    **GLIBC,
    **LIBC,
    "/bin/app": "exe needs=liba.so,libc.so.6 versions=libc.so.6:GLIBC_2.34",
    "/bin/two": "exe needs=liba.so,libc.so.6 versions=libc.so.6:GLIBC_2.34",
    "/lib64/liba.so": "lib soname=liba.so needs=libc.so.6 versions=libc.so.6:GLIBC_2.2.5",
    "/lib64/plugins/p.so": "lib needs=libc.so.6,liba.so",
    "/etc/nsswitch.conf": "text passwd: files\\nhosts: files dns\\n",
    "/usr/share/text": "text words",
}
BIG = 4 << 20


class Reads:
    """Bytes and calls of ``os.pread``."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        before = os.pread

        def counted(fd: int, size: int, offset: int) -> bytes:
            found = before(fd, size, offset)
            self.sizes.append(len(found))
            return found

        patch.setattr(os, "pread", counted)

    @property
    def bytes(self) -> int:
        return sum(self.sizes)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


class Counted:
    """A root that counts what is opened, and what is read of it."""

    def __init__(self, root: TreeRoot) -> None:
        self._root = root
        self.label = root.label
        self.node, self.entries, self.capabilities = root.node, root.entries, root.capabilities
        self.opened: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()

    def open(self, directory: str, name: str, node: Node) -> Source:
        path = f"{directory}/{name}"
        self.opened[path] += 1
        return _CountedSource(self._root.open(directory, name, node), path, self.reads)


class _CountedSource:
    def __init__(self, source: Source, path: str, reads: Counter[str]) -> None:
        self._source, self._path, self._reads = source, path, reads
        self.size, self.changed, self.close = source.size, source.changed, source.close

    def pread(self, size: int, offset: int) -> bytes:
        self._reads[self._path] += 1
        return self._source.pread(size, offset)


def test_each_file_is_opened_once() -> None:
    """However many programs load it. A loader is known by its bytes; what is no ELF file, by the
    first."""
    root = Counted(tree(WORLD))
    assert check_tree(root).findings == ()
    assert root.opened.pop("/etc/nsswitch.conf") == 2
    loader = "/lib64/ld-linux-x86-64.so.2"
    assert root.opened.pop("/usr/share/text") == 1
    assert root.opened.pop(loader) == 2
    assert max(root.opened.values()) == 1, root.opened
    assert root.opened["/bin/app"] == root.opened["/bin/two"]
    assert max(root.reads.values()) <= 12, root.reads
    more = {f"/bin/p{n}": WORLD["/bin/app"] for n in range(40)}
    again = Counted(tree({**WORLD, **more}))
    assert check_tree(again).findings == ()
    assert all(again.opened[path] == count for path, count in root.opened.items())


def test_what_is_intact_loads_no_module_of_a_plan(tmp_path: Path) -> None:
    """Nor what only images need, nor what only compressed archives do."""
    path = tmp_path / "root.tar"
    path.write_bytes(tar_of(WORLD))
    script = (
        "import sys, elfpack; assert not elfpack.check(sys.argv[1]).findings; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, path], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    parts = {name.split(".")[1] for name in loaded if name.startswith("elfpack.")}
    assert not parts & {"planning", "pack", "runtime", "cli", "report"}
    assert not {"json", "hashlib", "tarfile", "pathlib", "lzma", "zstandard"} & {*loaded}


def test_data_is_passed_over(reads: Reads, tmp_path: Path) -> None:
    """Of a tar the headers are read, and what is ELF."""
    raw = tar_of(WORLD, *[(f"usr/share/data{n}", os.urandom(BIG)) for n in range(4)])
    path = tmp_path / "root.tar"
    path.write_bytes(raw)
    assert check(path).findings == ()
    assert reads.bytes < 200_000, "most of it near the ELF files"


@pytest.fixture
def layout(tmp_path: Path) -> dict[str, bytes]:
    """The files of an image with a large layer, as a layout and as a docker-archive."""
    layer = tar_of(WORLD, ("usr/share/data", os.urandom(BIG)))
    made = Oci()
    files = made.done(made.image(layer))
    (blob,) = [name for name, raw in files.items() if raw == layer]
    (config,) = [name for name, raw in files.items() if b"architecture" in raw]
    row = {"Config": config, "RepoTags": ["a:1"], "Layers": [blob]}
    return {**files, "manifest.json": json.dumps([row]).encode()}


def test_a_layout_is_read_once(reads: Reads, layout: dict[str, bytes], tmp_path: Path) -> None:
    """For its digest; the headers once more."""
    del layout["manifest.json"]
    path = tmp_path / "image.tar"
    path.write_bytes(packed(layout))
    report = check(path)
    assert (report.findings, len(report.trees)) == ((), 1)
    assert path.stat().st_size <= reads.bytes < path.stat().st_size + 300_000


def test_of_a_docker_archive_data_is_passed_over(
    reads: Reads, layout: dict[str, bytes], tmp_path: Path
) -> None:
    """Though it is a layout, too: of two manifests one is enough."""
    path = tmp_path / "image.tar"
    path.write_bytes(packed(layout))
    report = check(path)
    assert (report.findings, len(report.trees)) == ((), 1)
    assert reads.bytes < 250_000


def test_a_layer_of_two_images_is_read_once(reads: Reads, tmp_path: Path) -> None:
    layer = tar_of(WORLD, ("usr/share/data", os.urandom(BIG)))
    layout = Oci()
    images = [layout.image(layer, layer, Cmd=[name]) for name in ("/bin/app", "/bin/two")]
    path = tmp_path / "image.tar"
    path.write_bytes(packed(layout.done(*images)))
    report = check(path)
    assert (report.findings, len(report.trees)) == ((), 2)
    assert reads.bytes < path.stat().st_size + 600_000


def test_ten_times_the_members(reads: Reads, tmp_path: Path) -> None:
    counts = []
    for number in (1000, 10_000):
        path = tmp_path / f"{number}.tar"
        path.write_bytes(tar_of({}, *[(f"d{n // 100}/f{n}", b"text") for n in range(number)]))
        reads.sizes.clear()
        assert check(path).findings == ()
        counts.append((len(reads.sizes), reads.bytes))
    assert counts[1][0] <= 11 * counts[0][0]
    assert counts[1][1] <= 11 * counts[0][1]


@pytest.mark.parametrize("size", [BIG, 72 << 20])
def test_what_is_compressed_is_decompressed_once(size: int) -> None:
    """Also where a large ELF file has its tables behind its first page."""
    begun = []
    versions = ",".join(f"V{n}" for n in range(600))
    large = elf_of(f"lib soname=l.so needs=libc.so.6 defines={versions}") + bytes(size)
    raw = tar_of(WORLD, ("usr/lib/l.so", large), ("usr/lib/z", b"z"))

    def begin() -> Iterator[bytes]:
        begun.append(True)
        return (raw[at : at + (1 << 20)] for at in range(0, len(raw), 1 << 20))

    root = ArchiveRoot("x.tar.gz", probe)
    root.add_layer(Forward(begin), "x.tar.gz")
    checked = check_tree(root)
    assert (checked.findings, checked.counts.libraries) == ((), 5)
    assert len(begun) == 1


def test_a_stream_is_not_kept() -> None:
    """What passed by is forgotten, but for what is held; small pieces are put together."""
    pieces = [bytes([n % 256]) * 1000 for n in range(20_000)]
    stream = Forward(lambda: iter(pieces))
    stream.pread(1, 19_000_000)
    assert _held(stream) < (1 << 20) + (1 << 17)
    assert len(stream._window) < 40
    stream.hold(19_500_000)
    raw = stream.pread(10, 19_999_990)
    assert raw == b"".join(pieces)[-10:]
    assert stream.pread(2, 19_500_999 - 1000) == b"".join(pieces)[19_499_999:][:2]
    stream.release()


def _held(stream: Forward) -> int:
    return sum(map(len, stream._window))


def tar_of(world: World, *more: tuple[str, bytes]) -> bytes:
    rows = [(path[1:], *content_of(spec)) for path, spec in world.items()]
    rows += [(name, raw, 0o644) for name, raw in more]
    return tar(*[(info(name, mode=mode), raw) for name, raw, mode in rows])
