"""Set-id bits and file capabilities that were kept work in a container."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from tests.docker.engine import Engine, required, run
from tests.docker.packing import build, layer, need

NAME = "security.capability"
NET_BIND = struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0)
"""CAP_NET_BIND_SERVICE, permitted and effective: what an engine gives containers anyway."""
NONE = "CapEff:\t0000000000000000\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The same program four times, with other rights each."""
    build(("gcc -static -o plain {src}/rights.c",), tmp_path)
    for name in ("su", "mail", "bind"):
        (tmp_path / name).write_bytes((tmp_path / "plain").read_bytes())
        (tmp_path / name).chmod(0o755)
    try:
        os.chown(tmp_path / "mail", 12, 34)
        os.setxattr(tmp_path / "bind", NAME, NET_BIND)
    except OSError as e:
        (pytest.fail if required() else pytest.skip)(f"only root can give privileges: {e}")
    (tmp_path / "su").chmod(0o4755)
    (tmp_path / "mail").chmod(0o6755)
    os.link(tmp_path / "bind", tmp_path / "bind2")
    return tmp_path


PROGRAMS = "./plain ./su ./mail ./bind ./bind2"
KEPT = {
    "/plain": f"1000 1000 1000\n{NONE}",
    "/mail": f"1000 12 34\n{NONE}",
    "/bind": "1000 1000 1000\nCapEff:\t0000000000000400\n",
    "/bind2": "1000 1000 1000\nCapEff:\t0000000000000400\n",
}
DROPPED = dict.fromkeys(("/plain", "/su", "/mail", "/bind", "/bind2"), KEPT["/plain"])


def _said(engine: Engine, told: str, here: Path, program: str) -> str:
    with engine.imported(told, here) as image:
        outcome = image.run([], "--user", "1000:1000", "--entrypoint", program)
    assert outcome.status == 0, outcome
    return outcome.stdout.decode()


@pytest.mark.parametrize("program", DROPPED)
def test_dropped(program: str, engine: Engine, here: Path) -> None:
    told, _ = layer(PROGRAMS, "x.tar", here)
    assert _said(engine, told, here, program) == DROPPED[program]


@pytest.mark.parametrize("output", ["x.tar", "x.tar.zst", "x/"])
def test_kept(output: str, engine: Engine, here: Path) -> None:
    need("zstd")
    told, _ = layer(f"--keep-privileges {PROGRAMS}", output, here)
    for program, expected in KEPT.items():
        assert _said(engine, told, here, program) == expected
    assert _said(engine, told, here, "/su").startswith("1000 0 1000\n")


def test_umoci_restores_them(here: Path) -> None:
    need("umoci")
    layer(f"--keep-privileges {PROGRAMS}", "x.tar", here)
    for line in (
        "umoci init --layout image",
        "umoci new --image image:1",
        "umoci raw add-layer --image image:1 x.tar",
        "umoci unpack --image image:1 bundle",
    ):
        done = run(line.split(), here)
        assert done.status == 0, f"{line}: {done}"
    rootfs = here / "bundle/rootfs"
    for name in ("bind", "bind2"):
        assert os.getxattr(rootfs / name, NAME) == NET_BIND
    modes = {name: (rootfs / name).stat() for name in ("su", "mail")}
    assert {n: (s.st_mode & 0o7777, s.st_uid, s.st_gid) for n, s in modes.items()} == {
        "su": (0o4755, 0, 0),
        "mail": (0o6755, 12, 34),
    }
