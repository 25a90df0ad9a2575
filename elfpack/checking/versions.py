"""The symbol versions that each program asks for: its libraries define them.

Symbols themselves are not looked at: a program may well start without one that it never calls.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.checking.survey import Survey
from elfpack.errors import Finding
from elfpack.loader.versioning import Versioning


def rule(seen: Survey) -> Iterator[Finding]:
    """Each version without which the loader does not start a program."""
    versioning = Versioning(seen.files)
    for judged in seen.all():
        alone = judged.at.elf.kind == "library"
        for missing in versioning.lacking(judged.closure, alone=alone):
            told = f"version {missing.version} is missing in {missing.path}"
            if missing.required_by != judged.path:
                told += f", required by {missing.required_by}"
            words = (
                f"{judged.path}: {missing.path}: version `{missing.version}' not found "
                f"(required by {missing.required_by})"
            )
            yield Finding("missing-version", judged.path, told, quote=words)
