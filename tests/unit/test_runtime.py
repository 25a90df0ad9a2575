"""Runtime modules by a view that is a plain small class."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from elfpack.runtime import MODULES, module
from elfpack.runtime.databases import ACCOUNTS, DATABASES
from elfpack.runtime.libgcc import Libgcc
from elfpack.runtime.module import Lacking
from elfpack.runtime.nss import Nss
from elfpack.runtime.users import User, Users
from tests.smallview import SmallView, Thing, glibc, musl, shown, text

BOTH = ("libnss_files.so.2", "libnss_dns.so.2")
FILES = {"/etc/services": "", "/etc/protocols": "", "/etc/host.conf": "", "/etc/gai.conf": ""}


@dataclass(frozen=True)
class Case:
    name: str
    view: SmallView
    additions: list[str]
    chosen: tuple[str, ...] | None = None
    """Values of ``--with``; an empty tuple for none."""


NSS = [
    Case("nothing imported", glibc("printf", "socket"), []),
    Case(
        "getaddrinfo",
        glibc("getaddrinfo", libraries=BOTH, files=FILES),
        [
            *("object libnss_files.so.2", "object libnss_dns.so.2", "text /etc/nsswitch.conf"),
            *("file /etc/services", "file /etc/host.conf", "file /etc/gai.conf"),
        ],
    ),
    Case(
        "modules and files that the root lacks are left out",
        glibc("gethostbyname"),
        ["text /etc/nsswitch.conf"],
    ),
    Case(
        "before 2.34 a lack of modules is told",
        glibc("getpwnam", glibc=(2, 31)),
        ["warning libnss_files.so.2", "text /etc/nsswitch.conf"],
    ),
    Case(
        "accounts need no DNS",
        glibc("getpwnam", libraries=BOTH, files=FILES),
        ["object libnss_files.so.2", "text /etc/nsswitch.conf"],
    ),
    Case(
        "services by value",
        glibc("getpwnam", libraries=("libnss_files.so.2", "libnss_sss.so.2")),
        ["object libnss_files.so.2", "object libnss_sss.so.2", "text /etc/nsswitch.conf"],
        ("files,sss",),
    ),
    Case(
        "a service that the root lacks",
        glibc("getpwnam", libraries=("libnss_files.so.2",)),
        ["object libnss_files.so.2", "fault libnss_sss.so.2", "text /etc/nsswitch.conf"],
        ("files,sss",),
    ),
    Case(
        "dns answers for hosts alone",
        glibc("getpwnam", libraries=BOTH),
        ["object libnss_files.so.2", "text /etc/nsswitch.conf"],
        ("files,dns",),
    ),
    Case(
        "the root's own configuration",
        glibc(
            "getaddrinfo",
            libraries=("libnss_mymachines.so.2",),
            files={"/etc/nsswitch.conf": "hosts: files mymachines [NOTFOUND=return] dns\n"},
        ),
        ["file /etc/nsswitch.conf", "object libnss_mymachines.so.2"],
        ("host",),
    ),
    Case(
        "the root's own configuration, which it lacks",
        glibc("getaddrinfo"),
        ["fault /etc/nsswitch.conf"],
        ("host",),
    ),
    Case("musl: only its files", musl("getaddrinfo", files=FILES), ["file /etc/services"]),
    Case("musl: accounts need none", musl("getpwnam", files=FILES), []),
    Case(
        "a static program of glibc has the modules in it",
        SmallView((Thing("/exe", ("getaddrinfo",)),), None, FILES),
        [
            *("text /etc/nsswitch.conf", "file /etc/services"),
            *("file /etc/host.conf", "file /etc/gai.conf"),
        ],
    ),
]


@pytest.mark.parametrize("case", NSS, ids=lambda case: case.name)
def test_nss(case: Case) -> None:
    nss = Nss()
    chosen = None if case.chosen is None else tuple(nss.parse(value) for value in case.chosen)
    assert shown(nss.propose(case.view, chosen)) == case.additions


def test_a_line_for_each_database_in_use() -> None:
    view = glibc("getaddrinfo", "getpwuid", "initgroups")
    made = text(Nss().propose(view, None), "/etc/nsswitch.conf")
    assert made.splitlines() == [
        "passwd:   files",
        "group:    files",
        "hosts:    files dns",
        "services: files",
    ]


def test_nss_without_evidence_when_asked_for() -> None:
    made = list(Nss().propose(glibc(libraries=BOTH), ()))
    assert "text /etc/nsswitch.conf" in shown(made)
    assert "hosts:     files dns" in text(made, "/etc/nsswitch.conf")


def test_users_by_evidence() -> None:
    for symbol in ("getpwuid", "getgrnam_r", "initgroups"):
        made = list(Users().propose(glibc(symbol), None))
        assert shown(made) == ["text /etc/passwd", "text /etc/group"]
    assert list(Users().propose(glibc("getaddrinfo"), None)) == []


def test_the_texts_of_users() -> None:
    made = list(Users().propose(glibc("getpwuid"), None))
    assert text(made, "/etc/passwd") == (
        "root:x:0:0:root:/root:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    )
    assert text(made, "/etc/group") == "root:x:0:\nnogroup:x:65534:\n"


def test_a_user_of_ones_own() -> None:
    users = Users()
    assert users.parse("app:1000:1001") == User("app", 1000, 1001)
    made = list(users.propose(glibc(), (users.parse("app:1000:1001"),)))
    assert shown(made) == [
        "text /etc/passwd",
        "text /etc/group",
        "dir /home/app 755 (1000, 1001)",
    ]
    assert "\napp:x:1000:1001:" in text(made, "/etc/passwd")
    assert ":/home/app:" in text(made, "/etc/passwd")
    assert "\napp:x:1001:\n" in text(made, "/etc/group")


@pytest.mark.parametrize("value", ["a:0:0", "_a-b9:4294967294:1"])
def test_users_takes(value: str) -> None:
    assert Users().parse(value)


@pytest.mark.parametrize(
    "value",
    [
        *("", "a", "a:1", "a:1:1:1", "a:x:1", "a:1:", ":1:1", "a b:1:1", "9a:1:1", "-a:1:1"),
        *(
            "root:1:1",
            "nobody:1:1",
            "a:4294967295:1",
            "a:-1:1",
            "\N{LATIN SMALL LETTER A WITH ACUTE}:1:1",
        ),
        *("a:\N{ARABIC-INDIC DIGIT ONE}:1", "a\n:1:1", "a/b:1:1", "a: 1:1", "a:1_0:1"),
    ],
)
def test_users_refuses(value: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Users().parse(value)


LIBGCC = [
    Case("nothing imported", glibc("printf", libraries=("libgcc_s.so.1",)), []),
    Case(
        "pthread_cancel",
        glibc("pthread_cancel", libraries=("libgcc_s.so.1",)),
        ["object libgcc_s.so.1"],
    ),
    Case("a root that lacks it", glibc("backtrace"), ["warning libgcc_s.so.1"]),
    Case("asked for, and the root lacks it", glibc(), ["fault libgcc_s.so.1"], ()),
    Case(
        "asked for",
        glibc(libraries=("libgcc_s.so.1",)),
        ["object libgcc_s.so.1"],
        (),
    ),
    Case("musl does without", musl("pthread_exit", libraries=("libgcc_s.so.1",)), []),
]


@pytest.mark.parametrize("case", LIBGCC, ids=lambda case: case.name)
def test_libgcc(case: Case) -> None:
    assert shown(Libgcc().propose(case.view, case.chosen)) == case.additions


def test_evidence_names_the_symbol_and_who_imports_it() -> None:
    lacking = next(iter(Libgcc().propose(glibc("thrd_exit"), None)))
    assert isinstance(lacking, Lacking)
    assert str(lacking.evidence) == "thrd_exit, imported by /exe"


def test_modules_by_name() -> None:
    assert [module(m.name) for m in MODULES] == list(MODULES)
    assert module("none") is None


def test_every_function_that_enumerates_has_its_family() -> None:
    functions = {name for row in DATABASES.values() for name in row}
    for stem in ("pw", "gr", "host", "serv", "proto", "net", "rpc"):
        assert {f"get{stem}ent", f"set{stem}ent", f"end{stem}ent", f"get{stem}ent_r"} <= functions
    assert {"getpwnam_r", "getgrgid_r", "getgrouplist"} <= set(ACCOUNTS)
    assert "wordexp" not in ACCOUNTS
