"""Runs the steps of a loader for one name, and remembers what it found."""

from __future__ import annotations

import errno
import stat
from collections.abc import Iterable, Iterator, Sequence

from elfpack.elf.file import Malformed
from elfpack.light import TYPE_CHECKING, NamedTuple, Protocol
from elfpack.loader.glibc import Glibc
from elfpack.loader.identify import MUSL
from elfpack.loader.machine import vdso
from elfpack.loader.records import (
    Element,
    Hit,
    Kind,
    Outcome,
    Probe,
    Refusal,
    Scope,
    SearchList,
    Via,
)
from elfpack.loader.system import System
from elfpack.paths import PATH_LIMIT, basename, encode

if TYPE_CHECKING:
    from typing import TypeAlias

    from elfpack.loader.around import Alike
    from elfpack.loader.closure import Closure
    from elfpack.loader.listed import Listed
    from elfpack.loader.musl import Musl


Answer = Hit | Refusal | None
"""What a search ends with; None: not found."""


class Loaded(Protocol):
    """What is loaded already; positions in the closure, -1 for the interpreter."""

    def by_name(self, name: str) -> int | None: ...
    def by_file(self, name: str, hit: Hit) -> int | None: ...
    def add(self, number: int, name: str, hit: Hit) -> None: ...
    def forget(self, number: int, hit: Hit) -> None: ...
    def interpreter_is(self, number: int) -> None: ...
    def copy(self) -> Loaded: ...


Rules: TypeAlias = "Glibc | Musl"
Dead = set[tuple[str, int]]
"""Directories, and the number of a subdirectory in each, that do not exist."""


def _rules(system: System) -> Rules:
    if system.loader.libc != MUSL:
        return Glibc(system)
    from elfpack.loader.musl import Musl  # reads symbols, which a program of glibc needs none of

    return Musl(system)


_LISTS = 4096
"""Search paths of which is kept what is in them; each walk makes those of its objects anew."""
_FEW_TRIES = 4096
_MANY_TRIES = 1 << 16
"""Tries in all of them together: up to so many, each is a try; above, each path is listed at
once."""


class _Look(NamedTuple):
    """What there is at a path, for all who look there."""

    outcome: Outcome
    detail: str
    answer: Answer
    """Its :class:`Via` is of nobody."""
    mode: int = 0


def _judged(path: str, outcome: Outcome, detail: str) -> _Look:
    return _Look(outcome, detail, Refusal(path, detail) if outcome is Outcome.FATAL else None)


