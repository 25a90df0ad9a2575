"""What binds a file to others, straight from its tables: their order, and tables that lie."""

from __future__ import annotations

import struct

import pytest

from elfpack.blob import BytesSource, from_bytes
from elfpack.elf import constants as c
from elfpack.elf.file import Abi
from elfpack.elf.layout import ElfFault, read_layout
from elfpack.elf.linking import Linking, read_linking
from elfpack.elf.relocations import Relocation, decoded, glibc_order, musl_order
from elfpack.loader.glibc_symbols import GLIBC_RULES
from elfpack.loader.linkage import linkage
from elfpack.loader.linkages import Linkages
from elfpack.loader.newest import newest_versions
from elfpack.loader.relocations import COPY, PLT, types_of
from elfpack.loader.resolve import Options, Resolver
from tests.elfbuild import elf
from tests.unit.test_binding import bound
from tests.worlds import GLIBC, tree

MACHINES = [
    (c.EM_X86_64, 64, True),
    (c.EM_386, 32, True),
    (c.EM_AARCH64, 64, True),
    (c.EM_S390, 64, False),
    (c.EM_PPC, 32, False),
    (c.EM_MIPS, 64, True),
    (c.EM_MIPS, 64, False),
    (c.EM_MIPS, 32, False),
]


def linking(raw: bytes) -> Linking:
    found = read_linking(BytesSource(raw), glibc_order)
    assert found is not None
    return found


@pytest.mark.parametrize(("machine", "bits", "little"), MACHINES)
def test_relocations(machine: int, bits: int, little: bool) -> None:
    raw = elf(
        machine=machine,
        bits=bits,
        little=little,
        imports=["f", "g"],
        exports=["x"],
        relocations=["plt:g", "got:f", "copy:x"],
    )
    found = linking(raw)
    held = [decoded(info, found.layout) for infos in found.infos for info in infos]
    types = types_of(Abi(machine, bits, little, 0))
    assert [(symbol, types.kind(kind)) for symbol, kind in held] == (
        [(1, 0), (3, COPY), (2, PLT)] if machine != c.EM_MIPS else [(1, None), (3, COPY), (2, PLT)]
    )
    assert [found.name(found.row(symbol).name) for symbol, _ in held] == [b"f", b"x", b"g"]


def _tables(*tags: tuple[int, int]) -> bytes:
    return elf(tags=tags, exports=["f"])


def _order(raw: bytes, *, musl: bool = False) -> list[tuple[int, int]]:
    layout = read_layout(BytesSource(raw))
    return [(r.address, r.size) for r in (musl_order if musl else glibc_order)(layout)]


RELA = ((c.DT_RELA, 0x1000), (c.DT_RELASZ, 0x60))
PLT_TAGS = ((c.DT_PLTREL, c.DT_RELA), (c.DT_PLTRELSZ, 0x30))


def test_the_plt_behind_the_others() -> None:
    raw = _tables(*RELA, *PLT_TAGS, (c.DT_JMPREL, 0x2000))
    assert _order(raw) == [(0x1000, 0x60), (0x2000, 0x30)]
    assert _order(raw, musl=True) == [(0x2000, 0x30), (0x1000, 0x60)]


def test_the_plt_as_part_of_the_others_counts_once() -> None:
    raw = _tables(*RELA, *PLT_TAGS, (c.DT_JMPREL, 0x1030))
    assert _order(raw) == [(0x1000, 0x30), (0x1030, 0x30)]
    assert _order(raw, musl=True) == [(0x1030, 0x30), (0x1000, 0x60)]


def test_relative_ones_are_passed_over() -> None:
    raw = _tables(*RELA, (c.DT_RELACOUNT, 3))
    assert _order(raw) == [(0x1048, 0x18)]
    assert _order(_tables(*RELA, (c.DT_RELACOUNT, 9))) == []


def test_mips64_r_info() -> None:
    layout = read_layout(BytesSource(elf(machine=c.EM_MIPS)))
    info = struct.unpack("<Q", struct.pack("<IBBBB", 7, 0, 0, 18, 3))[0]
    assert decoded(info, layout) == Relocation(7, 3)


