"""How far the work is, on a terminal, when it takes longer than a second."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from elfpack.cli.ui import Talk
from elfpack.planning.entry import Plan

_PATIENCE = 1.0
"""Seconds of silence."""
_INTERVAL = 0.2
"""Seconds between two lines."""
_MEGABYTE = 10**6


@contextmanager
def shown(talk: Talk, plan: Plan) -> Iterator[Plan]:
    """The plan, whose files are counted while somebody writes them. The line is gone at the end,
    so that what is said next stands alone."""
    if talk.quiet or not os.isatty(2):
        yield plan
        return
    line = _Line(plan.size)
    try:
        yield plan._replace(watch=line.count)
    finally:
        line.clear()


class _Line:
    """One line that is written over and over."""

    def __init__(self, total: int) -> None:
        self._done = 0
        self._total = total
        self._next = time.monotonic() + _PATIENCE
        self._shown = False

    def count(self, size: int) -> None:
        self._done += size
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _INTERVAL
            self._shown = True
            # A writer may read the files more than once.
            done = min(self._done, self._total) // _MEGABYTE
            _put(b"\relfpack: %d of %d MB" % (done, self._total // _MEGABYTE))

    def clear(self) -> None:
        if self._shown:
            _put(b"\r\x1b[K")


def _put(raw: bytes) -> None:
    try:
        os.write(2, raw)
    except OSError:
        pass  # the terminal is gone, which is no reason to stop
