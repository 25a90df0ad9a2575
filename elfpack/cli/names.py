"""Lists of programs: ``deps -`` and ``--from-file LIST``, read while results are told."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from elfpack.cli.ui import Talk
from elfpack.errors import Failure, InputError, RequestError
from elfpack.paths import PATH_LIMIT, decode, encode

STANDARD_INPUT = "-"
"""Stands for it among PROGRAMs and LISTs. Inside a list it is a file of that name."""
_CHUNK = 1 << 16
"""Bytes that are read at once: what a pipe holds."""
_SHOWN = 64
"""Bytes that are shown of a name that is longer than any path."""
_HINT = "name a file that holds names of programs, or - for standard input"


class NameList(NamedTuple):
    """A list that is open. It is read once, forward."""

    fd: int
    label: str


Part = str | NameList
"""A program, or a list of them."""


def opened(programs: tuple[str, ...], lists: tuple[str, ...], talk: Talk) -> tuple[Part, ...]:
    """The programs in the order given, each ``-`` as standard input, then the lists.

    All are opened now, so that one that cannot be read is told before any result.

    Raises:
        InputError: a list cannot be read.
        RequestError: standard input is named twice.
    """
    if (programs + lists).count(STANDARD_INPUT) > 1:
        raise RequestError(
            "named twice", path="standard input", hint="it can be read once: name - once"
        )
    parts: list[Part] = [_standard_input(talk) if p == STANDARD_INPUT else p for p in programs]
    parts += [_standard_input(talk) if p == STANDARD_INPUT else _file(p) for p in lists]
    return tuple(parts)


def _standard_input(talk: Talk) -> NameList:
    # Python looks before it opens anything; by now its own file may have that number.
    if sys.stdin is None:
        raise InputError("is closed", path="standard input", hint="pipe names into it")
    fd = os.dup(0)
    if os.isatty(fd):
        talk.note("standard input: a terminal: names are taken line by line (Ctrl-D ends the list)")
    return _list(fd, "standard input")


def _file(path: str) -> NameList:
    try:
        return _list(os.open(encode(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY), path)
    except OSError as e:
        raise _unreadable(path or "''", e) from e


def _list(fd: int, label: str) -> NameList:
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise InputError("is a directory", path=label, hint=_HINT)
    return NameList(fd, label)


def _unreadable(label: str, error: OSError) -> InputError:
    return InputError(os.strerror(error.errno or 0).lower(), path=label, hint=_HINT)


def names(parts: tuple[Part, ...], before_wait: Callable[[], None]) -> Iterator[str | Failure]:
    """Every program, as it is read. Of a list that cannot be read to its end, the failure.

    ``before_wait`` is called when the next name is not there yet: time to tell what was found.
    """
    for part in parts:
        if isinstance(part, str):
            yield part
        else:
            yield from _names(part, before_wait)


def _names(given: NameList, before_wait: Callable[[], None]) -> Iterator[str | Failure]:
    splitter = Splitter()
    try:
        while raw := _chunk(given, before_wait):
            if isinstance(raw, Failure):
                yield raw
                break
            yield from map(_name, splitter.feed(raw))
    finally:
        os.close(given.fd)
    yield from map(_name, splitter.end())


def _name(raw: bytes) -> str | Failure:
    if len(raw) < PATH_LIMIT:
        return decode(raw)
    path = decode(raw[:_SHOWN]) + "..."
    message = os.strerror(errno.ENAMETOOLONG).lower()
    return Failure(path, InputError(message, path=path, hint="is it a list of names?"))


def _chunk(given: NameList, before_wait: Callable[[], None]) -> bytes | Failure:
    poll = select.poll()
    poll.register(given.fd, select.POLLIN)
    if not poll.poll(0):
        before_wait()
    while True:
        try:
            return os.read(given.fd, _CHUNK)
        except BlockingIOError:  # whoever made it so writes slowly
            poll.poll()
        except OSError as e:
            return Failure(given.label, _unreadable(given.label, e))


class Splitter:
    """Splits what is read into names. They end at newlines until the first NUL is met, and from
    then on at NULs alone.

    So a name is final as soon as its end is read, and a list with NULs is known by its first
    piece: every name fits in one. Only a writer that takes pauses within its first name, after a
    newline in it, is misunderstood.
    """

    def __init__(self) -> None:
        self._separator = b"\n"
        self._rest = b""

    def feed(self, raw: bytes) -> Iterator[bytes]:
        """The names that end in ``raw``."""
        if b"\0" in raw:
            self._separator = b"\0"
        pieces = raw.split(self._separator)
        pieces[0] = self._rest + pieces[0]
        # What has been cut off is longer than any path: the rest of it changes no answer.
        self._rest = pieces.pop()[:PATH_LIMIT]
        for piece in pieces:
            if piece or self._separator == b"\0":  # an empty line is none, an empty name is a fault
                yield piece[:PATH_LIMIT]

    def end(self) -> Iterator[bytes]:
        """The last name, if nothing ends it."""
        if self._rest:
            yield self._rest
