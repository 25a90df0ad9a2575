"""Programs where programs are looked for, that nobody may execute. Libraries need no such bit."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from elfpack.checking.explain import said
from elfpack.checking.find import executable
from elfpack.checking.survey import Survey
from elfpack.errors import Finding
from elfpack.paths import basename, parent

_DIRECTORIES = ("bin", "sbin")


def rule(seen: Survey) -> Iterator[Finding]:
    """Each as the kernel would refuse it."""
    for at in (*[judged.at for judged in seen.programs], *seen.static):
        if not executable(at.place.node) and is_command(seen, at.path):
            yield Finding("not-executable", at.path, "is not executable", quote=said(errno.EACCES))


def is_command(seen: Survey, path: str) -> bool:
    """Whether a program is in a directory of PATH, or in one called bin or sbin."""
    directory = parent(path)
    real = "" if directory == "/" else directory
    return basename(directory) in _DIRECTORIES or real in seen.commands
