"""Numbers of the ELF format that elfpack looks at.

Source: gABI ch. 4 and 5; GNU extensions: glibc elf/elf.h; machines: the registry of e_machine.
"""

from __future__ import annotations

ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4

EM_SPARC, EM_386, EM_68K, EM_MIPS, EM_PARISC, EM_SPARC32PLUS = 2, 3, 4, 8, 15, 18
EM_PPC, EM_PPC64, EM_S390, EM_ARM, EM_SH, EM_SPARCV9 = 20, 21, 22, 40, 42, 43
EM_IA_64, EM_X86_64, EM_ARCV2, EM_AARCH64 = 50, 62, 195, 183
EM_MICROBLAZE, EM_OPENRISC, EM_RISCV, EM_CSKY, EM_LOONGARCH = 189, 92, 243, 252, 258
EM_ALPHA, EM_XTENSA, EM_NIOS2 = 0x9026, 94, 113

PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE = 1, 2, 3, 4
PF_X, PF_W = 1, 2
PT_GNU_STACK, PT_GNU_RELRO = 0x6474E551, 0x6474E552
PN_XNUM = 0xFFFF

DT_NULL, DT_NEEDED, DT_HASH, DT_STRTAB, DT_SYMTAB = 0, 1, 4, 5, 6
DT_STRSZ, DT_SYMENT, DT_SONAME, DT_RPATH = 10, 11, 14, 15
DT_DEBUG, DT_RUNPATH, DT_FLAGS = 21, 29, 30
DT_GNU_HASH, DT_VERSYM, DT_FLAGS_1 = 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFB
DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
DT_DEPAUDIT, DT_AUDIT, DT_AUXILIARY, DT_FILTER = 0x6FFFFEFB, 0x6FFFFEFC, 0x7FFFFFFD, 0x7FFFFFFF
DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_SYMBOLIC = 2, 7, 8, 16
DT_REL, DT_RELSZ, DT_PLTREL, DT_JMPREL, DT_RELR = 17, 18, 20, 23, 36
DT_RELACOUNT, DT_RELCOUNT = 0x6FFFFFF9, 0x6FFFFFFA
DT_MIPS_SYMTABNO, DT_MIPS_GOTSYM, DT_MIPS_XHASH = 0x70000011, 0x70000013, 0x70000036

DF_SYMBOLIC = 0x2

DF_1_NODEFLIB, DF_1_PIE = 0x800, 0x08000000

STB_LOCAL, STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE = 0, 1, 2, 10
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_COMMON, STT_TLS, STT_GNU_IFUNC = 0, 1, 2, 5, 6, 10
SHN_UNDEF, SHN_ABS = 0, 0xFFF1
VERSYM_HIDDEN = 0x8000
STV_INTERNAL, STV_HIDDEN, STV_PROTECTED = 1, 2, 3

_BY_CLASS = {
    # e_machine: name of the 32-bit machine, of the 64-bit one
    EM_X86_64: ("x86_64", "x86_64"),  # 32 bits: x32, which runs on an x86_64 kernel
    EM_PPC: ("ppc", "ppc64"),
    EM_S390: ("s390", "s390x"),
    EM_MIPS: ("mips", "mips64"),
    EM_RISCV: ("riscv32", "riscv64"),
    EM_LOONGARCH: ("loongarch32", "loongarch64"),
    EM_PARISC: ("parisc", "parisc64"),
}
_PLAIN = {
    EM_386: "i686",
    EM_68K: "m68k",
    EM_SPARC: "sparc",
    EM_SPARC32PLUS: "sparc",
    EM_SPARCV9: "sparc64",
    EM_SH: "sh4",
    EM_IA_64: "ia64",
    EM_ALPHA: "alpha",
    EM_MICROBLAZE: "microblaze",
    EM_OPENRISC: "openrisc",
    EM_CSKY: "csky",
    EM_XTENSA: "xtensa",
    EM_NIOS2: "nios2",
    EM_ARCV2: "arc",
}


def machine_name(machine: int, bits: int, little: bool) -> str:
    """The machine as ``uname -m`` names it; ``em<NUMBER>`` for one without a Linux name.

    Source: UTS_MACHINE in the Makefile of each Linux arch/ directory.
    """
    if machine in _BY_CLASS:
        return _BY_CLASS[machine][bits == 64]
    if machine == EM_AARCH64:
        return "aarch64" if little else "aarch64_be"
    if machine == EM_ARM:
        return "armv7l" if little else "armv7b"
    if machine == EM_PPC64:
        return "ppc64le" if little else "ppc64"
    return _PLAIN.get(machine, f"em{machine}")
