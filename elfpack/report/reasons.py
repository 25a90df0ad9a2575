"""Why an entry is in the image, in words."""

from __future__ import annotations

from elfpack.planning.entry import Reason

_FORMS = {
    "program": "program",
    "script": "runs {because_of}",
    "interpreter": "interpreter of {because_of}",
    "library": "{evidence}, needed by {because_of}",
    "link": "link on the way to {because_of}",
    "parent": "directory of {because_of}",
    "added": "added: {because_of}",
    "mkdir": "asked for",
    "workdir": "working directory",
    "volume": "mount point of a volume",
    "ld.so.cache": "search path: {evidence}",
}


def text(reason: Reason) -> str:
    """One phrase."""
    form = _FORMS.get(reason.source)
    if form is not None:
        return form.format(evidence=reason.evidence, because_of=reason.because_of)
    if not reason.because_of:
        return f"{reason.source}: asked for"
    return f"{reason.source}: {reason.evidence}, {reason.how} {reason.because_of}"
