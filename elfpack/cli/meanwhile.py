"""Something to do while the kernel copies or a library compresses, without a lock of Python's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def meanwhile(find: Callable[[], object]) -> Iterator[None]:
    """Calls ``find``, which keeps what it finds, beside what the block does; both have ended when
    the block is left. What goes wrong in it is met again by who asks for the answer."""

    def quietly() -> None:
        with suppress(Exception):
            find()

    thread = Thread(target=quietly)
    thread.start()
    try:
        yield
    finally:
        thread.join()
