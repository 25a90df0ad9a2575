"""``elfpack deps PROGRAM...``, ``check ROOTFS`` and ``layer PROGRAM... -o OUT`` without another
option: nothing is to be parsed.

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
        if argv[0] == "layer":
            return _layer(talk, names)
        if argv[0] == "check":
            from elfpack.cli import check_run

            return check_run.run(talk, names[0])
        from elfpack.cli import deps_run

        return deps_run.run(talk, deps_run.Asked(names))
    except (Exception, KeyboardInterrupt) as e:
        return status_of(e, talk)


def _layer(talk: Talk, words: tuple[str, ...]) -> int:
    from elfpack.cli import layer_run
    from elfpack.cli.packing_run import Asked

    at = words.index("-o")
    return layer_run.run(talk, Asked((*words[:at], *words[at + 2 :]), words[at + 1]))
