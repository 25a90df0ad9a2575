"""Whether an object is of the machine that a loader loads.

Source: glibc sysdeps/*/dl-machine.h, elf_machine_matches_host(); glibc elf/dl-load.c,
open_verify().
"""

from __future__ import annotations

from elfpack.elf import constants as c
from elfpack.elf.file import Abi

_ARM_SOFT, _ARM_HARD = 0x200, 0x400
_PPC64_ABI = 3
_RISCV_FLOAT, _RISCV_RVE = 0x6, 0x8
_MIPS_ABI2, _MIPS_NAN2008 = 0x20, 0x400


def same_machine(machine: int, flags: int, wanted: Abi) -> bool:
    """Whether e_machine, and the part of e_flags that the machine's loader compares, agree."""
    if wanted.machine in (c.EM_SPARC, c.EM_SPARC32PLUS):
        return machine in (c.EM_SPARC, c.EM_SPARC32PLUS)
    if machine != wanted.machine:
        return False
    if machine == c.EM_ARM:
        # An object that carries neither mark is taken by both.
        both = _ARM_SOFT | _ARM_HARD
        return not flags & both or not wanted.flags & both or flags & both == wanted.flags & both
    if machine == c.EM_PPC64:
        mine, theirs = flags & _PPC64_ABI, wanted.flags & _PPC64_ABI
        return not mine or not theirs or mine == theirs
    if machine == c.EM_RISCV:
        mask = _RISCV_FLOAT | _RISCV_RVE
        return flags & mask == wanted.flags & mask
    if machine == c.EM_MIPS:
        mask = _MIPS_ABI2 | _MIPS_NAN2008
        return flags & mask == wanted.flags & mask
    return True
