"""Many programs, shared among the processors."""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from elfpack.cli.beside import Copy
from elfpack.cli.ui import Results, Talk
from elfpack.light import NamedTuple
from elfpack.processors import processors

_FEWEST = 100
"""Programs that are worth a copy of the process."""
_MOST = 4
"""Copies: each finds anew what it has in common with the others."""
_PARTS = 8
"""Parts of a round for each copy, on the average: processors are not equally fast."""
_ROUND = 4096
"""Programs that are shared at a time: what is said of them is kept until all are done."""

Work = Callable[[Sequence[str]], int]
"""Shows some programs; the exit status that they ask for."""


class _Said(NamedTuple):
    """What was said of a part."""

    status: int
    output: bytes
    errors: bytes


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
    found = _by_copies(count, parts, work, results)
    status = 0
    for number, part in enumerate(parts):
        said = found.get(number)
        if said is None:
            status = max(status, work(part))
            continue
        talk.passed_on(said.errors)
        results.write(said.output)
        status = max(status, said.status)
    return status


def _by_copies(
    count: int, parts: list[Sequence[str]], work: Work, results: Results
) -> dict[int, _Said]:
    """What copies of the process have done of the parts, by their numbers: most often all. Whoever
    has done one takes the next from a pipe that holds the number of each."""
    numbers, end = os.pipe()
    os.write(end, bytes(range(len(parts))))
    os.close(end)
    found: dict[int, _Said] = {}
    copies: list[Copy] = []
    try:
        for _ in range(count):
            copies.append(Copy(partial(_take, numbers, parts, work, results)))
        for copy in copies:
            found.update(_done(copy))
        return found
    finally:
        os.close(numbers)
        for copy in copies:
            copy.close()


def _take(numbers: int, parts: list[Sequence[str]], work: Work, results: Results) -> bytes:
    """Does one part after the other; tells of each its number, its status, and where what was said
    of it ends."""
    rows = []
    while number := os.read(numbers, 1):
        status = work(parts[number[0]])
        results.flush()
        rows.append((number[0], status, _size(1), _size(2)))
    return marshal.dumps(rows)


def _size(descriptor: int) -> int:
    return os.lseek(descriptor, 0, os.SEEK_CUR)


def _done(copy: Copy) -> Iterator[tuple[int, _Said]]:
    done = copy.done()
    if done is None:
        return
    output = errors = 0
    for number, status, output_end, errors_end in marshal.loads(done.answer):
        yield number, _Said(status, done.output[output:output_end], done.errors[errors:errors_end])
        output, errors = output_end, errors_end
