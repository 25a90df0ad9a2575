"""A disk, a memory or a limit that fails at any call: an error that says so, never another answer.

One call of ``os`` after the other fails. ``make faults`` does the same to whole commands.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from elfpack import Session, check
from elfpack.errors import InputError, TroubleError
from elfpack.report import findings
from tests.worlds import GLIBC, World, on_disk

WORLD: World = {
    **GLIBC,
    "/lib64/libc.so.6": "lib soname=libc.so.6 defines=GLIBC_2.2.5,GLIBC_2.34",
    "/bin/app": "exe needs=liba.so,libc.so.6,libgone.so versions=libc.so.6:GLIBC_2.34",
    "/bin/script": "script #!/bin/nothing\\n",
    "/lib64/liba.so": "lib soname=liba.so needs=libc.so.6 versions=libc.so.6:GLIBC_2.2.5",
    "/usr/lib64/libunused.so": "lib soname=libunused.so needs=libc.so.6",
}


def _deps(top: Path) -> object:
    with Session(str(top)) as session:
        closure = session.resolve("/bin/app")
        return [(b.name, b.path, b.found_by) for b in closure.libraries], closure.missing


def _check(top: Path) -> object:
    return list(findings.lines(check(top)))


def _plan(top: Path) -> object:
    with Session(str(top)) as session:
        plan = session.plan(["/bin/app"], allow_missing=("libgone.so",))
        return plan.entries, plan.findings


ASKED: dict[str, Callable[[Path], object]] = {"deps": _deps, "check": _check, "plan": _plan}


@contextmanager
def _failing(call: str, number: int, turn: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The N-th such call of ``os`` fails; a list that says whether it came to that."""
    turns: list[int] = []
    real = getattr(os, call)

    def instead(*given: Any, **more: Any) -> Any:
        turns.append(len(turns) + 1)
        if turns[-1] == turn:
            raise OSError(number, os.strerror(number))
        return real(*given, **more)

    with monkeypatch.context() as context:
        context.setattr(os, call, instead)
        yield turns


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOMEM, errno.EMFILE], ids=os.strerror)
@pytest.mark.parametrize("call", ["open", "pread", "stat", "fstat", "listdir", "getxattr"])
@pytest.mark.parametrize("asked", ASKED)
def test_trouble_is_no_answer(
    asked: str, call: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = on_disk(WORLD, tmp_path / "root")
    right = ASKED[asked](top)
    turn, turns = 0, [0]
    while turn <= len(turns):
        turn += 1
        with _failing(call, number, turn, monkeypatch) as turns:
            try:
                answer = ASKED[asked](top)
            except InputError as e:
                assert os.strerror(number).lower() in str(e), str(e)
                assert e.path
            else:
                assert answer == right, f"the {turn}th {call}"


def test_reads_go_on_where_they_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before what the disk cannot read, a read ends early, and is no error."""
    top = on_disk(WORLD, tmp_path / "root")
    right = {asked: ask(top) for asked, ask in ASKED.items()}
    real = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: real(fd, size // 3 + 1, at))
    assert {asked: ask(top) for asked, ask in ASKED.items()} == right

    def cut(fd: int, size: int, at: int) -> bytes:
        if at + size > 64:
            if at >= 64:
                raise OSError(errno.EIO, "")
            size = 64 - at
        return real(fd, size, at)

    monkeypatch.setattr(os, "pread", cut)
    for ask in ASKED.values():
        with pytest.raises(TroubleError, match="cannot be read: input/output error"):
            ask(top)


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_closed_after_it_was_read_says_nothing(
    asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = on_disk(WORLD, tmp_path / "root")
    right = ASKED[asked](top)
    real = os.close

    def close(fd: int) -> None:
        real(fd)
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(os, "close", close)
    assert ASKED[asked](top) == right
