"""The closure of a program, and what is told of one besides."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.api.names import Name
from elfpack.api.session import Session
from elfpack.errors import Finding
from elfpack.loader.closure import EXCLUDED, VDSO, Closure
from elfpack.loader.remarks import remarks as loader_remarks
from elfpack.loader.search import Dead


def resolve(
    program: Name,
    *,
    root: Name = "/",
    library_path: str = "",
    cpu: str | None = None,
    preload: str = "",
    exclude: tuple[str, ...] = (),
) -> Closure:
    """What the loader would load for a program, a library or a script.

    Args:
        program: its path, inside ``root``.
        root: the directory that names are looked up in.
        library_path: LD_LIBRARY_PATH of the program. The environment is not read.
        cpu: ``host``, ``baseline`` or a level, as for :class:`elfpack.Session`.
        preload: LD_PRELOAD of the program.
        exclude: patterns of needed names that are neither listed nor followed.

    Raises:
        InputError: it cannot be read, or is no program.
        RequestError: there is no such CPU level.
    """
    with Session(root, library_path=library_path, cpu=cpu, preload=preload) as session:
        return session.resolve(program, exclude=exclude)


def searches(session: Session, closure: Closure) -> Iterator[str]:
    """Every search step of a closure, told line by line, in the order of the loader's own trace."""
    if closure.loader is None:
        return
    from elfpack.report import trail

    state, search = session.resolver.steps(closure, session.again(closure))
    dead: Dead = set()
    for step in state.steps or ():
        requester = closure.name if step.requester == 0 else state.hits[step.requester].path
        if step.scope is not None:
            probes = search.trail(step.name, step.scope, dead)
            yield from trail.lines(step.name, requester, probes)
        elif step.target == EXCLUDED:
            yield f"{step.name}, needed by {requester}: excluded"
        elif step.target == VDSO:
            yield f"{step.name}, needed by {requester}: from the kernel"
        else:
            path = state.hits[step.target].path if step.target >= 0 else closure.missing_interpreter
            yield f"{step.name}, needed by {requester}: loaded already: {path}"


def remarks(session: Session, closure: Closure) -> Iterator[Finding]:
    """What there is to say of a closure besides what it holds."""
    return loader_remarks(session.resolver, closure, session.again(closure))


def image_remarks(session: Session, closure: Closure) -> Iterator[Finding]:
    """The same for a closure in an image: what could keep it from running there."""
    told = ("unknown-loader", "wrong-libc", "isa-level")
    for remark in loader_remarks(session.resolver, closure, session.plan_options):
        if remark.code in told:
            yield remark
