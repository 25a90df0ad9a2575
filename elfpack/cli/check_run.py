"""What ``elfpack check`` does, without the parser of its options."""

from __future__ import annotations

import os
import sys

from elfpack.api.check import check as check_path
from elfpack.api.check import check_stream
from elfpack.checking.report import Report
from elfpack.cli.ui import Results, Talk
from elfpack.errors import InputError, RequestError
from elfpack.report import findings


def run(talk: Talk, rootfs: str, form: str = "text", most: int | None = None) -> int:
    """Tell what is missing; the exit status. ``most``: bytes that it may unpack to."""
    report = _standard_input(most) if rootfs == "-" else check_path(rootfs, max_unpacked=most)
    results = Results()
    if form == "json":
        import json

        text = json.dumps(findings.document(report), indent=2, ensure_ascii=True)
        results.write(text.encode() + b"\n")
    else:
        for line in findings.lines(report):
            results.line(line)
    results.flush()
    for line in findings.searched(report):
        talk.explain(line)
    for line in findings.unread(report):
        talk.warning(line)
    for line in findings.summaries(report):
        talk.note(line)
    # Of what may not be read nobody knows whether it is complete.
    return 1 if report.findings or any(tree.unread for tree in report.trees) else 0


def _standard_input(most: int | None) -> Report:
    if sys.stdin is None:  # by now its number leads elsewhere
        raise InputError("is closed", path="standard input", hint="pipe a tar into elfpack")
    if os.isatty(0):
        raise RequestError(
            "a terminal", path="standard input", hint="name ROOTFS, or pipe a tar into elfpack"
        )
    try:
        return check_stream(os.dup(0), "standard input", max_unpacked=most)
    except OSError as e:
        reason = os.strerror(e.errno or 0).lower()
        raise InputError(reason, path="standard input", hint="pipe a tar into elfpack") from e
