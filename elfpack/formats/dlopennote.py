"""The ELF dlopen metadata note: which libraries an object opens at run time.

Source: UAPI.12, "ELF Note for dlopen() Metadata"; its description is a JSON array of objects.
"""

from __future__ import annotations

from elfpack.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any, Final


OWNER: Final = "FDO"
TYPE: Final = 0x407C0C0A
REQUIRED: Final = "required"
RECOMMENDED: Final = "recommended"
SUGGESTED: Final = "suggested"
_PRIORITIES = (REQUIRED, RECOMMENDED, SUGGESTED)
_MOST_BYTES = 1 << 20
_MOST_NAMES = 256
"""Alternatives of one entry, and bytes of the file name in each."""


class Opens(NamedTuple):
    """One entry: a library by its alternatives."""

    sonames: tuple[str, ...]
    """The most preferred first; the first that is there is taken."""
    priority: str = RECOMMENDED
    feature: str = ""


class NoteFault(ValueError):
    """What is wrong with a note, in words."""


def parse(description: bytes) -> tuple[Opens | NoteFault, ...]:
    """The entries of one note; a fault for each that does not have that form.

    Raises:
        NoteFault: it has no entries at all.
    """
    raw = description.rstrip(b"\0")
    if len(raw) > _MOST_BYTES:
        raise NoteFault(f"a description of {len(raw)} bytes")
    import json  # late: few objects have such a note

    try:
        document = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise NoteFault("a description that is no UTF-8") from None
    except (ValueError, RecursionError):
        raise NoteFault("a description that is no JSON") from None
    if not isinstance(document, list):
        raise NoteFault("a description that is no array")
    return tuple([_entry(row) for row in document])


def _entry(row: Any) -> Opens | NoteFault:
    if not isinstance(row, dict):
        return NoteFault("an entry that is no object")
    names = row.get("soname")
    if not isinstance(names, list) or not names or len(names) > _MOST_NAMES:
        return NoteFault("an entry without an array of sonames")
    if not all(isinstance(name, str) and _is_name(name) for name in names):
        return NoteFault("a soname that is none")
    priority, feature = row.get("priority", RECOMMENDED), row.get("feature", "")
    if priority not in _PRIORITIES:
        return NoteFault("an unknown priority")
    if not isinstance(feature, str) or not feature.isprintable():
        return NoteFault("a feature that is no text")
    return Opens(tuple(names), priority, feature)


def _is_name(name: str) -> bool:
    """A soname, or an absolute path without ``..``: one that counts from the working directory is
    nothing that an object could know."""
    if not name.isprintable() or not 0 < len(name) <= _MOST_NAMES or name in (".", ".."):
        return False
    return "/" not in name or (name.startswith("/") and ".." not in name.split("/"))
