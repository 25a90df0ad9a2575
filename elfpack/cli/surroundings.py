"""What a command takes from the environment, and where it looks names up."""

from __future__ import annotations

import os

from elfpack.cli.ui import Talk
from elfpack.errors import ElfpackError, InputError, RequestError, SeveralErrors
from elfpack.light import NamedTuple
from elfpack.loader.closure import Closure
from elfpack.loader.program import NO_SUCH_FILE
from elfpack.loader.records import Kind
from elfpack.paths import decode, encode
from elfpack.root.directory import is_top


def text(value: str) -> str:
    """An argument of the command line as the project's one kind of string, whatever the locale."""
    return decode(os.fsencode(value))


class Where(NamedTuple):
    """Where names are looked up."""

    root: str
    inside: bool
    """Another tree than the machine's own: nothing of the environment counts."""
    library_path: str
    from_environment: bool


def where(root: str | None, library_path: str | None) -> Where:
    """The root and LD_LIBRARY_PATH, which the environment gives if the root is / and no option."""
    if root == "":
        raise RequestError("names no directory", path="--root", hint="leave it out for /")
    inside = root is not None and not is_top(root)
    given = None
    if library_path is None and not inside:
        library_path = given = environment("LD_LIBRARY_PATH")
    return Where(root or "/", inside, library_path or "", bool(given))


def note_environment(talk: Talk, closure: Closure, where: Where) -> None:
    """Say what was found through LD_LIBRARY_PATH of the environment: nobody asked for it here."""
    if not where.from_environment:
        return
    found = [hit.path for hit in closure.hits if hit.via.kind is Kind.ENVIRONMENT]
    if found:
        talk.note(f"{closure.name}: found through LD_LIBRARY_PATH: {', '.join(found)}")


def environment(name: str) -> str | None:
    """A variable of the environment."""
    value = os.environb.get(encode(name))
    return None if value is None else decode(value)


def elsewhere(error: ElfpackError, where: Where) -> ElfpackError:
    """The same error; for a program that is not there, with where it may have been meant to be."""
    if isinstance(error, SeveralErrors):
        return SeveralErrors(tuple(elsewhere(one, where) for one in error.errors))
    name = error.path or ""
    if error.message != NO_SUCH_FILE or not name:
        return error
    if name.endswith("\r"):
        hint = "the name ends in a carriage return: save the list with Unix line ends"
        return InputError(error.message, path=name, hint=hint)
    if where.inside:
        return InputError(error.message, path=name, hint=f"PROGRAM is a path inside {where.root}")
    found = None if "/" in name else _on_path(name)
    if found is None:
        return error
    return InputError(f"{NO_SUCH_FILE} here", path=name, hint=f"did you mean {found}?")


def _on_path(name: str) -> str | None:
    for directory in (environment("PATH") or "").split(":"):
        path = f"{directory}/{name}"
        if directory and os.path.isfile(encode(path)):
            return path
    return None
