"""``elfpack.layer/1``: a plan, and what became of it, as JSON. Names as in ``jsondoc``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elfpack.light import TYPE_CHECKING
from elfpack.planning.entry import Directory, Entry, HardLink, Plan, Regular, Symlink
from elfpack.report import reasons

if TYPE_CHECKING:
    from typing import Any

SCHEMA = "elfpack.layer/1"


def document(plan: Plan, output: str | None, size: int | None, use: str | None) -> dict[str, Any]:
    """The whole document. ``output``, ``output_size`` and ``use`` are null for a dry run."""
    return {
        "schema": SCHEMA,
        "output": output,
        "output_size": size,
        "use": use,
        "entrypoint": plan.entrypoint,
        "machine": plan.programs[0].closure.hits[0].elf.header.machine_name
        if plan.programs
        else None,
        "size": plan.size,
        "programs": [{"name": p.closure.name, "path": p.path} for p in plan.programs if p.named],
        "entries": _Rows(plan.entries),
        "missing": list(plan.missing),
        "findings": [
            {"code": f.code, "path": f.path, "message": f.message, "hint": f.hint}
            for f in plan.all_findings()
        ],
    }


class _Rows(list["dict[str, Any]"]):
    """The rows of entries, each made when it is written: the encoder takes nothing but lists, and
    there may be a great many."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self._entries = entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(_entry, self._entries)


def _entry(entry: Entry) -> dict[str, Any]:
    row: dict[str, Any] = {"path": entry.path}
    match entry:
        case Directory():
            row |= {"type": "directory", "mode": f"{entry.mode:04o}"}
            row |= {"uid": entry.owner[0], "gid": entry.owner[1]}
        case Symlink():
            row |= {"type": "symlink", "target": entry.target}
        case HardLink():
            row |= {"type": "hardlink", "target": entry.target}
        case Regular():
            row |= {"type": "file", "mode": f"{entry.mode:04o}", "size": entry.blob.size}
            row |= {"uid": entry.owner[0], "gid": entry.owner[1]}
            row["capability"] = entry.capability.hex() or None
    reason = entry.reason
    row["reason"] = {
        "source": reason.source,
        "evidence": reason.evidence,
        "because_of": reason.because_of,
        "how": reason.how,
        "text": reasons.text(reason),
    }
    return row
