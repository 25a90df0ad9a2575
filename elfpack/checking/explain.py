"""Why something is not found, and the words of the kernel and the loaders."""

from __future__ import annotations

import errno
import os

from elfpack.checking.above import Judged
from elfpack.checking.survey import Survey
from elfpack.loader.closure import Miss
from elfpack.loader.identify import MUSL
from elfpack.loader.records import Outcome, Probe, Refusal, Scope
from elfpack.loader.search import Search
from elfpack.paths import components
from elfpack.root.walk import Walker

_Met = tuple[str, str, "str | None"]
"""What a search met: :meth:`Searches.why`."""
_Known = tuple[dict[str, _Met], "str | None"]
"""What the searches of one scope met, by name; the link on the way to one of its directories."""


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
        link = _leads_nowhere(walker, way) if entry.node.is_link else None
        if link is not None:
            return link
    return None


def _leads_nowhere(walker: Walker, path: str) -> str | None:
    """What a path names as a link that leads nowhere, told; None if it is something else."""
    entry = walker.find(path, follow=False)
    if isinstance(entry, int) or not entry.node.is_link:
        return None
    end = walker.find(path)
    if not isinstance(end, int):
        return None
    what = "which leads back to itself" if end == errno.ELOOP else "which is not there"
    return f"{path} is a link to {entry.node.target}, {what}"


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
        self._known: dict[object, _Known] = {}
        self._last: tuple[Scope, Search, _Known] | None = None
        """Who lacks one name most often lacks others, and a scope may take long to look up."""
        self._links: dict[str, str | None] = {}
        """By a directory that is not there, the link on the way to it."""

    def why(self, judged: Judged, name: str, scope: Scope) -> _Met:
        """The code of the finding; what stands in the way, empty if nothing; and what the loader
        says of a wrong class, where that is all it met."""
        search = self._seen.resolver.search(judged.closure, judged.options)
        last = self._last
        if last is None or last[0] is not scope or last[1] is not search:
            key = scope, search
            known = self._known.get(key) or self._known.setdefault(key, self._first(*key))
            last = self._last = scope, search, known
        names, link = last[2]
        if name not in names:
            names[name] = self._look(search, name, scope, link if "/" not in name else None)
        return names[name]

    def _first(self, scope: Scope, search: Search) -> _Known:
        """What is known of a scope before any name: the first directory that a link keeps away."""
        for directory in search.directories(scope):
            link = self._link_above(search.system.absolute(directory).rstrip("/"))
            if link is not None:
                return {}, link
        return {}, None

    def _look(self, search: Search, name: str, scope: Scope, link: str | None) -> _Met:
        probes = search.met(name, scope)
        for probe in probes:
            if probe.outcome is Outcome.SKIPPED and "wrong" in probe.detail:
                return "wrong-machine", self._machine(probe), _class(probe)
        for probe in probes:
            if probe.outcome in (Outcome.MISSING, Outcome.END_OF_LIST):
                own = self._link(search.system.absolute(probe.path))
                if own is not None:
                    return "dangling-link", own, None
        return ("missing-library", "", None) if link is None else ("dangling-link", link, None)

    def _link(self, path: str) -> str | None:
        """As :func:`broken_link`. A directory that is there has none on the way to it."""
        above = path.rpartition("/")[0]
        if isinstance(self._seen.files.walker.directory(above), int):
            return self._link_above(above)
        return _leads_nowhere(self._seen.files.walker, path)

    def _link_above(self, directory: str) -> str | None:
        walker = self._seen.files.walker
        if not isinstance(walker.directory(directory), int):
            return None
        if directory not in self._links:
            self._links[directory] = broken_link(walker, directory)
        return self._links[directory]

    def _machine(self, probe: Probe) -> str:
        hit = self._seen.resolver.starter.open_hit(probe.path, probe.via.kind, self._seen.options)
        if hit is None:
            return f"{probe.path} is for another machine"
        header = hit.elf.header
        return f"{probe.path} is for another machine ({header.machine_name}, {header.bits} bits)"


def _class(probe: Probe) -> str | None:
    return probe.detail if probe.detail.startswith("wrong ELF class") else None
