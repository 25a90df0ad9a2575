"""The command line: reads argv, the environment and the clock; prints; exits."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    try:
        gc.disable()  # records have no cycles: looking for some takes up to a third of the time
        guard_descriptors()
        return _run(list(sys.argv[1:] if argv is None else argv))
    # While modules are loaded; later run() handles it.
    except KeyboardInterrupt:
        return _failed("interrupted (nothing was left behind)")
    except LACK:
        return _failed("out of memory (raise the limit, ulimit -v)")
    except (ImportError, OSError) as e:
        return _failed(f"a module cannot be loaded: {e} ({LOADING})")
    finally:
        if "lief" not in sys.modules:  # which complains of what is left at the end
            gc.freeze()  # nor does Python look for cycles when it ends


LACK = MemoryError, SystemError
"""What tells of too little memory: the second comes from where Python does not expect it."""
LOADING = "check the memory, the limit of open files, the disk, and that elfpack is installed whole"
"""What to do if Python does not get at the next module."""


def _failed(what: str) -> int:
    """Tell it with nothing but what is loaded by now."""
    try:
        os.write(2, f"elfpack: error: {what}\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # nobody listens: the exit status still tells
    return 2


def script() -> int:
    """The entry point of the installed script: :func:`main`, after which the process is gone.

    To take apart what is in memory lasts longer than the work of some commands.
    """
    status = main()
    if _is_watched():
        return status
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # it was closed when the process began
                stream.flush()
    except OSError:
        return status  # Python tells of it
    os._exit(status)


def _is_watched() -> bool:
    """Whether a profiler, a debugger or coverage has something to do at the end of the process."""
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)  # since Python 3.12
    return monitoring is not None and any(monitoring.get_tool(n) for n in range(6))


def _run(argv: list[str]) -> int:
    if _is_plain(argv):
        from elfpack.cli import plain

        return plain.run(argv)
    from elfpack.cli.main import run

    return run(argv)


def _is_plain(argv: list[str]) -> bool:
    """Whether there is nothing to parse: ``deps PROGRAM...``, ``check ROOTFS`` or
    ``layer PROGRAM... -o OUT``, no other option, and no shell that asks for completion."""
    if _COMPLETE in os.environ:
        return False
    options = [argument for argument in argv if argument.startswith("-")]
    if argv[:1] == ["layer"]:
        return options == ["-o"] and _has_output(argv)
    if options:
        return False
    return (argv[:1] == ["deps"] and len(argv) > 1) or (argv[:1] == ["check"] and len(argv) == 2)


def _has_output(argv: list[str]) -> bool:
    """Whether a name stands behind ``-o``, and another word anywhere. What else is amiss the
    parser tells better."""
    at = argv.index("-o") + 1
    return len(argv) > 3 and at < len(argv) and argv[at] != ""


_COMPLETE = "_ELFPACK_COMPLETE"


def nowhere(mode: int) -> int:
    """A descriptor that leads nowhere."""
    try:
        return os.open(os.devnull, mode)
    except OSError:  # where there is no /dev: what can be neither read nor written
        return os.open("/", os.O_RDONLY)


def guard_descriptors() -> None:
    """Fill the standard descriptors that are closed, or a file that is opened next gets their
    number, and messages land in it. Standard output is filled so that writing to it fails."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError as e:
            if e.errno != errno.EBADF:
                continue  # it is open, whatever its disk says
            opened = nowhere(mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
