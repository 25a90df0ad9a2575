"""The interpreter of each script, and of those that are scripts themselves.

What the interpreter lacks is told of itself. Source: Linux fs/binfmt_script.c; GNU coreutils env.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from elfpack.checking.explain import broken_link, said
from elfpack.checking.find import executable
from elfpack.checking.survey import Survey
from elfpack.errors import Finding, InputError, TroubleError
from elfpack.loader.program import MissingInterpreter, Script, open_program
from elfpack.paths import join


def rule(seen: Survey) -> Iterator[Finding]:
    """What the kernel, or env, would say when somebody starts a script."""
    for place in seen.found.scripts:
        yield from _script(seen, place.path)


def _script(seen: Survey, path: str) -> Iterator[Finding]:
    cwd = seen.options.cwd
    try:
        program = open_program(seen.files, path, cwd, seen.search_path)
    except TroubleError:
        raise
    except InputError as e:
        yield _unusable(path, e)
        return
    if isinstance(program, MissingInterpreter):
        yield _missing(seen, path, program.missing)
        return
    last = program.scripts[-1]
    if last.wanted is not None and last.command is None:
        words = f"env: '{last.wanted}': {_STRERROR}"
        told = f"{last.wanted} is missing, which {last.interpreter} would run"
        yield Finding("missing-interpreter", path, told, quote=words)
    for script in program.scripts:
        yield from _not_executable(seen, path, script)


_STRERROR = "No such file or directory"


def _missing(seen: Survey, path: str, interpreter: str) -> Finding:
    link = broken_link(seen.files.walker, join(seen.options.cwd, interpreter))
    code = "missing-interpreter" if link is None else "dangling-link"
    told = f"interpreter {interpreter} is missing" + (f": {link}" if link else "")
    return Finding(code, path, told, quote=said(errno.ENOENT))


def _unusable(path: str, error: InputError) -> Finding:
    """An interpreter that the kernel cannot run, or a first line that names none."""
    number = errno.EACCES
    if error.message.startswith("its interpreters are scripts"):
        number = errno.ELOOP
    elif error.path == path or "ELF" in error.message or "first line" in error.message:
        number = errno.ENOEXEC
    told = error.message if error.path == path else f"interpreter {error.path}: {error.message}"
    return Finding("bad-interpreter", path, told, quote=said(number))


def _not_executable(seen: Survey, path: str, script: Script) -> Iterator[Finding]:
    for name in (script.interpreter, script.command):
        place = seen.files.find(join(seen.options.cwd, name)) if name else 0
        if not isinstance(place, int) and not executable(place.node):
            words = said(errno.EACCES)
            yield Finding(
                "not-executable", path, f"interpreter {name} is not executable", quote=words
            )
