"""Runs the steps of a loader for one name, and remembers what it found."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Protocol

from elfpack.elf.file import Malformed
from elfpack.loader.glibc import Glibc
from elfpack.loader.identify import MUSL
from elfpack.loader.musl import Musl
from elfpack.loader.records import Hit, Kind, Outcome, Probe, Refusal, Scope, SearchList, Via
from elfpack.loader.system import System

Answer = Hit | Refusal | None
"""What a search ends with; None: not found."""


class Loaded(Protocol):
    """What is loaded already; positions in the closure, -1 for the interpreter."""

    def by_name(self, name: str) -> int | None: ...
    def by_file(self, name: str, hit: Hit) -> int | None: ...
    def add(self, number: int, name: str, hit: Hit) -> None: ...
    def interpreter_is(self, number: int) -> None: ...


Rules = Glibc | Musl


class Search:
    """The searches of one loader in one root, each made once for all that ask the same."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.rules: Rules = Musl(system) if system.loader.libc == MUSL else Glibc(system)
        self._answers: dict[Scope, dict[str, Answer]] = {}

    def table(self, scope: Scope) -> dict[str, Answer]:
        """The answers known for a scope; :meth:`find` fills it."""
        return self._answers.setdefault(scope, {})

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

    def trail(self, name: str, scope: Scope) -> tuple[Probe, ...]:
        """Every candidate that the search for a name meets, with its outcome."""
        return tuple(probe for probe, _ in self._run(name, scope))

    def _run(self, name: str, scope: Scope) -> Iterator[tuple[Probe, Answer]]:
        if "/" in name:
            yield self._try(name, Via(Kind.PATH))
            return
        for places in self.rules.steps(name, scope):
            for path, via in _candidates(places, name):
                probe, answer = self._try(path, via)
                yield probe, answer
                if answer is not None:
                    return
                if probe.outcome is Outcome.END_OF_LIST:
                    break

    def _try(self, path: str, via: Via) -> tuple[Probe, Answer]:
        files = self.system.files
        place = files.find(self.system.absolute(path))
        if isinstance(place, int):
            outcome, detail = self.rules.judge_error(place, self._directory_exists(path, place))
            return self._probe(path, via, outcome, detail)
        if not place.node.is_regular:
            outcome, detail = self.rules.judge_special(place.node.is_directory)
            return self._probe(path, via, outcome, detail)
        content = files.content(place)
        if isinstance(content, int):
            outcome, detail = self.rules.judge_error(content, True)
            return self._probe(path, via, outcome, detail)
        outcome, detail = self.rules.judge(content, place.node.size)
        if outcome is not Outcome.FOUND:
            return self._probe(path, via, outcome, detail)
        probe = Probe(path, via, outcome)
        if isinstance(content, Malformed):
            return probe, Refusal(path, content.message)
        return probe, Hit(path, place.path, content, place.node.identity, via)

    def _probe(self, path: str, via: Via, outcome: Outcome, detail: str) -> tuple[Probe, Answer]:
        probe = Probe(path, via, outcome, detail)
        return probe, Refusal(path, detail) if outcome is Outcome.FATAL else None

    def _directory_exists(self, path: str, number: int) -> bool:
        if number in (errno.ENOENT, errno.EACCES):  # decides nothing for these
            return True
        directory = self.system.absolute(path).rpartition("/")[0]
        place = self.system.files.find(directory + "/")
        return not isinstance(place, int)


def _candidates(places: SearchList, name: str) -> Iterator[tuple[str, Via]]:
    for path in places.files:
        yield path, Via(places.kind)
    for element in places.elements:
        yield element.directory + name, Via(places.kind, places.owner, element.written)
