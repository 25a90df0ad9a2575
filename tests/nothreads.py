"""A limit of processes, which threads count for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def limited_threads(most: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So many threads can be started, and no more."""
    start = threading.Thread.start
    started = 0

    def limited(self: threading.Thread) -> None:
        nonlocal started
        if started == most:
            raise RuntimeError("can't start new thread")
        started += 1
        start(self)

    with monkeypatch.context() as context:
        context.setattr(threading.Thread, "start", limited)
        yield
