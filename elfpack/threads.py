"""A few threads beside the one that gives them work.

Those of ``concurrent.futures`` and ``threading`` share locks written in Python with it: a signal
that raises in it may leave one locked, and all of them wait for ever. Here everything passes
through queues, each step of which is one of the interpreter's. Nor are their modules loaded, which
takes longer than many a layer.
"""

from __future__ import annotations

import _thread
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Answer(Generic[T]):
    """What comes of some work, once."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._came: SimpleQueue[tuple[T] | BaseException] = SimpleQueue()

    def find(self) -> None:
        """Do the work."""
        try:
            self._came.put((self._work(),))
        except BaseException as e:
            self._came.put(e)

    def is_there(self) -> bool:
        return not self._came.empty()

    def result(self) -> T:
        """What the work returned, or raised, when it has come to its end. To be asked once."""
        came = self._came.get()
        if isinstance(came, BaseException):
            raise came
        return came[0]


class Threads:
    """At most so many, each started when there is work for it. Where none can be started, who gives
    work does it. A context: at its end, work that was not begun is dropped."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._running = 0
        self._given: SimpleQueue[Answer[Any] | None] = SimpleQueue()
        self._ended: SimpleQueue[None] = SimpleQueue()

    def __enter__(self) -> Threads:
        return self

    def __exit__(self, *_: object) -> None:
        while True:
            try:
                self._given.get_nowait()
            except Empty:
                break
        self._given.put(None)
        for _number in range(self._running):
            self._ended.get()
        self._running = 0

    def give(self, work: Callable[[], T]) -> Answer[T]:
        """Have it done."""
        answer = Answer(work)
        if self._running < self._count:
            self._start()
        if self._running:
            self._given.put(answer)
        else:
            answer.find()
        return answer

    def _start(self) -> None:
        try:
            _thread.start_new_thread(self._run, ())
        except RuntimeError:  # a limit of processes
            self._count = self._running
        else:
            self._running += 1

    def _run(self) -> None:
        try:
            while (answer := self._given.get()) is not None:
                answer.find()
        finally:
            # For the next: an interrupt may have come before this thread was counted.
            self._given.put(None)
            self._ended.put(None)
