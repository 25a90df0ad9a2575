"""What happens before the walk: which loader a program has, and what that loader brings along."""

from __future__ import annotations

import errno
import os

from elfpack.elf.file import Abi, ElfFile
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.loader import hwcaps
from elfpack.loader.closure import Closure
from elfpack.loader.files import LOADER_LIMIT, PRELOAD_FILE, TEXT_LIMIT, Files
from elfpack.loader.identify import (
    GLIBC,
    MUSL,
    Loader,
    assumed,
    identify,
    musl_interpreter,
    usual_interpreters,
)
from elfpack.loader.machine import same_machine
from elfpack.loader.program import Program
from elfpack.loader.records import Hit, Kind, Refusal, Via
from elfpack.loader.search import Search
from elfpack.loader.system import System
from elfpack.paths import parent

if TYPE_CHECKING:
    from elfpack.loader.preload import Wanted


class Options(NamedTuple):
    """Where a closure is looked for, besides the root."""

    library_path: str = ""
    """LD_LIBRARY_PATH as it is written."""
    cwd: str = "/"
    """The working directory as a guest path."""
    exclude: tuple[str, ...] = ()
    """Patterns of needed names that are not followed."""
    cpu: str = hwcaps.BASELINE
    """The CPU that programs are looked up for: ``baseline``, ``host`` or a level."""
    facts: hwcaps.Facts = hwcaps.NO_FACTS
    """What ``host`` stands for."""
    preload: str = ""
    """LD_PRELOAD as it is written."""
    preload_file: bool = False
    """Whether ``/etc/ld.so.preload`` counts."""
    secure: bool = False
    """Whether a set-id program runs with its privileges: its loader ignores the environment."""


class Start(NamedTuple):
    """How a program is started."""

    interpreter: Hit | None
    search: Search
    preloads: list[Wanted]
    refused: Refusal | None


