"""The platform of a program as container engines name it, from its ELF header.

Source: OCI image-spec, config.md and image-index.md, "Platform Variants"; the architectures of Go
(go/build/syslist.go); containerd platforms/database.go for the variants that stand for none.
"""

from __future__ import annotations

from elfpack.elf import constants as c
from elfpack.elf.file import Header
from elfpack.formats.oci import Platform

_SYSTEMS = {2: "netbsd", 6: "solaris", 9: "freebsd", 12: "openbsd"}
"""By EI_OSABI. Linux's programs have 0 (System V) or 3."""
_PLAIN = {
    c.EM_X86_64: "amd64",
    c.EM_386: "386",
    c.EM_IA_64: "ia64",
    c.EM_S390: "s390",
    c.EM_SPARC: "sparc",
    c.EM_SPARC32PLUS: "sparc",
    c.EM_SPARCV9: "sparc64",
}
_BY_ORDER = {
    # e_machine and bits: little-endian, big-endian
    (c.EM_AARCH64, 64): ("arm64", "arm64be"),
    (c.EM_ARM, 32): ("arm", "armbe"),
    (c.EM_PPC64, 64): ("ppc64le", "ppc64"),
    (c.EM_PPC, 32): ("ppcle", "ppc"),
    (c.EM_MIPS, 32): ("mipsle", "mips"),
    (c.EM_MIPS, 64): ("mips64le", "mips64"),
}
_BY_BITS = {
    (c.EM_S390, 64): "s390x",
    (c.EM_RISCV, 32): "riscv",
    (c.EM_RISCV, 64): "riscv64",
    (c.EM_LOONGARCH, 64): "loong64",
}
_MIPS_N32 = 0x20
"""EF_MIPS_ABI2: 32-bit addresses on a 64-bit machine."""
_ARM_HARD_FLOAT = 0x400


def platform(header: Header, arm: int | None = None) -> Platform:
    """The platform of a program.

    ``arm`` is the version of the ARM architecture, if the file tells it
    (:func:`elfpack.elf.arm.version`). Without it the float ABI has to do: 7 for hard float, as
    Debian's armhf, else 5, as its armel. A machine that no engine knows keeps its Linux name.
    """
    system = _SYSTEMS.get(header.ident[7], "linux")
    machine, bits = header.machine, header.bits
    if machine == c.EM_MIPS and header.flags & _MIPS_N32:
        bits = 64
    if (machine, bits) in _BY_ORDER:
        architecture = _BY_ORDER[machine, bits][not header.little]
    else:
        plain = _PLAIN.get(machine, header.machine_name)
        architecture = _BY_BITS.get((machine, bits), plain)
    variant = ""
    if architecture == "arm64":
        variant = "v8"
    elif architecture == "arm":
        variant = f"v{arm or (7 if header.flags & _ARM_HARD_FLOAT else 5)}"
    return Platform(system, architecture, variant)
