"""What the tool runs instead of ``python -m elfpack``: the same, with a mark where elfpack's work
begins, and with calls that take or give less than they could.

    python start.py COMMAND...

``ELFPACK_SHORT=CALL``: each such call, ``CALL:N``: the N-th one. ``ELFPACK_CHANGE=HOW:CALL:N:FILE``
lets something happen to a file before the N-th such call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

MARK = "/elfpack-begins"
"""A path that is asked for where the work begins."""
LESS = 3
"""Of so many bytes, or of so many parts, one is taken."""


def _few(size: int) -> int:
    return max(1, size // LESS)


def _view(call: Callable[..., int], fd: int, data: Any, *more: int) -> int:
    return call(fd, memoryview(data)[: _few(len(data))], *more) if len(data) else call(fd, data)


def _views(call: Callable[..., int], fd: int, views: Any, offset: int) -> int:
    return call(fd, [view[: _few(len(view))] for view in views], offset)


def _sized(at: int) -> Callable[..., Any]:
    def made(call: Callable[..., Any], *given: int) -> Any:
        return call(*given[:at], _few(given[at]), *given[at + 1 :])

    return made


SHORT: dict[str, Callable[..., Any]] = {
    "read": _sized(1),
    "pread": _sized(1),
    "preadv": _views,
    "write": _view,
    "copy_file_range": _sized(2),
    "sendfile": _sized(3),
    "splice": _sized(2),
}


def shorten(wanted: str) -> None:
    """Let a call of ``os`` do less than it is asked for: each time, or the N-th."""
    name, _, text = wanted.partition(":")
    call, less = getattr(os, name), SHORT[name]
    turn = 0

    def instead(*given: Any) -> Any:
        nonlocal turn
        turn += 1
        return call(*given) if text and turn != int(text) else less(call, *given)

    setattr(os, name, instead)


def _grown(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _replaced(path: str) -> None:
    other = f"{path}-other"
    with open(path, "rb") as old, open(other, "wb") as new:
        new.write(old.read()[::-1])
    os.rename(other, path)


def _overwritten(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(bytes(os.path.getsize(path)))


CHANGES: dict[str, Callable[[str], object]] = {
    "shrinks": lambda path: os.truncate(path, 100_000),
    "grows": _grown,
    "is replaced": _replaced,
    "is gone": os.unlink,
    "is overwritten": _overwritten,
}


def change(wanted: str) -> None:
    """Let something happen to a file before a call of ``os``."""
    how, name, number, path = wanted.split(":", 3)
    call = getattr(os, name)
    turn = 0

    def instead(*given: Any, **more: Any) -> Any:
        nonlocal turn
        turn += 1
        if turn == int(number):
            setattr(os, name, call)
            CHANGES[how](path)
        return call(*given, **more)

    setattr(os, name, instead)


if __name__ == "__main__":
    sys.path[0] = os.getcwd() if sys.path[0] == os.path.dirname(__file__) else sys.path[0]
    from elfpack.cli import script

    if "ELFPACK_SHORT" in os.environ:
        shorten(os.environ["ELFPACK_SHORT"])
    if "ELFPACK_CHANGE" in os.environ:
        change(os.environ["ELFPACK_CHANGE"])
    os.access(MARK, os.F_OK)
    raise SystemExit(script())
