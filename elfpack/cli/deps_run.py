"""What ``elfpack deps`` does, and how ldd's format is shown. Needs no parser of options."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from elfpack.api.resolve import remarks, searches
from elfpack.api.session import Session
from elfpack.cli import surroundings
from elfpack.cli.ui import Results, Talk
from elfpack.errors import ElfpackError, Failure
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.loader.closure import Closure
from elfpack.loader.remarks import FATAL
from elfpack.paths import matches
from elfpack.report import ldd

if TYPE_CHECKING:
    from elfpack.cli.names import Part
    from elfpack.cli.symbols import SymbolCheck


MANY = 200
"""Programs that are worth a copy of the process, which takes half of them."""


class Asked(NamedTuple):
    """The command line, by the names of its options."""

    programs: tuple[str, ...]
    lists: tuple[str, ...] = ()
    form: str = "ldd"
    root: str | None = None
    library_path: str | None = None
    cpu: str | None = None
    why: str | None = None
    symbols: bool = False
    allow_missing: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Shown(NamedTuple):
    """How results are to be shown."""

    results: Results
    talk: Talk
    several: bool
    session: Session
    symbols: SymbolCheck | None = None
    """With ``--symbols``."""


Result = tuple[Closure | Failure, int]
"""A closure or a program's name with its error, and the exit status that it asks for."""


def run(talk: Talk, asked: Asked) -> int:
    """Tell what the loader would load for each program; the exit status."""
    parts = _listed(asked, talk)
    where = surroundings.where(asked.root, asked.library_path)
    session = Session(
        where.root,
        library_path=where.library_path,
        cpu=asked.cpu,
        preload="" if where.inside else surroundings.environment("LD_PRELOAD") or "",
    )
    with session:
        # A list counts as several: how many it holds is known when it has ended.
        shown = Shown(Results(), talk, len(asked.programs) > 1 or parts is not None, session)
        if asked.symbols:
            shown = shown._replace(symbols=_symbols(shown, asked))

        def work(programs: Iterable[str | Failure], results: Results, talk: Talk) -> int:
            check = _Check(session, talk, asked.allow_missing, where)
            found = _checked(session.resolve_many(programs, exclude=asked.exclude), check)
            if shown.symbols is not None:
                found = shown.symbols.checked(found)
            return _show(asked)(found, shown._replace(results=results, talk=talk))

        status = _run(asked, parts, shown, work)
    shown.results.flush()
    return status


Work = Callable[[Iterable[str | Failure], Results, Talk], int]
"""Shows the closures of programs; the exit status that they ask for."""


def _run(asked: Asked, parts: tuple[Part, ...] | None, shown: Shown, work: Work) -> int:
    programs: Iterable[str | Failure] = asked.programs
    if parts is not None:
        from elfpack.cli.names import names

        programs = names(parts, shown.results.flush)
    elif _is_shared(asked, shown.talk):
        from elfpack.cli.shared import share

        return share(asked.programs, work, shown.results, shown.talk)
    return work(programs, shown.results, shown.talk)


def _is_shared(asked: Asked, talk: Talk) -> bool:
    """Whether there are many programs, each of which can be shown by itself. What ``-v`` tells is
    too much to be held until its turn comes."""
    many = len(asked.programs) >= MANY
    return many and asked.form == "ldd" and not (asked.symbols or talk.verbose)


def _listed(asked: Asked, talk: Talk) -> tuple[Part, ...] | None:
    """The programs and the lists of them; None if there is no list."""
    if "-" not in asked.programs and not asked.lists:
        return None
    from elfpack.cli.names import opened

    return opened(asked.programs, asked.lists, talk)


def _symbols(shown: Shown, asked: Asked) -> SymbolCheck:
    from elfpack.cli.symbols import SymbolCheck

    shows = asked.why is None and asked.form in ("ldd", "tree", "json")
    return SymbolCheck(shown.session, shown.talk, asked.allow_missing, shows)


Show = Callable[[Iterator[Result], Shown], int]
"""Shows results as they come; the exit status that they ask for."""


def _show(asked: Asked) -> Show:
    if asked.form == "ldd" and asked.why is None:
        return blocks(_ldd, heading=True)
    from elfpack.cli.deps_forms import FORMS, of_why

    return FORMS[asked.form] if asked.why is None else of_why(asked.why)


def _ldd(session: Session, closure: Closure) -> Iterator[str]:
    return ldd.lines(closure)


def blocks(lines: Callable[[Session, Closure], Iterator[str]], heading: bool) -> Show:
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


class _Check(NamedTuple):
    session: Session
    talk: Talk
    allow_missing: tuple[str, ...]
    where: surroundings.Where

    def status(self, closure: Closure) -> int:
        """Say what is to be said of a closure; 1 with findings."""
        if self.talk.verbose:
            for line in searches(self.session, closure):
                self.talk.explain(line)
        surroundings.note_environment(self.talk, closure, self.where)
        stopped = self._remark(closure)
        if not (closure.scripts or closure.is_incomplete):
            return 1 if stopped else 0
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
        error = surroundings.elsewhere(error, self.where)
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
