"""``elfpack deps PROGRAM...`` and ``check ROOTFS`` without an option: nothing is to be parsed.

Most calls are of this kind, and the parser takes as long to import as the answer takes to find.
"""

from __future__ import annotations

from collections.abc import Sequence

from elfpack.cli.ending import status_of
from elfpack.cli.surroundings import text
from elfpack.cli.ui import Talk


def run(argv: Sequence[str]) -> int:
    """Run it; every error is one line and a status."""
    talk = Talk()
    try:
        names = tuple(map(text, argv[1:]))
        if argv[0] == "check":
            from elfpack.cli import check_run

            return check_run.run(talk, names[0])
        from elfpack.cli import deps_run

        return deps_run.run(talk, deps_run.Asked(names))
    except (Exception, KeyboardInterrupt) as e:
        return status_of(e, talk)
