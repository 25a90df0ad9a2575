"""From a program's name to its closure: the one way in to the loader's rooms."""

import errno
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from elfpack.elf import constants as c
from elfpack.elf.file import Abi, ElfFile
from elfpack.loader import hwcaps
from elfpack.loader.closure import Borrowed, Closure
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
from elfpack.loader.program import MissingInterpreter, Program, open_program
from elfpack.loader.records import (
    Hit,
    Kind,
    Outcome,
    Refusal,
    Role,
    Scope,
    SearchList,
    Via,
)
from elfpack.loader.search import Rules, Search
from elfpack.loader.system import System
from elfpack.loader.walk import Walk
from elfpack.loader.walked import walk
from elfpack.paths import parent
from elfpack.root.node import Root

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


_NAMED = 64
"""Closures whose names are kept."""


class _Start(NamedTuple):
    """How a program is started."""

    interpreter: Hit | None
    search: Search
    preloads: "list[Wanted]"
    refused: Refusal | None


class Resolver:
    """Resolves closures in one root and keeps what it has read. Threads may share it."""

    def __init__(self, root: Root) -> None:
        self.files = Files(root)
        self._loaders: dict[tuple[str, str, Abi], Loader] = {}
        self._starts: tuple[Options | None, dict[tuple[object, ...], _Start]] = (None, {})
        """By PT_INTERP, given loader, ABI and set-id, for the options that were last asked for."""
        self._modes: dict[str, int] = {}
        self._preload_file: list[Wanted] | None = None
        self._searches: dict[tuple[object, ...], Search] = {}
        self._names: dict[int, tuple[Closure, dict[str, Hit]]] = {}
        """Of the closures that were asked last, by their id()."""

    def resolve(self, name: str, options: Options) -> Closure:
        """What the loader would load for a program, script or library.

        Raises:
            InputError: the program cannot be read, or is none.
        """
        program = open_program(self.files, name, options.cwd)
        if isinstance(program, MissingInterpreter):
            return Closure(None, name, missing_interpreter=program.missing, scripts=program.scripts)
        return self.closure(program, options)

    def closure(
        self,
        program: Program,
        options: Options,
        loader_path: str | None = None,
        around: tuple[Closure, ...] = (),
    ) -> Closure:
        """As :meth:`resolve`, for a program that is open already.

        ``loader_path`` names the loader of a library. For one that is opened at run time,
        ``around`` are the closures of who opens it, the program's first: what is loaded there is
        not looked for again.
        """
        elf = program.hit.elf
        static = elf.header.type == c.ET_EXEC or not elf.dynamic or elf.kind == "static-pie"
        if elf.interpreter is None and static:
            return Closure(
                program,
                program.name,
                hits=(program.hit,),
                names=(program.name,),
                requesters=(-1,),
                roles=(Role.NEEDED,),
                targets=((),),
                filtees=((),),
                scripts=program.scripts,
            )
        start = self._start(program, options, loader_path)
        missing = elf.interpreter if start.interpreter is None else None
        closure = walk(
            program,
            start.interpreter,
            start.search,
            options.exclude,
            missing,
            start.preloads,
            around,
        )
        closure = closure._replace(around=around) if around else closure
        if elf.interpreter is None:
            return _judged(_without_unneeded(closure), start.search)
        if start.refused is not None:
            return closure._replace(refusal=start.refused, missing_interpreter=None)
        return closure

    def _start(self, program: Program, options: Options, loader_path: str | None) -> _Start:
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
        search = self._search(loader, program, options, secure)
        refused = None
        if elf.interpreter is not None:
            refused = self._kernel_refuses(elf, interpreter)
        preloads = self._preloads(loader, secure, options)
        start = _Start(interpreter, search, preloads, refused)
        if common:
            if of is not options:
                known = {}
                self._starts = (options, known)
            known[key] = start
        return start

    def as_ldd(self, closure: Closure, options: Options) -> Closure | None:
        """What ``ldd`` on that very path would tell, where $ORIGIN would be another for it: ldd
        gives the path to the loader, which does not follow its links.

        None where both are the same. Source: glibc elf/dl-object.c, _dl_new_object(), up to 2.41;
        musl ldso/dynlink.c, fixup_rpath().
        """
        program, loader = closure.program, closure.loader
        if program is None or loader is None or program.hit.path == program.hit.real_path:
            return None
        if program.scripts or parent(program.hit.path) == parent(program.hit.real_path):
            return None
        if program.kind == "library" or (loader.libc == GLIBC and loader.version >= (2, 42)):
            return None
        texts = (*program.hit.elf.needed, program.hit.elf.rpath, program.hit.elf.runpath)
        if not any("ORIGIN" in (text or "") for text in (*texts, options.library_path)):
            return None
        named = program._replace(hit=program.hit._replace(real_path=program.hit.path))
        return self.closure(named, options)

    def search(self, closure: Closure, options: Options) -> Search:
        """The searches that a closure was made by."""
        assert closure.loader is not None and closure.program is not None
        return self._search(closure.loader, closure.program, options, closure.secure)

    def steps(self, closure: Closure, options: Options) -> tuple[Walk, Search]:
        """The walk of a closure once more, with every name that was asked for."""
        search = self.search(closure, options)
        assert closure.program is not None
        state = Walk(closure.program, closure.interpreter, search, options.exclude)
        state.steps = []
        if preloads := self._preloads(search.system.loader, search.system.secure, options):
            state.preload(preloads)
        state.run()
        return state, search

    def borrowed(self, closure: Closure, options: Options) -> tuple[Borrowed, ...]:
        """The needs that are met only because something else had loaded that object before: their
        own search would find another one, or nothing."""
        if closure.program is None or closure.loader is None:
            return ()
        state, search = self.steps(closure, options)
        place = state.places()
        found = []
        for step in state.steps or ():
            if step.scope is not None or step.target < 0:
                continue
            hit = state.hits[step.target]
            if hit.via.kind is Kind.INTERPRETER or state.roles.get(step.target) is Role.PRELOAD:
                continue
            scope = state.scope(step.requester)
            answer = search.find(step.name, scope, search.table(scope))
            same = isinstance(answer, Hit) and answer.identity == hit.identity
            if not same:
                own = answer.path if answer is not None else None
                requester, target = place[step.requester], place[step.target]
                found.append(Borrowed(step.name, requester, target, own))
        return tuple(found)

    def opened(
        self, closure: Closure, name: str, options: Options, number: int | None = None
    ) -> Hit | None:
        """What dlopen() finds for a name that the object of that number in a closure opens.

        Without a number libc itself opens it: libc.so.6 asks, whose requesters' DT_RPATH does not
        count, but the program's does.
        Source: glibc elf/dl-load.c, _dl_map_object(); musl ldso/dynlink.c, dlopen().
        """
        return self.opener(closure, options, number)(name)

    def opener(
        self, closure: Closure, options: Options, number: int | None = None
    ) -> Callable[[str], Hit | None]:
        """:meth:`opened` for many names."""
        known = [self._named(one) for one in (closure, *closure.around)]
        search = self.search(closure, options)
        program = (closure.around or (closure,))[0]
        scope = Scope(search.rules.chain(program.hits[0], ()))
        if number is not None and search.rules.follows_callers:
            scope = search.rules.scope(closure.hits[number], _chain(closure, number, search.rules))
        table = search.table(scope)

        def opened(name: str) -> Hit | None:
            for names in known:
                if name in names:
                    return names[name]
            found = search.find(name, scope, table)
            return found if isinstance(found, Hit) else None

        return opened

    def mode(self, hit: Hit) -> int:
        """``st_mode`` of an object's file; 0 if it is gone."""
        known = self._modes.get(hit.real_path)
        if known is None:
            place = self.files.find(hit.real_path)
            known = 0 if isinstance(place, int) else place.node.mode
            self._modes[hit.real_path] = known
        return known

    def _named(self, closure: Closure) -> dict[str, Hit]:
        """The objects of a closure by the names that they answer to: a program opens hundreds."""
        known = self._names.get(id(closure))
        if known is not None and known[0] is closure:
            return known[1]
        names: dict[str, Hit] = {}
        for hit in closure.hits:
            names.setdefault(hit.elf.soname or hit.path, hit)
            names.setdefault(hit.path, hit)
        if len(self._names) >= _NAMED:
            self._names.clear()
        self._names[id(closure)] = closure, names
        return names

    def open_hit(self, path: str, kind: Kind, options: Options) -> Hit | None:
        """The ELF file at a path, None if there is none."""
        absolute = path if path.startswith("/") else f"{options.cwd}/{path}"
        place = self.files.find(absolute)
        if isinstance(place, int) or not place.node.is_regular:
            return None
        content = self.files.content(place)
        if not isinstance(content, ElfFile):
            return None
        return Hit(path, place.path, content, place.node.identity, Via(kind))

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
        place = self.files.find(path)
        if isinstance(place, int):
            if place in (errno.ENOENT, errno.ENOTDIR):
                return None
            return Refusal(path, os.strerror(place), by="the kernel")
        if not place.node.is_regular:
            return Refusal(path, os.strerror(errno.EACCES), by="the kernel")
        content = self.files.content(place)
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
                raw = self.files.read_all(interpreter.real_path, LOADER_LIMIT)
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
        return bool(self.files.root.capabilities(place.directory, place.name, place.node))

    def ignored_preloads(self, closure: Closure, options: Options) -> list[str]:
        """The names in the root's ``/etc/ld.so.preload`` where it does not count."""
        if options.preload_file or closure.loader is None or closure.loader.libc != GLIBC:
            return []
        return [wanted.name for wanted in self._preloaded()]

    def _preloaded(self) -> "list[Wanted]":
        known = self._preload_file
        if known is None:
            known = []
            found = self.files.read_all(PRELOAD_FILE, TEXT_LIMIT)
            if isinstance(found, bytes):
                from elfpack.loader.preload import of_file

                known = of_file(found)
            self._preload_file = known
        return known

    def _preloads(self, loader: Loader, secure: bool, options: Options) -> "list[Wanted]":
        wanted = []
        if options.preload:
            from elfpack.loader.preload import of_variable

            wanted = of_variable(options.preload, secure=secure)
        if secure and loader.libc == MUSL:
            wanted = []
        if options.preload_file and loader.libc == GLIBC:
            wanted += self._preloaded()
        return wanted

    def _search(self, loader: Loader, program: Program, options: Options, secure: bool) -> Search:
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
                self.files, loader, abi, options.library_path, origin, options.cwd, cpu, secure
            )
            known = self._searches.setdefault(key, Search(system))
        return known


