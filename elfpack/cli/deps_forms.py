"""``elfpack deps``: every way to show a closure besides ldd's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from elfpack.api.session import Session
from elfpack.cli.deps_run import Result, Show, Shown, blocks
from elfpack.cli.ui import Talk
from elfpack.loader.closure import Closure
from elfpack.report import pathlist


def _tree(session: Session, closure: Closure) -> Iterator[str]:
    from elfpack.report import tree

    return tree.lines(closure, session.borrowed(closure))


def _dot(results: Iterator[Result], shown: Shown) -> int:
    from elfpack.report import dot

    shown.results.line(dot.head())
    told: set[str] = set()  # programs share objects: each line of the graph once

    def new(session: Session, closure: Closure) -> Iterator[str]:
        for line in dot.lines(closure, session.borrowed(closure)):
            if line not in told:
                told.add(line)
                yield line

    status = blocks(new, heading=False)(results, shown)
    shown.results.line(dot.tail())
    return status


def _why(results: Iterator[Result], shown: Shown, name: str) -> int:
    from elfpack.report import why

    status = 0
    for result, wanted in results:
        status = max(status, wanted)
        if not isinstance(result, Closure):
            continue
        told = list(why.lines(result, name, shown.session.borrowed(result)))
        absent = [] if told else list(why.absent(result, name))
        if not told:
            status = max(status, 1)
            if not absent:
                shown.talk.error(
                    f"{result.name}: nothing in it loads {name} (--format paths tells what is)"
                )
        if shown.several and (told or absent):
            shown.results.line(f"{result.name}:")
        for line in told or absent:
            shown.results.line(line)
        if why.MORE in told or len(told) > why.LIMIT:
            shown.talk.note(
                f"{result.name}: not every chain is told (--format tree has every edge)"
            )
    return status


def _paths(results: Iterator[Result], shown: Shown) -> int:
    status = 0

    def closures() -> Iterator[Closure]:
        nonlocal status
        for result, wanted in results:
            status = max(status, wanted)
            if isinstance(result, Closure):
                _note_missing(shown.talk, result)
                yield result

    for path in pathlist.paths(closures(), shown.session.options.cwd):
        shown.results.line(path)
    return status


def _note_missing(talk: Talk, closure: Closure) -> None:
    for missing in closure.missing:
        by = ", ".join(missing.needed_by)
        talk.warning(f"{closure.name}: {missing.name} is missing, needed by {by}")
    if closure.missing_interpreter is not None:
        talk.warning(f"{closure.name}: the interpreter {closure.missing_interpreter} is missing")


def _json(results: Iterator[Result], shown: Shown) -> int:
    from elfpack.cli.deps_json import Descriptions
    from elfpack.report import jsondoc

    described = Descriptions(results, shown.session, shown.talk, shown.symbols)
    for piece in jsondoc.pieces(described):
        shown.results.write(piece)
    return described.status


FORMS: dict[str, Show] = {
    "tree": blocks(_tree, heading=False),
    "paths": _paths,
    "json": _json,
    "dot": _dot,
}


def of_why(name: str) -> Show:
    """Every chain from a program to a library."""
    return partial(_why, name=name)
