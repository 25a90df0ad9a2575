"""Which subdirectories for CPU features a glibc loader looks into.

Two generations: ``glibc-hwcaps/NAME`` since 2.33, and up to 2.36 the power set of the kernel's
names for what the CPU can do.

Source: glibc elf/dl-hwcaps.c, _dl_important_hwcaps(); sysdeps/x86_64/dl-hwcaps-subdirs.c,
sysdeps/s390/s390-64/dl-hwcaps-subdirs.c, sysdeps/powerpc/powerpc64/le/dl-hwcaps-subdirs.c.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from elfpack.elf import constants as c
from elfpack.elf.file import Abi
from elfpack.light import NamedTuple
from elfpack.loader.identify import Loader

BASELINE = "baseline"
HOST = "host"
PREFIX = "glibc-hwcaps/"
_X86 = ("x86-64-v4", "x86-64-v3", "x86-64-v2")
_POWER = ("power11", "power10", "power9")
_Z = ("z17", "z16", "z15", "z14", "z13")
LEVELS = (*_X86, *_POWER, *_Z)
"""Every name of a subdirectory that some loader knows, the best of a machine first."""
_LEGACY_ENDS = (2, 37)
"""The release that no longer looks into the older subdirectories."""
_CACHE_LEGACY_ENDS = (2, 40)
"""The release that no longer takes cache entries for them."""
_TLS = 1 << 63
_FIRST_PLATFORM = 48
"""The bit of a cache entry that stands for the first platform. Source: sysdeps/x86/dl-procinfo.h"""
_X86_PLATFORMS = ("i586", "i686", "haswell", "xeon_phi")
_X86_BITS = ("sse2", "x86_64", "avx512_1")


class Cpu(NamedTuple):
    """What of a CPU decides where a loader looks."""

    levels: tuple[str, ...] = ()
    """The glibc-hwcaps names that it may use, best first."""
    platform: str | None = None
    """$PLATFORM, and the name of an older subdirectory."""
    features: tuple[str, ...] = ()
    """Further names of older subdirectories, in the order of their bits."""

    @property
    def isa(self) -> int:
        """The x86 ISA levels as bits, the baseline's set always: GNU_PROPERTY_X86_ISA_1_*."""
        return (2 << sum(level in _X86 for level in self.levels)) - 1


class Facts(NamedTuple):
    """What the kernel tells of the CPU. Empty: nothing, which stands for the baseline."""

    machine: str = ""
    """As uname -m names it."""
    cpuinfo: str = ""
    """/proc/cpuinfo, of which the first processor counts."""
    auxv: bytes = b""
    """/proc/self/auxv."""


NO_FACTS = Facts()


def is_level(name: str) -> bool:
    """Whether a machine has a level of that name."""
    return name in LEVELS


@lru_cache(maxsize=32)
def cpu_of(wanted: str, abi: Abi, facts: Facts = NO_FACTS) -> Cpu:
    """The CPU that a program is looked up for: ``host``, ``baseline`` or a level.

    A level of another machine, and facts of one, are the program's baseline.
    """
    if wanted == HOST:
        return _host(abi, facts)
    names = _names(abi)
    levels = names[names.index(wanted) :] if wanted in names else ()
    return _baseline(abi)._replace(levels=levels)


@lru_cache(maxsize=32)
def isa_of(wanted: str, abi: Abi, facts: Facts) -> int:
    """The x86 ISA levels of that CPU."""
    return cpu_of(wanted, abi, facts).isa


def _names(abi: Abi) -> tuple[str, ...]:
    if abi.machine == c.EM_X86_64:
        return _X86
    if abi.machine == c.EM_PPC64 and abi.little:
        return _POWER
    return _Z if abi.machine == c.EM_S390 and abi.bits == 64 else ()


def _baseline(abi: Abi) -> Cpu:
    """What every machine of the kind tells of itself. Source: AT_PLATFORM, Linux
    arch/*/include/asm/elf.h, ELF_PLATFORM; glibc sysdeps/x86/cpu-features.c."""
    if abi.machine == c.EM_X86_64:
        return Cpu(platform="x86_64", features=("x86_64",))
    if abi.machine == c.EM_386:
        return Cpu(platform="i686")
    return Cpu(platform="aarch64" if abi.machine == c.EM_AARCH64 else None)


def _host(abi: Abi, facts: Facts) -> Cpu:
    cpu = _baseline(abi)
    x86 = facts.machine in ("x86_64", "i686", "i586")
    if x86 and abi.machine in (c.EM_X86_64, c.EM_386):
        return _x86(abi, cpu, _flags(facts.cpuinfo), "GenuineIntel" in facts.cpuinfo)
    if facts.machine == "ppc64le" and abi.machine == c.EM_PPC64:
        second = _auxiliary(facts.auxv, _AT_HWCAP2, "<")
        return cpu._replace(levels=_reached(_POWER, _POWER_BITS, second))
    if facts.machine == "s390x" and abi.machine == c.EM_S390:
        return cpu._replace(levels=_reached(_Z, _Z_BITS, _auxiliary(facts.auxv, _AT_HWCAP, ">")))
    if facts.machine == "aarch64" and abi.machine == c.EM_AARCH64:
        atomics = _auxiliary(facts.auxv, _AT_HWCAP, "<") & 1 << 8
        return cpu._replace(features=("atomics",) if atomics else ())
    return cpu


