"""What ``layer`` and ``image`` say of a plan, and the summary."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from elfpack.api.resolve import image_remarks
from elfpack.api.session import Session
from elfpack.cli import surroundings
from elfpack.cli.ui import Results, Talk
from elfpack.light import TYPE_CHECKING, Protocol
from elfpack.paths import basename, is_utf8
from elfpack.planning.entry import SET_ID, Directory, Entry, Plan, Reason, Regular
from elfpack.report import reasons, table
from elfpack.runtime import MODULES

if TYPE_CHECKING:
    from typing import Any


class Outcome(Protocol):
    """What every output has."""

    @property
    def output(self) -> str: ...
    @property
    def size(self) -> int: ...


def tell(
    talk: Talk, session: Session, plan: Plan, where: surroundings.Where, output: str | None
) -> None:
    """All but the hints, before anything is written."""
    _tell(talk, plan, where)
    _remark(talk, session, plan)
    _tell_owners(talk, plan, output)


def _tell_owners(talk: Talk, plan: Plan, output: str | None) -> None:
    """A tree that is written without root belongs to the user."""
    if output is None or not output.endswith("/") or os.geteuid() == 0:
        return
    files = [e for e in plan.entries if isinstance(e, Regular)]
    lost = {
        "owners": [e.path for e in plan.entries if isinstance(e, Directory) and e.owner != (0, 0)],
        "privileges": [e.path for e in files if e.mode & SET_ID or e.capability],
    }
    for what, paths in lost.items():
        if paths:
            names = ", ".join(paths)
            talk.warning(
                f"{output}: the {what} of {names} are not kept (run as root, or write a tar)"
            )


def _remark(talk: Talk, session: Session, plan: Plan) -> None:
    """What could keep a program from running in the image, each once."""
    found = [remark for p in plan.programs for remark in image_remarks(session, p.closure)]
    for remark in dict.fromkeys(found):
        (talk.note if remark.note else talk.warning)(str(remark))


def _tell(talk: Talk, plan: Plan, where: surroundings.Where) -> None:
    """What runtime modules added and why, what was found through LD_LIBRARY_PATH, findings."""
    for placed in plan.programs:
        surroundings.note_environment(talk, placed.closure, where)
    added: dict[str, list[Entry]] = {module.name: [] for module in MODULES}
    for entry in plan.entries:
        if entry.reason.source in added:
            added[entry.reason.source].append(entry)
    for module in MODULES:
        entries = added[module.name]
        if entries:
            names = _few([e.path for e in entries])
            because = ", ".join(_because(e.reason for e in entries))
            talk.note(
                f"{module.name}: added {names} for {because} (--without {module.name} drops it)"
            )
    path = next((e.path for e in plan.entries if e.reason.source == "ld.so.cache"), None)
    if path is not None:
        talk.note(f"{path}: made, because a library is outside the loader's own directories")
    for finding in plan.findings:
        (talk.note if finding.note else talk.warning)(str(finding))
    if plan.entrypoint is not None and not is_utf8(plan.entrypoint):
        talk.warning(
            f"{plan.entrypoint}: no engine can be told a name that is not UTF-8 (say where it goes "
            "with PROGRAM:DEST)"
        )
    for name in plan.missing:
        talk.note(f"{name}: missing, as allowed")


_MOST_WORDS = 12
_MOST_NAMES = 8
"""Files of one module below one directory that a note names."""


def _few(paths: list[str]) -> str:
    """The names of files; where there are many, how many are below which directory."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        groups.setdefault(tuple(path.split("/")[:-1][:4]), []).append(path)
    words = []
    for group in groups.values():
        if len(group) > _MOST_NAMES:
            words.append(f"{len(group)} files in {os.path.commonpath(group)}")
        else:
            words += map(_short, group)
    more = len(words) - _MOST_WORDS
    return ", ".join(words[:_MOST_WORDS]) + (f" and {more} more" if more > 0 else "")


def _short(path: str) -> str:
    return basename(path) if ".so" in path else path


def _because(found: Iterable[Reason]) -> list[str]:
    """Up to two reasons: the symbols and who has them; where there are many, who has them."""
    known = list(dict.fromkeys(r for r in found if r.because_of))
    texts = list(dict.fromkeys(reasons.text(r).partition(": ")[2] for r in known))
    if len(texts) > _MOST_NAMES:
        texts = list(dict.fromkeys(f"what was {r.how} {r.because_of}" for r in known))
    return (texts[:2] + (["..."] if len(texts) > 2 else [])) or ["--with"]


def summary(
    talk: Talk,
    plan: Plan,
    written: Outcome | None,
    use: str | None,
    document: dict[str, Any] | None,
) -> None:
    """What became of the plan, at the end."""
    if document is not None:
        import json  # late, for the few who read it

        pieces = json.JSONEncoder(indent=2).iterencode(document)
        _json(pieces, to_stderr=written is not None and written.output == "-")
    elif written is None:
        results = Results()
        for line in table.lines(plan):
            results.line(line)
        results.flush()
    count = len(plan.entries)
    if written is None:
        talk.note(f"nothing written: {count} entries, {plan.size} bytes of files")
        sizes = table.sizes(plan)
        if sizes:
            talk.note(f"bytes by reason: {sizes}")
        return
    talk.note(f"{written.output}: {count} entries, {written.size} bytes")
    talk.note(use or "")


def _json(pieces: Iterator[str], *, to_stderr: bool) -> None:
    if to_stderr:
        os.write(2, "".join(pieces).encode() + b"\n")
        return
    results = Results()
    while text := "".join(islice(pieces, _PIECES)):
        results.write(text.encode())
    results.write(b"\n")
    results.flush()


_PIECES = 1000
"""Pieces of JSON, a few bytes each, that are written together."""
