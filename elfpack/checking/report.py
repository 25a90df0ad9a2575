"""What a check comes to."""

from __future__ import annotations

from typing import NamedTuple

from elfpack.errors import Finding


class Counts(NamedTuple):
    """How much was judged."""

    programs: int = 0
    libraries: int = 0
    scripts: int = 0


class Checked(NamedTuple):
    """Of one tree."""

    findings: tuple[Finding, ...]
    """By path; those of one file in the order of the rules."""
    counts: Counts
    unread: tuple[str, ...] = ()
    """Files that may not be read, and so were not judged."""
