"""Work that a copy of this process does, on another processor. Starts no program.

Python runs one thread at a time, so that work in Python gains nothing by a thread. Only the command
line does this: nobody else's threads or locks are in its process.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from elfpack.blob import let_go
from elfpack.cli import nowhere


class Copy:
    """A copy of this process that calls ``work``, and ends. It prints nothing; its answer is kept
    in memory. Whoever makes one closes it."""

    def __init__(self, work: Callable[[], bytes]) -> None:
        self._pid = 0
        self._answer = -1
        if signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
            return  # nobody would be told how it ended, nor that its number is another's by now
        here = os.getpid()
        # An interrupt between the fork and the note of its number would leave a copy that nobody
        # ends.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            self._answer = os.memfd_create("answer")
            self._pid = os.fork()
            if not self._pid:
                _end_with(work, mask, self._answer)
        except (OSError, AttributeError):
            pass  # a limit, or a kernel or a Python that cannot: nothing is done beside
        finally:
            if os.getpid() != here:  # all that the caller would do is not the copy's
                os._exit(1)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def __del__(self) -> None:
        self.close()  # interrupted before who made it had it

    def answer(self) -> bytes | None:
        """What its work returned, when it has ended; None if it did not come to its end, or there
        never was a copy: whoever wants the work done does it."""
        if not self._has_ended_well():
            return None
        try:
            with open(self._answer, "rb", closefd=False) as file:
                file.seek(0)  # where the copy wrote last is where it stands for both
                return file.read()
        except OSError:
            return None

    def close(self) -> None:
        """End it, wherever it is."""
        if self._pid:
            try:
                os.kill(self._pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._has_ended_well()
        if self._answer >= 0:
            let_go(self._answer)
            self._answer = -1

    def _has_ended_well(self) -> bool:
        """Waits for it."""
        if not self._pid:
            return False
        try:
            status = os.waitpid(self._pid, 0)[1]
        except ChildProcessError:  # somebody else has heard of its end
            status = -1
        self._pid = 0
        return status == 0


def _end_with(work: Callable[[], bytes], mask: set[int], answer: int) -> None:
    status = 1
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        silent = nowhere(os.O_RDWR)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os.close(silent)
        with open(answer, "wb", closefd=False) as file:
            file.write(work())
        status = 0
    finally:
        os._exit(status)
