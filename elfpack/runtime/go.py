"""What programs that are written in Go may want besides.

Source: Go time/zoneinfo.go, LoadLocation(); time/zoneinfo_unix.go, platformZoneSources;
time/tzdata/tzdata.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.runtime.module import Evidence, Hint, View

ZONES = "/usr/share/zoneinfo"
_LOAD = "time.LoadLocation"
_EMBEDDED = "time/tzdata.loadFromEmbeddedTZData"


def go_time_zones(view: View) -> Iterator[Hint]:
    """A hint for the programs that look up time zones by name and carry none."""
    found = [
        this.label
        for this, _ in view.importing((_LOAD,))
        if (program := view.go(this)) is not None and _EMBEDDED not in program.functions
    ]
    if found:
        yield Hint(
            "go-time-zones",
            ", ".join(found),
            f"may look for time zones in {ZONES} ({_LOAD} is linked in)",
            "--with tz packs them",
            Evidence(_LOAD, found[0], "linked into"),
        )
