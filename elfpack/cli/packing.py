"""What ``layer`` and ``image`` share: the request, the plan, what is said of it, the summary."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from types import FrameType
from typing import Any, Generic, Protocol, TypeVar

import click

from elfpack.api.request import Choice, make_request
from elfpack.api.resolve import image_remarks, searches
from elfpack.api.session import Session
from elfpack.cli import hinting, options, progress, surroundings
from elfpack.cli.ui import Results, Talk
from elfpack.errors import ElfpackError, IncompleteError, RequestError, SeveralErrors
from elfpack.loader.closure import Closure
from elfpack.paths import basename, is_utf8
from elfpack.planning.config import PLAIN, ImageConfig
from elfpack.planning.entry import SET_ID, Directory, Entry, Plan, Reason, Regular
from elfpack.report import plandoc, reasons, table
from elfpack.runtime import MODULES
from elfpack.runtime.module import RuntimeModule

F = TypeVar("F", bound=Callable[..., Any])


class PackingCommand(click.Command):
    """A command whose help ends with the table of runtime modules."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(_switch(m), f"{m.summary}; {_by_itself(m)}") for m in MODULES]
        with formatter.section("Runtime modules, for --with and --without"):
            formatter.write_dl(rows)


def _switch(module: RuntimeModule) -> str:
    if module.value is None:
        return module.name
    return (
        f"{module.name}={module.value}" if module.needs_value else f"{module.name}[={module.value}]"
    )


def _by_itself(module: RuntimeModule) -> str:
    asked = module.when == "only when asked for"
    return module.when if asked else f"by itself when {module.when}"


def options_of(output_help: str) -> Callable[[F], F]:
    """PROGRAMs and all options that say what is packed, for a command with such an OUT."""

    def decorate(function: F) -> F:
        for option in reversed((_PROGRAMS, _output(output_help), *_WHAT)):
            function = option(function)
        return function

    return decorate


_PROGRAMS = click.argument(
    "programs", nargs=-1, required=True, metavar="PROGRAM[:DEST]...", type=options.TEXT
)


def _output(words: str) -> Callable[[F], F]:
    return click.option("-o", "--output", type=options.TEXT, metavar="OUT", help=words)


_WHAT: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--add",
        type=options.TEXT,
        multiple=True,
        metavar="SRC[:DEST]",
        help="Also this file or directory; ELF files in it get what they need. Can be repeated.",
    ),
    click.option(
        "--mkdir",
        type=options.TEXT,
        multiple=True,
        metavar="PATH[:MODE[:UID:GID]]",
        help="Also an empty directory. Can be repeated.",
    ),
    click.option(
        "--with",
        "switched_on",
        type=options.TEXT,
        multiple=True,
        metavar="MODULE[=VALUE]",
        help="Switch a runtime module on. Can be repeated.",
    ),
    click.option(
        "--without",
        "switched_off",
        type=options.TEXT,
        multiple=True,
        metavar="MODULE",
        help="Switch a runtime module off. Can be repeated.",
    ),
    options.search,
    click.option(
        "--strip", is_flag=True, help="Drop symbol and debug sections from the ELF files packed."
    ),
    click.option(
        "--keep-privileges",
        is_flag=True,
        help="Keep setuid and setgid bits and file capabilities, which are dropped otherwise.",
    ),
    click.option("--dry-run", is_flag=True, help="Print the plan and write nothing."),
    click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Of the plan and of the summary.",
    ),
)


class Outcome(Protocol):
    """What every output has."""

    @property
    def output(self) -> str: ...
    @property
    def size(self) -> int: ...


W = TypeVar("W", bound=Outcome)


def _document(plan: Plan, written: Outcome | None, use: str | None) -> dict[str, Any]:
    output, size = (written.output, written.size) if written is not None else (None, None)
    return plandoc.document(plan, output, size, use)