class Starter:
    """Finds it once for all programs of a kind. Threads may share it."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._loaders: dict[tuple[str, str, Abi], Loader] = {}
        self._starts: tuple[Options | None, dict[tuple[object, ...], Start]] = (None, {})
        """By PT_INTERP, given loader, ABI and set-id, for the options that were last asked for."""
        self._modes: dict[str, int] = {}
        self._preload_file: list[Wanted] | None = None
        self._searches: dict[tuple[object, ...], Search] = {}

    def start(self, program: Program, options: Options, loader_path: str | None) -> Start:
        """What happens before the walk: the same for nearly all programs of a root."""
        elf = program.hit.elf
        secure = options.secure and (program.set_id or self._has_capabilities(program, options))
        common = (loader_path or elf.interpreter) and "$" not in options.library_path
        key = (elf.interpreter, loader_path, elf.abi, secure)
        of, known = self._starts
        if common and of is options and key in known:
            return known[key]
        interpreter, path = self._interpreter(program.hit, options, loader_path)
        loader = self._loader(interpreter, path, elf.abi)
        search = self.search(loader, program, options, secure)
        refused = None
        if elf.interpreter is not None:
            refused = self._kernel_refuses(elf, interpreter)
        preloads = self.preloads(loader, secure, options)
        start = Start(interpreter, search, preloads, refused)
        if common:
            if of is not options:
                known = {}
                self._starts = (options, known)
            known[key] = start
        return start

    def open_hit(self, path: str, kind: Kind, options: Options) -> Hit | None:
        """The ELF file at a path, None if there is none."""
        absolute = path if path.startswith("/") else f"{options.cwd}/{path}"
        place = self._files.find(absolute)
        if isinstance(place, int) or not place.node.is_regular:
            return None
        content = self._files.content(place)
        if not isinstance(content, ElfFile):
            return None
        return Hit(path, place.path, content, place.node.identity, Via(kind))

    def mode(self, hit: Hit) -> int:
        """``st_mode`` of an object's file; 0 if it is gone."""
        known = self._modes.get(hit.real_path)
        if known is None:
            place = self._files.find(hit.real_path)
            known = 0 if isinstance(place, int) else place.node.mode
            self._modes[hit.real_path] = known
        return known

    def ignored_preloads(self, closure: Closure, options: Options) -> list[str]:
        """The names in the root's ``/etc/ld.so.preload`` where it does not count."""
        if options.preload_file or closure.loader is None or closure.loader.libc != GLIBC:
            return []
        return [wanted.name for wanted in self._preloaded()]

    def preloads(self, loader: Loader, secure: bool, options: Options) -> list[Wanted]:
        wanted = []
        if options.preload:
            from elfpack.loader.preload import of_variable

            wanted = of_variable(options.preload, secure=secure)
        if secure and loader.libc == MUSL:
            wanted = []
        if options.preload_file and loader.libc == GLIBC:
            wanted += self._preloaded()
        return wanted

    def search(self, loader: Loader, program: Program, options: Options, secure: bool) -> Search:
        # Tokens in LD_LIBRARY_PATH stand for the program's values, so only then it matters.
        hit = program.hit
        origin = parent(hit.opened_as) if "$" in options.library_path else "/"
        abi = hit.elf.abi
        where = (options.library_path, origin, options.cwd, secure)
        key = (loader.path, abi, where, options.cpu, options.facts)
        known = self._searches.get(key)
        if known is None:
            cpu = hwcaps.cpu_of(options.cpu, abi, options.facts)
            system = System(
                self._files, loader, abi, options.library_path, origin, options.cwd, cpu, secure
            )
            known = self._searches.setdefault(key, Search(system))
        return known

    def _interpreter(
        self, named: Hit, options: Options, given: str | None
    ) -> tuple[Hit | None, str]:
        """The loader's file, and the path it is known by."""
        elf = named.elf
        if given is not None:
            return self.open_hit(given, Kind.INTERPRETER, options), given
        if elf.interpreter is not None:
            return self.open_hit(elf.interpreter, Kind.INTERPRETER, options), elf.interpreter
        candidates = usual_interpreters(elf.abi)
        musl = musl_interpreter(elf.abi)
        if musl is not None:
            candidates = (musl, *candidates) if elf.of_musl else (*candidates, musl)
        found = [(self.open_hit(path, Kind.INTERPRETER, options), path) for path in candidates]
        # A loader that is looked at is its own; of others the first that is there.
        for hit, path in sorted(found, key=lambda row: row[0] is None or not _same(row[0], named)):
            if hit is not None and _loads(hit, elf.abi):
                return hit, path
        return None, candidates[0] if candidates else ""

    def _kernel_refuses(self, elf: ElfFile, interpreter: Hit | None) -> Refusal | None:
        """Why the kernel does not start a program by its interpreter, where that is not missing.

        Source: Linux fs/binfmt_elf.c, load_elf_binary(); the words are those of errno(3).
        """
        path = elf.interpreter or ""
        if interpreter is not None:
            if interpreter.elf.abi is elf.abi or interpreter.elf.abi[:3] == elf.abi[:3]:
                return None
            machine = interpreter.elf.header.machine_name
            reason = f"an interpreter for another machine ({machine})"
            return Refusal(path, reason, by="the kernel")
        place = self._files.find(path)
        if isinstance(place, int):
            if place in (errno.ENOENT, errno.ENOTDIR):
                return None
            return Refusal(path, os.strerror(place), by="the kernel")
        if not place.node.is_regular:
            return Refusal(path, os.strerror(errno.EACCES), by="the kernel")
        content = self._files.content(place)
        reason = "the interpreter is no ELF file, or a broken one"
        if isinstance(content, int):
            reason = os.strerror(content)
        return Refusal(path, reason, by="the kernel")

    def _loader(self, interpreter: Hit | None, path: str, abi: Abi) -> Loader:
        # A relative path is another file in another working directory.
        key = (path, interpreter.real_path if interpreter is not None else "", abi)
        known = self._loaders.get(key)
        if known is None:
            raw = None
            if interpreter is not None:
                raw = self._files.read_all(interpreter.real_path, LOADER_LIMIT)
            known = identify(raw, path, abi) if isinstance(raw, bytes) else assumed(path, abi)
            self._loaders[key] = known
        return known

    def _has_capabilities(self, program: Program, options: Options) -> bool:
        """Whether the program gains file capabilities, which is looked at only where it matters:
        the loader then ignores what is asked for here. Source: Linux security/commoncap.c,
        cap_bprm_creds_from_file(), secureexec."""
        elf, place = program.hit.elf, program.place
        path = (elf.rpath or "") + (elf.runpath or "") if elf.has_path else ""
        matters = options.library_path or options.preload or "$" in path
        if not matters and not any(map(_has_token, elf.needed)):
            return False
        if place is None or program.kind == "library":
            return False
        return bool(self._files.root.capabilities(place.directory, place.name, place.node))

    def _preloaded(self) -> list[Wanted]:
        known = self._preload_file
        if known is None:
            known = []
            found = self._files.read_all(PRELOAD_FILE, TEXT_LIMIT)
            if isinstance(found, bytes):
                from elfpack.loader.preload import of_file

                known = of_file(found)
            self._preload_file = known
        return known


def _has_token(name: str) -> bool:
    return "$" in name


def _loads(interpreter: Hit, abi: Abi) -> bool:
    header = interpreter.elf.header
    return (
        header.bits == abi.bits
        and header.little == abi.little
        and same_machine(header.machine, header.flags, abi)
    )


def _same(hit: Hit, named: Hit) -> bool:
    return hit.identity == named.identity
