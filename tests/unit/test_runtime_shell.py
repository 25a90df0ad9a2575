"""The runtime module ``shell``, and the applets of a busybox by its bytes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from elfpack.blob import BytesSource
from elfpack.elf.busybox import read_applets
from elfpack.errors import InputError
from elfpack.runtime.module import AddLink, Hint
from elfpack.runtime.shell import Shell
from tests.elfbuild import elf
from tests.smallview import SmallView, Thing, shown

BANNER = b"\0BusyBox v1.35.0 (Debian)\0"


def _table(*names: str) -> bytes:
    return b"".join(name.encode() + b"\0" for name in names) + b"\0"


NAMES = (
    "[",
    "[[",
    "ash",
    "busybox",
    "cat",
    "fsck.minix",
    "ls",
    "mkfs.ext2",
    "sh",
    "start-stop-daemon",
)


@dataclass(frozen=True)
class Bytes:
    name: str
    content: bytes
    applets: tuple[str, ...]


TABLES = [
    Bytes("a table", BANNER + _table(*NAMES), NAMES),
    Bytes("no banner", _table(*NAMES), ()),
    Bytes("no table", BANNER + b"one applet alone\0", ()),
    Bytes("two applets", BANNER + _table("ash", "sh"), ("ash", "sh")),
    Bytes(
        "words before it, and behind it",
        BANNER + _table("words", "xyz")[:-1] + _table(*NAMES)[:-1] + b"a\0bc\0",
        NAMES,
    ),
    Bytes("what is no name before it", BANNER + b"A B\x80" + _table(*NAMES), NAMES),
    Bytes("a name as no applet has", BANNER + b"0\0-\0.\0" + _table(*NAMES) + b"Zz\0", NAMES),
    Bytes(
        "a longer list of other words",
        BANNER + _table(*(f"w{n:04}" for n in range(999))) + b"\1" + _table(*NAMES),
        NAMES,
    ),
    Bytes("nothing", b"", ()),
    Bytes("one long word", BANNER + b"a" * 100_000, ()),
]


@pytest.mark.parametrize("row", TABLES, ids=lambda row: row.name)
def test_applets(row: Bytes) -> None:
    assert read_applets(BytesSource(row.content)) == row.applets


BUSYBOX = elf(type=2, content=BANNER + _table("ash", "busybox", "ls", "sh"))
DASH = elf(type=2)


@dataclass(frozen=True)
class Case:
    name: str
    files: dict[str, str | bytes]
    additions: list[str]
    path: str = "/bin/busybox"


CASES = [
    Case(
        "busybox",
        {"/bin/busybox": BUSYBOX},
        [
            "program /bin/busybox",
            *(f"link /bin/{name} -> /bin/busybox" for name in ("ash", "ls", "sh")),
        ],
    ),
    Case(
        "/bin is a link",
        {"/usr/bin/busybox": BUSYBOX, "/bin": "-> usr/bin"},
        [
            "program /bin/busybox",
            *(f"link /bin/{name} -> /bin/busybox" for name in ("ash", "ls", "sh")),
        ],
    ),
    Case(
        "somewhere else",
        {"/opt/bb": BUSYBOX},
        [
            "program /opt/bb",
            *(f"link /bin/{name} -> /opt/bb" for name in ("ash", "busybox", "ls", "sh")),
        ],
        "/opt/bb",
    ),
    Case(
        "by one of its links",
        {"/bin/sh": "-> /opt/bb", "/opt/bb": BUSYBOX},
        [
            "program /bin/sh",
            *(f"link /bin/{name} -> /opt/bb" for name in ("ash", "busybox", "ls")),
        ],
        "/bin/sh",
    ),
    Case(
        "another shell",
        {"/bin/dash": DASH},
        ["program /bin/dash", "link /bin/sh -> /bin/dash", "hint shell-alone /bin/dash"],
        "/bin/dash",
    ),
    Case(
        "another shell as sh",
        {"/bin/dash": DASH, "/bin/sh": "-> dash"},
        ["program /bin/sh", "hint shell-alone /bin/sh"],
        "/bin/sh",
    ),
    Case("a root that has none", {}, ["fault /bin/busybox"]),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_shell(case: Case) -> None:
    shell = Shell()
    view = SmallView((Thing("/app"),), files=case.files)
    made = list(shell.propose(view, (shell.parse(case.path),)))
    assert shown(made) == case.additions
    assert all(link.yields for link in made if isinstance(link, AddLink))


REFUSED = [
    ("a text", "text"),
    ("a script", "#!/bin/sh\n"),
    ("a library", elf(soname="libx.so")),
    ("an object file", elf(type=1)),
    ("a broken file", b"\x7fELF\2\1\1"),
    ("of another machine", elf(type=2, machine=183)),
    ("nothing in it", ""),
]


@pytest.mark.parametrize(("name", "content"), REFUSED, ids=lambda value: str(value)[:20])
def test_what_is_no_shell(name: str, content: str | bytes) -> None:
    view = SmallView((Thing("/app"),), files={"/bin/x": content})
    with pytest.raises(InputError, match=r"is no ELF program|is a program for aarch64, not for"):
        list(Shell().propose(view, ("/bin/x",)))


def test_a_directory_is_no_shell() -> None:
    with pytest.raises(InputError, match="is no ELF program"):
        list(Shell().propose(SmallView(files={"/bin/x": ""}), ("/bin",)))


def test_not_asked_for() -> None:
    assert list(Shell().propose(SmallView(files={"/bin/busybox": BUSYBOX}), None)) == []


def test_a_shell_alone_is_told() -> None:
    hint = list(Shell().propose(SmallView(files={"/bin/dash": DASH}), ("/bin/dash",)))[-1]
    assert isinstance(hint, Hint)
    assert "busybox" in hint.advice


@pytest.mark.parametrize("value", ["/bin/busybox", "//bin/./busybox", "/bin/busybox/"])
def test_takes_paths(value: str) -> None:
    assert Shell().parse(value) == "/bin/busybox"


@pytest.mark.parametrize("value", ["", "/", "busybox", "bin/sh", "/bin/../sh", "/a\0b", "./sh"])
def test_refuses(value: str) -> None:
    with pytest.raises(ValueError, match="name the path of a shell"):
        Shell().parse(value)
