"""``elfpack deps PROGRAM...`` without an option: nothing is there to be parsed.

Most calls are of this kind, and the parser takes as long to import as the answer takes to find.
"""

from __future__ import annotations

from collections.abc import Sequence

from elfpack.cli import deps_run
from elfpack.cli.ending import status_of
from elfpack.cli.surroundings import text
from elfpack.cli.ui import Talk


def run(argv: Sequence[str]) -> int:
    """Run it; every error is one line and a status."""
    talk = Talk()
    try:
        return deps_run.run(talk, deps_run.Asked(tuple(map(text, argv[1:]))))
    except (Exception, KeyboardInterrupt) as e:
        return status_of(e, talk)
