"""What a check finds: one row a rule, and rows in which nothing is wrong."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from elfpack.blob import from_bytes
from elfpack.checking import RULES, check
from elfpack.errors import Finding
from elfpack.formats.container import ContainerConfig
from elfpack.root.tree import TreeRoot
from tests.elfbuild import elf
from tests.worlds import GLIBC, LOADER, MUSL, MUSL_LOADER, World, elf_of, tree

LIBC = {"/lib64/libc.so.6": "lib soname=libc.so.6 defines=GLIBC_2.2.5,GLIBC_2.34"}
BASE: World = {**GLIBC, **LIBC}
LOST = "error while loading shared libraries: {}: cannot open shared object file: "
LOST += "No such file or directory"
ENOENT, ENOEXEC, EACCES = "no such file or directory", "exec format error", "permission denied"
ELIBBAD = "accessing a corrupted shared library"


def found(world: World, config: ContainerConfig | None = None) -> tuple[Finding, ...]:
    return check(tree(world), config).findings


class Case(NamedTuple):
    name: str
    world: World
    code: str
    path: str
    message: str
    quote: str | None


CASES = [
    Case(
        "no interpreter",
        {"/app": "exe needs=libc.so.6", **LIBC},
        "missing-interpreter",
        "/app",
        f"interpreter {LOADER} is missing",
        ENOENT,
    ),
    Case(
        "link of the interpreter",
        {"/app": "exe", "/lib64/ld-linux-x86-64.so.2": "-> ld-2.36.so"},
        "dangling-link",
        "/app",
        f"interpreter {LOADER} is missing: {LOADER} is a link to ld-2.36.so, which is not there",
        ENOENT,
    ),
    Case(
        "link of its directory",
        {"/app": "exe", "/lib64": "-> usr/lib64"},
        "dangling-link",
        "/app",
        f"interpreter {LOADER} is missing: /lib64 is a link to usr/lib64, which is not there",
        ENOENT,
    ),
    Case(
        "interpreter for another machine",
        {"/app": "exe", LOADER: "glibc machine=aarch64"},
        "wrong-machine",
        "/app",
        f"interpreter {LOADER} is for another machine (aarch64)",
        ELIBBAD,
    ),
    Case(
        "interpreter that is text",
        {"/app": "exe", LOADER: "script hello"},
        "bad-interpreter",
        "/app",
        f"interpreter {LOADER} is no ELF file, or a broken one",
        ELIBBAD,
    ),
    Case(
        "interpreter that is a directory",
        {"/app": "exe", LOADER: "dir"},
        "bad-interpreter",
        "/app",
        f"interpreter {LOADER} cannot be opened",
        EACCES,
    ),
    Case(
        "interpreter that loops",
        {"/app": "exe", LOADER: f"-> {LOADER}"},
        "bad-interpreter",
        "/app",
        f"interpreter {LOADER} cannot be opened",
        "too many levels of symbolic links",
    ),
    Case(
        "library",
        {**BASE, "/app": "exe needs=libx.so,libc.so.6"},
        "missing-library",
        "/app",
        "libx.so is missing",
        LOST.format("libx.so"),
    ),
    Case(
        "library of a library",
        {**BASE, "/app": "exe needs=liba.so", "/lib64/liba.so": "lib needs=libx.so"},
        "missing-library",
        "/app",
        "libx.so is missing, needed by /lib64/liba.so",
        LOST.format("libx.so"),
    ),
    Case(
        "library elsewhere",
        {**BASE, "/app": "exe needs=libx.so", "/opt/libx.so": "lib"},
        "missing-library",
        "/app",
        "libx.so is missing",
        LOST.format("libx.so"),
    ),
    Case(
        "link of a library",
        {**BASE, "/app": "exe needs=libx.so", "/lib64/libx.so": "-> libx.so.1"},
        "dangling-link",
        "/app",
        "libx.so is missing: /lib64/libx.so is a link to libx.so.1, which is not there",
        LOST.format("libx.so"),
    ),
    Case(
        "link of a library's directory",
        {**BASE, "/app": "exe needs=libx.so rpath=/none:/opt/l", "/opt/l": "-> /gone"},
        "dangling-link",
        "/app",
        "libx.so is missing: /opt/l is a link to /gone, which is not there",
        LOST.format("libx.so"),
    ),
    Case(
        "library of another machine",
        {**BASE, "/app": "exe needs=libx.so", "/lib64/libx.so": "lib machine=aarch64"},
        "wrong-machine",
        "/app",
        "libx.so is missing: /lib64/libx.so is for another machine (aarch64, 64 bits)",
        LOST.format("libx.so"),
    ),
    Case(
        "library of another class",
        {**BASE, "/app": "exe needs=libx.so", "/lib64/libx.so": "lib machine=i386"},
        "wrong-machine",
        "/app",
        "libx.so is missing: /lib64/libx.so is for another machine (i686, 32 bits)",
        "error while loading shared libraries: libx.so: wrong ELF class: ELFCLASS32",
    ),
    Case(
        "library that is text",
        {**BASE, "/app": "exe needs=libx.so", "/lib64/libx.so": f"text {'INPUT(-lx) ' * 9}"},
        "loader-refuses",
        "/app",
        "/lib64/libx.so is no library that its loader takes",
        "error while loading shared libraries: /lib64/libx.so: invalid ELF header",
    ),
    Case(
        "library of a library that is empty",
        {
            **BASE,
            "/app": "exe needs=liba.so",
            "/lib64/liba.so": "lib needs=libx.so",
            "/lib64/libx.so": "empty",
        },
        "loader-refuses",
        "/app",
        "/lib64/libx.so is no library that its loader takes, needed by /lib64/liba.so",
        "error while loading shared libraries: /lib64/libx.so: file too short",
    ),
    Case(
        "library of musl",
        {**MUSL, "/app": f"exe interp={MUSL_LOADER} needs=libx.so"},
        "missing-library",
        "/app",
        "libx.so is missing",
        "Error loading shared library libx.so: No such file or directory (needed by /app)",
    ),
    Case(
        "plug-in",
        {**BASE, "/usr/lib/x/p.so": "lib needs=libx.so,libc.so.6"},
        "missing-library",
        "/usr/lib/x/p.so",
        "libx.so is missing",
        LOST.format("libx.so"),
    ),
    Case(
        "RUNPATH of a program above is not inherited",
        {
            **BASE,
            "/opt/bin/app": "exe needs=libc.so.6 runpath=$ORIGIN/../lib",
            "/opt/lib/libx.so": "lib",
            "/opt/plugins/p.so": "lib needs=libx.so",
        },
        "missing-library",
        "/opt/plugins/p.so",
        "libx.so is missing",
        LOST.format("libx.so"),
    ),
    Case(
        "RPATH of a program elsewhere",
        {
            **BASE,
            "/opt/bin/app": "exe rpath=$ORIGIN/../lib",
            "/opt/lib/libx.so": "lib",
            "/srv/p.so": "lib needs=libx.so",
        },
        "missing-library",
        "/srv/p.so",
        "libx.so is missing",
        LOST.format("libx.so"),
    ),
    Case(
        "version",
        {**BASE, "/app": "exe needs=libc.so.6 versions=libc.so.6:GLIBC_2.34+GLIBC_2.38"},
        "missing-version",
        "/app",
        "version GLIBC_2.38 is missing in /lib64/libc.so.6",
        "/app: /lib64/libc.so.6: version `GLIBC_2.38' not found (required by /app)",
    ),
    Case(
        "version of what is known by its soname",
        {
            **BASE,
            "/app": "exe needs=libold.so versions=libnew.so:V2",
            "/lib64/libold.so": "lib soname=libnew.so defines=V1",
        },
        "missing-version",
        "/app",
        "version V2 is missing in /lib64/libold.so",
        "/app: /lib64/libold.so: version `V2' not found (required by /app)",
    ),
    Case(
        "version of a library",
        {
            **BASE,
            "/app": "exe needs=liba.so",
            "/lib64/liba.so": "lib needs=libc.so.6 versions=libc.so.6:GLIBC_2.38",
        },
        "missing-version",
        "/app",
        "version GLIBC_2.38 is missing in /lib64/libc.so.6, required by /lib64/liba.so",
        "/app: /lib64/libc.so.6: version `GLIBC_2.38' not found (required by /lib64/liba.so)",
    ),
    Case(
        "glibc's program with musl's loader",
        {**MUSL, "/app": f"exe interp={MUSL_LOADER} needs=libc.so.6"},
        "wrong-libc",
        "/app",
        f"linked with glibc, but {MUSL_LOADER} is musl's loader, which answers for libc.so.6 "
        "itself and lacks glibc's symbols",
        None,
    ),
    Case(
        "musl's library in glibc's program",
        {
            **BASE,
            "/app": "exe needs=liba.so",
            "/lib64/liba.so": "lib needs=libc.so",
            "/lib64/libc.so": "lib",
        },
        "wrong-libc",
        "/app",
        f"/lib64/liba.so: linked with musl, but {LOADER} is glibc's loader",
        None,
    ),
    Case(
        "musl's program where glibc is",
        {**BASE, "/app": f"exe interp={MUSL_LOADER}"},
        "missing-interpreter",
        "/app",
        f"interpreter {MUSL_LOADER} is missing: linked with musl, whose loader {MUSL_LOADER} is "
        f"missing; {LOADER} is glibc's",
        ENOENT,
    ),
    Case(
        "script",
        {"/run": "script #!/bin/bash -e\\n"},
        "missing-interpreter",
        "/run",
        "interpreter /bin/bash is missing",
        ENOENT,
    ),
    Case(
        "link of a script's interpreter",
        {"/run": "script #!/bin/sh\\n", "/bin/sh": "-> dash"},
        "dangling-link",
        "/run",
        "interpreter /bin/sh is missing: /bin/sh is a link to dash, which is not there",
        ENOENT,
    ),
    Case(
        "carriage return",
        {**BASE, "/run": "script #!/bin/sh\r\\n", "/bin/sh": "exe"},
        "missing-interpreter",
        "/run",
        "interpreter /bin/sh\r is missing",
        ENOENT,
    ),
    Case(
        "env",
        {**BASE, "/run": "script #!/usr/bin/env python3\\n", "/usr/bin/env": "exe"},
        "missing-interpreter",
        "/run",
        "python3 is missing, which /usr/bin/env would run",
        "env: 'python3': No such file or directory",
    ),
    Case(
        "script of a script",
        {"/run": "script #!/bin/tool\\n", "/bin/tool": "script #!/bin/gone\\n"},
        "missing-interpreter",
        "/bin/tool",
        "interpreter /bin/gone is missing",
        ENOENT,
    ),
    Case(
        "script of itself",
        {"/run": "script #!/run\\n"},
        "bad-interpreter",
        "/run",
        "its interpreters are scripts, more than 5 deep",
        "too many levels of symbolic links",
    ),
    Case(
        "script of a directory",
        {"/run": "script #!/bin\\n", "/bin": "dir"},
        "bad-interpreter",
        "/run",
        "interpreter /bin: is a directory",
        EACCES,
    ),
    Case(
        "script of a text",
        {"/run": "script #!/bin/x\\n", "/bin/x": "text hello"},
        "bad-interpreter",
        "/run",
        "interpreter /bin/x: a text file, not an ELF file",
        ENOEXEC,
    ),
    Case(
        "static program of another machine",
        {"/bin/a": "static", "/bin/b": "static", "/bin/c": "static machine=aarch64"},
        "wrong-machine",
        "/bin/c",
        "is for another machine (aarch64); the others are for x86_64",
        ENOEXEC,
    ),
    Case(
        "preload",
        {**BASE, "/app": "exe needs=libc.so.6", "/etc/ld.so.preload": "text libgone.so"},
        "missing-preload",
        "/etc/ld.so.preload",
        "names libgone.so, which /app does without",
        "ERROR: ld.so: object 'libgone.so' from /etc/ld.so.preload cannot be preloaded "
        "(cannot open shared object file): ignored.",
    ),
    Case(
        "name service module",
        {
            **BASE,
            "/bin/id": "exe needs=libc.so.6 imports=getpwuid",
            "/etc/nsswitch.conf": "text passwd: files sss\\nhosts: files dns\\n",
        },
        "missing-nss-module",
        "/etc/nsswitch.conf",
        "names sss for passwd, and libnss_sss.so.2 is missing; /bin/id asks for it "
        "(getpwuid, imported by /bin/id)",
        "libnss_sss.so.2: cannot open shared object file: No such file or directory",
    ),
    Case(
        "what glibc before 2.34 opens",
        {
            LOADER: "glibc version=2.31",
            **LIBC,
            "/bin/id": "exe needs=libc.so.6 imports=getpwuid",
            "/etc/nsswitch.conf": "text passwd: files\\n",
        },
        "missing-nss-module",
        "/etc/nsswitch.conf",
        "names files for passwd, and libnss_files.so.2 is missing; /bin/id asks for it "
        "(getpwuid, imported by /bin/id)",
        "libnss_files.so.2: cannot open shared object file: No such file or directory",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_finds(case: Case) -> None:
    wanted = (case.code, case.path, case.message, case.quote)
    told = [(f.code, f.path, f.message, f.quote) for f in found(case.world)]
    assert wanted in told
    others = {t for t in told if t[1] != "/run" or case.path == "/run"} - {wanted}
    assert not others, "one fault is told once"


class Right(NamedTuple):
    name: str
    world: World


RIGHT = [
    Right("nothing at all", {}),
    Right("static program", {"/app": "static"}),
    Right("program", {**BASE, "/app": "exe needs=libc.so.6 versions=libc.so.6:GLIBC_2.34"}),
    Right("set of links", {**BASE, "/app": "exe", "/bin/app": "-> /app", "/gone": "-> nowhere"}),
    Right(
        "weak version", {**BASE, "/app": "exe needs=libc.so.6 versions=libc.so.6:X weak_versions=X"}
    ),
    Right(
        "version of what has none",
        {**GLIBC, "/lib64/liba.so": "lib", "/app": "exe needs=liba.so versions=liba.so:A"},
    ),
    Right("library by its path", {**BASE, "/app": "exe needs=/opt/libx.so", "/opt/libx.so": "lib"}),
    Right(
        "library by the cache",
        {
            **BASE,
            "/app": "exe needs=libx.so",
            "/opt/libx.so": "lib",
            "/etc/ld.so.cache": "cache libx.so=/opt/libx.so",
        },
    ),
    Right(
        "auxiliary that is missing",
        {**BASE, "/app": "exe needs=liba.so", "/lib64/liba.so": "lib auxiliary=libgone.so"},
    ),
    Right("object file", {**BASE, "/x.o": "rel", "/lib/modules/x.ko": "rel"}),
    Right(
        "library for which there is no loader",
        {**BASE, "/usr/arm/libx.so": "lib machine=aarch64 needs=libgone.so"},
    ),
    Right(
        "musl's library where glibc is", {**BASE, "/x/libx.so": "lib needs=libc.musl-x86_64.so.1"}
    ),
    Right(
        "program of another machine that has its loader",
        {
            **BASE,
            "/opt/arm/app": "exe machine=aarch64 interp=/lib/ld-linux-aarch64.so.1",
            "/lib/ld-linux-aarch64.so.1": "glibc machine=aarch64",
        },
    ),
    Right("module of a boot loader", {**BASE, "/boot/x.c32": "lib needs=libcom32.c32"}),
    Right("firmware", {**BASE, "/bin/a": "exe", "/lib/firmware/x.elf": "static machine=arm"}),
    Right("programs of 32 bits", {**BASE, "/bin/a": "exe", "/bin/b": "static machine=i386"}),
    Right("script without the bit", {"/lib/x.py": "text #!/usr/bin/python\\n"}),
    Right(
        "scripts",
        {
            **BASE,
            "/run": "script #!/bin/sh\\n",
            "/bin/sh": "-> busybox",
            "/bin/busybox": "exe",
            "/all": "script #!/usr/bin/env -S sh -e\\n",
            "/usr/bin/env": "-> /bin/busybox",
        },
    ),
    Right(
        "plug-in whose program has loaded it",
        {
            **BASE,
            "/opt/bin/app": "exe needs=libx.so runpath=$ORIGIN/../lib",
            "/opt/lib/libx.so": "lib",
            "/opt/plugins/p.so": "lib needs=libx.so",
        },
    ),
    Right(
        "plug-in by the RPATH of a program above",
        {
            **BASE,
            "/opt/bin/app": "exe rpath=$ORIGIN/../lib",
            "/opt/lib/libx.so": "lib",
            "/opt/plugins/deep/p.so": "lib needs=libx.so",
        },
    ),
    Right(
        "plug-in of musl by the RUNPATH of a program above",
        {
            **MUSL,
            "/opt/bin/app": f"exe interp={MUSL_LOADER} runpath=$ORIGIN/../lib",
            "/opt/lib/libx.so": "lib",
            "/opt/plugins/p.so": "lib needs=libx.so",
        },
    ),
    Right(
        "preload",
        {
            **BASE,
            "/app": "exe",
            "/etc/ld.so.preload": "text /lib64/libp.so",
            "/lib64/libp.so": "lib",
        },
    ),
    Right(
        "modules that are there",
        {
            **BASE,
            "/bin/id": "exe needs=libc.so.6 imports=getpwuid",
            "/lib64/libnss_sss.so.2": "lib soname=libnss_sss.so.2",
            "/etc/nsswitch.conf": "text passwd: files sss\\n",
        },
    ),
    Right(
        "modules that nobody asks",
        {
            **BASE,
            "/bin/true": "exe needs=libc.so.6 imports=puts",
            "/etc/nsswitch.conf": "text passwd: files sss\\nhosts: resolve dns",
        },
    ),
    Right(
        "services without their data",
        {
            **BASE,
            "/bin/id": "exe imports=getpwuid,getservbyname,innetgr needs=libc.so.6",
            "/etc/nsswitch.conf": "text passwd: files nis\\nservices: db files\\nnetgroup: nis\\n",
        },
    ),
    Right(
        "what the kernel mounts over",
        {"/proc/1/exe": "exe", "/sys/x": "script #!/gone\\n", "/dev/x": "exe"},
    ),
]


@pytest.mark.parametrize("right", RIGHT, ids=lambda r: r.name)
def test_finds_nothing(right: Right) -> None:
    assert found(right.world) == ()


def test_counts() -> None:
    world = {
        **BASE,
        "/app": "exe needs=libc.so.6",
        "/static": "static",
        "/same": "= /app",
        "/run": "script #!/app\\n",
        "/p.so": "lib",
        "/arm.so": "lib machine=aarch64",
    }
    assert check(tree(world)).counts == (3, 3, 1)


def test_findings_are_sorted_by_path() -> None:
    world = dict.fromkeys(("/b", "/a/x", "/a.x", "/a"), "script #!/gone\\n") | {"/c": "exe"}
    del world["/a"]
    assert [f.path for f in found(world)] == ["/a/x", "/a.x", "/b", "/c"]


def test_rules_are_pure() -> None:
    world = {name: spec for case in CASES for name, spec in case.world.items()}
    assert found(world) == found(world) != ()


def test_every_rule_says_what_it_is() -> None:
    for rule in RULES:
        assert rule.__doc__


# Files that cannot be made by a table


def _with(path: str, raw: bytes, mode: int = 0o755, world: World = BASE) -> TreeRoot:
    root = tree(world)
    root.add_file(path, from_bytes(raw, path), mode)
    return root


@pytest.mark.parametrize("spec", ["exe", "exec", "static", "static-pie"])
@pytest.mark.parametrize("directory", ["/usr/bin", "/opt/x/sbin"])
def test_command_that_is_not_executable(spec: str, directory: str) -> None:
    (told,) = check(_with(f"{directory}/app", elf_of(spec), 0o644)).findings
    assert (told.code, told.path, told.quote) == ("not-executable", f"{directory}/app", EACCES)


@pytest.mark.parametrize("spec", ["exe", "lib soname=x.so", "static"])
def test_what_need_not_be_executable(spec: str) -> None:
    place = "/usr/bin" if spec.startswith("lib") else "/usr/lib/x"
    assert check(_with(f"{place}/x", elf_of(spec), 0o644)).findings == ()


def test_interpreter_that_is_not_executable() -> None:
    world = {"/app": "exe", "/run": "script #!/app\\n"}
    root = _with(LOADER, elf(soname="ld-linux-x86-64.so.2"), 0o644, world)
    (told,) = check(root).findings
    assert (told.code, told.path, told.quote) == ("not-executable", "/app", EACCES)
    root = _with("/bin/tool", elf_of("static"), 0o600, {"/run": "script #!/bin/tool\\n"})
    assert [(f.path, f.code) for f in check(root).findings] == [
        ("/bin/tool", "not-executable"),
        ("/run", "not-executable"),
    ]


def test_firmware_that_names_an_interpreter() -> None:
    raw = elf_of("exe machine=s390x interp=/lib/ld64.so.1")
    world = {**BASE, "/app": "exe"}
    assert check(_with("/usr/share/qemu/x.img", raw, 0o644, world)).findings == ()
    assert len(check(_with("/usr/share/qemu/x.img", raw, 0o755, world)).findings) == 1
    assert len(check(_with("/x.img", raw, 0o644, {})).findings) == 1


WHOLE = elf_of("exe needs=libc.so.6")


@pytest.mark.parametrize("size", [4, 30, 64, 200, len(WHOLE) // 2])
def test_broken_elf(size: int) -> None:
    (told,) = check(_with("/app", WHOLE[:size])).findings
    assert (told.code, told.path) == ("broken-elf", "/app")
    assert "ELF file" in told.message


def test_debug_half_is_none() -> None:
    """Sections that would be loaded have no content; what tells of them is cut."""
    import struct

    head = struct.pack(
        "<16sHHIQQQIHHHHHH",
        *(b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, 120, 0, 64, 56, 1, 64, 3, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 1 << 20, 1 << 20, 4096)
    sections = bytes(64)
    sections += struct.pack("<IIQQQQIIQQ", 0, 8, 6, 0, 0, 1 << 19, 0, 0, 1, 0)
    sections += struct.pack("<IIQQQQIIQQ", 0, 1, 0, 0, 64, 10, 0, 0, 1, 0)
    assert check(_with("/usr/lib/debug/x.debug", head + segment + sections)).findings == ()
    sections = sections.replace(b"\x08\0\0\0\x06", b"\x01\0\0\0\x06", 1)
    assert [f.code for f in check(_with("/x", head + segment + sections)).findings] == [
        "broken-elf"
    ]


# What an image's configuration says


class Configured(NamedTuple):
    name: str
    world: World
    config: ContainerConfig
    told: tuple[tuple[str, str, str | None], ...] = ()
    """Code, path and quote."""


APP: World = {**BASE, "/usr/bin/app": "exe needs=libx.so", "/opt/libx.so": "lib", "/data": "text x"}
LIBRARY_PATH = ("LD_LIBRARY_PATH=/opt",)
CONFIGURED = [
    Configured("nothing said", {"/x": "static"}, ContainerConfig()),
    Configured("LD_LIBRARY_PATH", APP, ContainerConfig(env=LIBRARY_PATH)),
    Configured(
        "entrypoint on PATH", APP, ContainerConfig(env=LIBRARY_PATH, entrypoint=("app", "-x"))
    ),
    Configured(
        "relative entrypoint",
        APP,
        ContainerConfig(env=LIBRARY_PATH, workdir="/usr", entrypoint=("./bin/app",)),
    ),
    Configured("cmd", APP, ContainerConfig(env=LIBRARY_PATH, cmd=("/usr/bin/app",))),
    Configured(
        "no entrypoint",
        {},
        ContainerConfig(entrypoint=("/app",)),
        (("missing-entrypoint", "/app", f'exec: "/app": stat /app: {ENOENT}'),),
    ),
    Configured(
        "not on PATH",
        APP,
        ContainerConfig(env=(*LIBRARY_PATH, "PATH=/bin"), cmd=("app",)),
        (("missing-entrypoint", "app", 'exec: "app": executable file not found in $PATH'),),
    ),
    Configured(
        "link to nothing",
        {"/app": "-> gone"},
        ContainerConfig(cmd=("/app",)),
        (("dangling-link", "/app", f'exec: "/app": stat /app: {ENOENT}'),),
    ),
    Configured(
        "not executable",
        {"/data": "text x"},
        ContainerConfig(cmd=("/data",)),
        (("not-executable", "/data", f'exec: "/data": {EACCES}'),),
    ),
    Configured(
        "a directory",
        {"/data": "dir"},
        ContainerConfig(cmd=("/data",)),
        (("not-executable", "/data", f'exec: "/data": {EACCES}'),),
    ),
    Configured("user by number", {}, ContainerConfig(user="1000:1000")),
    Configured(
        "user by name",
        {"/etc/passwd": "text root:x:0:0::/:\\napp:x:1:1::/:\\n"},
        ContainerConfig(user="app"),
    ),
    Configured(
        "no such user, no such group",
        {"/etc/passwd": "text root:x:0:0::/:\\napple:x:1:1::/:\\n"},
        ContainerConfig(user="app:staff"),
        (
            (
                "missing-group",
                "/etc/group",
                "unable to find group staff: no matching entries in group file",
            ),
            (
                "missing-user",
                "/etc/passwd",
                "unable to find user app: no matching entries in passwd file",
            ),
        ),
    ),
    Configured(
        "another architecture",
        {"/app": "static machine=aarch64"},
        ContainerConfig(architecture="amd64", entrypoint=("/app",)),
        (("wrong-machine", "/app", ENOEXEC),),
    ),
    Configured(
        "its own architecture",
        {"/app": "static machine=aarch64", "/x86": "static"},
        ContainerConfig(architecture="arm64", entrypoint=("/app",)),
    ),
    Configured(
        "preload",
        {**BASE, "/app": "exe"},
        ContainerConfig(env=("LD_PRELOAD=libgone.so",)),
        (
            (
                "missing-preload",
                "LD_PRELOAD",
                "ERROR: ld.so: object 'libgone.so' from LD_PRELOAD cannot be preloaded "
                "(cannot open shared object file): ignored.",
            ),
        ),
    ),
    Configured(
        "env's PATH",
        {**BASE, "/run": "script #!/usr/bin/env x\\n", "/usr/bin/env": "exe", "/opt/x": "static"},
        ContainerConfig(env=("PATH=/opt:/bin",)),
    ),
]


@pytest.mark.parametrize("case", CONFIGURED, ids=lambda c: c.name)
def test_configuration(case: Configured) -> None:
    told = tuple((f.code, f.path, f.quote) for f in found(case.world, case.config))
    assert told == case.told
