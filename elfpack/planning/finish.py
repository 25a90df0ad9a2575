"""What is done to a plan when all that is in it is known. Nothing is added here."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.blob import Blob, Content, Source
from elfpack.elf.edit import strip
from elfpack.elf.layout import ElfFault
from elfpack.elf.parts import Edit
from elfpack.elf.sectiontable import need_lief
from elfpack.errors import Finding, unreadable
from elfpack.planning.entry import Entry, Plan, Regular


class Stripper:
    """Drops the symbol and debug sections of the ELF files of a plan. A file that they cannot be
    dropped from stays as it is, and a finding says why.

    What is kept of a file is how it is cut, not its bytes: those are read when they are written.
    """

    def __init__(self) -> None:
        """
        Raises:
            RequestError: lief is not installed.
        """
        need_lief()
        self._known: dict[tuple[int, int], Edit | ElfFault | None] = {}

    def run(self, plan: Plan) -> Plan:
        """
        Raises:
            InputError: a file cannot be read any more.
        """
        entries: list[Entry] = []
        refused: dict[str, list[str]] = {}
        count = 0
        for entry in plan.entries:
            if isinstance(entry, Regular) and entry.identity is not None:
                edit = self._edit(entry.identity, entry.blob)
                if isinstance(edit, ElfFault):
                    refused.setdefault(edit.message, []).append(entry.path)
                elif edit is not None:
                    entry = entry._replace(blob=_edited(entry.blob, edit), edited=True)
                    count += 1
            entries.append(entry)
        after = plan._replace(entries=tuple(entries))
        findings = (*_refused(refused), _summary(count, plan.size - after.size))
        return after._replace(findings=(*plan.findings, *findings))

    def _edit(self, identity: tuple[int, int], blob: Content) -> Edit | ElfFault | None:
        if identity not in self._known:
            try:
                self._known[identity] = _edit(blob)
            except ElfFault as e:
                self._known[identity] = e
        return self._known[identity]


def _edit(blob: Content) -> Edit | None:
    source = blob.open()
    try:
        return strip(source)
    except OSError as e:
        raise unreadable(blob.label, e.errno or 0) from e
    finally:
        source.close()


def _edited(blob: Content, edit: Edit) -> Blob:
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
