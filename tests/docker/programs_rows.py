"""All real programs that are packed and run."""

from __future__ import annotations

from tests.docker.lookup_rows import LOOKUPS
from tests.docker.plain_rows import PLAIN
from tests.docker.plugin_rows import PLUGINS

PROGRAMS = (*LOOKUPS, *PLUGINS)
ROWS = (*PROGRAMS, *PLAIN)

__all__ = ["PLAIN", "PROGRAMS", "ROWS"]
