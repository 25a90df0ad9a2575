"""The command line: reads argv, the environment and the clock; prints; exits."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status. The entry point of the script."""
    try:
        guard_descriptors()
        from elfpack.cli.main import run

        return run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:  # while modules are loaded; later run() handles it
        os.write(2, b"elfpack: error: interrupted (nothing was left behind)\n")
        return 2


def guard_descriptors() -> None:
    """Fill the standard descriptors that are closed, or a file that is opened next gets their
    number, and messages land in it. Standard output is filled so that writing to it fails."""
    for number, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
