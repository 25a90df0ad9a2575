"""Which subdirectories count on which CPU, and the names of preloads."""

from __future__ import annotations

import struct

import pytest

from elfpack.elf import constants as c
from elfpack.elf.file import Abi
from elfpack.loader import hwcaps
from elfpack.loader.hwcaps import Cpu, Facts
from elfpack.loader.identify import GLIBC, Loader
from elfpack.loader.preload import of_file, of_variable

X86_64 = Abi(c.EM_X86_64, 64, True, 0)
I386 = Abi(c.EM_386, 32, True, 0)
POWER = Abi(c.EM_PPC64, 64, True, 2)
Z = Abi(c.EM_S390, 64, False, 0)
ARM64 = Abi(c.EM_AARCH64, 64, True, 0)

V2 = "cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2"
V3 = f"{V2} avx avx2 f16c fma abm movbe bmi1 bmi2"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"
LEVELS = ("x86-64-v4", "x86-64-v3", "x86-64-v2")


def facts(flags: str, vendor: str = "AuthenticAMD") -> Facts:
    return Facts("x86_64", f"vendor_id\t: {vendor}\nflags\t\t: fpu sse2 {flags}\nbugs\t: \n")


def vector(order: str, kind: int, value: int) -> bytes:
    return struct.pack(f"{order}4Q", 6, 4096, kind, value)


HOSTS = [
    ("nothing known", X86_64, Facts(), Cpu((), "x86_64", ("x86_64",))),
    ("baseline", X86_64, facts(""), Cpu((), "x86_64", ("x86_64",))),
    ("v2", X86_64, facts(V2), Cpu(LEVELS[2:], "x86_64", ("x86_64",))),
    ("v3", X86_64, facts(V3), Cpu(LEVELS[1:], "x86_64", ("x86_64",))),
    ("v3 of Intel", X86_64, facts(V3, "GenuineIntel"), Cpu(LEVELS[1:], "haswell", ("x86_64",))),
    ("v4", X86_64, facts(V4), Cpu(LEVELS, "x86_64", ("x86_64",))),
    (
        "v4 of Intel",
        X86_64,
        facts(V4, "GenuineIntel"),
        Cpu(LEVELS, "haswell", ("x86_64", "avx512_1")),
    ),
    ("a hole in v2", X86_64, facts(V4.replace("ssse3", "")), Cpu((), "x86_64", ("x86_64",))),
    ("32 bits on it", I386, facts(V4), Cpu((), "i686", ("sse2",))),
    ("another machine's program", ARM64, facts(V4), Cpu((), "aarch64")),
    (
        "its own",
        ARM64,
        Facts("aarch64", "", vector("<", 16, 1 << 8)),
        Cpu((), "aarch64", ("atomics",)),
    ),
    ("power8", POWER, Facts("ppc64le", "", vector("<", 26, 0)), Cpu()),
    ("power9", POWER, Facts("ppc64le", "", vector("<", 26, 0xC00000)), Cpu(("power9",))),
    (
        "power10",
        POWER,
        Facts("ppc64le", "", vector("<", 26, 0xC60000)),
        Cpu(("power10", "power9")),
    ),
    ("z13", Z, Facts("s390x", "", vector(">", 16, 0x800)), Cpu(("z13",))),
    ("z15", Z, Facts("s390x", "", vector(">", 16, 0x2F800)), Cpu(("z15", "z14", "z13"))),
    ("a cut vector", Z, Facts("s390x", "", b"\0" * 13), Cpu()),
]


@pytest.mark.parametrize(("name", "abi", "known", "cpu"), HOSTS, ids=lambda v: str(v)[:30])
def test_host(name: str, abi: Abi, known: Facts, cpu: Cpu) -> None:
    assert hwcaps.cpu_of("host", abi, known) == cpu, name


def test_levels() -> None:
    assert hwcaps.cpu_of("x86-64-v3", X86_64).levels == LEVELS[1:]
    assert hwcaps.cpu_of("x86-64-v3", X86_64).isa == 0b111
    assert hwcaps.cpu_of("baseline", X86_64, facts(V4)).isa == 0b1
    assert hwcaps.cpu_of("z15", Z).levels == ("z15", "z14", "z13")
    assert hwcaps.cpu_of("z15", X86_64).levels == (), "a level of another machine"


def loader(version: tuple[int, int], names: tuple[str, ...] = LEVELS) -> Loader:
    return Loader(GLIBC, "/ld.so", version, hwcaps=names)


NEW = ("glibc-hwcaps/x86-64-v3/", "glibc-hwcaps/x86-64-v2/")
OLD = ("tls/P/x86_64/", "tls/P/", "tls/x86_64/", "tls/", "P/x86_64/", "P/", "x86_64/")


def test_subdirectories_by_release() -> None:
    cpu = Cpu(LEVELS[1:], "P", ("x86_64",))
    assert hwcaps.subdirectories(loader((2, 36)), cpu) == (*NEW, *OLD, "")
    assert hwcaps.subdirectories(loader((2, 37)), cpu) == (*NEW, "")
    assert hwcaps.subdirectories(loader((2, 32), ()), cpu) == (*OLD, "")
    assert hwcaps.subdirectories(loader((0, 0), ()), Cpu()) == ("tls/", "")
    unknown = loader((0, 0))._replace(recognised=False, hwcaps=())
    assert hwcaps.subdirectories(unknown, cpu) == ("",)


def test_bits_of_older_subdirectories_in_a_cache() -> None:
    cpu = Cpu((), "haswell", ("x86_64", "avx512_1"))
    assert hwcaps.usable_bits(loader((2, 36)), cpu) == 1 << 63 | 1 << 50 | 0b110
    assert hwcaps.usable_bits(loader((2, 39)), Cpu()) == 1 << 63
    assert hwcaps.usable_bits(loader((2, 40)), cpu) == 0


def test_names_in_the_variable() -> None:
    assert [w.name for w in of_variable(" a.so:b.so  /c/d.so:: ")] == ["a.so", "b.so", "/c/d.so"]
    assert of_variable(" : ") == []
    assert [w.name for w in of_variable("a.so /b.so", secure=True)] == ["a.so"]
    assert of_variable("a" * 5000) == []


FILES = [
    (b"", []),
    (b"\n", []),
    (b"a.so", ["a.so"]),
    (b"a.so\n", ["a.so"]),
    (b"a.so b.so\tc.so:d.so\ne.so\n", ["a.so", "b.so", "c.so", "d.so", "e.so"]),
    (b"# a comment\na.so\n", ["a.so"]),
    (b"a.so # a comment", ["a.so"]),
    # After the first comment only as many bytes are looked at as are left behind it: here 14, and
    # the second comment begins at the 18th.
    (b"# one long word\na\n# b\nc.so\n", ["a", "#", "b", "c.so"]),
    (b"a.so\0b.so\nc.so\n", ["a.so"]),
    (b"a.so\0b.so\nc.so", ["a.so", "c.so"]),
    (b"\xff.so\n", ["\udcff.so"]),
]


@pytest.mark.parametrize(("raw", "names"), FILES, ids=lambda v: str(v)[:40])
def test_names_in_the_file(raw: bytes, names: list[str]) -> None:
    assert [w.name for w in of_file(raw)] == names