# Linux' names, in /proc/cpuinfo, of what each level asks for besides the one below.
# Source: glibc sysdeps/x86/get-isa-level.h.
_X86_FLAGS = (
    frozenset(["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]),
    frozenset(["avx", "avx2", "f16c", "fma", "abm", "movbe"]),
    frozenset(["cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"]),
)
_HASWELL = frozenset(["avx2", "fma", "bmi1", "bmi2", "abm", "movbe", "popcnt"])
_AVX512_1 = frozenset(["avx512cd", "avx512bw", "avx512dq", "avx512vl"])


def _flags(cpuinfo: str) -> frozenset[str]:
    for line in cpuinfo.splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def _x86(abi: Abi, cpu: Cpu, flags: frozenset[str], intel: bool) -> Cpu:
    """Source: glibc 2.36 sysdeps/x86/cpu-features.c, init_cpu_features()."""
    if abi.machine == c.EM_386:
        return cpu._replace(features=("sse2",) if "sse2" in flags else ())
    levels: tuple[str, ...] = ()
    for name, asked in zip(reversed(_X86), reversed(_X86_FLAGS), strict=True):
        if not asked <= flags:
            break
        levels = (name, *levels)
    platform, features = cpu.platform, cpu.features
    if intel and {"avx512cd", "avx512er", "avx512pf"} <= flags:
        platform = "xeon_phi"
    elif intel and flags >= _HASWELL:
        platform = "haswell"
    if intel and flags >= _AVX512_1 and "avx512er" not in flags:
        features = (*features, "avx512_1")
    return Cpu(levels, platform, features)


# Source: glibc sysdeps/powerpc/bits/hwcap.h, sysdeps/unix/sysv/linux/s390/bits/hwcap.h; the bits
# of AT_HWCAP2 and AT_HWCAP that each level asks for.
_AT_HWCAP, _AT_HWCAP2 = 16, 26
_POWER_BITS = {"power9": 0x00C00000, "power10": 0x00060000}
_Z_BITS = {"z13": 1 << 11, "z14": 0x7000, "z15": 0x28000, "z16": 1 << 19}


def _reached(names: tuple[str, ...], bits: dict[str, int], have: int) -> tuple[str, ...]:
    reached: tuple[str, ...] = ()
    for name in reversed(names):
        asked = bits.get(name)
        if asked is None or have & asked != asked:
            break
        reached = (name, *reached)
    return reached


def _auxiliary(auxv: bytes, kind: int, order: str) -> int:
    """A value of the auxiliary vector, of a 64-bit process."""
    for this, value in struct.iter_unpack(order + "QQ", auxv[: len(auxv) // 16 * 16]):
        if this == kind:
            return int(value)
    return 0


def active(loader: Loader, cpu: Cpu) -> tuple[str, ...]:
    """The glibc-hwcaps names that a loader uses on a CPU, best first."""
    return tuple(name for name in loader.hwcaps if name in cpu.levels)


def subdirectories(loader: Loader, cpu: Cpu) -> tuple[str, ...]:
    """What a loader tries in each directory, in order, each ending in ``/``; the directory itself,
    as an empty text, comes last."""
    named = [f"{PREFIX}{name}/" for name in active(loader, cpu)]
    return (*named, *legacy(loader, cpu), "")


def legacy(loader: Loader, cpu: Cpu) -> tuple[str, ...]:
    """The older subdirectories in the loader's order, where a name can occur twice.

    The power set of features, platform and ``tls``, of which the last decides most: all with
    ``tls`` before all without.
    """
    if not loader.recognised or loader.version >= _LEGACY_ENDS:
        return ()
    names = [*cpu.features, *((cpu.platform,) if cpu.platform else ()), "tls"]
    found = []
    for bits in range((1 << len(names)) - 1, 0, -1):
        chosen = [name for at, name in enumerate(names) if bits >> at & 1]
        found.append("/".join(reversed(chosen)) + "/")
    return tuple(found)


def usable_bits(loader: Loader, cpu: Cpu) -> int:
    """The bits of a plain cache entry that a loader takes on a CPU: its older subdirectories.

    Source: glibc elf/dl-cache.c, search_cache(), hwcap_exclude; gone in 2.40.
    """
    if loader.version >= _CACHE_LEGACY_ENDS:
        return 0
    bits = _TLS
    for at, name in enumerate(_X86_BITS):
        bits |= (name in cpu.features) << at
    if cpu.platform in _X86_PLATFORMS:
        bits |= 1 << _FIRST_PLATFORM + _X86_PLATFORMS.index(cpu.platform)
    return bits