def _has_token(name: str) -> bool:
    return "$" in name


def loaded(closure: Closure, name: str) -> Hit | None:
    """The object of that name that is loaded in a closure, or where it is opened."""
    for one in (closure, *closure.around):
        for hit in one.hits:
            if name in (hit.elf.soname, hit.path):
                return hit
    return None


def _chain(closure: Closure, number: int, rules: Rules) -> tuple[SearchList, ...]:
    """The lists that count for what an object of a closure opens, from the top down."""
    way: dict[int, None] = {}
    while number >= 0 and number not in way:
        way[number] = None
        number = closure.requesters[number]
    chain = rules.chain(closure.around[0].hits[0], ()) if closure.around else ()
    for one in reversed(way):
        chain = rules.chain(closure.hits[one], chain)
    return chain


def _loads(interpreter: Hit, abi: Abi) -> bool:
    header = interpreter.elf.header
    return (
        header.bits == abi.bits
        and header.little == abi.little
        and same_machine(header.machine, header.flags, abi)
    )


def _without_unneeded(closure: Closure) -> Closure:
    """A library names no interpreter: the one it was looked up by is part of the closure only if
    something needs it."""
    if any(hit.via.kind is Kind.INTERPRETER for hit in closure.hits[1:]):
        return closure
    return closure._replace(interpreter=None)


def _same(hit: Hit, named: Hit) -> bool:
    return hit.identity == named.identity


def _judged(closure: Closure, search: Search) -> Closure:
    """A library that is named is given to its loader, who looks at it as at any other; a program
    is mapped by the kernel, who does not. Source: glibc elf/rtld.c, dl_main(), rtld_mode_trace."""
    hit = closure.hits[0]
    outcome, reason = search.rules.judge(hit.elf, sys.maxsize)
    if outcome is not Outcome.FATAL:
        return closure
    return closure._replace(refusal=Refusal(hit.path, reason))
