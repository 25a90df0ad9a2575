"""A plan as text: path, size, reason; and the sizes by reason."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.planning.entry import Directory, Entry, HardLink, Plan, Regular, Symlink
from elfpack.report import reasons


def lines(plan: Plan) -> Iterator[str]:
    """One line an entry. Directories that merely hold others are left out."""
    path_width = min(60, max((len(_path(entry)) for entry in _shown(plan)), default=0))
    size_width = max((len(_size(entry)) for entry in _shown(plan)), default=0)
    for entry in _shown(plan):
        path, size, reason = _path(entry), _size(entry), reasons.text(entry.reason)
        yield f"{path:<{path_width}}  {size:>{size_width}}  {reason}"


def _shown(plan: Plan) -> Iterator[Entry]:
    return (entry for entry in plan.entries if entry.reason.source != "parent")


def sizes(plan: Plan) -> str:
    """Bytes of files by what they are for, most first: ``library 1926232, program 15960``. Empty
    without files."""
    totals: dict[str, int] = {}
    for entry in plan.entries:
        if isinstance(entry, Regular):
            totals[entry.reason.source] = totals.get(entry.reason.source, 0) + entry.blob.size
    ordered = sorted(totals.items(), key=lambda total: (-total[1], total[0]))
    return ", ".join(f"{source} {size}" for source, size in ordered)


def _path(entry: Entry) -> str:
    match entry:
        case Directory():
            return f"{entry.path}/"
        case Symlink():
            return f"{entry.path} -> {entry.target}"
        case HardLink():
            return f"{entry.path} = {entry.target}"
    return entry.path


def _size(entry: Entry) -> str:
    return str(entry.blob.size) if isinstance(entry, Regular) else "-"
