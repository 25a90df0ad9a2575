"""``elfpack deps --format json``: what the document has of each result, and the exit status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from elfpack.api.session import Session
from elfpack.cli.ui import Talk
from elfpack.errors import ElfpackError, Failure
from elfpack.loader.closure import Closure
from elfpack.report import jsondoc

if TYPE_CHECKING:
    from elfpack.cli.symbols import SymbolCheck


class Descriptions:
    """Describes one result after the other; none is kept."""

    def __init__(
        self,
        results: Iterator[tuple[Closure | Failure, int]],
        session: Session,
        talk: Talk,
        symbols: SymbolCheck | None,
    ) -> None:
        self.status = 0
        """The highest so far."""
        self._results = results
        self._session = session
        self._talk = talk
        self._symbols = symbols

    def __iter__(self) -> Iterator[jsondoc.Described]:
        for result, wanted in self._results:
            self.status = max(self.status, wanted)
            if isinstance(result, Failure):
                yield _failure(result.path, result.error)
                continue
            try:
                described = self._closure(result)
            except ElfpackError as e:  # the document has to be whole, whatever becomes of one
                self._talk.error(e)
                self.status = max(self.status, e.exit_code)
                described = _failure(result.name, e)
            yield described

    def _closure(self, closure: Closure) -> jsondoc.Described:
        program, errors = jsondoc.described(closure, self._session.borrowed(closure))
        assert program is not None
        program["newest_versions"] = self._session.newest_versions(closure)
        if self._symbols is not None:
            properties, more = self._symbols.described(closure)
            program.update(properties)
            errors += more
        return jsondoc.Described(program, errors)


def _failure(path: str, error: ElfpackError) -> jsondoc.Described:
    return jsondoc.Described(None, (jsondoc.failed(path, error.message),))
