"""What runtime modules added, as reasons, findings and things to place."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.errors import Finding
from elfpack.light import TYPE_CHECKING
from elfpack.planning.entry import Opened, Reason
from elfpack.runtime.module import (
    AddBytes,
    AddDirectory,
    AddFile,
    AddLink,
    AddObject,
    AddProgram,
    AddText,
    Evidence,
    Hint,
    Lacking,
    RuntimeModule,
)

if TYPE_CHECKING:
    from elfpack.planning.collect import Collection

Placeable = AddFile | AddProgram | AddText | AddBytes | AddLink | AddDirectory
"""The additions that are no objects."""


def reason(module: RuntimeModule, evidence: Evidence | None, name: str = "") -> Reason:
    if evidence is None:
        return Reason(module.name, name)
    return Reason(module.name, *evidence)


def lacking(this: Lacking, module: RuntimeModule) -> Finding:
    """The finding for what the root has not."""
    because, evidence = "", this.evidence
    if evidence is not None:
        itself = evidence.symbol == this.what
        because = f", {evidence.how} {evidence.object}" if itself else f", needed for {evidence}"
    message = f"{this.state}{because}"
    return Finding(f"lacking-{module.name}", this.what, message, this.advice)


def hint(this: Hint) -> Finding:
    return Finding(this.code, this.path, this.message, this.advice, note=not this.warning)


def reasons(found: Collection) -> Iterator[tuple[Placeable, Reason]]:
    """The additions that are no objects, with the reason for each."""
    for addition, module in found.additions.items():
        if isinstance(addition, Placeable):
            yield addition, reason(module, addition.evidence)


def module_objects(found: Collection) -> Iterator[tuple[AddObject, Reason]]:
    """The objects that modules added, with the reason for each."""
    for addition, module in found.additions.items():
        if isinstance(addition, AddObject):
            yield addition, reason(module, addition.evidence)


def opened_objects(found: Collection) -> Iterator[Opened]:
    """The objects that modules added, by the names that they are opened by."""
    for addition in found.additions:
        if isinstance(addition, AddObject):
            number, opener = addition.found.opener
            by = found.members[number].closure.hits[opener] if opener is not None else None
            yield Opened(addition.name, addition.found.hit, by.identity if by else None)
