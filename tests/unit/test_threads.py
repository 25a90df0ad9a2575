"""A few threads beside the one that gives them work."""

from __future__ import annotations

import _thread
import itertools
import signal
import time
from collections.abc import Iterator
from functools import partial
from types import FrameType

import pytest

from elfpack.threads import Answer, Threads
from tests.nothreads import limited_threads


@pytest.fixture(autouse=True)
def _none_is_left() -> Iterator[None]:
    before = _thread._count()
    yield
    patience = time.monotonic() + 30
    while _thread._count() > before:  # one that has ended may be on its way out
        assert time.monotonic() < patience
        time.sleep(0.001)


@pytest.mark.parametrize("most", [0, 1, 2, 9])
def test_answers(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with limited_threads(most, monkeypatch), Threads(3) as threads:
        answers = [threads.give(partial(pow, n, 2)) for n in range(100)]
        assert [answer.result() for answer in answers] == [n * n for n in range(100)]


def _fail() -> None:
    raise KeyError("of the work")


@pytest.mark.parametrize("most", [0, 9])
def test_an_error_is_an_answer(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with limited_threads(most, monkeypatch), Threads(1) as threads:
        answer = threads.give(_fail)
        with pytest.raises(KeyError, match="of the work"):
            answer.result()
        assert threads.give(lambda: 1).result() == 1


def test_what_was_not_begun_is_dropped() -> None:
    done: list[int] = []

    def work(number: int) -> None:
        time.sleep(0.01)
        done.append(number)

    with Threads(1) as threads:
        for number in range(100):
            threads.give(partial(work, number))
    assert done == list(range(len(done)))
    assert len(done) < 100


class _AlarmError(Exception):
    pass


def test_an_interrupt_at_any_moment_is_no_deadlock() -> None:
    """A signal raises in whatever the giving thread does. SIGALRM ends a test that hangs."""

    def alarm(number: int, frame: FrameType | None) -> None:
        raise _AlarmError

    before = signal.signal(signal.SIGALRM, alarm)
    seconds = itertools.cycle((0.0002, 0.0005, 0.0011, 0.0017))
    try:
        for _ in range(300):
            with Threads(2) as threads:
                try:
                    signal.setitimer(signal.ITIMER_REAL, next(seconds))
                    answers: list[Answer[int]] = []
                    while True:
                        answers.append(threads.give(lambda: 1))
                        if len(answers) > 3:
                            answers.pop(0).result()
                except _AlarmError:
                    pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