@dataclass(frozen=True)
class Target(Generic[W]):
    """What a command makes of a plan."""

    example: str
    """A name for OUT, for advice."""
    check: Callable[[str], None]
    """Whether such an OUT can be written; raises if not."""
    write: Callable[[Plan, str], W]
    use: Callable[[Plan, W], str]
    """The command that uses the output."""
    config: ImageConfig = PLAIN
    examine: Callable[[Plan], object] = lambda plan: None
    """Whether it can be made of a plan; raises if not."""
    document: Callable[[Plan, W | None, str | None], dict[str, Any]] = _document
    """The summary as JSON."""


def run(
    talk: Talk,
    target: Target[W],
    *,
    programs: tuple[str, ...],
    output: str | None,
    root: str | None,
    library_path: str | None,
    cpu: str | None,
    dry_run: bool,
    form: str,
    **request: Any,
) -> int:
    """Plan, tell, write, sum up. The arguments are those of :func:`options_of`."""
    if output is None and not dry_run:
        raise RequestError(
            "-o is missing", hint=f"-o {target.example}, or --dry-run to see the plan"
        )
    if output is not None and not dry_run:
        target.check(output)
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup's stays
            signal.signal(number, _interrupt)
    where = surroundings.where(root, library_path)
    with Session(where.root, library_path=where.library_path, cpu=cpu) as session:
        try:
            plan = _plan(session, programs, request, output, target.config)
        except ElfpackError as e:
            _explain(talk, session, _resolved(e))
            raise surroundings.elsewhere(e, where) from e
        with _hints(talk, plan, form, writes=output is not None and not dry_run) as hints:
            _explain(talk, session, [placed.closure for placed in plan.programs])
            _tell(talk, plan, where)
            _remark(talk, session, plan)
            _tell_owners(talk, plan, output)
            target.examine(plan)
            if form == "json":
                plan.hints()
            written = None
            if output is not None and not dry_run:
                with progress.shown(talk, plan) as record:
                    written = target.write(record, output)
            _hint(talk, hints)
        use = target.use(plan, written) if written is not None else None
        document = target.document(plan, written, use) if form == "json" else None
    _summary(talk, plan, written, use, document)
    return 0


_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """The first signal decides; those that follow must not stop the cleaning up."""
    for ending in _ENDING:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt


def _plan(
    session: Session,
    programs: tuple[str, ...],
    given: dict[str, Any],
    output: str | None,
    config: ImageConfig,
) -> Plan:
    request = make_request(
        programs,
        add=given["add"],
        mkdir=given["mkdir"],
        modules=_choices(given["switched_on"], given["switched_off"]),
        allow_missing=given["allow_missing"],
        exclude=given["exclude"],
        epoch=_epoch(),
        strip=given["strip"],
        keep_privileges=given["keep_privileges"],
        output=output,
        config=config,
    )
    return session.planned(request)


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


def _tell_owners(talk: Talk, plan: Plan, output: str | None) -> None:
    """A tree that is written without root belongs to the user."""
    if output is None or not output.endswith("/") or os.geteuid() == 0:
        return
    files = [e for e in plan.entries if isinstance(e, Regular)]
    lost = {
        "owners": [e.path for e in plan.entries if isinstance(e, Directory) and e.owner != (0, 0)],
        "privileges": [e.path for e in files if e.mode & SET_ID or e.capability],
    }
    for what, paths in lost.items():
        if paths:
            names = ", ".join(paths)
            talk.warning(
                f"{output}: the {what} of {names} are not kept (run as root, or write a tar)"
            )


def _remark(talk: Talk, session: Session, plan: Plan) -> None:
    """What could keep a program from running in the image, each once."""
    found = [remark for p in plan.programs for remark in image_remarks(session, p.closure)]
    for remark in dict.fromkeys(found):
        (talk.note if remark.note else talk.warning)(str(remark))


