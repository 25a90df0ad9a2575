"""Libraries that a program opens at run time, by the note that says so, or by their names.

Source: UAPI.12, "ELF Note for dlopen() Metadata"; dlopen(3).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from elfpack import late
from elfpack.formats.dlopennote import OWNER, REQUIRED, SUGGESTED, TYPE, NoteFault, Opens, parse
from elfpack.light import TYPE_CHECKING
from elfpack.paths import decode
from elfpack.runtime.module import Addition, AddObject, Evidence, Found, Hint, Lacking, Object, View
from elfpack.runtime.nearest import did_you_mean

if TYPE_CHECKING:
    from typing import ClassVar

STRINGS = "strings"
_VALUES = (SUGGESTED, STRINGS)
OPENING = ("dlopen", "dlmopen")
ENDING = late.pattern(rb"\.so(?:\.[0-9]{1,9}){0,4}(?=\0)")
"""The end of a string that may name a library."""
_NAME = late.pattern(r"(?:/(?:[^/%$]+/)+)?[A-Za-z0-9_][A-Za-z0-9_.+-]*\.so(?:\.[0-9]+)*\Z")


class Dlopen:
    """What dlopen() is told to load."""

    name: ClassVar[str] = "dlopen"
    summary: ClassVar[str] = "the libraries that notes of objects say they open at run time"
    when: ClassVar[str] = "an object carries the dlopen metadata note"
    value: ClassVar[str | None] = "suggested|strings"
    needs_value: ClassVar[bool] = False
    sees_own: ClassVar[bool] = True

    def parse(self, value: str) -> object:
        words = tuple(value.split(","))
        for word in words:
            if word not in _VALUES:
                near = did_you_mean(word, _VALUES)
                raise ValueError(f"{near} there are suggested and strings".lstrip())
        return words

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        words = {w for value in chosen or () if isinstance(value, tuple) for w in value}
        for this in view.objects():
            if this.libc is not None:  # a static program opens by other ways, if at all
                yield from _noted(view, this, suggested=SUGGESTED in words)
        if STRINGS in words:
            for this, name, found in named(view):
                yield AddObject(name, found, Evidence(name, this.label, "a string in"))


def _noted(view: View, this: Object, *, suggested: bool) -> Iterator[Addition]:
    for description in view.notes(this, OWNER, TYPE):
        for entry in _parsed(description):
            if isinstance(entry, NoteFault):
                yield Hint("dlopen-note", this.label, f"its dlopen note has {entry}", "left out")
            elif entry.priority != SUGGESTED or suggested:
                yield from _entry(view, this, entry)


@lru_cache(4096)
def _parsed(description: bytes) -> tuple[Opens | NoteFault, ...]:
    try:
        return parse(description)
    except NoteFault as e:
        return (e,)


def _entry(view: View, this: Object, entry: Opens) -> Iterator[Addition]:
    """The first of the alternatives that is there."""
    names = [name for name in entry.sonames if not view.excluded(name)]
    feature = f" for {entry.feature}" if entry.feature else ""
    how = f"{entry.priority}{feature} by the dlopen note of"
    for name in names:
        if view.loaded(this, name):
            return
        found = view.opened_by(this, name)
        if found is not None:
            yield AddObject(name, found, Evidence(name, this.label, how))
            return
    if names:
        required = entry.priority == REQUIRED
        others = f" or one of {', '.join(names[1:])}" if names[1:] else ""
        without = f", or go without: --allow-missing {names[0]}" if required else ""
        evidence = Evidence(names[0], this.label, how)
        yield Lacking(names[0], required, f"install it{others}{without}", evidence)


def named(view: View) -> Iterator[tuple[Object, str, Found]]:
    """What stands as a string in an object that opens libraries, and is one where it looks."""
    for this, _ in view.importing(OPENING):
        for raw in view.strings(this, ENDING, whole=True):
            name = decode(raw)
            if _NAME.match(name) and not view.excluded(name) and not view.loaded(this, name):
                found = view.opened_by(this, name)
                if found is not None:
                    yield this, name, found
