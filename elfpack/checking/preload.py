"""What ``/etc/ld.so.preload`` and the image's LD_PRELOAD name: each program's loader looks for it,
complains, and goes on. Source: glibc elf/rtld.c, do_preload()."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.checking.survey import Survey
from elfpack.errors import Finding


def rule(seen: Survey) -> Iterator[Finding]:
    """Each name once, with the first program that does without it."""
    told: set[tuple[str, str]] = set()
    for judged in seen.programs:
        for preload in judged.closure.preloads:
            key = preload.source, preload.name
            if not preload.reason or key in told or judged.closure.secure:
                continue
            told.add(key)
            reason = preload.reason
            if reason == "not found":
                reason = "cannot open shared object file"
            words = (
                f"ERROR: ld.so: object '{preload.name}' from {preload.source} cannot be preloaded "
                f"({reason}): ignored."
            )
            message = f"names {preload.name}, which {judged.path} does without"
            yield Finding("missing-preload", preload.source, message, quote=words)
