"""What a relocation asks of the symbol that it is bound to, by machine.

Source: glibc sysdeps/*/dl-machine.h, elf_machine_type_class() and elf_machine_rela(); musl
arch/*/reloc.h. The numbers are those of glibc elf/elf.h.
"""

from __future__ import annotations

from typing import NamedTuple

from elfpack.elf import constants as c
from elfpack.elf.file import Abi

PLT = 1
"""An undefined symbol does not do, even if it has a value."""
COPY = 2
"""The program is not searched: its own copy is what is to be filled."""


class Types(NamedTuple):
    """Relocation types of one machine."""

    jump_slot: int
    copy: int
    plt: frozenset[int]
    """Further types of which glibc wants a defined symbol."""
    only: frozenset[int] | None = None
    """The only types that look a symbol up; None: all but the type 0."""

    def kind(self, type: int) -> int | None:  # noqa: A002 - the field's word
        """:data:`PLT`, :data:`COPY` or 0; None for a type that looks nothing up."""
        if type == self.jump_slot:
            return PLT
        if type == self.copy:
            return COPY
        if self.only is not None and type not in self.only:
            return None
        if type in self.plt:
            return PLT
        return 0 if type else None


def _types(jump_slot: int, copy: int, *plt: int) -> Types:
    return Types(jump_slot, copy, frozenset(plt))


_NONE = -1
_PPC64 = (2, *range(67, 107), *range(112, 116))
_MIPS_TLS = frozenset((38, 39, 40, 41, 47, 48))
_BY_MACHINE = {
    c.EM_X86_64: _types(7, 5, 16, 17, 18, 36),
    c.EM_386: _types(7, 5, 14, 35, 36, 37, 41),
    c.EM_AARCH64: _types(1026, 1024, 1028, 1029, 1030, 1031),
    c.EM_ARM: _types(22, 20, 13, 17, 18, 19),
    c.EM_RISCV: _types(5, 4, 6, 7, 8, 9, 10, 11),
    c.EM_S390: _types(11, 9, 54, 55, 56),
    c.EM_PPC64: _types(21, 19, *_PPC64),
    c.EM_PPC: _types(21, 19, 2, 10, *range(68, 79)),
    c.EM_SPARC: _types(21, 19, *range(56, 80)),
    c.EM_MIPS: Types(127, 126, frozenset(), _MIPS_TLS),
    c.EM_LOONGARCH: _types(5, 4),
    c.EM_68K: _types(21, 19, 40, 41, 42),
    c.EM_SH: _types(164, 162, 149, 150, 151),
    c.EM_ALPHA: _types(26, _NONE, 31, 33, 38),
    c.EM_PARISC: _types(129, 128, 130, 153, 242, 244),
    c.EM_IA_64: _types(0x81, _NONE, 0x97, 0xA7, 0xB7),
    c.EM_MICROBLAZE: _types(17, 21, 25, 26, 29),
    c.EM_NIOS2: _types(38, 36, 33, 34, 35),
    c.EM_OPENRISC: _types(20, 18, 32, 33, 34),
    c.EM_CSKY: _types(12, 10, 56, 57, 58),
    c.EM_ARCV2: _types(0x37, 0x35, 0x42, 0x43, 0x44),
}
_UNKNOWN = _types(_NONE, _NONE)


def types_of(abi: Abi) -> Types:
    """The relocation types of a machine."""
    machine = abi.machine
    if machine in (c.EM_SPARC32PLUS, c.EM_SPARCV9):
        machine = c.EM_SPARC
    return _BY_MACHINE.get(machine, _UNKNOWN)
