"""The runtime module ``strace`` by a view that is a plain small class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from elfpack.errors import InputError
from elfpack.runtime.module import AddFile, Addition, AddLink, Hint
from elfpack.runtime.strace import Strace
from tests.elfbuild import elf
from tests.smallview import SmallView, Thing, shown

LOG = "/work/LOG"
KEY = "-----BEGIN {}PRIVATE KEY{}-----\nMIIEvQ==\n"
_OWN = "hint strace-left-out LOG"


@dataclass(frozen=True)
class Case:
    name: str
    log: str
    additions: list[str]
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()


def _opened(*paths: str) -> str:
    return "".join(f'1 openat(AT_FDCWD, "{path}", O_RDONLY) = 3\n' for path in paths)


def _view(case: Case) -> SmallView:
    files = {**case.files, LOG: case.log, "/work/here": ""}
    return SmallView(
        (Thing("/usr/bin/app"), Thing("/lib/libc.so.6", role="library")),
        (2, 36),
        files,
        (),
        case.exclude,
    )


def _made(case: Case) -> list[Addition]:
    return list(Strace().propose(_view(case), ("LOG",)))


CASES = [
    Case("a file", _opened("/etc/app.conf"), ["file /etc/app.conf"], {"/etc/app.conf": "x"}),
    Case(
        "what the closures have is theirs",
        '1 execve("/usr/bin/app", ["app"], 0x7f) = 0\n'
        + _opened("/lib/libc.so.6", "/lib/../lib/libc.so.6"),
        [],
        {"/usr/bin/app": elf(type=2), "/lib/libc.so.6": elf()},
    ),
    Case(
        "a library that was opened",
        _opened("/opt/p.so"),
        ["program /opt/p.so"],
        {"/opt/p.so": elf(soname="p.so")},
    ),
    Case(
        "of another machine, an object file, a broken one: data",
        _opened("/opt/p.so", "/opt/p.o", "/opt/p"),
        ["file /opt/p.so", "file /opt/p.o", "file /opt/p"],
        {"/opt/p.so": elf(machine=183), "/opt/p.o": elf(type=1), "/opt/p": b"\x7fELF"},
    ),
    Case(
        "a program and a script that were executed",
        '1 execve("/bin/a", ["a"], 0x7f) = 0\n1 execve("/bin/s", ["s"], 0x7f) = 0\n',
        ["program /bin/a", "program /bin/s"],
        {"/bin/a": elf(type=2), "/bin/s": "#!/bin/sh\n"},
    ),
    Case(
        "a script that was read is data", _opened("/bin/s"), ["file /bin/s"], {"/bin/s": "#!/x\n"}
    ),
    Case(
        "looked at, then opened: one file",
        '1 stat("/a/f", {}) = 0\n' + _opened("/a/f"),
        ["file /a/f"],
        {"/a/f": ""},
    ),
    Case(
        "a directory",
        _opened("/a") + '1 stat("/", {}) = 0\n1 stat("/a/", {}) = 0\n',
        ["dir /a 755 (0, 0)"],
        {"/a/f": ""},
    ),
    Case(
        "a directory that it wrote to",
        '1 open("/var/lib/app/out", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3\n',
        ["dir /var/lib/app 755 (0, 0)"],
        {"/var/lib/app/out": ""},
    ),
    Case(
        "a temporary file that it wrote",
        '1 open("/tmp/out", O_RDWR|O_CREAT|O_EXCL, 0600) = 3\n',
        ["dir /tmp 1777 (0, 0)"],
        {"/tmp/out": ""},
    ),
    Case(
        "a link that was read, and one that was followed",
        '1 readlink("/a/l", "f", 99) = 1\n1 lstat("/a/f", {}) = 0\n' + _opened("/a/m"),
        ["link /a/l -> f", "file /a/f", "file /a/m"],
        {"/a/f": "", "/a/l": "-> f", "/a/m": "-> f"},
    ),
    Case(
        "from the working directory",
        _opened("data"),
        ["file /work/data", "hint strace-relative LOG"],
        {"/work/data": ""},
    ),
    Case(
        "from where the log says that it began",
        _opened("data") + '1 getcwd("/srv", 4096) = 5\n',
        ["file /srv/data"],
        {"/work/data": "", "/srv/data": ""},
    ),
    Case(
        "after chroot() to what is a directory here",
        '1 chroot("/r") = 0\n' + _opened("/a"),
        ["file /r/a"],
        {"/r/a": "", "/a": ""},
    ),
    Case(
        "after chroot() to what is the root here",
        '1 chroot("/srv/r") = 0\n' + _opened("/a"),
        ["file /a"],
        {"/a": ""},
    ),
    Case(
        "excluded paths",
        _opened("/a/x.pyc", "/a/y"),
        ["file /a/y"],
        {"/a/x.pyc": "", "/a/y": ""},
        ("*/*.pyc", "y"),
    ),
    Case("gone by now", _opened("/a/b"), ["hint strace-gone LOG"]),
    Case(
        "a directory that the log does not tell",
        '1 openat(7, "b", O_RDONLY) = 3\n',
        ["hint strace-unclear LOG"],
    ),
    Case(
        "all names failed",
        '1 open("/a", O_RDONLY) = -1 ENOENT (No such file or directory)\n',
        [],
    ),
    Case(
        "a link into what is left out",
        _opened("/etc/mine", "/opt/../proc/x"),
        [_OWN],
        {"/etc/mine": "-> /root/mine", "/root/mine": ""},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_additions(case: Case) -> None:
    assert shown(_made(case)) == case.additions
    assert shown(_made(case)) == case.additions, "once more"


LEFT_OUT = [
    *("/proc/self/maps", "/sys/kernel/x", "/dev/null", "/run/x.sock", "/var/run/x"),
    *("/tmp/x", "/var/tmp/x", "/root/.netrc", "/home/me/x", "/etc/ld.so.cache"),
    *("/etc/ld.so.preload", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/mtab"),
    *("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/shadow-"),
]


@pytest.mark.parametrize("path", LEFT_OUT)
def test_left_out(path: str) -> None:
    (hint,) = _made(Case("", _opened(path), [], {path: "x"}))
    assert isinstance(hint, Hint)
    assert hint.code == "strace-left-out"
    assert hint.message.startswith("left out: 1 ")
    assert path in hint.message


KEYS = [
    ("PKCS 8", KEY.format("", ""), True),
    ("of a kind", KEY.format("RSA ", ""), True),
    ("OpenSSH, behind a certificate", "x\n" + KEY.format("OPENSSH ", ""), True),
    ("lines of Windows", KEY.format("EC ", "").replace("\n", "\r\n"), True),
    ("PGP", KEY.format("PGP ", " BLOCK"), True),
    ("in JSON", '{"key": "' + KEY.format("", "").replace("\n", "\\n") + "A" * 60 + '"}', False),
    (
        "in JSON, as it is",
        '{"key": "-----BEGIN PRIVATE KEY-----\\n'
        + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwgg" * 2
        + '"}',
        True,
    ),
    ("indented", "key: |\n  -----BEGIN PRIVATE KEY-----\n  " + "A" * 64 + "\n", True),
    ("a certificate", "-----BEGIN CERTIFICATE-----\nMIIE\n", False),
    ("a public key", "-----BEGIN PUBLIC KEY-----\nMIIE\n", False),
    ("a program that writes keys", 'HEAD = "-----BEGIN RSA PRIVATE KEY-----"\nFOOT = "x"\n', False),
]


@pytest.mark.parametrize(("name", "content", "secret"), KEYS, ids=lambda value: str(value)[:30])
def test_private_keys(name: str, content: str, secret: bool) -> None:
    (made,) = _made(Case("", _opened("/etc/ssl/x"), [], {"/etc/ssl/x": content}))
    assert isinstance(made, Hint) is secret
    if isinstance(made, Hint):
        assert made.message == "left out: 1 with a private key (/etc/ssl/x)"


def test_one_note_counts_and_names_some() -> None:
    log = _opened("/dev/null", "/proc/a", "/proc/b", "/root/x", "/etc/key", "/root", "/etc/ok")
    files = {"/root/x": "", "/etc/key": KEY.format("", ""), "/etc/ok": ""}
    file, hint = _made(Case("", log, [], files))
    assert shown([file]) == ["file /etc/ok"]
    assert isinstance(hint, Hint)
    assert hint.message == (
        "left out: 3 of the running system (/dev/null, /proc/a, ...), "
        "1 in home directories (/root/x), 1 with a private key (/etc/key)"
    )


def test_evidence_is_who_used_it() -> None:
    log = (
        '1 execve("/bin/sh", ["sh"], 0x7f) = 0\n1 stat("/a/f", {}) = 0\n'
        + _opened("/a/f")
        + '1 readlink("/a/l", "f", 9) = 1\n'
    )
    files: dict[str, str | bytes] = {"/bin/sh": elf(type=2), "/a/f": "", "/a/l": "-> f"}
    made = [a for a in _made(Case("", log, [], files)) if not isinstance(a, Hint)]
    assert [str(addition.evidence) for addition in made] == [
        "/bin/sh, executed by strace",
        "/a/f, opened by sh",
        "/a/l, looked at by sh",
    ]


def test_files_links_and_directories_yield() -> None:
    log = _opened("/a/f", "/a") + '1 readlink("/a/l", "f", 9) = 1\n'
    made = _made(Case("", log, [], {"/a/f": "", "/a/l": "-> f"}))
    assert len(made) == 3
    assert all(getattr(addition, "yields", False) for addition in made)


def test_two_logs_and_each_file_once() -> None:
    files = {LOG: _opened("/a/f", "/a/g"), "/work/L2": _opened("/a/g", "/a/h")}
    view = SmallView(files={**files, "/a/f": "", "/a/g": "", "/a/h": ""})
    made = list(Strace().propose(view, ("LOG", "L2")))
    assert shown(made) == ["file /a/f", "file /a/g", "file /a/h"]


def test_not_asked_for() -> None:
    assert list(Strace().propose(SmallView(files={LOG: _opened("/a/f"), "/a/f": ""}), None)) == []


def test_a_log_that_is_not_there() -> None:
    assert shown(Strace().propose(SmallView(), ("LOG",))) == ["fault LOG"]


@pytest.mark.parametrize(
    "content", ["", "hello\n", 'open("/a")', "\0\xff", "1 close(3) = 0\n", "#!/bin/sh\nls\n"]
)
def test_what_is_no_log(content: str) -> None:
    with pytest.raises(InputError, match="holds no line of strace") as caught:
        list(Strace().propose(SmallView(files={LOG: content}), ("LOG",)))
    assert "strace -f -e trace=%file,execve -o LOG PROGRAM" in str(caught.value)


def test_a_directory_is_no_log() -> None:
    with pytest.raises(InputError, match="is no file that can be read"):
        list(Strace().propose(SmallView(files={LOG + "/x": ""}), ("LOG",)))


@pytest.mark.parametrize("value", ["LOG", "/a/b", "a b", "é", "../x"])
def test_takes_names(value: str) -> None:
    assert Strace().parse(value) == value


@pytest.mark.parametrize("value", ["", "\0", "a\0b"])
def test_refuses(value: str) -> None:
    with pytest.raises(ValueError, match="name a log"):
        Strace().parse(value)


def test_kinds_of_additions() -> None:
    made = _made(Case("", _opened("/a/f"), [], {"/a/f": ""}))
    assert [type(addition) for addition in made] == [AddFile]
    made = _made(Case("", '1 lstat("/a/l", {}) = 0\n', [], {"/a/l": "-> nowhere"}))
    assert [type(addition) for addition in made] == [AddLink], "a link that leads nowhere"
