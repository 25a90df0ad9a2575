"""The search trail, step by step, for ``-v`` and for what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack.loader.records import Kind, Outcome, Probe


def lines(name: str, requester: str, probes: Iterable[Probe]) -> Iterator[str]:
    """What the loader tries for a name, in order."""
    yield f"{name}, needed by {requester}:"
    for probe in probes:
        detail = f" ({probe.detail})" if probe.detail else ""
        outcome = "" if probe.outcome is Outcome.MISSING and detail else f" {probe.outcome}"
        yield f"  {probe.path}:{outcome}{detail} [{_list(probe)}]"


def _list(probe: Probe) -> str:
    if probe.via.kind in (Kind.RPATH, Kind.RUNPATH):
        return f"{probe.via.kind} {probe.via.written} of {probe.via.owner}"
    return str(probe.via.kind)
