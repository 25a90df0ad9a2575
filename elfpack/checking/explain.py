"""Why something is not found, and the words of the kernel and the loaders."""

from __future__ import annotations

import errno
import os

from elfpack.checking.above import Judged
from elfpack.checking.survey import Survey
from elfpack.loader.closure import Miss
from elfpack.loader.identify import MUSL
from elfpack.loader.records import Outcome, Probe, Refusal, Scope
from elfpack.paths import components
from elfpack.root.walk import Walker


def said(number: int) -> str:
    """An errno in the words of the engines, which repeat the kernel's."""
    return os.strerror(number).lower()


def broken_link(walker: Walker, path: str) -> str | None:
    """The link on the way to a path that leads nowhere, told; None if there is none."""
    way = ""
    for part in components(path):
        way = f"{way}/{part}"
        entry = walker.find(way, follow=False)
        if isinstance(entry, int):
            return None
        if entry.node.is_link:
            end = walker.find(way)
            if isinstance(end, int):
                what = "which leads back to itself" if end == errno.ELOOP else "which is not there"
                return f"{way} is a link to {entry.node.target}, {what}"
    return None


def library_words(judged: Judged, miss: Miss, wrong_class: str | None) -> str:
    """What the loader says of a library that it does not find.

    Source: glibc elf/dl-load.c, _dl_map_new_object(); musl ldso/dynlink.c, load_deps().
    """
    name, closure = miss.name, judged.closure
    if closure.loader is not None and closure.loader.libc == MUSL:
        by = closure.label(miss.requester)
        return f"Error loading shared library {name}: No such file or directory (needed by {by})"
    reason = wrong_class or "cannot open shared object file: No such file or directory"
    return f"error while loading shared libraries: {name}: {reason}"


def refusal_words(judged: Judged, refusal: Refusal) -> str:
    """What it says of one that it does not take."""
    loader = judged.closure.loader
    if loader is not None and loader.libc == MUSL:
        by = refusal.needed_by or judged.path
        return f"Error loading shared library {refusal.path}: {refusal.reason} (needed by {by})"
    return f"error while loading shared libraries: {refusal.path}: {refusal.reason}"


class Searches:
    """The searches that found nothing, made once more to see what they met."""

    def __init__(self, seen: Survey) -> None:
        self._seen = seen
        self._known: dict[object, tuple[str, str, str | None]] = {}

    def why(self, judged: Judged, name: str, scope: Scope) -> tuple[str, str, str | None]:
        """The code of the finding; what stands in the way, empty if nothing; and what the loader
        says of a wrong class, where that is all it met."""
        search = self._seen.resolver.search(judged.closure, judged.options)
        key = (name, scope, search)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._look(search.trail(name, scope))
        return known

    def _look(self, probes: tuple[Probe, ...]) -> tuple[str, str, str | None]:
        walker = self._seen.files.walker
        for probe in probes:
            if probe.outcome is Outcome.SKIPPED and "wrong" in probe.detail:
                return "wrong-machine", self._machine(probe), _class(probe)
        for probe in probes:
            if probe.outcome in (Outcome.MISSING, Outcome.END_OF_LIST):
                link = broken_link(walker, probe.path)
                if link is not None:
                    return "dangling-link", link, None
        return "missing-library", "", None

    def _machine(self, probe: Probe) -> str:
        hit = self._seen.resolver.starter.open_hit(probe.path, probe.via.kind, self._seen.options)
        if hit is None:
            return f"{probe.path} is for another machine"
        header = hit.elf.header
        return f"{probe.path} is for another machine ({header.machine_name}, {header.bits} bits)"


def _class(probe: Probe) -> str | None:
    return probe.detail if probe.detail.startswith("wrong ELF class") else None
