"""Many programs, shared among the processors."""

from collections.abc import Callable, Sequence
from functools import partial

from elfpack.cli.beside import Copy
from elfpack.cli.ui import Results, Talk
from elfpack.processors import processors

_FEWEST = 100
"""Programs that are worth a copy of the process."""
_MOST = 4
"""Copies: each finds anew what it has in common with the others."""
_ROUND = 4096
"""Programs that are shared at a time: what is said of them is in memory. What this process has
read of one round, the copies of the next have from it."""

Work = Callable[[Sequence[str]], int]
"""Shows some programs; the exit status that they ask for."""


def share(programs: Sequence[str], work: Work, results: Results, talk: Talk) -> int:
    """Do the work for all, and say the same in the same order as if it had been done here."""
    status = 0
    for at in range(0, len(programs), _ROUND):
        status = max(status, _round(programs[at : at + _ROUND], work, results, talk))
    return status


def _round(programs: Sequence[str], work: Work, results: Results, talk: Talk) -> int:
    count = max(1, min(processors(), _MOST, len(programs) // _FEWEST))
    size = -(-len(programs) // count)
    first, *others = (programs[at : at + size] for at in range(0, len(programs), size))
    results.flush()
    copies: list[Copy] = []
    try:
        for part in others:
            copies.append(Copy(partial(_flushed, part, work, results)))
        status = work(first)
        for part, copy in zip(others, copies, strict=True):
            done = copy.done()
            if done is None:
                status = max(status, work(part))
                continue
            talk.passed_on(done.errors)
            results.write(done.output)
            status = max(status, done.status)
        return status
    finally:
        for copy in copies:
            copy.close()


def _flushed(programs: Sequence[str], work: Work, results: Results) -> int:
    status = work(programs)
    results.flush()
    return status
