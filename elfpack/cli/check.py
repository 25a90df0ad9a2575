"""``elfpack check``: is a root file system, tar or image complete?"""

from __future__ import annotations

import gc
import os

import click

from elfpack.api.check import check as check_path
from elfpack.api.check import check_stream
from elfpack.checking.report import Report
from elfpack.cli import options
from elfpack.cli.ui import Results, Talk
from elfpack.errors import InputError, RequestError
from elfpack.report import findings


@click.command()
@click.argument("rootfs", metavar="ROOTFS", type=options.TEXT)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to show it.",
)
@options.talk
@click.pass_obj
def check(talk: Talk, /, rootfs: str, form: str) -> int:
    """Tell what the kernel and the loaders would not find in a root file system.

    ROOTFS is a directory, a tar of one (also gzip, zstd or xz), a docker-archive, an OCI image
    layout, or - for a tar on standard input, which an image cannot be: it is read twice. Nothing
    of it is unpacked or run. Each interpreter, library, symbol version or name service module that
    is missing is one line, with what the kernel or the loader would say. Exit status 1 if there is
    any, or if a file in it may not be
    read; 2 if ROOTFS cannot be read.
    """
    gc.disable()  # an index of a million members would be searched for cycles again and again
    report = _standard_input() if rootfs == "-" else check_path(rootfs)
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


def _standard_input() -> Report:
    if os.isatty(0):
        raise RequestError(
            "a terminal", path="standard input", hint="name ROOTFS, or pipe a tar into elfpack"
        )
    try:
        return check_stream(os.dup(0), "standard input")
    except OSError as e:
        reason = os.strerror(e.errno or 0).lower()
        raise InputError(reason, path="standard input", hint="pipe a tar into elfpack") from e
