"""``elfpack deps``: what the loader would load."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import click

from elfpack.api.resolve import remarks, searches
from elfpack.api.session import Session
from elfpack.cli import options
from elfpack.cli.ui import Results, Talk
from elfpack.errors import ElfpackError, Failure, RequestError
from elfpack.loader.closure import Closure
from elfpack.loader.remarks import FATAL
from elfpack.paths import matches
from elfpack.report import ldd, pathlist

if TYPE_CHECKING:
    from elfpack.cli.names import Part
    from elfpack.cli.symbols import SymbolCheck


class Shown(NamedTuple):
    """How results are to be shown."""

    results: Results
    talk: Talk
    several: bool
    session: Session
    symbols: "SymbolCheck | None" = None
    """With ``--symbols``."""


@click.command()
@click.argument("programs", nargs=-1, metavar="PROGRAM...", type=options.TEXT)
@click.option(
    "--from-file",
    "lists",
    multiple=True,
    type=options.TEXT,
    metavar="LIST",
    help="Also every program that LIST names, separated by NUL if there is one, else by newline; "
    "results come as they are found. A PROGRAM or LIST - is standard input. Can be repeated.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ldd", "tree", "paths", "json", "dot"]),
    default="ldd",
    show_default=True,
    help="How to show it.",
)
@options.search
@click.option(
    "--why",
    type=options.TEXT,
    metavar="NAME",
    help="Show every chain from the program to that library; exit status 1 if nothing loads it.",
)
@click.option(
    "--symbols",
    is_flag=True,
    help="Show unresolved symbols and missing symbol versions too, as ldd -r does.",
)
@options.talk
@click.pass_obj
def deps(
    talk: Talk,
    /,
    programs: tuple[str, ...],
    lists: tuple[str, ...],
    form: str,
    root: str | None,
    library_path: str | None,
    cpu: str | None,
    why: str | None,
    symbols: bool,
    allow_missing: tuple[str, ...],
    exclude: tuple[str, ...],
) -> int:
    """Show what the dynamic loader would load for each PROGRAM, in its order.

    The output is ldd's, without the addresses: scripts that read ldd read it. Exit status 1 if
    a library or the interpreter is missing, 2 if a program cannot be read.
    """
    if why is not None and form != "ldd":
        raise RequestError("has a format of its own", path="--why", hint="leave --format out")
    parts = _listed(programs, lists, talk)
    where = options.where(root, library_path)
    session = Session(
        where.root,
        library_path=where.library_path,
        cpu=cpu,
        preload="" if where.inside else options.environment("LD_PRELOAD") or "",
    )
    with session:
        # A list counts as several: how many it holds is known when it has ended.
        shown = Shown(Results(), talk, len(programs) > 1 or parts is not None, session)
        wanted: Iterable[str | Failure] = programs
        if parts is not None:
            from elfpack.cli.names import names

            wanted = names(parts, shown.results.flush)
        if symbols:
            shown = shown._replace(symbols=_symbols(shown, allow_missing, form, why))
        results = _checked(
            session.resolve_many(wanted, exclude=exclude),
            _Check(session, talk, allow_missing, where),
        )
        if shown.symbols is not None:
            results = shown.symbols.checked(results)
        show = _FORMS[form] if why is None else partial(_why, name=why)
        status = show(results, shown)
    shown.results.flush()
    return status


def _listed(
    programs: tuple[str, ...], lists: tuple[str, ...], talk: Talk
) -> "tuple[Part, ...] | None":
    """The programs and the lists of them; None if there is no list."""
    if "-" in programs or lists:
        from elfpack.cli.names import opened

        return opened(programs, lists, talk)
    if not programs:
        raise click.UsageError("Missing argument 'PROGRAM...'.")
    return None


Result = tuple[Closure | Failure, int]
"""A closure or a program's name with its error, and the exit status that it asks for."""


def _symbols(
    shown: Shown, allow_missing: tuple[str, ...], form: str, why: str | None
) -> "SymbolCheck":
    from elfpack.cli.symbols import SymbolCheck

    shows = why is None and form in ("ldd", "tree", "json")
    return SymbolCheck(shown.session, shown.talk, allow_missing, shows)


class _Check(NamedTuple):
    session: Session
    talk: Talk
    allow_missing: tuple[str, ...]
    where: options.Where

    def status(self, closure: Closure) -> int:
        """Say what is to be said of a closure; 1 with findings."""
        if self.talk.verbose:
            for line in searches(self.session, closure):
                self.talk.explain(line)
        options.note_environment(self.talk, closure, self.where)
        stopped = self._remark(closure)
        _note_script(self.talk, closure)
        refusals = closure.refusals
        for refusal in refusals:
            self.talk.error(f"{closure.name}: {refusal} (-v tells how it came there)")
        if refusals or stopped:
            return 1
        missing = [m for m in closure.missing if not matches(m.name, self.allow_missing)]
        absent = (closure.missing_interpreter, closure.missing_command)
        return 1 if missing or any(name is not None for name in absent) else 0

    def _remark(self, closure: Closure) -> bool:
        """Whether one of the remarks is that the program would not start."""
        stopped = False
        for remark in remarks(self.session, closure):
            if remark.code in FATAL and not remark.note:
                self.talk.error(remark)
                stopped = True
            else:
                (self.talk.note if remark.note else self.talk.warning)(str(remark))
        return stopped

    def error(self, name: str, error: ElfpackError) -> int:
        error = options.elsewhere(error, self.where)
        self.talk.error(error)
        return error.exit_code


def _note_script(talk: Talk, closure: Closure) -> None:
    if not closure.scripts:
        return
    if closure.missing_command is not None:
        talk.warning(
            f"{closure.name}: {closure.scripts[-1].interpreter} would not find "
            f"{closure.missing_command} (it is in no directory of the usual PATH)"
        )
        return
    lost = closure.missing_interpreter or ""
    if lost.endswith("\r"):
        talk.warning(
            f"{closure.name}: its first line ends in a carriage return, which is part of the "
            "interpreter's name (save it with Unix line ends)"
        )
    if closure.program is not None and not lost:
        talk.note(
            f"{closure.name}: a script, run by {closure.program.path}, whose libraries these are"
        )


def _checked(results: Iterator[Closure | Failure], check: _Check) -> Iterator[Result]:
    for result in results:
        if isinstance(result, Closure):
            try:
                status = check.status(result)
            except ElfpackError as e:
                result = Failure(result.name, e)
        if isinstance(result, Failure):
            status = check.error(*result)
        yield result, status


def _blocks(
    lines: Callable[[Session, Closure], Iterator[str]], heading: bool
) -> Callable[[Iterator[Result], Shown], int]:
    """Shows one closure after the other, each below its name if there are several."""

    def show(results: Iterator[Result], shown: Shown) -> int:
        status = 0
        for result, wanted in results:
            status = max(status, wanted)
            if not isinstance(result, Closure):
                continue
            if heading and shown.several:
                shown.results.line(f"{result.name}:")
            told = lines(shown.session, result)
            if shown.symbols is not None:
                told = shown.symbols.around(told, result)
            shown.results.lines(told)
        return status

    return show


def _ldd(session: Session, closure: Closure) -> Iterator[str]:
    return ldd.lines(closure)


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

    status = _blocks(new, heading=False)(results, shown)
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


_FORMS = {
    "ldd": _blocks(_ldd, heading=True),
    "tree": _blocks(_tree, heading=False),
    "paths": _paths,
    "json": _json,
    "dot": _dot,
}
