"""What ``layer`` and ``image`` do: request, plan, output. Needs no parser of options."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType

from elfpack.api.request import Choice, make_request
from elfpack.api.resolve import searches
from elfpack.api.session import Session
from elfpack.cli import hinting, progress, surroundings, telling
from elfpack.cli.telling import Outcome
from elfpack.cli.ui import Talk, Waiting
from elfpack.errors import ElfpackError, IncompleteError, RequestError, SeveralErrors
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.loader.closure import Closure
from elfpack.planning.config import PLAIN, ImageConfig
from elfpack.planning.entry import Plan
from elfpack.planning.request import Request

if TYPE_CHECKING:
    from typing import Any


class Asked(NamedTuple):
    """The command line, by the names of its options."""

    programs: tuple[str, ...]
    output: str | None = None
    add: tuple[str, ...] = ()
    mkdir: tuple[str, ...] = ()
    switched_on: tuple[str, ...] = ()
    switched_off: tuple[str, ...] = ()
    root: str | None = None
    library_path: str | None = None
    cpu: str | None = None
    allow_missing: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strip: bool = False
    keep_privileges: bool = False
    dry_run: bool = False
    form: str = "text"

    @property
    def written(self) -> str | None:
        """The output, if it is to be written."""
        return None if self.dry_run else self.output


def _document(plan: Plan, written: Outcome | None, use: str | None) -> dict[str, Any]:
    from elfpack.report import plandoc  # late: most want text

    output, size = (written.output, written.size) if written is not None else (None, None)
    return plandoc.document(plan, output, size, use)


class Target(NamedTuple):
    """What a command makes of a plan."""

    example: str
    """A name for OUT, for advice."""
    check: Callable[[str], None]
    """Whether such an OUT can be written; raises if not."""
    write: Callable[[Plan, str], Outcome]
    use: Callable[[Plan, Any], str]
    """The command that uses the output, which is what ``write`` returned."""
    config: ImageConfig = PLAIN
    examine: Callable[[Plan], object] = lambda plan: None
    """Whether it can be made of a plan; raises if not."""
    document: Callable[[Plan, Any, str | None], dict[str, Any]] = _document
    """The summary as JSON."""


def run(talk: Talk, target: Target, asked: Asked) -> int:
    """Plan, tell, write, sum up."""
    if asked.output is None and not asked.dry_run:
        raise RequestError(
            "-o is missing", hint=f"-o {target.example}, or --dry-run to see the plan"
        )
    if asked.written is not None:
        target.check(asked.written)
    with _interrupted():
        return _run(talk, target, asked)


def _run(talk: Talk, target: Target, asked: Asked) -> int:
    where = surroundings.where(asked.root, asked.library_path)
    with Session(where.root, library_path=where.library_path, cpu=asked.cpu) as session:
        try:
            plan = session.planned(_request(asked, target.config))
        except ElfpackError as e:
            _explain(talk, session, _resolved(e))
            raise surroundings.elsewhere(e, where) from e
        written, use = None, None
        with _hints(talk, plan, asked) as hints:
            _explain(talk, session, [placed.closure for placed in plan.programs])
            telling.tell(talk, session, plan, where, asked.output)
            target.examine(plan)
            if asked.form == "json":
                plan.hints()
            if asked.written is not None:
                with Waiting(), progress.shown(talk, plan) as record:
                    written = target.write(record, asked.written)
            _hint(talk, hints)
        if written is not None:
            use = target.use(plan, written)
        document = target.document(plan, written, use) if asked.form == "json" else None
    telling.summary(talk, plan, written, use, document)
    return 0


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def _interrupted() -> Iterator[None]:
    """Meanwhile signals that end the process are interrupts. After one they stay ignored: who calls
    this has more to say, and ends."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # nohup's stays
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first signal decides; those that follow must not stop the cleaning up."""
    for ending in _ENDING:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


def _request(asked: Asked, config: ImageConfig) -> Request:
    return make_request(
        asked.programs,
        add=asked.add,
        mkdir=asked.mkdir,
        modules=_choices(asked.switched_on, asked.switched_off),
        allow_missing=asked.allow_missing,
        exclude=asked.exclude,
        epoch=_epoch(),
        strip=asked.strip,
        keep_privileges=asked.keep_privileges,
        output=asked.output,
        config=config,
    )


def _choices(switched_on: Iterable[str], switched_off: Iterable[str]) -> dict[str, Choice]:
    """``--without`` wins over ``--with``."""
    values: dict[str, list[str]] = {}
    for text in switched_on:
        name, equals, value = text.partition("=")
        values.setdefault(name, []).extend([value] if equals else [])
    chosen: dict[str, Choice] = {name: given or True for name, given in values.items()}
    chosen.update(dict.fromkeys(switched_off, False))
    return chosen


def _epoch() -> int:
    """SOURCE_DATE_EPOCH, or 0. Source: reproducible-builds.org, SOURCE_DATE_EPOCH specification."""
    text = surroundings.environment("SOURCE_DATE_EPOCH")
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 12) or int(text) >= 2**33:
        raise RequestError(
            f"{text!r} is no time", path="SOURCE_DATE_EPOCH", hint="seconds since 1970, as date +%s"
        )
    return int(text)


def _explain(talk: Talk, session: Session, closures: Iterable[object]) -> None:
    """Every search step, with ``-v``."""
    for closure in closures if talk.verbose else ():
        if isinstance(closure, Closure):
            for line in searches(session, closure):
                talk.explain(line)


def _resolved(error: ElfpackError) -> list[object]:
    """The closures that were found before a plan failed."""
    errors = error.errors if isinstance(error, SeveralErrors) else (error,)
    return [c for e in errors if isinstance(e, IncompleteError) for c in e.closures]


def _hints(talk: Talk, plan: Plan, asked: Asked) -> AbstractContextManager[hinting.Look]:
    """What gives the hints. They are notes, and take longer to find than anything else that is
    told: what is to be done besides is done meanwhile. A document has them in any case, and nothing
    is written if they cannot be found."""
    beside = asked.written is not None and asked.form == "text" and not talk.quiet
    return hinting.beside(plan.hints) if beside else nullcontext(plan.hints)


def _hint(talk: Talk, hints: hinting.Look) -> None:
    try:
        for hint in () if talk.quiet else hints():
            talk.note(str(hint))
    except ElfpackError as e:  # the output is whole
        talk.warning(str(e))
