"""No module puts passwords or private keys into an image, wherever the links of a root lead."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli import elfpack, well_spoken
from tests.contract.tree import LIBC, Content, library, members, program, system
from tests.unit.test_runtime_tz import ZONE

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUA\n" * 3
SECRETS: dict[str, Content] = {"/etc/shadow": "root:$6$x:1::::::\n", "/root/.ssh/id": KEY}
BODIES = {b"root:$6$x", KEY.encode()}


@dataclass(frozen=True)
class Case:
    name: str
    files: dict[str, Content]
    options: tuple[str, ...] = ()
    imports: tuple[str, ...] = ("getaddrinfo",)
    told: tuple[str, ...] = field(default=())


CASES = [
    Case(
        "services",
        {"/etc/services": "-> shadow"},
        told=("passwords or keys of accounts", "/etc/shadow"),
    ),
    Case("gai.conf", {"/etc/gai.conf": "-> /root/.ssh/id"}, told=("private key",)),
    Case("nsswitch.conf", {"/etc/nsswitch.conf": "-> shadow"}, ("--with", "nss=host")),
    Case("a file that is the key itself", {"/etc/services": KEY}, told=("private key",)),
    Case(
        "links out of the time zones",
        {
            "/usr/share/zoneinfo/UTC": ZONE,
            "/usr/share/zoneinfo/top": "-> /",
            "/usr/share/zoneinfo/up": "-> ../..",
            "/usr/share/zoneinfo/shadow": "-> /etc/shadow",
        },
        ("--with", "tz"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_secrets_stay(case: Case, tmp_path: Path) -> None:
    files = {**SECRETS, "/app": program(LIBC, imports=case.imports), **case.files}
    root = system(tmp_path / "root", files)
    ran = elfpack("layer", "--root", root, "/app", *case.options, "-o", tmp_path / "x.tar")
    well_spoken(ran)
    assert ran.status == 0, ran.err
    raw = (tmp_path / "x.tar").read_bytes()
    assert not [body for body in BODIES if body in raw]
    warnings = "\n".join(ran.said("warning"))
    assert all(word in warnings for word in case.told), warnings
    assert not {"/etc/shadow", "/root/.ssh/id"} & set(members(raw))


def test_a_second_name_of_the_passwords(tmp_path: Path) -> None:
    root = system(tmp_path / "root", {**SECRETS, "/app": program(LIBC), "/srv/x": "x"})
    os.link(root / "etc/shadow", root / "srv/copy")
    (root / "srv/shadow.bak").write_text("x")
    (root / "srv/app.keytab").write_text("x")
    names = ("x", "copy", "shadow.bak", "app.keytab")
    log = "".join(f'1 openat(AT_FDCWD, "/srv/{n}", O_RDONLY) = 3\n' for n in names)
    (root / "log").write_text(log)
    ran = elfpack(
        "layer", "--root", root, "/app", "--with", "strace=/log", "-o", tmp_path / "x.tar"
    )
    assert ran.status == 0, ran.err
    found = members((tmp_path / "x.tar").read_bytes())
    assert [name for name in found if name.startswith("/srv/")] == ["/srv/x"]


def test_a_traced_file_behind_links_that_a_module_makes(tmp_path: Path) -> None:
    """As /etc/localtime is in any traced program that knows the time."""
    root = system(
        tmp_path / "root",
        {
            "/app": program(LIBC, imports=["getpwnam"]),
            "/etc/nsswitch.conf": "-> authselect/nsswitch.conf",
            "/etc/authselect/nsswitch.conf": "passwd: sss\n",
            "/usr/share/zoneinfo/UTC": ZONE,
            "/usr/share/zoneinfo/Etc/UTC": ZONE,
            "/etc/localtime": "-> /usr/share/zoneinfo/Etc/UTC",
        },
    )
    names = ("/etc/nsswitch.conf", "/etc/localtime")
    (root / "log").write_text("".join(f'1 openat(AT_FDCWD, "{n}", O_RDONLY) = 3\n' for n in names))
    options = ("--with", "strace=/log", "--with", "tz=UTC")
    ran = elfpack("layer", "--root", root, "/app", *options, "-o", tmp_path / "x.tar")
    assert ran.status == 0, ran.err
    with tarfile.open(tmp_path / "x.tar") as archive:
        text = archive.extractfile("etc/nsswitch.conf")
        assert text is not None
        assert b"files" in text.read()
        assert archive.getmember("etc/localtime").linkname == "/usr/share/zoneinfo/UTC"


def test_words_that_steer_a_terminal(tmp_path: Path) -> None:
    note = b'[{"soname":["libn.so"],"feature":"\\ud800\\udc1b\\u001b[2J\\ud800"}]'
    files: dict[str, Content] = {
        "/app": program(LIBC, notes=[("FDO", 0x407C0C0A, note)]),
        "/lib/libn.so": library("libn.so"),
    }
    root = system(tmp_path / "root", files)
    ran = elfpack("layer", "--root", root, "/app", "--dry-run")
    well_spoken(ran)
    assert ran.status == 0, ran.err
