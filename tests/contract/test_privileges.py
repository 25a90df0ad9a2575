"""Set-id bits and file capabilities: dropped with a warning, or kept as they are."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import pytest

from tests.cli import elfpack, one_error, well_spoken
from tests.contract.tree import library, members, plant, program, somebody, static, system

NAME = "security.capability"
RECORD = f"SCHILY.xattr.{NAME}"


def capability(number: int) -> bytes:
    """struct vfs_cap_data, revision 2: permitted and effective."""
    low, high = 1 << number & 0xFFFFFFFF, 1 << number >> 32
    return struct.pack("<5I", 0x02000001, low, 0, high, 0)


CAP_NET_RAW = capability(13)
# Every bit set: no text in any encoding.
CAP_ALL = struct.pack("<5I", 0x02000001, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    """Programs with privileges, one under two names."""
    plant(tmp_path, dict.fromkeys(("su", "mail", "ping", "all", "plain"), static()))
    try:
        os.chown(tmp_path / "mail", 12, 34)
        os.setxattr(tmp_path / "ping", NAME, CAP_NET_RAW)
        os.setxattr(tmp_path / "all", NAME, CAP_ALL)
    except OSError as e:
        pytest.skip(f"only root can give privileges: {e}")
    (tmp_path / "su").chmod(0o4755)
    (tmp_path / "mail").chmod(0o2755)
    os.link(tmp_path / "ping", tmp_path / "ping6")
    return tmp_path


ALL = ("./su", "./mail", "./ping", "./ping6", "./all", "./plain")
KEPT = {
    "/su": (0o4755, 0, 0, None),
    "/mail": (0o2755, 12, 34, None),
    "/ping": (0o755, 0, 0, CAP_NET_RAW),
    "/ping6": (0o755, 0, 0, CAP_NET_RAW),
    "/all": (0o755, 0, 0, CAP_ALL),
    "/plain": (0o755, 0, 0, None),
}
DROPPED = dict.fromkeys(KEPT, (0o755, 0, 0, None))
Privileges = tuple[int, int, int, bytes | None]


def _of_tar(raw: bytes) -> dict[str, Privileges]:
    found: dict[str, Privileges] = {}
    for path, member in members(raw).items():
        text = member.pax_headers.get(RECORD)
        value = text.encode("utf-8", "surrogateescape") if text is not None else None
        found[path] = (member.mode, member.uid, member.gid, value)
    return found


def _of_tree(top: Path) -> dict[str, Privileges]:
    found: dict[str, Privileges] = {}
    for path in top.iterdir():
        seen = path.stat()
        value = os.getxattr(path, NAME) if NAME in os.listxattr(path) else None
        found[f"/{path.name}"] = (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid, value)
    return found


def test_dropped(here: Path) -> None:
    ran = elfpack("layer", *ALL, "-o", "x.tar", cwd=here)
    assert ran.status == 0
    assert _of_tar((here / "x.tar").read_bytes()) == DROPPED
    advice = "(--keep-privileges keeps them)"
    assert sorted(ran.said("warning")) == [
        f"/all: its file capabilities are dropped {advice}",
        f"/mail: its setuid or setgid bits are dropped {advice}",
        f"/ping: its file capabilities are dropped {advice}",
        f"/su: its setuid or setgid bits are dropped {advice}",
    ]


@pytest.mark.parametrize("output", ["x.tar", "x/"])
def test_kept(output: str, here: Path) -> None:
    ran = elfpack("layer", "--keep-privileges", *ALL, "-o", output, cwd=here)
    assert ran.status == 0
    tree = output.endswith("/")
    found = _of_tree(here / "x") if tree else _of_tar((here / "x.tar").read_bytes())
    assert found == KEPT
    assert ran.said("warning") == []
    assert sorted(ran.said("note"))[:4] == [
        "/all: keeps its file capabilities",
        "/mail: keeps its setuid or setgid bit, and its owner 12:34",
        "/ping: keeps its file capabilities",
        "/su: keeps its setuid or setgid bit",
    ]
    if tree:
        options = "--xattrs --xattrs-include=security.capability --hard-dereference"
        assert f"tar {options} -C x/ -c . |" in ran.err[-1]


def test_a_tree_without_root(here: Path) -> None:
    """What its user could set would be privileges of that user."""
    arguments = ("layer", "--keep-privileges", *ALL, "-o", "x/")
    ran = elfpack(*arguments, cwd=here, before=somebody())
    assert ran.status == 0, ran.err
    assert _of_tree(here / "x") == dict.fromkeys(KEPT, (0o755, 12345, 12345, None))
    assert ran.said("warning") == [
        "x/: the privileges of /all, /mail, /ping, /su are not kept (run as root, or write a tar)"
    ]


def test_a_set_id_program_is_looked_up_as_such(tmp_path: Path) -> None:
    """Its loader ignores LD_LIBRARY_PATH, and will do so in the image."""
    top = system(
        tmp_path / "root",
        {"/su": program("libx.so", "libc.so.6"), "/opt/libx.so": library("libx.so", "libc.so.6")},
    )
    (top / "su").chmod(0o4755)
    words = ("layer", "-q", "--root", top, "--library-path", "/opt", "/su", "-o", "x.tar")
    assert elfpack(*words, cwd=tmp_path).status == 0, "as a plain program"
    ran = elfpack(*words, "--keep-privileges", cwd=tmp_path)
    assert "libx.so" in one_error(ran, 1, "/su")
    plant(top, {"/lib/libx.so": library("libx.so", "libc.so.6")})
    ran = elfpack(*words, "--keep-privileges", cwd=tmp_path)
    well_spoken(ran)
    assert ran.status == 0, ran.err
    found = members((tmp_path / "x.tar").read_bytes())
    assert "/lib/libx.so" in found
    assert "/opt/libx.so" not in found
    assert found["/su"].mode == 0o4755
