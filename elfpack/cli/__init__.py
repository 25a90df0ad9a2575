"""The command line: reads argv, the environment and the clock; prints; exits."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status. The entry point of the script."""
    from elfpack.cli.main import run

    return run(list(sys.argv[1:] if argv is None else argv))
