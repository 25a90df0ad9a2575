"""Dynamic symbols and their versions, by every table that tells how many there are."""

from __future__ import annotations

import pytest

from elfpack.blob import BytesSource
from elfpack.elf import constants as c
from elfpack.elf.layout import ElfFault, read_layout
from elfpack.elf.symbols import (
    Symbol,
    Symbols,
    imported_names,
    read_imports,
    read_symbols,
    symbol_versions,
)
from elfpack.elf.versions import Compared, Definition, Need, read_compared, read_versions
from tests.elfbuild import elf, sysv_hash

FORMS = [
    (bits, little, machine, table)
    for bits, little, machine in [
        (64, True, c.EM_X86_64),
        (32, True, c.EM_386),
        (64, False, c.EM_S390),
        (32, False, c.EM_PPC),
        (64, True, c.EM_ALPHA),
    ]
    for table in ("gnu", "sysv", "none")
]


@pytest.mark.parametrize(("bits", "little", "machine", "table"), FORMS)
def test_symbols(bits: int, little: bool, machine: int, table: str) -> None:
    raw = elf(
        bits=bits,
        little=little,
        machine=machine,
        hash=table,
        imports=["puts@V1", "plain", "other@V2"],
        exports=["new@@S1", "old@S2", "bare", "secret"],
        weak=["plain", "bare"],
        hidden=["secret"],
        needs={"libc.so.6": ["V1"], "libm.so.6": ["V2", "V3"]},
        defines=["S1", "S2"],
    )
    assert read_symbols(BytesSource(raw)) == Symbols(
        (
            Symbol("puts", "V1", False),
            Symbol("plain", None, True),
            Symbol("other", "V2", False),
        ),
        (
            Symbol("new", "S1", False),
            Symbol("old", "S2", False, hidden=True),
            Symbol("bare", None, True),
        ),
    )


@pytest.mark.parametrize(("bits", "little", "machine", "table"), FORMS)
def test_imported_names_are_the_imports(bits: int, little: bool, machine: int, table: str) -> None:
    source = BytesSource(
        elf(
            bits=bits,
            little=little,
            machine=machine,
            hash=table,
            imports=["puts@V1", "plain", "other@V2"],
            exports=["new@@S1", "old@S2", "bare"],
            weak=["plain"],
            local=["own"],
            canonical=["old"],
            needs={"libc.so.6": ["V1"], "libm.so.6": ["V2", "V3"]},
            defines=["S1", "S2"],
        )
    )
    layout = read_layout(source)
    versions = symbol_versions(source, layout)
    found = [
        (name.decode(), versions.of(n))
        for name, n in zip(*imported_names(source, layout), strict=True)
    ]
    assert found == [(symbol.name, symbol.version) for symbol in read_imports(source)]


def test_imported_names_of_a_file_without_symbols() -> None:
    source = BytesSource(elf(type=c.ET_EXEC))
    assert imported_names(source, read_layout(source)) == ([], [])
    assert symbol_versions(source).of(1) is None


def test_an_imported_name_outside_the_strings() -> None:
    source = BytesSource(_named_far(elf(imports=["puts"])))
    with pytest.raises(ElfFault, match="outside its string table"):
        imported_names(source, read_layout(source))


def _named_far(raw: bytes) -> bytes:
    """The same file, its imported symbol with a name behind the string table."""
    layout = read_layout(BytesSource(raw))
    start = layout.offset(layout.last(c.DT_SYMTAB) or 0) or 0
    return raw[: start + 24] + b"\xff\xff\xff\x7f" + raw[start + 28 :]


@pytest.mark.parametrize("table", ["gnu", "sysv", "none"])
def test_imports_alone(table: str) -> None:
    """GNU ld's empty hash table does not tell how many symbols there are: the first would be 1."""
    found = read_symbols(BytesSource(elf(imports=["a", "b"], hash=table)))
    assert [symbol.name for symbol in found.imported] == ["a", "b"]


def test_mips_counts_in_the_dynamic_section() -> None:
    raw = elf(imports=["a", "b"], hash="none", tags=[(c.DT_MIPS_SYMTABNO, 2)], machine=c.EM_MIPS)
    assert [s.name for s in read_symbols(BytesSource(raw)).imported] == ["a"]


def test_no_symbols() -> None:
    assert read_symbols(BytesSource(elf())) == Symbols()
    assert read_symbols(BytesSource(elf(type=c.ET_EXEC))) == Symbols()


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("little", [True, False])
def test_versions(bits: int, little: bool) -> None:
    raw = elf(
        bits=bits,
        little=little,
        soname="libx.so",
        needs={"libc.so.6": ["V1", "V2"], "libm.so.6": ["V3"]},
        defines=["S1"],
        weak_versions=["V2"],
        strict_versions=["V3"],
    )
    found = read_versions(BytesSource(raw))
    assert found.needs == (
        Need("libc.so.6", "V1", 3, False, 0x591),
        Need("libc.so.6", "V2", 4, True, 0x592),
        Need("libm.so.6", "V3", 5, False, 0x593, hidden=True),
    )
    assert found.definitions == (
        Definition("libx.so", 1, True, sysv_hash("libx.so")),
        Definition("S1", 2, False, 0x561),
    )
    source = BytesSource(raw)
    assert read_compared(source, read_layout(source)) == Compared(
        {"libc.so.6": [(0x591, "V1")], "libm.so.6": [(0x593, "V3")]},
        frozenset([(sysv_hash("libx.so"), "libx.so"), (0x561, "S1")]),
    )


@pytest.mark.parametrize("count", [1, 300, 5000])
def test_many_versions(count: int) -> None:
    """More than are read of a table, and of the strings, at once."""
    versions = [f"V{number}" for number in range(count)]
    raw = elf(needs={"liba.so": versions, "libb.so": ["W"]}, defines=[f"D{v}" for v in versions])
    source = BytesSource(raw)
    found, compared = read_versions(source), read_compared(source, read_layout(source))
    assert [(n.file, n.version) for n in found.needs] == [
        *(("liba.so", version) for version in versions),
        ("libb.so", "W"),
    ]
    assert compared.needs == {
        "liba.so": [(sysv_hash(version), version) for version in versions],
        "libb.so": [(sysv_hash("W"), "W")],
    }
    assert compared.definitions == {(d.hash, d.version) for d in found.definitions}
    assert len(compared.definitions) == count + 1


def test_no_versions() -> None:
    source = BytesSource(elf(needed=["libc.so.6"]))
    assert read_compared(source, read_layout(source)) == Compared()
