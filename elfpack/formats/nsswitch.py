"""``nsswitch.conf``: which services answer for which database.

Source: glibc nss/nss_database.c and nss/nss_action_parse.c.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from elfpack import late

_ACTION = late.pattern(r"\[[^\]]*\]?")


def parse(text: str) -> dict[str, tuple[str, ...]]:
    """The services of each database, in order; of two lines for one the last counts.

    What follows a ``#`` is left out: glibc takes it for names of services, but nobody means that.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in text.split("\n"):
        database, colon, services = line.partition("#")[0].partition(":")
        name = database.strip()
        if colon and name and " " not in name:
            found[name] = tuple(dict.fromkeys(_ACTION.sub(" ", services).split()))
    return found


def dump(databases: Mapping[str, Iterable[str]]) -> str:
    """A file with a line for each database."""
    width = max((len(name) for name in databases), default=0) + 1
    return "".join(
        f"{name + ':':<{width}} {' '.join(services)}\n" for name, services in databases.items()
    )