class Search:
    """The searches of one loader in one root, each made once for all that ask the same."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.rules = _rules(system)
        self.vdso = vdso(system.abi) if self.rules.knows_vdso else ()
        self._longest = self.rules.longest // 4
        """Characters that a path may have without a look at its bytes."""
        self._answers: dict[Scope, dict[str, Answer]] = {}
        self._plain: dict[Scope, dict[str, Hit]] = {}
        self._common: dict[Scope, dict[str, Hit]] = {}
        self.closures: dict[tuple[str, ...], Closure] = {}
        """By what its program needs, a closure of the common case; ``common.py`` fills it."""
        self._ends = tuple([f"/{sub}" for sub in self.rules.subdirectories if sub])
        self._looks: dict[str, _Look] = {}
        self._lists: dict[int, Listed] = {}
        """By the id() of search paths, which are kept by it."""
        self._tries = 0
        self._existing: dict[str, tuple[str, ...]] = {}
        """What is there of the subdirectories of each directory."""
        self.around: dict[int, tuple[Closure, Loaded]] = {}
        """What is loaded already where a library is opened, of the closures around the last one."""
        self.alike: Alike | None = None
        """The closures that are known within those."""
        self.denied: dict[str, None] = {}
        """Candidates that could not be read for want of permission."""

    def table(self, scope: Scope) -> dict[str, Answer]:
        """The answers known for a scope; :meth:`find` fills it."""
        return self._answers.get(scope) or self._answers.setdefault(scope, {})

    def plain(self, scope: Scope) -> dict[str, Hit]:
        """The objects that were loaded for a needed name by some walk, where nothing but the name
        counted: neither refused nor standing for another. The walks fill it."""
        return self._plain.get(scope) or self._plain.setdefault(scope, {})

    def loader_soname(self, interpreter: Hit | None) -> str:
        """The soname by which libc.so.6 needs the loader. One that is absent, or has none, still
        answers to its file's name."""
        if interpreter is not None and interpreter.elf.soname is not None:
            return interpreter.elf.soname
        return basename(self.system.loader.path)

    def common(self, scope: Scope) -> dict[str, Hit]:
        """Those of :meth:`plain` that ``common.py`` takes. The walks fill it."""
        return self._common.get(scope) or self._common.setdefault(scope, {})

    def find(self, name: str, scope: Scope, table: dict[str, Answer]) -> Answer:
        """The object that the loader would open for a name, or where it would stop."""
        if name in table:
            return table[name]
        answer: Answer = None
        for _, found in self._run(name, scope):
            if found is not None:
                answer = found
                break
        table[name] = answer
        return answer

    def trail(self, name: str, scope: Scope, dead: Dead | None = None) -> tuple[Probe, ...]:
        """Every candidate that the search for a name meets, with its outcome.

        ``dead`` remembers over several searches of one process which directories do not exist:
        the loader tries each of those once.
        """
        known: Dead = set() if dead is None else dead
        return tuple([probe for probe, _ in self._run(name, scope, known)])

    def met(self, name: str, scope: Scope) -> tuple[Probe, ...]:
        """The candidates of a :meth:`trail` that :meth:`find` looks at: without most of what is not
        there, since there may be as many as names times directories."""
        return tuple([probe for probe, _ in self._run(name, scope)])

    def directories(self, scope: Scope) -> Iterator[str]:
        """Those that names are looked for in, in order, each with a slash behind it."""
        for places in self.rules.steps("", scope):
            for element in places.elements:
                yield element.directory

    def _run(
        self, name: str, scope: Scope, dead: Dead | None = None
    ) -> Iterator[tuple[Probe, Answer]]:
        # A longer one is too long for a path in the same way: it is not copied for each directory.
        short = name[:PATH_LIMIT]
        if "/" in name:
            yield self._try(short, Via(Kind.PATH))
            return
        for places in self.rules.steps(name, scope):
            for path in places.files:
                via = Via(places.kind, "", "", self._below(path))
                probe, answer = self._try(path, via)
                yield probe, answer
                if answer is not None:
                    return
            for element in places.elements if dead is not None else self._worth(places, short):
                outcome = Outcome.MISSING
                for sub in self._subdirectories(element.directory, dead):
                    via = Via(places.kind, places.owner, element.written, sub.rstrip("/"))
                    path = element.directory + sub + short
                    if len(path) > self._longest and len(encode(path)) > self.rules.longest:
                        continue
                    probe, answer = self._try(path, via, setuid=scope.secure_preload)
                    yield probe, answer
                    if answer is not None:
                        return
                    outcome = probe.outcome
                # What became of the last, which is the directory itself, counts: open_path().
                if outcome is Outcome.END_OF_LIST:
                    break

    def _worth(self, places: SearchList, name: str) -> Sequence[Element]:
        """The elements of a search path in which a name may be."""
        self._tries += len(places.elements)
        if self._tries < _FEW_TRIES:
            return places.elements
        known = self._lists.get(id(places))
        if known is None or known.places is not places:
            from elfpack.loader.listed import Listed  # most searches come to an end before

            if len(self._lists) >= _LISTS:
                self._lists.clear()
            known = Listed(places, self.system, self._in, self._is_missing, self.rules.longest)
            self._lists[id(places)] = known
        return known.elements(name, often=self._tries > _MANY_TRIES)

    def _in(self, directory: str) -> Iterable[str]:
        return self._subdirectories(directory, None)

    def _is_missing(self, number: int, absolute: bool) -> bool:
        return self.rules.judge_error(number, not absolute)[0] is Outcome.MISSING

    def _subdirectories(self, directory: str, dead: Dead | None) -> Iterable[str]:
        """What is tried in a directory. Only a trail has those that do not exist, once each; a
        relative one may come to exist, and is always tried."""
        if dead is not None:
            return self._tried(directory, dead)
        if len(self.rules.subdirectories) == 1:
            return self.rules.subdirectories
        known = self._existing.get(directory)
        if known is None:
            known = tuple(self._there(directory))
            if known:  # that a directory is missing is remembered where links are followed
                self._existing[directory] = known
        return known

    def _there(self, directory: str) -> Iterator[str]:
        if not self._exists(directory):
            if not directory.startswith("/"):
                yield ""
            return
        for sub in self.rules.subdirectories:
            # The first component decides for most: no directory has any of them.
            first = sub.partition("/")[0]
            if not sub or (self._exists(directory + first) and self._exists(directory + sub)):
                yield sub

    def _tried(self, directory: str, dead: Dead) -> Iterator[str]:
        for number, sub in enumerate(self.rules.subdirectories):
            if (directory, number) in dead:
                continue
            yield sub
            if directory.startswith("/") and not self._exists(directory + sub):
                dead.add((directory, number))

    def _below(self, path: str) -> str:
        """The subdirectory for CPU features that a path of the cache leads to."""
        directory = path.rpartition("/")[0] + "/"
        if not directory.endswith(self._ends):
            return ""
        found = (sub for sub in self.rules.subdirectories if sub and directory.endswith("/" + sub))
        return next(found).rstrip("/")

    def _try(self, path: str, via: Via, *, setuid: bool = False) -> tuple[Probe, Answer]:
        look = self._looks.get(path)
        if look is None:
            look = self._looks[path] = self._look(path)
        outcome, detail, answer, mode = look
        if isinstance(answer, Hit):
            answer = Hit(path, answer.real_path, answer.elf, answer.identity, via)
        if setuid and outcome is Outcome.FOUND and not mode & stat.S_ISUID:
            detail = "not set-uid, as a preload of a set-id program has to be"
            return Probe(path, via, Outcome.SKIPPED, detail), None
        return Probe(path, via, outcome, detail), answer

    def _look(self, path: str) -> _Look:
        """What the loader makes of a candidate, however it comes to it."""
        files = self.system.files
        # An empty path, as a damaged cache may have, names nothing: path_resolution(7).
        place = files.find(self.system.absolute(path)) if path else errno.ENOENT
        if isinstance(place, int):
            return self._unopened(path, place, self._directory_exists(path, place))
        if not place.node.is_regular:
            return _judged(path, *self.rules.judge_special(place.node.is_directory))
        content = files.content(place)
        if isinstance(content, int):
            return self._unopened(path, content, True)
        outcome, detail = self.rules.judge(content, place.node.size)
        if outcome is not Outcome.FOUND:
            return _judged(path, outcome, detail)
        if isinstance(content, Malformed):
            return _Look(outcome, "", Refusal(path, content.message), place.node.mode)
        hit = Hit(path, place.path, content, place.node.identity, Via(Kind.PATH))
        return _Look(outcome, "", hit, place.node.mode)

    def _unopened(self, path: str, number: int, directory_exists: bool) -> _Look:
        if number == errno.EACCES:
            self.denied.setdefault(path)
        return _judged(path, *self.rules.judge_error(number, directory_exists))

    def _directory_exists(self, path: str, number: int) -> bool:
        # It decides nothing for the first two; a relative one is never looked at: fillin_rpath().
        if number in (errno.ENOENT, errno.EACCES) or not path.startswith("/"):
            return True
        return self._exists(path.rpartition("/")[0] + "/")

    def _exists(self, directory: str) -> bool:
        """Whether there is a directory of that name, links followed."""
        place = self.system.files.walker.directory(self.system.absolute(directory).rstrip("/"))
        return not isinstance(place, int)
