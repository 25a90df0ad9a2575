"""Makes the bytes of Go programs as Go's linker lays them out: build information and the table of
functions, for each version of their formats, class and byte order. Nothing in them runs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from elfpack.elf import constants as c
from tests.elfbuild import elf

GO_1_2, GO_1_16, GO_1_18, GO_1_20 = 0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
MAGICS = {"go1.15": GO_1_2, "go1.17": GO_1_16, "go1.19.8": GO_1_18, "go1.24": GO_1_20}
NAMES = ("runtime.main", "net.(*Resolver).LookupHost", "crypto/x509.loadSystemRoots", "main.main")
TEXT = (
    "path\texample.org/app\nmod\texample.org/app\t(devel)\t\n"
    "build\t-compiler=gc\nbuild\tCGO_ENABLED=0\n"
    'build\t-ldflags="-s \\"-w\\"\\t"\nbuild\t`odd=key`=a=b\n'
)
SETTINGS = (
    *(("-compiler", "gc"), ("CGO_ENABLED", "0")),
    *(("-ldflags", '-s "-w"\t'), ("odd=key", "a=b")),
)
INFORMATION = b"\xff Go buildinf:"
_FRAME = bytes(range(16))
NOTE = ("Go", 4, b"id")


def framed(text: str) -> bytes:
    return _FRAME + text.encode() + _FRAME if text else b""


def varint(number: int) -> bytes:
    low = bytearray()
    while number >= 0x80:
        low.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*low, number])


def inline(version: str, text: str) -> bytes:
    """Build information since Go 1.18."""
    head = (INFORMATION + bytes((8, 2))).ljust(32, b"\0")
    parts = (version.encode(), framed(text))
    return head + b"".join(varint(len(part)) + part for part in parts)


def pointed(version: str, text: str, bits: int, little: bool, address: int) -> bytes:
    """Build information before that, at an address."""
    order, word = "<" if little else ">", "Q" if bits == 64 else "I"
    size = bits // 8
    head = INFORMATION + bytes((size, 0 if little else 1))
    strings = (version.encode(), framed(text))
    at = address + 32
    headers = struct.pack(order + 2 * word, at, at + 2 * size)
    where = at + 4 * size
    table = b""
    for string in strings:
        table += struct.pack(order + 2 * word, where, len(string))
        where += len(string)
    return (head + headers).ljust(32, b"\0") + table + b"".join(strings)


def pclntab(magic: int, names: Sequence[str], bits: int = 64, little: bool = True) -> bytes:
    order, word = "<" if little else ">", "Q" if bits == 64 else "I"
    size = bits // 8
    head = struct.pack(order + "IBBBB", magic, 0, 0, 1, size)
    if magic == GO_1_2:
        return head + _scattered(names, order, word, size)
    block = b"".join(name.encode() + b"\0" for name in names)
    words = 7 if magic == GO_1_16 else 8
    first = 8 + words * size
    places = [first, first + len(block), *[first + len(block) + 8] * 3]
    before = [len(names), 1] if magic == GO_1_16 else [len(names), 1, 0x401000]
    table = bytes(16 * (len(names) + 1))
    return head + struct.pack(order + words * word, *before, *places) + block + bytes(8) + table


def _scattered(names: Sequence[str], order: str, word: str, size: int) -> bytes:
    """The functions by their addresses, then a record and a name for each."""
    at = 8 + size + (2 * len(names) + 1) * size
    index, records = struct.pack(order + word, len(names)), b""
    for number, name in enumerate(names):
        index += struct.pack(order + 2 * word, 0x401000 + number, at + len(records))
        here = at + len(records) + size + 4
        records += struct.pack(order + word + "I", 0x401000 + number, here) + name.encode() + b"\0"
    return index + struct.pack(order + word, 0x402000) + records


def program(
    content: bytes | Callable[[int], bytes],
    *,
    bits: int = 64,
    little: bool = True,
    **options: object,
) -> bytes:
    """An ELF file with that content at an address that 32 divides, which a function is told."""
    mark = b"HERE" * 8
    fixed = {"type": c.ET_EXEC, "bits": bits, "little": little, **options}
    at = elf(content=mark, **fixed).index(mark)
    shift = -at % 32
    address = at + shift + (0x400000 if fixed["type"] == c.ET_EXEC else 0)
    told = content if isinstance(content, bytes) else content(address)
    return elf(content=bytes(shift) + told, **fixed)


def go(
    version: str,
    bits: int = 64,
    little: bool = True,
    names: Sequence[str] = NAMES,
    **options: object,
) -> bytes:
    """A program with both."""
    magic = MAGICS[version]

    def content(address: int) -> bytes:
        if magic in (GO_1_18, GO_1_20):
            info = inline(version, TEXT)
        else:
            info = pointed(version, TEXT, bits, little, address)
        return info + bytes(-len(info) % 32) + pclntab(magic, names, bits, little)

    return program(content, bits=bits, little=little, **options)
