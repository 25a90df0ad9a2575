"""Work that a copy of this process does, on another processor. Starts no program.

Python runs one thread at a time, so that work in Python gains nothing by a thread. Only the command
line does this: nobody else's threads or locks are in its process.
"""

import os
import signal
from collections.abc import Callable

from elfpack.light import NamedTuple


class Done(NamedTuple):
    """What a copy has done."""

    answer: bytes
    """What its work returned."""
    output: bytes
    """What it wrote to standard output."""
    errors: bytes
    """And to standard error."""


class Copy:
    """A copy of this process that calls ``work``, and ends.

    Whoever makes one closes it. What it writes is kept in memory.
    """

    def __init__(self, work: Callable[[], bytes]) -> None:
        self._pid = 0
        self._kept: list[int] = []
        here = os.getpid()
        # An interrupt between the fork and the note of its number would leave a copy that nobody
        # ends.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            for name in Done._fields:
                self._kept.append(os.memfd_create(name))
            self._pid = os.fork()
            if not self._pid:
                _end_with(work, mask, *self._kept)
        except (OSError, AttributeError):
            pass  # a limit, or a kernel or a Python that cannot: nothing is done beside
        finally:
            if os.getpid() != here:  # all that the caller would do is not the copy's
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def __del__(self) -> None:
        self.close()  # interrupted before who made it had it

    def done(self) -> Done | None:
        """What it has done, when it has ended; None if it did not come to its end, or there never
        was a copy: whoever wants the work done does it."""
        return Done(*map(_content, self._kept)) if self._has_ended_well() else None

    def close(self) -> None:
        """End it, wherever it is."""
        if self._pid:
            try:
                os.kill(self._pid, 9)
            except ProcessLookupError:
                pass
            self._has_ended_well()
        while self._kept:
            os.close(self._kept.pop())

    def _has_ended_well(self) -> bool:
        """Waits for it."""
        if not self._pid:
            return False
        try:
            status = os.waitpid(self._pid, 0)[1]
        except ChildProcessError:  # whoever started us wants to hear of no process that ends
            status = -1
        self._pid = 0
        return status == 0


def _end_with(
    work: Callable[[], bytes], mask: set[int], answer: int, output: int, errors: int
) -> None:
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.dup2(output, 1)
        os.dup2(errors, 2)
        with open(answer, "wb", closefd=False) as file:
            file.write(work())
        status = 0
    finally:
        os._exit(status)


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)  # where the copy wrote last is where it stands for both
        return file.read()
