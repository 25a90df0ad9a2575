"""What is done to a plan when all that is in it is known. Nothing is added here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from elfpack.blob import Blob, Source
from elfpack.elf.edit import strip
from elfpack.elf.layout import ElfFault
from elfpack.elf.parts import Edit
from elfpack.errors import Finding, unreadable
from elfpack.planning.entry import Entry, Plan, Regular


def stripped(plan: Plan) -> Plan:
    """The plan with the symbol and debug sections of its ELF files dropped; a file that they
    cannot be dropped from stays as it is, and a finding says why.

    What is kept of a file is how it is cut, not its bytes: those are read when they are written.

    Raises:
        InputError: a file cannot be read any more.
    """
    entries: list[Entry] = []
    refused: dict[str, list[str]] = {}
    count = 0
    for entry in plan.entries:
        if isinstance(entry, Regular) and entry.identity is not None:
            try:
                edit = _edit(entry.blob)
            except ElfFault as e:
                refused.setdefault(e.message, []).append(entry.path)
                edit = None
            if edit is not None:
                entry = replace(entry, blob=_edited(entry.blob, edit))
                count += 1
        entries.append(entry)
    after = replace(plan, entries=tuple(entries))
    findings = (*_refused(refused), _summary(count, plan.size - after.size))
    return replace(after, findings=(*plan.findings, *findings))


def _edit(blob: Blob) -> Edit | None:
    source = blob.open()
    try:
        return strip(source)
    except OSError as e:
        raise unreadable(blob.label, e.errno or 0) from e
    finally:
        source.close()


def _edited(blob: Blob, edit: Edit) -> Blob:
    def opened() -> Source:
        return edit.apply(blob.open())

    return Blob(edit.size, opened, blob.label)


def _refused(refused: dict[str, list[str]]) -> Iterator[Finding]:
    """One finding for each reason, however many files it holds for."""
    for reason, paths in refused.items():
        more = f", and so are {len(paths) - 1} others" if len(paths) > 1 else ""
        yield Finding("not-stripped", paths[0], f"left as it is{more}: {reason}", note=True)


def _summary(count: int, saved: int) -> Finding:
    files = "1 file" if count == 1 else f"{count} files"
    message = f"{files}, {saved:,} bytes less" if count else "no file gets smaller by it"
    return Finding("stripped", "--strip", message, note=True)
