"""glibc's ld.so: which paths it tries for a name, and what it makes of each.

Source: glibc elf/dl-load.c: _dl_map_object(), open_path(), open_verify(),
_dl_map_object_from_fd(); the differences between releases are named where they count.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from elfpack.elf import constants as c
from elfpack.elf.file import Abi, ElfFile, Header, Malformed
from elfpack.formats.ldcache import LdCache
from elfpack.light import TYPE_CHECKING
from elfpack.loader import hwcaps
from elfpack.loader.files import CACHE_LIMIT
from elfpack.loader.machine import cache_flags, same_machine
from elfpack.loader.records import Element, Hit, Kind, Outcome, Scope, SearchList
from elfpack.loader.system import System
from elfpack.loader.tokens import Tokens, expand, has_token, split_path, uses_origin
from elfpack.paths import normal

if TYPE_CHECKING:
    from typing import Literal


Verdict = tuple[Outcome, str]
_X86 = (c.EM_X86_64, c.EM_386)


class Glibc:
    """The rules, with the constants of one loader."""

    follows_filters = True
    """DT_AUXILIARY and DT_FILTER."""
    lists_preloaded_loader = False
    goes_on = False
    """A candidate that is refused ends the process: _dl_signal_error()."""
    follows_callers = True
    """dlopen() looks where the object that calls it would."""
    longest = 1 << 62
    """Bytes of a path that is tried: the kernel refuses one that is too long."""
    knows_sonames = True
    """A name is that of an object that is loaded if it is the object's soname."""
    knows_vdso = True
    """The kernel's object is in the list of what is loaded: setup_vdso()."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._cache: LdCache | None = None
        self._entries: dict[tuple[str, bool], str | None] = {}
        """What the cache has for a name."""
        loader = system.loader
        self.subdirectories = hwcaps.subdirectories(loader, system.cpu)
        """What is tried in each directory, the directory itself last."""
        # _dl_init_paths(): LD_LIBRARY_PATH alone is split at semicolons too. A set-id program
        # does not see it.
        text = "" if system.secure else system.library_path
        self._environment = SearchList(
            Kind.ENVIRONMENT, split_path(text, ":;", self._tokens(system.origin))
        )
        self._defaults = SearchList(
            Kind.DEFAULT, tuple(Element(d, d.rstrip("/") or "/") for d in loader.directories)
        )
        self._flags = cache_flags(system.abi)
        self._hwcaps = hwcaps.active(loader, system.cpu)
        # Other machines than x86 have no ISA levels and take any entry: dl-isa-level.h.
        self._isa = system.cpu.isa if system.abi.machine in _X86 else -1
        self._legacy = hwcaps.usable_bits(loader, system.cpu)

    # What an object's own tags say

    def chain(self, hit: Hit, above: tuple[SearchList, ...]) -> tuple[SearchList, ...]:
        """The RPATH lists for what ``hit`` causes to be loaded; ``above`` is its requester's.

        DT_RUNPATH silences the DT_RPATH beside it, but not those further up.
        Source: elf/get-dynamic-info.h, elf_get_dynamic_info(); dl-load.c, cache_rpath().
        """
        elf = hit.elf
        if elf.rpath is None or elf.runpath is not None:
            return above
        elements = self._elements(elf.rpath, hit)
        return (SearchList(Kind.RPATH, elements, hit.path), *above) if elements else above

    def scope(self, hit: Hit, chain: tuple[SearchList, ...]) -> Scope:
        """All that a search on behalf of ``hit`` depends on."""
        elf = hit.elf
        no_default = bool(elf.flags_1 & c.DF_1_NODEFLIB)
        if elf.runpath is None:
            return Scope(chain, None, no_default)
        elements = self._elements(elf.runpath, hit)
        return Scope((), SearchList(Kind.RUNPATH, elements, hit.path), no_default)

    def preload_scope(self, chain: tuple[SearchList, ...], hit: Hit) -> Scope:
        """The search for a preloaded name without a slash, on behalf of the program ``hit``."""
        return self.scope(hit, chain)._replace(secure_preload=self._system.secure)

    def expand(self, name: str, hit: Hit) -> str | None:
        """A needed name with its tokens replaced. Source: elf/dl-deps.c, expand_dst."""
        return expand(name, self._tokens(self._system.origin_of(hit)))

    def forbids(self, name: str) -> str | None:
        """Why a needed name stops the loader before it looks for it. Source: expand_dst."""
        if self._system.secure and has_token(name):
            return "DST not allowed in SUID/SGID programs"
        return None

    def _elements(self, text: str, hit: Hit) -> tuple[Element, ...]:
        """The directories of a tag. Source: fillin_rpath(), _dl_dst_substitute()."""
        elements = split_path(text, ":", self._tokens(self._system.origin_of(hit)))
        if not self._system.secure:
            return elements
        return tuple(e for e in elements if self._is_trusted(e, hit))

    def _is_trusted(self, element: Element, hit: Hit) -> bool:
        """In a set-id program $ORIGIN has to begin the element, and the program's own may lead to
        system directories alone."""
        uses = uses_origin(element.written)
        if uses is None:
            return True
        if not uses:
            return False
        if hit.via.kind is not Kind.PROGRAM:
            return True
        return (normal(element.directory) + "/").startswith(self._system.loader.directories)

    def _tokens(self, origin: str) -> Tokens:
        return Tokens(origin, self._system.loader.lib, self._system.cpu.platform)

    # Where a name is looked for

    def steps(self, name: str, scope: Scope) -> Iterator[SearchList]:
        """The lists of places for a name without a slash, in the loader's order.

        Source: elf/dl-load.c, _dl_map_new_object(), in older releases _dl_map_object(); the
        numbers are ours.
        """
        # 1. DT_RPATH of each object on the way up; none of them if the requester has DT_RUNPATH.
        yield from scope.rpath_chain
        # 2. LD_LIBRARY_PATH.
        if self._environment.elements:
            yield self._environment
        # 3. DT_RUNPATH of the requester itself: it is not inherited.
        if scope.runpath is not None:
            yield scope.runpath
        # 4. The one best entry of ld.so.cache. DF_1_NODEFLIB drops one in a system directory.
        if self._system.loader.cache is not None and not scope.secure_preload:
            cached = self._cached(name, scope.no_default)
            yield SearchList(Kind.CACHE, (), "", () if cached is None else (cached,))
        # 5. The directories compiled into the loader.
        if not scope.no_default:
            yield self._defaults

    def _cached(self, name: str, no_default: bool) -> str | None:
        key = (name, no_default)
        if key not in self._entries:
            self._entries[key] = self._looked_up(name, no_default)
        return self._entries[key]

    def _looked_up(self, name: str, no_default: bool) -> str | None:
        if self._cache is None:
            raw = self._system.files.read_all(self._system.loader.cache or "", CACHE_LIMIT)
            abi = self._system.abi
            self._cache = LdCache(
                raw if isinstance(raw, bytes) else b"", little=abi.little, bits=abi.bits
            )
        best = self._cache.best(
            name, flags=self._flags, hwcaps=self._hwcaps, isa=self._isa, legacy=self._legacy
        )
        if best is not None and no_default and best.startswith(self._system.loader.directories):
            return None
        return best

    # What becomes of a candidate

    def judge_error(self, number: int, directory_exists: bool) -> Verdict:
        """An open that failed. Source: open_path(): any error but ENOENT and EACCES ends the list
        if the directory exists; ENOTDIR too before 2.39."""
        harmless: tuple[int, ...] = (errno.ENOENT, errno.EACCES)
        if self._system.loader.version >= (2, 39):
            harmless = (*harmless, errno.ENOTDIR)
        if number in harmless or not directory_exists:
            return Outcome.MISSING, "" if number == errno.ENOENT else os.strerror(number)
        return Outcome.END_OF_LIST, os.strerror(number)

    def judge_special(self, is_directory: bool) -> Verdict:
        """A candidate that is no regular file: open() takes it, read() does not."""
        if is_directory:
            return Outcome.FATAL, "cannot read file data: Is a directory"
        return Outcome.FATAL, "not a regular file: the loader would wait for it or fail to read it"

    def judge(self, content: ElfFile | Malformed, size: int) -> Verdict:
        """A regular file, by its header. Source: open_verify(), in its order."""
        wanted = self._system.abi
        head = content.header.ident if isinstance(content, ElfFile) else content.head
        if size < (64 if wanted.bits == 64 else 52):
            return Outcome.FATAL, "file too short"
        if head[:4] != b"\x7fELF":
            return Outcome.FATAL, "invalid ELF header"
        if head[4] != (2 if wanted.bits == 64 else 1):
            return Outcome.SKIPPED, f"wrong ELF class: ELFCLASS{32 if wanted.bits == 64 else 64}"
        # Debian's loader compares the machine before the rest of e_ident, others after it. It reads
        # the header in its own byte order, whatever EI_DATA says.
        machine, flags = _native(content, wanted)
        foreign = not same_machine(machine, flags, wanted)
        if foreign and self._system.loader.debian:
            return Outcome.SKIPPED, "wrong machine"
        header = content.header
        if header is None:
            return Outcome.FATAL, _encoding_message(wanted)
        if fault := _ident_fault(header, wanted):
            return Outcome.FATAL, fault
        if foreign:
            return Outcome.SKIPPED, f"wrong machine: {header.machine_name}"
        if header.type not in (c.ET_DYN, c.ET_EXEC):
            return Outcome.FATAL, "only ET_DYN and ET_EXEC can be loaded"
        if header.phentsize != (56 if wanted.bits == 64 else 32):
            return Outcome.FATAL, "ELF file's phentsize not the expected size"
        return Outcome.FOUND, ""

    def refuse(self, elf: ElfFile) -> str | None:
        """Why an object that is not loaded yet cannot be mapped; None if it can.

        Source: _dl_map_object_from_fd(), after its look for the same file.
        """
        if not elf.loadable:
            return "object file has no loadable segments"
        if elf.header.type == c.ET_EXEC:
            return "cannot dynamically load executable"
        if not elf.dynamic:
            return "object file has no dynamic section"
        # Since 2.30; PIEs older than DF_1_PIE pass.
        if elf.flags_1 & c.DF_1_PIE and not (0, 0) < self._system.loader.version < (2, 30):
            return "cannot dynamically load position-independent executable"
        return None

    def stands_for(self, hit: Hit) -> str | None:
        return None

    def loaded(self, program: Hit, interpreter: str, soname: str | None) -> GlibcLoaded:
        return GlibcLoaded(program, interpreter, soname)


def _native(content: ElfFile | Malformed, wanted: Abi) -> tuple[int, int]:
    """e_machine and e_flags as a loader of the wanted byte order reads them."""
    header = content.header
    if header is not None and header.little == wanted.little:
        return header.machine, header.flags
    order: Literal["little", "big"] = "little" if wanted.little else "big"
    if header is not None:
        other: Literal["little", "big"] = "big" if wanted.little else "little"
        swapped = header.machine.to_bytes(2, other), header.flags.to_bytes(4, other)
        return int.from_bytes(swapped[0], order), int.from_bytes(swapped[1], order)
    head = content.head if isinstance(content, Malformed) else b""
    at = 48 if wanted.bits == 64 else 36
    return int.from_bytes(head[18:20], order), int.from_bytes(head[at : at + 4], order)


def _encoding_message(wanted: Abi) -> str:
    return f"ELF file data encoding not {'little' if wanted.little else 'big'}-endian"


_PADDING = bytes(7)


def _ident_fault(header: Header, wanted: Abi) -> str | None:
    ident = header.ident
    if header.little != wanted.little:
        return _encoding_message(wanted)
    if ident[6] != 1:
        return "ELF file version ident does not match current one"
    osabi, abiversion = ident[7], ident[8]
    if osabi not in (0, 3) and not (wanted.machine == c.EM_ARM and osabi == 64):
        return "ELF file OS ABI invalid"
    # GNU objects may ask for a small version. Source: libc-abis; LIBC_ABI_MAX.
    most = 4 if osabi == 3 else 0
    if wanted.machine == c.EM_MIPS:
        most = 6
    if abiversion > most:
        return "ELF file ABI version invalid"
    if ident[9:] != _PADDING:
        return "nonzero padding in e_ident"
    if header.version != 1:
        return "ELF file version does not match current one"
    return None


class GlibcLoaded:
    """What is loaded already, by name, soname and file. Source: _dl_map_object(), first loop.

    Numbers are positions in the closure; -1 stands for the interpreter, which is always loaded.
    """

    def __init__(self, program: Hit, interpreter: str, soname: str | None) -> None:
        self._names: dict[str, int] = {}
        self._files: dict[tuple[int, int], int] = {}
        # The program's name is empty, and its DT_SONAME counts; its file is never compared.
        self._told: list[tuple[int, str | None, str | None, str | None]] = [
            (0, "", None, program.elf.soname),
            (-1, interpreter, None, soname),
        ]
        for told in self._told:
            self._tell(*told)
        self.by_name = self._names.get

    def by_file(self, name: str, hit: Hit) -> int | None:
        """The object that has the same file; ``name`` becomes another name of it."""
        known = self._files.get(hit.identity)
        if known is not None:
            self._told.append((known, name, None, None))
            self._names.setdefault(name, known)
        return known

    def add(self, number: int, name: str, hit: Hit) -> None:
        soname = hit.elf.soname
        self._told.append((number, name, hit.path, soname))
        self._names.setdefault(name, number)
        self._names.setdefault(hit.path, number)
        if soname:
            self._names.setdefault(soname, number)
        self._files.setdefault(hit.identity, number)

    def forget(self, number: int, hit: Hit) -> None:
        """An object that stands before the program is not seen: the loader looks from there on."""
        names = self._names
        lost = {n for told in self._told if told[0] == number for n in told[1:] if n is not None}
        self._told = [told for told in self._told if told[0] != number]
        for name in [name for name in lost if names.get(name) == number]:
            del names[name]
        for told in self._told:
            if not lost.isdisjoint(told):
                self._tell(*told)
        if self._files.get(hit.identity) == number:
            del self._files[hit.identity]

    def _tell(self, number: int, *names: str | None) -> None:
        for name in names:
            if name or (name == "" and number == 0):
                self._names.setdefault(name, number)

    def interpreter_is(self, number: int) -> None:
        """The interpreter's position, once something needed it."""
        self._told = [(number, *told[1:]) if told[0] == -1 else told for told in self._told]
        for name, known in self._names.items():
            if known == -1:
                self._names[name] = number

    def copy(self) -> GlibcLoaded:
        """One that goes its own way from here."""
        other = GlibcLoaded.__new__(GlibcLoaded)
        other._names, other._files = dict(self._names), dict(self._files)
        other._told = list(self._told)
        other.by_name = other._names.get
        return other
