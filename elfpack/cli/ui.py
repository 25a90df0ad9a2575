"""The only place that prints. Results go to standard output, all else to standard error."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

from elfpack.errors import ElfpackError, Finding, OutputError
from elfpack.paths import encode, printable

_FLUSH = 1 << 16
"""Bytes kept before they are written."""


class Talk:
    """Notes, warnings and errors, each one line."""

    def __init__(self) -> None:
        self.quiet = False
        self.verbose = False

    def error(self, error: ElfpackError | Finding | str) -> None:
        self._say("error", str(error))

    def warning(self, text: str) -> None:
        self._say("warning", text)

    def note(self, text: str) -> None:
        """Silenced by ``-q``."""
        if not self.quiet:
            self._say("note", text)

    def explain(self, text: str) -> None:
        """A step of a search, told with ``-v``."""
        if self.verbose:
            self._say("note", text)

    def put(self, line: bytes) -> None:
        """Write a line, at once: who interrupts or does not read finds whole ones."""
        try:
            while line:
                line = line[os.write(2, line) :]
        except OSError:
            pass  # nobody listens: the exit status still tells

    def _say(self, kind: str, text: str) -> None:
        self.put(encode(f"elfpack: {kind}: {printable(text)}\n"))


class HeldTalk(Talk):
    """Lines that wait until somebody takes them."""

    def __init__(self, like: Talk) -> None:
        super().__init__()
        self.quiet, self.verbose = like.quiet, like.verbose
        self._held: list[bytes] = []

    def put(self, line: bytes) -> None:
        self._held.append(line)

    def taken(self) -> list[bytes]:
        held, self._held = self._held, []
        return held


class ReaderGone(Exception):
    """Whoever reads standard output has seen enough. Not an OSError: click would take that for its
    own, and end with a status that means a finding."""


class Waiting:
    """While this lasts, writes to standard output wait until there is room. Whoever made it
    non-blocking reads slowly, and nothing may be lost."""

    def __enter__(self) -> None:
        try:
            self._changed = not os.get_blocking(1)
            if self._changed:
                os.set_blocking(1, True)
        except OSError:  # it is closed: a write will tell
            self._changed = False

    def __exit__(self, *_: object) -> None:
        if self._changed:
            os.set_blocking(1, False)


class Results:
    """Lines for standard output, written in large pieces and at the end."""

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        self._size = 0
        self._terminal = os.isatty(1)

    def line(self, text: str) -> None:
        """One line. A terminal gets what could steer it in a visible form, a pipe the bytes."""
        if self._terminal:
            text = _visible(text)
        self.write(encode(text) + b"\n")

    def lines(self, texts: Iterable[str]) -> None:
        """Several, as :meth:`line` does it, in one piece."""
        if self._terminal:
            texts = map(_visible, texts)
        text = "\n".join(texts)
        if text:
            self.write(encode(text) + b"\n")

    def write(self, raw: bytes) -> None:
        self._kept.append(raw)
        self._size += len(raw)
        if self._size >= _FLUSH:
            self.flush()

    def taken(self) -> bytes:
        """What is kept, and will not be written."""
        raw = b"".join(self._kept)
        self._kept.clear()
        self._size = 0
        return raw

    def flush(self) -> None:
        """
        Raises:
            ReaderGone: it has seen enough.
            OutputError: standard output cannot be written.
        """
        raw = self.taken()
        while raw:
            try:
                raw = raw[os.write(1, raw) :]
            except BrokenPipeError:
                raise ReaderGone from None
            except BlockingIOError:  # whoever made it so reads slowly
                import select

                select.select((), (1,), ())
            except OSError as e:
                reason = (
                    "is closed" if e.errno == errno.EBADF else os.strerror(e.errno or 0).lower()
                )
                raise OutputError(
                    reason, path="standard output", hint="write to a file or a pipe that is open"
                ) from e


class HeldResults(Results):
    """Lines that wait until somebody takes them."""

    def __init__(self, like: Results) -> None:
        super().__init__()
        self._terminal = like._terminal

    def flush(self) -> None:
        """Keeps them."""


def _visible(text: str) -> str:
    """A line for a terminal. Two tabs are the format's: the first of ldd's lines, and the one
    before the object of an undefined symbol."""
    tab = "\t" if text.startswith("\t") else ""
    before, behind, rest = text[len(tab) :].rpartition("\t(")
    if not behind or not text.startswith(("undefined symbol: ", "symbol ")):
        return tab + printable(text[len(tab) :])
    return f"{tab}{printable(before)}{behind}{printable(rest)}"
