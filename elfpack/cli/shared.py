"""Many programs, shared among the processors."""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Sequence
from functools import partial

from elfpack.cli.beside import Copy
from elfpack.cli.ui import Results, Talk
from elfpack.processors import processors

_FEWEST = 100
"""Programs that are worth a copy of the process."""
_MOST = 4
"""Processes: each finds anew what it has in common with the others."""
_PARTS = 4
"""Parts of a round for each process, on the average: processors are not equally fast."""
_ROUND = 2048
"""Programs that are shared at a time: what is said of them is kept until all are done."""

Work = Callable[[Sequence[str]], int]
"""Shows some programs; the exit status that they ask for."""


_Said = tuple[int, bytes, bytes]
"""What was said of a part: its status, the results, the lines on standard error."""


def share(programs: Sequence[str], work: Work, results: Results, talk: Talk) -> int:
    """Do the work for all, and say the same in the same order as if it had been done here."""
    status = 0
    for at in range(0, len(programs), _ROUND):
        status = max(status, _round(programs[at : at + _ROUND], work, results, talk))
    return status


def _round(programs: Sequence[str], work: Work, results: Results, talk: Talk) -> int:
    count = min(processors(), _MOST, len(programs) // _FEWEST)
    if count < 2:
        return work(programs)
    size = -(-len(programs) // (count * _PARTS))
    parts = [programs[at : at + size] for at in range(0, len(programs), size)]
    results.flush()
    said = _together(count, partial(_take, parts, work, results, talk), len(parts))
    status = 0
    for number, part in enumerate(parts):
        if number not in said:  # whoever took it did not come to an end
            status = max(status, work(part))
            continue
        wanted, output, errors = said[number]
        talk.put(errors)
        results.write(output)
        status = max(status, wanted)
    return status


def _together(count: int, take: Callable[[int], dict[int, _Said]], parts: int) -> dict[int, _Said]:
    """What this process and its copies have done of the parts, by their numbers. Whoever has done
    one takes the next from a pipe that holds the number of each."""
    numbers, end = os.pipe()
    os.write(end, bytes(range(parts)))
    os.close(end)
    copies: list[Copy] = []
    try:
        for _ in range(count - 1):
            copies.append(Copy(lambda: marshal.dumps(take(numbers))))
        said = take(numbers)
        for copy in copies:
            answer = copy.answer()
            said.update({} if answer is None else marshal.loads(answer))
        return said
    finally:
        os.close(numbers)
        for copy in copies:
            copy.close()


def _take(
    parts: list[Sequence[str]], work: Work, results: Results, talk: Talk, numbers: int
) -> dict[int, _Said]:
    """Do one part after the other. Nothing is written: another may be before it."""
    said: dict[int, _Said] = {}
    results.holds = talk.holds = True
    try:
        while number := os.read(numbers, 1):
            status = work(parts[number[0]])
            said[number[0]] = status, results.taken(), talk.taken()
        return said
    finally:
        results.holds = talk.holds = False
