"""What a check comes to."""

from __future__ import annotations

from elfpack.errors import Finding
from elfpack.light import NamedTuple


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
    """Files and directories that may not be read, and so were not judged."""
    image: str | None = None
    """The image that the tree is of: its tag, or its number if it has none. None for a root file
    system by itself."""


class Report(NamedTuple):
    """Whether a root file system, or each image of an archive, is complete."""

    path: str
    """As it was named."""
    trees: tuple[Checked, ...]
    """One for each image; one for a root file system."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, in all of it. Empty: nothing."""
        return tuple(finding for tree in self.trees for finding in tree.findings)
