"""The search trail, step by step, for ``-v`` and for what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack.loader.records import Kind, Outcome, Probe


def lines(name: str, requester: str, probes: Iterable[Probe]) -> Iterator[str]:
    """What the loader tries for a name, in order."""
    yield f"{name}, needed by {requester}:"
    tried = False
    for probe in probes:
        tried = True
        words = f"{probe.outcome}" + (f" ({probe.detail})" if probe.detail else "")
        if probe.outcome is Outcome.MISSING and probe.detail:
            words = probe.detail.lower()
        yield f"  {probe.path}: {words} [{_list(probe)}]"
    if not tried:
        yield "  there is no directory to look in"


def _list(probe: Probe) -> str:
    if probe.via.kind in (Kind.RPATH, Kind.RUNPATH):
        return f"{probe.via.kind} {probe.via.written} of {probe.via.owner}"
    return str(probe.via.kind)
