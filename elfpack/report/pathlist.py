"""Program, interpreter and libraries, one absolute path a line, for xargs and cpio."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack.loader.closure import Closure
from elfpack.paths import join


def paths(closures: Iterable[Closure], cwd: str) -> Iterator[str]:
    """Every path that running the programs opens, once, as it is opened."""
    seen: set[str] = set()
    for closure in closures:
        for path in _paths(closure, cwd):
            if path not in seen:
                seen.add(path)
                yield path


def _paths(closure: Closure, cwd: str) -> Iterator[str]:
    for script in closure.scripts:
        yield join(cwd, script.path)
        if script.interpreter:
            yield join(cwd, script.interpreter)
    if closure.program is not None:
        yield closure.program.path
    if closure.interpreter is not None:
        yield closure.interpreter.path
    for hit in closure.hits[1:]:
        yield join(cwd, hit.path)
