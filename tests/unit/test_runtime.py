"""Runtime modules by a view that is a plain small class."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from elfpack.elf import constants as c
from elfpack.elf.golang import GoProgram, Names
from elfpack.runtime import MODULES, module
from elfpack.runtime.databases import ACCOUNTS, DATABASES
from elfpack.runtime.go import go_time_zones
from elfpack.runtime.libgcc import Libgcc
from elfpack.runtime.module import Lacking
from elfpack.runtime.nss import Nss
from elfpack.runtime.users import User, Users
from tests.smallview import SmallView, Thing, glibc, musl, shown, text

LOOKUP = ("net.(*Resolver).goLookupIPCNAMEOrder", "net.readServices", "net.readProtocols")


def golang(*functions: str, libc: str | None = None, imports: tuple[str, ...] = ()) -> Thing:
    """A program of Go; with a libc it is a dynamic one."""
    return Thing("/go", imports, libc=libc, go=GoProgram("go1.19", (), Names(sorted(functions))))


def pure(*functions: str, **more: object) -> SmallView:
    return SmallView((golang(*functions),), None, **more)  # type: ignore[arg-type]


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
        SmallView((Thing("/exe", ("getaddrinfo",), static=True),), None, FILES),
        [
            *("text /etc/nsswitch.conf", "file /etc/services"),
            *("file /etc/host.conf", "file /etc/gai.conf"),
        ],
    ),
    Case(
        "RPC of the old libc",
        glibc("clnt_create", files=FILES),
        ["text /etc/nsswitch.conf", "file /etc/protocols", "file /etc/host.conf"],
    ),
    Case(
        "networks are the resolver's, too",
        glibc("getnetbyname", files={**FILES, "/etc/networks": ""}),
        ["text /etc/nsswitch.conf", "file /etc/networks", "file /etc/host.conf"],
    ),
    Case(
        "rpc is read for rpc alone",
        glibc("getrpcbynumber_r", files={**FILES, "/etc/rpc": ""}),
        ["text /etc/nsswitch.conf", "file /etc/rpc"],
    ),
    Case("shadow is never looked up", glibc("getspnam", "getsgnam", files=FILES), []),
    Case("the resolver without databases", glibc("res_query", "ns_parserr", files=FILES), []),
    Case("files of their own", glibc("fgetpwent", "putgrent", "ether_aton", files=FILES), []),
    Case(
        "what a service reads",
        glibc(
            "getservbyname",
            "getpwnam",
            libraries=("libnss_db.so.2", "libnss_hesiod.so.2"),
            files={"/var/db/services.db": "", "/var/db/passwd.db": "", "/etc/hesiod.conf": ""},
        ),
        [
            *("object libnss_db.so.2", "object libnss_hesiod.so.2", "file /var/db/services.db"),
            *("file /etc/hesiod.conf", "text /etc/nsswitch.conf"),
        ],
        ("db,hesiod",),
    ),
    Case(
        "a service that nobody opens",
        musl("getpwnam"),
        ["hint nss-unopened libnss_sss.so.2", "text /etc/nsswitch.conf"],
        ("files,sss",),
    ),
    Case(
        "a service that a static program opens, and the root lacks",
        SmallView((Thing("/exe", ("getpwnam",), static=True),), None),
        ["fault libnss_sss.so.2", "text /etc/nsswitch.conf"],
        ("files,sss",),
    ),
    Case(
        "a static program beside one that looks nothing up",
        SmallView(
            (Thing("/a"), Thing("/b", ("getaddrinfo",), static=True)),
            files=FILES,
            libraries=BOTH,
        ),
        [
            *("text /etc/nsswitch.conf", "file /etc/services"),
            *("file /etc/host.conf", "file /etc/gai.conf"),
        ],
    ),
    Case(
        "a program of musl beside one of glibc that looks nothing up",
        SmallView(
            (Thing("/a"), Thing("/b", ("getaddrinfo", "getprotobyname"), libc="musl")),
            files=FILES,
            libraries=BOTH,
        ),
        ["file /etc/services"],
    ),
    Case(
        "a library that is excluded",
        glibc("getpwnam", libraries=BOTH, exclude=BOTH),
        ["text /etc/nsswitch.conf"],
    ),
    Case("Go: hosts", pure(*LOOKUP[:1], files=FILES), ["text /etc/nsswitch.conf"]),
    Case(
        "Go: what it reads, and no library",
        pure(*LOOKUP, files=FILES, libraries=BOTH),
        ["text /etc/nsswitch.conf", "file /etc/services", "file /etc/protocols"],
    ),
    Case("Go: ports alone", pure("net.readServices", files=FILES), ["file /etc/services"]),
    Case("Go: accounts", pure("os/user.findUserId", files=FILES), []),
    Case("Go: nothing that looks up", pure("main.main", "net.ParseIP", files=FILES), []),
    Case(
        "Go, position independent: no library either",
        SmallView((golang(*LOOKUP, libc="glibc"),), (2, 36), FILES, BOTH),
        ["text /etc/nsswitch.conf", "file /etc/services", "file /etc/protocols"],
    ),
    Case(
        "Go with cgo",
        SmallView((golang(*LOOKUP, libc="glibc", imports=("getaddrinfo",)),), (2, 36), FILES, BOTH),
        [
            *("object libnss_files.so.2", "object libnss_dns.so.2", "text /etc/nsswitch.conf"),
            *("file /etc/services", "file /etc/protocols"),
            *("file /etc/host.conf", "file /etc/gai.conf"),
        ],
    ),
    Case(
        "Go with cgo and musl",
        SmallView((golang(*LOOKUP, libc="musl", imports=("getaddrinfo",)),), None, FILES),
        ["text /etc/nsswitch.conf", "file /etc/services", "file /etc/protocols"],
    ),
    Case(
        "Go and the root's own configuration",
        pure(*LOOKUP, files={"/etc/nsswitch.conf": "hosts: files mymachines\n"}),
        ["file /etc/nsswitch.conf"],
        ("host",),
    ),
]


def test_go_has_the_line_of_hosts_alone() -> None:
    made = text(Nss().propose(pure(*LOOKUP), None), "/etc/nsswitch.conf")
    assert made == "hosts: files dns\n"
    both = SmallView((golang(*LOOKUP), Thing("/exe", ("getpwuid",))), (2, 36))
    made = text(Nss().propose(both, None), "/etc/nsswitch.conf")
    assert made == "passwd: files\nhosts:  files dns\n"


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, "the root has none"),
        ({"/etc/nsswitch.conf": "-> gone"}, "is a link to gone, which leads nowhere"),
        ({"/etc/nsswitch.conf/x": ""}, "is a directory"),
        ({"/etc/nsswitch.conf": "x" * (1 << 20) + "x"}, "cannot be read, or has more than 1 MiB"),
    ],
)
def test_a_configuration_that_is_none(files: dict[str, str], state: str) -> None:
    made = list(Nss().propose(glibc("getpwnam", files=files), (("host",),)))
    assert [m.state for m in made if isinstance(m, Lacking)] == [state]


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


def test_several_users() -> None:
    users = Users()
    values = ("app:1:2", "web:3:2", "app:1:2")
    made = list(users.propose(glibc(), tuple(map(users.parse, values))))
    assert shown(made)[2:] == ["dir /home/app 755 (1, 2)", "dir /home/web 755 (3, 2)"]
    passwd = text(made, "/etc/passwd").splitlines()
    assert [line.partition(":")[0] for line in passwd] == ["root", "nobody", "app", "web"]


def test_users_of_go() -> None:
    for function in ("os/user.findUserId", "os/user.listGroupsFromReader"):
        made = list(Users().propose(pure(function), None))
        assert shown(made) == ["text /etc/passwd", "text /etc/group"]
        assert str(made[0].evidence) == f"{function}, linked into /go"
    assert not list(Users().propose(pure("os/user.(*User).GroupIds", "os.Getuid"), None))


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
    Case("by its other name", glibc("__backtrace"), ["warning libgcc_s.so.1"]),
    Case(
        "a static program has it in it",
        SmallView((Thing("/exe", ("pthread_cancel",), libc=None),), None),
        [],
    ),
    Case(
        "a machine that has another one",
        SmallView(
            (Thing("/exe", ("pthread_exit",), machine=c.EM_68K),), libraries=("libgcc_s.so.2",)
        ),
        ["object libgcc_s.so.2"],
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


def test_time_zones_of_go() -> None:
    (hint,) = go_time_zones(pure("time.LoadLocation"))
    assert "/usr/share/zoneinfo" in hint.message
    assert hint.path == "/go"
    embedded = "time/tzdata.loadFromEmbeddedTZData"
    assert not list(go_time_zones(pure("time.LoadLocation", embedded)))
    assert not list(go_time_zones(pure("time.initLocal")))


def test_modules_by_name() -> None:
    assert [module(m.name) for m in MODULES] == list(MODULES)
    assert module("none") is None


def test_every_function_that_enumerates_has_its_family() -> None:
    functions = {name for row in DATABASES.values() for name in row}
    for stem in ("pw", "gr", "host", "serv", "proto", "net", "rpc"):
        assert {f"get{stem}ent", f"set{stem}ent", f"end{stem}ent", f"get{stem}ent_r"} <= functions
    assert {"getpwnam_r", "getgrgid_r", "getgrouplist"} <= set(ACCOUNTS)
    assert "wordexp" not in ACCOUNTS
