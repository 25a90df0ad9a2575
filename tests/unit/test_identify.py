"""Which loader a file is, by its bytes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from elfpack.elf import constants as c
from elfpack.elf.file import Abi
from elfpack.loader.identify import (
    GLIBC,
    MUSL,
    Loader,
    identify,
    musl_interpreter,
    usual_interpreters,
)

X86_64 = Abi(c.EM_X86_64, 64, True, 0)
PATH = "/lib64/ld-linux-x86-64.so.2"


@dataclass(frozen=True)
class Case:
    name: str
    raw: bytes
    directories: tuple[str, ...]
    lib: str
    cache: str | None = "/etc/ld.so.cache"
    version: tuple[int, int] = (0, 0)
    debian: bool = False


DEBIAN_DIRS = b"\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0"
MULTIARCH = ("/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/", "/lib/", "/usr/lib/")
CACHE = b"\0/etc/ld.so.cache\0"

CASES = [
    Case(
        "Debian",
        DEBIAN_DIRS
        + CACHE
        + b"lib/x86_64-linux-gnu\0ld.so (Debian GLIBC 2.36-9) stable release version 2.36.\n\0",
        MULTIARCH,
        "lib/x86_64-linux-gnu",
        version=(2, 36),
        debian=True,
    ),
    Case(
        "Ubuntu",
        DEBIAN_DIRS + CACHE + b"(Ubuntu GLIBC 2.39-0) stable release version 2.39.",
        MULTIARCH,
        "x86_64-linux-gnu",
        version=(2, 39),
        debian=True,
    ),
    Case(
        "upstream",
        b"\0/lib64/\0/usr/lib64/\0" + CACHE + b"\0lib64\0 stable release version 2.41.",
        ("/lib64/", "/usr/lib64/"),
        "lib64",
        version=(2, 41),
    ),
    Case(
        "a development release",
        b"\0/lib64/\0/usr/lib64/\0" + CACHE + b" development release version 2.42.9000.",
        ("/lib64/", "/usr/lib64/"),
        "lib64",
        version=(2, 42),
    ),
    Case(
        "without a cache",
        b"\0/lib64/\0/usr/lib64/\0",
        ("/lib64/", "/usr/lib64/"),
        "lib64",
        cache=None,
    ),
    Case(
        "one directory, in a store",
        b"\0/nix/store/abc-glibc-2.38/lib/\0/nix/store/abc-glibc-2.38/etc/ld.so.cache\0",
        ("/nix/store/abc-glibc-2.38/lib/",),
        "lib",
        cache="/nix/store/abc-glibc-2.38/etc/ld.so.cache",
    ),
    Case(
        "directories of another kind stand before",
        b"\0/proc/\0/sys/\0x\0/lib64/\0/usr/lib64/\0" + CACHE,
        ("/lib64/", "/usr/lib64/"),
        "lib64",
    ),
    Case(
        "the list stands twice",
        DEBIAN_DIRS + CACHE + DEBIAN_DIRS,
        MULTIARCH,
        "x86_64-linux-gnu",
    ),
    Case(
        "LoongArch",
        b"\0/lib64/sf/\0/usr/lib64/sf/\0" + CACHE,
        ("/lib64/sf/", "/usr/lib64/sf/"),
        "sf",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_glibc(case: Case) -> None:
    found = identify(b"\x7fELF" + bytes(60) + case.raw + bytes(9), PATH, X86_64)
    assert found == Loader(
        GLIBC, PATH, case.version, case.debian, case.directories, case.lib, case.cache
    )


def test_musl() -> None:
    raw = b"\x7fELF\0musl libc (armhf)\nVersion %s\0/etc/ld-musl-armhf.path\0"
    found = identify(raw, "/lib/ld.so", X86_64)
    assert (found.libc, found.lib, found.cache, found.recognised) == (MUSL, "armhf", None, True)


@pytest.mark.parametrize(
    ("path", "libc"),
    [(PATH, GLIBC), ("/lib/ld-musl-x86_64.so.1", MUSL), ("/opt/whatever", GLIBC)],
)
def test_bytes_that_tell_nothing(path: str, libc: str) -> None:
    found = identify(b"\x7fELF" + bytes(100), path, X86_64)
    assert (found.libc, found.recognised) == (libc, False)
    if libc == GLIBC:
        assert found.directories == (
            *("/lib/x86_64-linux-gnu/", "/usr/lib/x86_64-linux-gnu/"),
            *("/lib64/", "/usr/lib64/", "/lib/", "/usr/lib/"),
        )


@pytest.mark.parametrize(
    ("abi", "glibc", "musl"),
    [
        (X86_64, PATH, "x86_64"),
        (Abi(c.EM_X86_64, 32, True, 0), "/libx32/ld-linux-x32.so.2", "x32"),
        (Abi(c.EM_386, 32, True, 0), "/lib/ld-linux.so.2", "i386"),
        (Abi(c.EM_AARCH64, 64, True, 0), "/lib/ld-linux-aarch64.so.1", "aarch64"),
        (Abi(c.EM_ARM, 32, True, 0x400), "/lib/ld-linux-armhf.so.3", "armhf"),
        (Abi(c.EM_ARM, 32, True, 0), "/lib/ld-linux-armhf.so.3", "arm"),
        (Abi(c.EM_PPC64, 64, True, 2), "/lib64/ld64.so.2", "powerpc64le"),
        (Abi(c.EM_PPC64, 64, False, 1), "/lib64/ld64.so.1", "powerpc64"),
        (Abi(c.EM_S390, 64, False, 0), "/lib/ld64.so.1", "s390x"),
        (Abi(c.EM_RISCV, 64, True, 5), "/lib/ld-linux-riscv64-lp64d.so.1", "riscv64"),
    ],
)
def test_usual_paths(abi: Abi, glibc: str, musl: str) -> None:
    assert usual_interpreters(abi)[0] == glibc
    assert musl_interpreter(abi) == f"/lib/ld-musl-{musl}.so.1"


def test_a_machine_without_a_usual_path() -> None:
    assert usual_interpreters(Abi(0x1234, 64, True, 0)) == ()
    assert musl_interpreter(Abi(0x1234, 64, True, 0)) is None
