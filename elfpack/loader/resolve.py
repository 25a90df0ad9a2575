"""From a program's name to its closure: the one way in to the loader's rooms."""

import sys
from collections.abc import Callable

from elfpack.elf import constants as c
from elfpack.loader.closure import Borrowed, Closure
from elfpack.loader.files import Files
from elfpack.loader.identify import (
    GLIBC,
)
from elfpack.loader.program import MissingInterpreter, Program, open_program
from elfpack.loader.records import (
    Hit,
    Kind,
    Outcome,
    Refusal,
    Role,
    Scope,
    SearchList,
)
from elfpack.loader.search import Rules, Search
from elfpack.loader.starting import Options as Options
from elfpack.loader.starting import Starter
from elfpack.loader.walk import Walk
from elfpack.loader.walked import walk
from elfpack.paths import parent
from elfpack.root.node import Root

_NAMED = 64
"""Closures whose names are kept."""


class Resolver:
    """Resolves closures in one root and keeps what it has read. Threads may share it."""

    def __init__(self, root: Root) -> None:
        self.files = Files(root)
        self.starter = Starter(self.files)
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
                around=around,
            )
        start = self.starter.start(program, options, loader_path)
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

    def as_ldd(self, closure: Closure, options: Options) -> Closure | None:
        """What ``ldd`` on that very path would tell, where $ORIGIN would be another for it: ldd
        gives the path to the loader, which does not follow its links.

        None where both are the same. Source: glibc elf/dl-object.c, _dl_new_object(), up to 2.41;
        musl ldso/dynlink.c, fixup_rpath().
        """
        program, loader = closure.program, closure.loader
        if program is None or loader is None or program.scripts:
            return None
        elf = program.hit.elf
        texts = (*elf.needed, elf.rpath or "", elf.runpath or "", options.library_path)
        if "ORIGIN" not in " ".join(texts):
            return None
        if parent(program.hit.path) == parent(program.hit.real_path):
            return None
        if program.kind == "library" or (loader.libc == GLIBC and loader.version >= (2, 42)):
            return None
        named = program._replace(hit=program.hit._replace(real_path=program.hit.path))
        return self.closure(named, options)

    def search(self, closure: Closure, options: Options) -> Search:
        """The searches that a closure was made by."""
        assert closure.loader is not None and closure.program is not None
        return self.starter.search(closure.loader, closure.program, options, closure.secure)

    def steps(self, closure: Closure, options: Options) -> tuple[Walk, Search]:
        """The walk of a closure once more, with every name that was asked for."""
        search = self.search(closure, options)
        assert closure.program is not None
        state = Walk(closure.program, closure.interpreter, search, options.exclude)
        state.steps = []
        if preloads := self.starter.preloads(search.system.loader, search.system.secure, options):
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

    def is_loaded(self, closure: Closure, name: str) -> bool:
        """Whether an object of that name is loaded in a closure, or where it is opened."""
        return any(name in self._named(one) for one in (closure, *closure.around))

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


def _without_unneeded(closure: Closure) -> Closure:
    """A library names no interpreter: the one it was looked up by is part of the closure only if
    something needs it."""
    if any(hit.via.kind is Kind.INTERPRETER for hit in closure.hits[1:]):
        return closure
    return closure._replace(interpreter=None)


def _judged(closure: Closure, search: Search) -> Closure:
    """A library that is named is given to its loader, who looks at it as at any other; a program
    is mapped by the kernel, who does not. Source: glibc elf/rtld.c, dl_main(), rtld_mode_trace."""
    hit = closure.hits[0]
    outcome, reason = search.rules.judge(hit.elf, sys.maxsize)
    if outcome is not Outcome.FATAL:
        return closure
    return closure._replace(refusal=Refusal(hit.path, reason))
