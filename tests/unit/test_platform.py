"""Platforms as engines name them, from real programs and from headers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from elfpack.blob import BytesSource
from elfpack.elf import constants as c
from elfpack.elf.arm import version
from elfpack.elf.file import ElfFile
from elfpack.elf.platform import platform
from elfpack.elf.reader import read
from tests.elfbuild import elf

FIXTURES = Path(__file__).parents[1] / "fixtures"


def platform_of(raw: bytes) -> str:
    source = BytesSource(raw)
    found = read(source)
    assert isinstance(found, ElfFile)
    return str(platform(found.header, version(source)))


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        ("x86_64", "linux/amd64"),
        ("i686", "linux/386"),
        ("aarch64", "linux/arm64/v8"),
        ("armhf", "linux/arm/v7"),
        ("ppc64le", "linux/ppc64le"),
        ("powerpc", "linux/ppc"),
        ("s390x", "linux/s390x"),
        ("riscv64", "linux/riscv64"),
        ("mips", "linux/mips"),
    ],
)
@pytest.mark.parametrize("name", ["hello", "libanswer.so.1"])
def test_of_real_files(machine: str, expected: str, name: str) -> None:
    assert platform_of((FIXTURES / machine / name).read_bytes()) == expected


@pytest.mark.parametrize(
    ("expected", "header"),
    [
        ("linux/amd64", {"machine": c.EM_X86_64, "bits": 32}),
        ("linux/arm64be", {"machine": c.EM_AARCH64, "little": False}),
        ("linux/arm/v5", {"machine": c.EM_ARM, "bits": 32, "e_flags": 0x5000200}),
        ("linux/arm/v7", {"machine": c.EM_ARM, "bits": 32, "e_flags": 0x5000400}),
        ("linux/ppc64", {"machine": c.EM_PPC64, "little": False}),
        ("linux/loong64", {"machine": c.EM_LOONGARCH}),
        ("linux/riscv", {"machine": c.EM_RISCV, "bits": 32}),
        ("linux/mipsle", {"machine": c.EM_MIPS, "bits": 32}),
        ("linux/mips64le", {"machine": c.EM_MIPS}),
        ("linux/mips64", {"machine": c.EM_MIPS, "little": False}),
        ("linux/mips64", {"machine": c.EM_MIPS, "bits": 32, "little": False, "e_flags": 0x20}),
        ("linux/s390", {"machine": c.EM_S390, "bits": 32, "little": False}),
        ("linux/sparc64", {"machine": c.EM_SPARCV9, "little": False}),
        ("linux/m68k", {"machine": c.EM_68K, "bits": 32, "little": False}),
        ("linux/em4711", {"machine": 4711}),
        ("freebsd/amd64", {"osabi": 9}),
        ("linux/amd64", {"osabi": 3}),
    ],
)
def test_of_headers(expected: str, header: dict[str, Any]) -> None:
    assert platform_of(elf(type=2, **header)) == expected


def _attributes(*pairs: bytes, order: str = "little") -> bytes:
    """A file of one ARM header with a section ``.ARM.attributes``, by hand."""
    body = b"".join(pairs)
    size = (5 + len(body)).to_bytes(4, order)  # type: ignore[arg-type]
    part = b"aeabi\0" + b"\1" + size + body
    return b"A" + (4 + len(part)).to_bytes(4, order) + part  # type: ignore[arg-type]


_HELLO = (FIXTURES / "armhf/hello").read_bytes()
_AT = _HELLO.index(b"aeabi\0") - 5
_SIZE = 1 + int.from_bytes(_HELLO[_AT + 1 : _AT + 5], "little")


def _with(section: bytes) -> BytesSource:
    """The real program of ARM with other attributes, which end within the old ones."""
    assert len(section) <= _SIZE
    return BytesSource(_HELLO[:_AT] + section.ljust(_SIZE, b"\0") + _HELLO[_AT + _SIZE :])


@pytest.mark.parametrize(
    ("name", "section", "expected"),
    [
        ("v6 behind a name", _attributes(b"\x05ARM1176\0", b"\x06\x06"), 6),
        ("v5TE", _attributes(b"\x06\x04"), 5),
        ("v4T runs where v5 does", _attributes(b"\x06\x02"), 5),
        ("v7", _attributes(b"\x06\x0a"), 7),
        ("v8 is an option of v7", _attributes(b"\x06\x0e"), 7),
        ("behind what is unknown", _attributes(b"\x43abc\0", b"\x44\x81\x01", b"\x06\x09"), 6),
        ("behind compatibility", _attributes(b"\x20\x01gnu\0", b"\x06\x06"), 6),
        ("none", _attributes(b"\x08\x01"), None),
        ("empty", b"", None),
        ("of another version", b"B" + _attributes(b"\x06\x06")[1:], None),
        ("sizes of zero", b"A" + bytes(_SIZE - 1), None),
        ("size beyond the end", b"A\xff\xff\xff\xffaeabi\0\1\xff\xff\xff\xff\x06\x06", 6),
        ("endless number", _attributes(b"\xff" * 20), None),
        ("name without an end", b"A\x10\0\0\0aeabi\0\1\xff\0\0\0\x05" + b"x" * 20, None),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_arm_attributes(name: str, section: bytes, expected: int | None) -> None:
    assert version(_with(section)) == expected


@pytest.mark.parametrize("cut", range(0, len(_HELLO), 97))
def test_arm_attributes_of_a_cut_file(cut: int) -> None:
    assert version(BytesSource(_HELLO[:cut])) in (None, 7)