LIES = [
    ("symbols outside", c.DT_SYMTAB, 0x7FFF0000, "symbol table outside"),
    ("relocations outside", c.DT_JMPREL, 0x7FFF0000, "relocations outside"),
    ("relocations run over", c.DT_PLTRELSZ, 1 << 40, "relocations outside"),
    ("hash table outside", c.DT_GNU_HASH, 0x7FFF0000, "hash table outside"),
    ("strings cut short", c.DT_STRSZ, 1, "symbol name outside"),
    ("versions outside", c.DT_VERNEED, 0x7FFF0000, "version table outside"),
]


@pytest.mark.parametrize(("name", "tag", "value", "words"), LIES, ids=[row[0] for row in LIES])
def test_tables_that_lie(name: str, tag: int, value: int, words: str) -> None:
    """A finding of the closure, whose symbols are not looked at any further."""
    raw = bytearray(elf(imports=["f"], exports=["g"], relocations=["plt:f"]))
    _set_tag(raw, tag, value)
    root = tree({**GLIBC, "/w/exe": "exe needs=liba.so rpath=/w imports=h relocations=plt:h"})
    root.add_file("/w/liba.so", from_bytes(bytes(raw), "/w/liba.so"), 0o755)
    _, binding = bound(root)
    assert [fault.path for fault in binding.faults] == ["/w/liba.so"]
    assert words in binding.faults[0].message
    assert binding.undefined == ()


def _set_tag(raw: bytearray, tag: int, value: int) -> None:
    """A dynamic tag's value; one that is not there takes the place of DT_SYMENT."""
    layout = read_layout(BytesSource(bytes(raw)))
    at = next(s.offset for s in layout.segments if s.type == c.PT_DYNAMIC)
    tags = list(layout.dynamic.tags) if layout.dynamic is not None else []
    place = tags.index(tag) if tag in tags else tags.index(c.DT_SYMENT)
    struct.pack_into("<QQ", raw, at + 16 * place, tag, value)


def test_a_relocation_for_a_symbol_outside_the_file() -> None:
    raw = elf(imports=["f"], relocations=["plt:f"], hash="none")
    at = raw.index(struct.pack("<QQq", 0, 1 << 32 | 7, 0))
    broken = raw[: at + 8] + struct.pack("<Q", 0xFFFFFFF0 << 32 | 7) + raw[at + 16 :]
    with pytest.raises(ElfFault, match="symbol table outside"):
        linking(broken)


def test_no_symbols() -> None:
    assert read_linking(BytesSource(elf()), glibc_order) is None
    assert read_linking(BytesSource(elf(type=c.ET_EXEC)), glibc_order) is None


def test_newest_versions() -> None:
    world = {
        **GLIBC,
        "/w/exe": "exe needs=libc.so rpath=/w versions=libc.so:GLIBC_2.4+GLIBC_2.34+GLIBC_2.4.9",
        "/w/libc.so": "lib needs=libx.so rpath=/w "
        "versions=libx.so:GLIBC_PRIVATE+GLIBC_2.100+CXXABI_1.3.13+CXXABI_FLOAT128+GCC_3.0",
        "/w/libx.so": "lib versions=libx.so:OPENSSL_1_1_0+LIBX_TM_1+9",
    }
    resolver = Resolver(tree(world))
    closure = resolver.resolve("/w/exe", Options())
    assert newest_versions(closure, Linkages(resolver.files)) == {
        "CXXABI": "1.3.13",
        "GCC": "3.0",
        "GLIBC": "2.100",
        "LIBX_TM": "1",
    }


def test_names_that_share_their_bytes() -> None:
    """Each symbol's name is the end of the one before: more bytes than the file could hold."""
    raw = bytearray(elf(exports=["x" * 3000, *[f"{n:04}" for n in range(2000)]]))
    layout = read_layout(BytesSource(bytes(raw)))
    at = layout.offset(layout.last(c.DT_SYMTAB) or 0) or 0
    for number in range(1, 2001):
        struct.pack_into("<I", raw, at + 24 * number, 1 + number)
    with pytest.raises(ElfFault, match="overlap"):
        linkage(linking(bytes(raw)), Abi(c.EM_X86_64, 64, True, 0), GLIBC_RULES)
