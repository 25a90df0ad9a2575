"""Whether an object is of the machine that a loader loads, and how a cache marks it.

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


# Source: sysdeps/generic/ldconfig.h, FLAG_*; sysdeps/*/dl-cache.h, _DL_CACHE_DEFAULT_ID.
_FLAGS = {
    (c.EM_X86_64, 64): (0x0303,),
    (c.EM_X86_64, 32): (0x0803,),
    (c.EM_AARCH64, 64): (0x0A03,),
    (c.EM_PPC64, 64): (0x0503,),
    (c.EM_S390, 64): (0x0403,),
    (c.EM_SPARCV9, 64): (0x0103,),
    (c.EM_IA_64, 64): (0x0203,),
}


def cache_flags(abi: Abi) -> tuple[int, ...]:
    """The flags of cache entries that a machine's loader takes, its own first."""
    if abi.machine == c.EM_ARM:
        return (0x0903 if abi.flags & 0x400 else 0x0B03, 0x0003)
    if abi.machine == c.EM_RISCV:
        return (0x1003 if abi.flags & 6 == 4 else 0x0F03,)
    if abi.machine == c.EM_LOONGARCH:
        return (0x1203 if abi.flags & 7 == 3 else 0x1103,)
    if abi.machine == c.EM_MIPS:
        nan2008 = 0x0C03 if abi.flags & 0x400 else 0
        if abi.bits == 64:
            return (0x0E03 if nan2008 else 0x0703,)
        if abi.flags & 0x20:
            return (0x0D03 if nan2008 else 0x0603,)
        return (nan2008,) if nan2008 else (0x0003, 0x0001)
    return _FLAGS.get((abi.machine, abi.bits), (0x0003, 0x0001))


def vdso(abi: Abi) -> tuple[str, ...]:
    """The soname of the object that the kernel maps into every process.

    Source: Linux arch/*/kernel/vdso*/Makefile, -soname.
    """
    if abi.machine == c.EM_386:
        return ("linux-gate.so.1",)
    if abi.machine in (c.EM_PPC, c.EM_PPC64, c.EM_S390):
        return (f"linux-vdso{abi.bits}.so.1",)
    if abi.machine in (c.EM_X86_64, c.EM_AARCH64, c.EM_ARM, c.EM_RISCV, c.EM_LOONGARCH, c.EM_MIPS):
        return ("linux-vdso.so.1",)
    return ()
