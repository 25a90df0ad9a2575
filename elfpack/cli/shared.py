"""Many programs, shared among the processors."""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from elfpack.blob import let_go
from elfpack.cli.beside import Copy
from elfpack.cli.ui import HeldResults, HeldTalk, Results, Talk
from elfpack.light import NamedTuple
from elfpack.processors import processors

_FEWEST = 100
"""Programs for each process: fewer are not worth one."""
_MOST = 4
"""Processes: each finds anew what it has in common with the others."""
_LEAST = 16
"""Programs of a part."""
_ROUND = 2048
"""Programs that are shared at a time: what is said of them is kept until all are done."""
_DESCRIPTORS = 512
"""Open files that a process may have, or it works alone: what it opens for its copies must not be
what it lacks for its work."""

Work = Callable[[Sequence[str], Results, Talk], int]
"""Shows some programs; the exit status that they ask for."""


class _Said(NamedTuple):
    """What was said of a part."""

    status: int
    results: bytes
    lines: list[bytes]
    """On standard error."""


def share(programs: Sequence[str], work: Work, results: Results, talk: Talk) -> int:
    """Do the work for all, and say the same in the same order as if it had been done here."""
    status = 0
    for at in range(0, len(programs), _ROUND):
        status = max(status, _round(programs[at : at + _ROUND], work, results, talk))
    return status


def _round(programs: Sequence[str], work: Work, results: Results, talk: Talk) -> int:
    count = min(processors(), _MOST, len(programs) // _FEWEST)
    if count < 2 or os.sysconf("SC_OPEN_MAX") < _DESCRIPTORS:
        return work(programs, results, talk)
    parts = list(_parts(programs, count))
    results.flush()

    def held(part: Sequence[str]) -> _Said:
        wanted, lines = HeldResults(results), HeldTalk(talk)
        return _Said(work(part, wanted, lines), wanted.taken(), lines.taken())

    said = _together(count, partial(_take, parts, held), len(parts))
    status = 0
    for number, part in enumerate(parts):
        if number not in said:
            status = max(status, work(part, results, talk))
            continue
        for line in said[number].lines:
            talk.put(line)
        results.write(said[number].results)
        status = max(status, said[number].status)
    return status


def _parts(programs: Sequence[str], count: int) -> Iterator[Sequence[str]]:
    """Large ones first, since neighbours need the same, and small ones last: processors are not
    equally fast, and nobody should wait long for another."""
    at = 0
    while at < len(programs):
        size = max(_LEAST, (len(programs) - at) // (2 * count))
        yield programs[at : at + size]
        at += size


_Numbers = Callable[[], int]
"""Gives the next part to whoever asks, -1 when all are given."""
_Take = Callable[[_Numbers], dict[int, _Said]]


def _together(count: int, take: _Take, parts: int) -> dict[int, _Said]:
    """What this process and its copies have done of the parts, by their numbers: of those that
    something went wrong with, nothing. Whoever has done one takes the next from a pipe that holds
    the number of each."""
    try:
        reading, end = os.pipe()
    except OSError:
        return {}
    try:
        os.write(end, bytes(range(parts)))
    except OSError:
        pass  # as if there were none
    finally:
        let_go(end)
    here = os.getpid()

    def numbers() -> int:
        try:
            number = os.read(reading, 1)
        except OSError:
            return -1  # what nobody takes is done in its turn
        return number[0] if number else -1

    def of_copy() -> int:
        return numbers() if os.getppid() == here else -1  # nobody is there to say it

    copies: list[Copy] = []
    try:
        for _ in range(count - 1):
            copies.append(Copy(lambda: marshal.dumps(_plain(take(of_copy)))))
        said = take(numbers)
        for copy in copies:
            answer = copy.answer()
            rows = [] if answer is None else marshal.loads(answer)
            said.update({number: _Said(*row) for number, row in rows})
        return said
    finally:
        let_go(reading)
        for copy in copies:
            copy.close()


def _take(
    parts: list[Sequence[str]], held: Callable[[Sequence[str]], _Said], numbers: _Numbers
) -> dict[int, _Said]:
    """Do one part after the other."""
    said: dict[int, _Said] = {}
    while (number := numbers()) >= 0:
        try:
            said[number] = held(parts[number])
        except Exception:
            break  # it comes again when it is this part's turn
    return said


def _plain(said: dict[int, _Said]) -> list[tuple[int, tuple[object, ...]]]:
    return [(number, tuple(one)) for number, one in said.items()]
