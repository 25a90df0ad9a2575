"""A limit of processes, which threads count for."""

from __future__ import annotations

import _thread
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def limited_threads(most: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """So many threads can be started, and no more."""
    start = _thread.start_new_thread
    started = 0

    def limited(*given: Any) -> int:
        nonlocal started
        if started == most:
            raise RuntimeError("can't start new thread")
        started += 1
        return start(*given)

    with monkeypatch.context() as context:
        context.setattr(_thread, "start_new_thread", limited)
        yield
