"""What becomes of each kind of error: a line, and the exit status."""

from __future__ import annotations

import errno
import os

from elfpack.cli import LACK, LOADING, nowhere
from elfpack.cli.ui import ReaderGone, Talk
from elfpack.errors import ElfpackError, IncompleteError, SeveralErrors


def status_of(error: BaseException, talk: Talk) -> int:
    """Tell what ended a command, if there is something to tell; the exit status."""
    if isinstance(error, ElfpackError):
        _told(error, talk)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        talk.error("interrupted (nothing was left behind)")
    elif isinstance(error, (BrokenPipeError, ReaderGone)):
        _silenced()  # the reader has seen enough
        return 0
    elif isinstance(error, LACK) or _is_lack(error):
        talk.error("out of memory (raise the limit, ulimit -v, or name fewer files)")
    elif isinstance(error, ImportError):
        talk.error(f"a module cannot be loaded: {error} ({LOADING})")
    elif isinstance(error, OSError):  # click's own output: help and version
        is_closed = error.errno == errno.EBADF
        reason = "is closed" if is_closed else os.strerror(error.errno or 0).lower()
        talk.error(f"{error.filename or 'standard output'}: {reason} (write to another file)")
        _silenced()
    else:
        what = f"{type(error).__name__}: {error}"
        talk.error(f"a fault of elfpack itself: {what} (please report it with the command)")
    return 2


def _is_lack(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.ENOMEM


def _told(error: ElfpackError, talk: Talk) -> None:
    """All that is wrong, a line each."""
    for each in error.errors if isinstance(error, SeveralErrors) else (error,):
        for line in each.findings if isinstance(each, IncompleteError) else (each,):
            talk.error(line)


def _silenced() -> None:
    """Standard output leads nowhere, so that Python does not complain about it on its way out."""
    os.dup2(nowhere(os.O_WRONLY), 1)