def _tell(talk: Talk, plan: Plan, where: surroundings.Where) -> None:
    """What runtime modules added and why, what was found through LD_LIBRARY_PATH, findings."""
    for placed in plan.programs:
        surroundings.note_environment(talk, placed.closure, where)
    added: dict[str, list[Entry]] = {module.name: [] for module in MODULES}
    for entry in plan.entries:
        if entry.reason.source in added:
            added[entry.reason.source].append(entry)
    for module in MODULES:
        entries = added[module.name]
        if entries:
            names = _few([e.path for e in entries])
            because = ", ".join(_because(e.reason for e in entries))
            talk.note(
                f"{module.name}: added {names} for {because} (--without {module.name} drops it)"
            )
    path = next((e.path for e in plan.entries if e.reason.source == "ld.so.cache"), None)
    if path is not None:
        talk.note(f"{path}: made, because a library is outside the loader's own directories")
    for finding in plan.findings:
        (talk.note if finding.note else talk.warning)(str(finding))
    if plan.entrypoint is not None and not is_utf8(plan.entrypoint):
        talk.warning(
            f"{plan.entrypoint}: no engine can be told a name that is not UTF-8 (say where it goes "
            "with PROGRAM:DEST)"
        )
    for name in plan.missing:
        talk.note(f"{name}: missing, as allowed")


def _hints(
    talk: Talk, plan: Plan, form: str, *, writes: bool
) -> AbstractContextManager[hinting.Look]:
    """What gives the hints. They are notes, and take longer to find than anything else that is
    told: what is to be done besides is done meanwhile. A document has them in any case, and nothing
    is written if they cannot be found."""
    beside = writes and form == "text" and not talk.quiet
    return hinting.beside(plan.hints) if beside else nullcontext(plan.hints)


def _hint(talk: Talk, hints: hinting.Look) -> None:
    try:
        for hint in () if talk.quiet else hints():
            talk.note(str(hint))
    except ElfpackError as e:  # the output is whole
        talk.warning(str(e))


_MOST_WORDS = 12
_MOST_NAMES = 8
"""Files of one module below one directory that a note names."""


def _few(paths: list[str]) -> str:
    """The names of files; where there are many, how many are below which directory."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        groups.setdefault(tuple(path.split("/")[:-1][:4]), []).append(path)
    words = []
    for group in groups.values():
        if len(group) > _MOST_NAMES:
            words.append(f"{len(group)} files in {os.path.commonpath(group)}")
        else:
            words += map(_short, group)
    more = len(words) - _MOST_WORDS
    return ", ".join(words[:_MOST_WORDS]) + (f" and {more} more" if more > 0 else "")


def _short(path: str) -> str:
    return basename(path) if ".so" in path else path


def _because(found: Iterable[Reason]) -> list[str]:
    """Up to two reasons: the symbols and who has them; where there are many, who has them."""
    known = list(dict.fromkeys(r for r in found if r.because_of))
    texts = list(dict.fromkeys(reasons.text(r).partition(": ")[2] for r in known))
    if len(texts) > _MOST_NAMES:
        texts = list(dict.fromkeys(f"what was {r.how} {r.because_of}" for r in known))
    return (texts[:2] + (["..."] if len(texts) > 2 else [])) or ["--with"]


def _summary(
    talk: Talk,
    plan: Plan,
    written: Outcome | None,
    use: str | None,
    document: dict[str, Any] | None,
) -> None:
    if document is not None:
        import json  # late, for the few who read it

        pieces = json.JSONEncoder(indent=2).iterencode(document)
        _json(pieces, to_stderr=written is not None and written.output == "-")
    elif written is None:
        results = Results()
        for line in table.lines(plan):
            results.line(line)
        results.flush()
    count = len(plan.entries)
    if written is None:
        talk.note(f"nothing written: {count} entries, {plan.size} bytes of files")
        sizes = table.sizes(plan)
        if sizes:
            talk.note(f"bytes by reason: {sizes}")
        return
    talk.note(f"{written.output}: {count} entries, {written.size} bytes")
    talk.note(use or "")


def _json(pieces: Iterator[str], *, to_stderr: bool) -> None:
    if to_stderr:
        os.write(2, "".join(pieces).encode() + b"\n")
        return
    results = Results()
    while text := "".join(islice(pieces, _PIECES)):
        results.write(text.encode())
    results.write(b"\n")
    results.flush()


_PIECES = 1000
"""Pieces of JSON, a few bytes each, that are written together."""
