"""Work that a copy of this process does, on another processor. Starts no program.

Python runs one thread at a time, so that work in Python gains nothing by a thread. Only the command
line does this: nobody else's threads or locks are in its process.
"""

import os
import signal
from collections.abc import Callable
from typing import NamedTuple

_LOST = 255
"""The status of a copy that did not come to its end."""


class Done(NamedTuple):
    """What a copy has done."""

    status: int
    """What its work returned."""
    output: bytes
    """What it wrote to standard output."""
    errors: bytes
    """And to standard error."""


class Copy:
    """A copy of this process that calls ``work``, and ends with its status, 0 to 254.

    Whoever makes one closes it. What it writes is kept in memory.
    """

    def __init__(self, work: Callable[[], int]) -> None:
        self._pid = 0
        self._kept: list[int] = []
        here = os.getpid()
        # An interrupt between the fork and the note of its number would leave a copy that nobody
        # ends.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._kept.append(os.memfd_create("output"))
            self._kept.append(os.memfd_create("errors"))
            self._pid = os.fork()
            if not self._pid:
                _end_with(work, mask, *self._kept)
        except (OSError, AttributeError):
            pass  # a limit, or a kernel or a Python that cannot: nothing is done beside
        finally:
            if os.getpid() != here:  # all that the caller would do is not the copy's
                os._exit(_LOST)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def __del__(self) -> None:
        self.close()  # interrupted before who made it had it

    def done(self) -> Done | None:
        """What it has done, when it has ended; None if it did not come to its end, or there never
        was a copy: whoever wants the work done does it."""
        status = self._wait()
        return None if status == _LOST else Done(status, *map(_content, self._kept))

    def close(self) -> None:
        """End it, wherever it is."""
        if self._pid:
            try:
                os.kill(self._pid, 9)
            except ProcessLookupError:
                pass
            self._wait()
        while self._kept:
            os.close(self._kept.pop())

    def _wait(self) -> int:
        if not self._pid:
            return _LOST
        try:
            status = os.waitpid(self._pid, 0)[1]
        except ChildProcessError:  # whoever started us wants to hear of no process that ends
            status = -1
        self._pid = 0
        return os.WEXITSTATUS(status) if os.WIFEXITED(status) else _LOST


def _end_with(work: Callable[[], int], mask: set[int], output: int, errors: int) -> None:
    status = _LOST
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        status = work()
    finally:
        os._exit(status)


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)  # where the copy wrote last is where it stands for both
        return file.read()
