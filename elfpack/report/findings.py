"""``elfpack.check/1``, and a report as lines. Names in JSON as in ``jsondoc``."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.checking.report import Checked, Report
from elfpack.errors import Finding
from elfpack.light import TYPE_CHECKING
from elfpack.paths import printable

if TYPE_CHECKING:
    from typing import Any


SCHEMA = "elfpack.check/1"


def lines(report: Report) -> Iterator[str]:
    """One line for each finding: ``PATH: what ("what the kernel or the loader would say")``. Of
    several images each line begins with the image's tag."""
    for tree in report.trees:
        for finding in tree.findings:
            yield printable(f"{_image(report, tree)}{finding._replace(hint=None)}")


def searched(report: Report) -> Iterator[str]:
    """Where what is missing was looked for."""
    for tree in report.trees:
        for finding in tree.findings:
            if finding.hint:
                yield f"{_image(report, tree)}{finding.path}: {finding.message}; {finding.hint}"


def summaries(report: Report) -> Iterator[str]:
    """What was judged, and how it went: one line for each tree."""
    for tree in report.trees:
        counts = ", ".join(
            f"{count} {word if count == 1 else word + 's'}"
            for count, word in zip(tree.counts, ("program", "library", "script"), strict=True)
        ).replace("librarys", "libraries")
        number = len(tree.findings)
        fine = "nothing is missing" + (" in what may be read" if tree.unread else "")
        result = f"{number} finding{'' if number == 1 else 's'}" if number else fine
        yield f"{report.path}: {_image(report, tree)}{counts}: {result}"


def unread(report: Report) -> Iterator[str]:
    """What could not be judged."""
    for tree in report.trees:
        if tree.unread:
            several = len(tree.unread) > 1
            which = (
                f"{tree.unread[0]} and {len(tree.unread) - 1} more" if several else tree.unread[0]
            )
            yield (
                f"{report.path}: {_image(report, tree)}{which} may not be read, and "
                f"{'are' if several else 'is'} not judged (run as a user who may)"
            )


def document(report: Report) -> dict[str, Any]:
    """The whole document."""
    return {
        "schema": SCHEMA,
        "path": report.path,
        "checked": [
            {
                "image": tree.image,
                **tree.counts._asdict(),
                "findings": len(tree.findings),
                "unread": list(tree.unread),
            }
            for tree in report.trees
        ],
        "findings": [_finding(tree, finding) for tree in report.trees for finding in tree.findings],
    }


def _finding(tree: Checked, finding: Finding) -> dict[str, Any]:
    return {
        "image": tree.image,
        "code": finding.code,
        "path": finding.path,
        "message": finding.message,
        "quote": finding.quote,
        "hint": finding.hint,
    }


def _image(report: Report, tree: Checked) -> str:
    return f"{tree.image}: " if len(report.trees) > 1 and tree.image is not None else ""
