"""``elfpack deps --symbols``: what it says besides the closure, and the exit status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from elfpack.api.session import Session
from elfpack.cli.ui import Talk
from elfpack.errors import ElfpackError, Failure
from elfpack.loader.binding import Binding
from elfpack.loader.closure import EXCLUDED, Closure
from elfpack.paths import matches
from elfpack.report import symbols

Result = tuple[Closure | Failure, int]


class SymbolCheck:
    """Binds each closure once, for its status and for what is shown of it."""

    def __init__(
        self, session: Session, talk: Talk, allow_missing: tuple[str, ...], shows: bool
    ) -> None:
        """``shows``: the format has a place for it; without one it is told as warnings."""
        self._session = session
        self._talk = talk
        self._allow_missing = allow_missing
        self._shows = shows
        self._known: dict[int, tuple[Closure, Binding]] = {}
        """By id; the closure is kept so that its id stays its own."""

    def checked(self, results: Iterator[Result]) -> Iterator[Result]:
        """The same results, their status by what is wrong with their symbols too."""
        for result, wanted in results:
            if isinstance(result, Closure):
                try:
                    wanted = max(wanted, self._status(result))
                except ElfpackError as e:
                    self._talk.error(e)
                    result, wanted = Failure(result.name, e), e.exit_code
            yield result, wanted

    def _status(self, closure: Closure) -> int:
        binding = self._session.symbols(closure)
        if self._shows:
            self._known[id(closure)] = closure, binding
        else:
            for line in (*symbols.before(closure, binding), *symbols.after(closure, binding)):
                self._talk.warning(f"{closure.name}: {line.replace(chr(9), ' ')}")
        for fault in binding.faults:
            self._talk.error(fault)
        if binding.stop is not None:
            self._talk.error(
                f"{closure.name}: the loader stops at {binding.stop.path}: it {binding.stop.reason}"
                " (install the libraries that it was linked with)"
            )
        if binding.faults:
            return 2
        excused = self._excused(closure)
        undefined = any(symbol.object not in excused for symbol in binding.undefined)
        return 1 if undefined or binding.missing_versions or binding.stop is not None else 0

    def _excused(self, closure: Closure) -> set[str]:
        """The objects that need something which was excluded or may be missing: what they lack
        may well be in there."""
        excused = {n for n, row in enumerate(closure.targets) if EXCLUDED in row}
        excused |= {
            miss.requester
            for miss in closure.misses
            if not miss.harmless and matches(miss.name, self._allow_missing)
        }
        return {closure.label(number) for number in excused}

    def around(self, lines: Iterator[str], closure: Closure) -> Iterator[str]:
        """The lines of a closure with those of its versions and symbols, if they have a place."""
        if not self._shows:
            yield from lines
            return
        _, binding = self._known.pop(id(closure))
        yield from symbols.before(closure, binding)
        yield from lines
        yield from symbols.after(closure, binding)

    def described(self, closure: Closure) -> tuple[dict[str, Any], tuple[dict[str, str], ...]]:
        """Of a closure in JSON: its properties, and why it could not be looked at to the end."""
        _, binding = self._known.pop(id(closure))
        return symbols.properties(binding), tuple(symbols.errors(closure, binding))
