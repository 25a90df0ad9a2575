"""ELF files that cannot be read: cut short, or contradicting themselves."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.checking.survey import Survey
from elfpack.errors import Finding


def rule(seen: Survey) -> Iterator[Finding]:
    """Each with what is wrong with it. Debug halves and object files are none."""
    for path, message in seen.found.broken:
        yield Finding("broken-elf", path, message)
