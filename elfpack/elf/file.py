"""ElfFile: one ELF file, reduced to what decides loading."""

from __future__ import annotations

from functools import lru_cache

from elfpack.elf import constants as c
from elfpack.light import NamedTuple


class Header(NamedTuple):
    """The ELF header. Source: gABI ch. 4, "ELF Header"."""

    ident: bytes
    """The 16 bytes of e_ident."""
    type: int
    machine: int
    version: int
    flags: int
    phoff: int
    """Offset of the program headers in the file, bytes."""
    phentsize: int
    phnum: int
    shoff: int
    entry: int

    @property
    def bits(self) -> int:
        return 64 if self.ident[4] == 2 else 32

    @property
    def little(self) -> bool:
        return self.ident[5] == 1

    @property
    def machine_name(self) -> str:
        return c.machine_name(self.machine, self.bits, self.little)


class Abi(NamedTuple):
    """What two objects must share to live in one process, as far as a loader checks it."""

    machine: int
    bits: int
    little: bool
    flags: int
    """e_flags, of which each machine's loader compares a part."""


@lru_cache(maxsize=64)
def _abi(machine: int, ident: bytes, flags: int) -> Abi:
    """One record for all files of a machine: it is compared and hashed often."""
    return Abi(machine, 64 if ident[4] == 2 else 32, ident[5] == 1, flags)


class Filter(NamedTuple):
    """A DT_AUXILIARY or DT_FILTER entry: an object whose symbols go before this one's."""

    after: int
    """How many needed names stand before it in the dynamic section."""
    name: str
    required: bool
    """DT_FILTER, which must be found; DT_AUXILIARY may be missing."""


class ElfFile(NamedTuple):
    """One ELF file as a dynamic loader sees it. Holds no open file.

    Strings are UTF-8 with surrogateescape: sonames and paths are bytes to a loader.
    Source: gABI ch. 5 "Dynamic Section"; DF_1_* flags: glibc elf/elf.h.
    """

    header: Header
    interpreter: str | None = None
    """PT_INTERP. None for most libraries, and for a static executable."""
    dynamic: bool = False
    """Has a PT_DYNAMIC segment with content."""
    loadable: bool = True
    """Has a PT_LOAD segment."""
    soname: str | None = None
    needed: tuple[str, ...] = ()
    """DT_NEEDED in file order; the loader searches in this order."""
    rpath: str | None = None
    """DT_RPATH as stored: colon-separated, tokens not expanded."""
    runpath: str | None = None
    """DT_RUNPATH as stored. When set, glibc ignores :attr:`rpath`."""
    flags_1: int = 0
    """DT_FLAGS_1."""
    debug: bool = False
    """Has DT_DEBUG, which linkers put into executables only."""
    filters: tuple[Filter, ...] = ()
    """DT_AUXILIARY and DT_FILTER."""
    cut: bool = False
    """The file ends inside the last page of its segments: a loader maps zeros there."""
    audit: tuple[str, ...] = ()
    """DT_AUDIT and DT_DEPAUDIT, colon-separated lists as stored."""
    isa: int = 0
    """The x86 ISA levels that the CPU needs, as bits: GNU_PROPERTY_X86_ISA_1_NEEDED."""
    of_musl: bool = False
    """Linked with musl, by what it needs: ``libc.musl-ARCH.so.1`` on Alpine, ``libc.so`` elsewhere,
    which with glibc is a text file that nothing needs."""

    @property
    def abi(self) -> Abi:
        header = self.header
        return _abi(header.machine, header.ident, header.flags)

    @property
    def has_path(self) -> bool:
        """Has DT_RPATH or DT_RUNPATH."""
        return self.rpath is not None or self.runpath is not None

    @property
    def asked(self) -> tuple[tuple[str, Filter | None], ...]:
        """Every name that the object asks for, in the order of its dynamic section."""
        names: list[tuple[str, Filter | None]] = []
        at = 0
        for filtered in self.filters:
            names += [(name, None) for name in self.needed[at : filtered.after]]
            names.append((filtered.name, filtered))
            at = filtered.after
        names += [(name, None) for name in self.needed[at:]]
        return tuple(names)

    @property
    def kind(self) -> str:
        """``executable``, ``pie``, ``static``, ``static-pie``, ``library`` (or ``object``, which
        nothing loads: ET_REL and ET_CORE).

        ET_DYN is both. DF_1_PIE marks an executable; linkers before 2015 do not set it, but give
        executables alone DT_DEBUG. PT_INTERP does not tell: libc.so.6 has one to be runnable.
        """
        kind = self.header.type
        if kind == c.ET_EXEC:
            return "executable" if self.interpreter is not None or self.needed else "static"
        if kind != c.ET_DYN:
            return "object"
        program = self.flags_1 & c.DF_1_PIE or (
            self.soname is None and (self.debug or self.interpreter is not None)
        )
        if not program:
            return "library"
        return "pie" if self.interpreter is not None or self.needed else "static-pie"


class Malformed(NamedTuple):
    """A file that is no ELF file, or a broken one."""

    message: str
    """What is wrong, for a message after the file's name."""
    header: Header | None = None
    """The header, if that much could be read: loaders judge by it before they look further."""
    head: bytes = b""
    """The first 64 bytes, fewer if the file is shorter."""
