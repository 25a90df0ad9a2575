"""Whoever unpacks a layer finds the names, owners and sizes that are in the plan."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from elfpack.blob import Blob, BytesSource, from_bytes
from elfpack.pack.output import write
from elfpack.pack.tar import members
from elfpack.paths import encode, sort_key
from elfpack.planning.entry import Directory, Entry, HardLink, Plan, Reason, Regular, Symlink
from tests.docker.engine import Engine, run
from tests.docker.packing import need

WHY = Reason("added")
NAMES = (
    *("short", "n" * 99, "m" * 100, "o" * 101, "p" * 254, "with space", "-dash", "new\nline"),
    *("d" * 150 + "/" + "f" * 100, "/".join(["e" * 200] * 4) + "/" + "g" * 200),
    *("\N{SNOWMAN}", "\N{SNOWMAN}" + "q" * 200, "\udcff", "\udcfe" + "r" * 200),
)


def _plan() -> Plan:
    """Each name as a file, a symbolic and a hard link; owners that have no room in octal."""
    entries: dict[str, Entry] = {}
    for name in NAMES:
        path = f"/{name}"
        entries[path] = Regular(path=path, reason=WHY, blob=from_bytes(b"data", path))
        for end, made in (
            ("s", Symlink(path=path + "s", reason=WHY, target=name)),
            ("h", HardLink(path=path + "h", reason=WHY, target=path, mode=0o644, identity=(1, 1))),
        ):
            entries[path + end] = made
        for part in range(2, len(path.split("/"))):
            above = "/".join(path.split("/")[:part])
            entries[above] = Directory(path=above, reason=WHY)
    entries["/rich"] = Directory(path="/rich", reason=WHY, mode=0o1777, owner=(4000000, 2**32 - 2))
    return Plan(entries=tuple(entries[p] for p in sorted(entries, key=sort_key)), programs=())


def _is_whole(top: Path) -> None:
    """Whether all of the plan is below a directory, and nothing else."""
    expected = {encode(entry.path): entry for entry in _plan().entries}
    start = os.fsencode(top)
    found = {
        os.path.join(above, name)[len(start) :]
        for above, directories, files in os.walk(start)
        for name in (*directories, *files)
    }
    assert found == set(expected)
    for path, entry in expected.items():
        if isinstance(entry, Symlink):
            assert os.readlink(start + path) == encode(entry.target)
        elif isinstance(entry, (Regular, HardLink)):
            assert Path(os.fsdecode(start + path)).read_bytes() == b"data"
            assert os.stat(start + path).st_nlink == 2
    rich = (top / "rich").stat()
    assert (rich.st_mode & 0o7777, rich.st_uid, rich.st_gid) == (0o1777, 4000000, 2**32 - 2)


READERS = ("tar -xpf", "bsdtar -xpf", "busybox tar -xpf")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
@pytest.mark.parametrize("reader", READERS)
def test_any_name(reader: str, locale: str, tmp_path: Path) -> None:
    need(reader.split()[0])
    write(_plan(), f"{tmp_path}/x.tar")
    (tmp_path / "top").mkdir()
    words = [*reader.split(), "../x.tar"]
    done = run(words, tmp_path / "top", {**os.environ, "LC_ALL": locale})
    assert done.status == 0 or b"can't be converted" in done.stderr, done
    _is_whole(tmp_path / "top")


def test_any_name_by_umoci(tmp_path: Path) -> None:
    need("umoci")
    write(_plan(), f"{tmp_path}/x.tar")
    for line in (
        "umoci init --layout image",
        "umoci new --image image:1",
        "umoci raw add-layer --image image:1 x.tar",
        "umoci unpack --image image:1 bundle",
    ):
        done = run(line.split(), tmp_path)
        assert done.status == 0, f"{line}: {done}"
    _is_whole(tmp_path / "bundle/rootfs")


def test_any_name_by_the_engine(engine: Engine, tmp_path: Path) -> None:
    write(_plan(), f"{tmp_path}/x.tar")
    (tmp_path / "top").mkdir()
    with engine.imported("docker import x.tar names", tmp_path) as image:
        made = run(["docker", "create", image.name, "/none"], tmp_path)
        container = made.stdout.decode().strip()
        try:
            exported = run(["docker", "export", container], tmp_path)
        finally:
            run(["docker", "rm", container], tmp_path)
    # The engine adds what it mounts in each container.
    added = ("./dev", "./proc", "./sys", "./etc", "./.dockerenv", "dev", "proc", "sys", "etc")
    words = ["tar", "-xpf", "-", *(f"--exclude={name}" for name in (*added, ".dockerenv"))]
    done = run(words, tmp_path / "top", stdin=exported.stdout)
    assert done.status == 0, done
    _is_whole(tmp_path / "top")


@pytest.mark.parametrize("size", [5 << 30, 8**11, 9 << 30])
@pytest.mark.parametrize("reader", ["tar -tvf -", "bsdtar -tvf -", "busybox tar -tvf -"])
def test_any_size(reader: str, size: int, tmp_path: Path) -> None:
    """By the header: nobody waits for the content."""
    need(reader.split()[0])
    blob = Blob(size, lambda: BytesSource(b""), "large")
    plan = Plan(entries=(Regular(path="/large", reason=WHY, blob=blob),), programs=())
    headers = b"".join(piece for piece in members(plan) if isinstance(piece, bytes))
    done = subprocess.run(reader.split(), input=headers, capture_output=True, check=False)
    assert f" {size} ".encode() in done.stdout
