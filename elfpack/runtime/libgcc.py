"""glibc opens libgcc_s.so.1 by itself to unwind a thread's stack.

Source: glibc misc/unwind-link.c, __libc_unwind_link_get(); nptl/pthread_exit.c,
nptl/pthread_cancel.c; debug/backtrace.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from elfpack.runtime.module import Addition, AddObject, Lacking, View

_LIBRARY = "libgcc_s.so.1"
_SYMBOLS = ("pthread_cancel", "pthread_exit", "thrd_exit", "backtrace")


class Libgcc:
    """The unwinder, without which a thread that is cancelled aborts the process."""

    name: ClassVar[str] = "libgcc"
    summary: ClassVar[str] = "libgcc_s.so.1, which glibc opens by itself"
    when: ClassVar[str] = "pthread_cancel, pthread_exit, thrd_exit or backtrace are imported"
    value: ClassVar[str | None] = None
    needs_value: ClassVar[bool] = False
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        raise ValueError("it takes no value")

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        found = view.importers(_SYMBOLS, "glibc")
        if chosen is None and not found:
            return
        evidence = found[0] if found else None
        there = view.opened_by_libc(_LIBRARY)
        for one in there:
            yield AddObject(_LIBRARY, one, evidence)
        if not there:
            yield Lacking(
                _LIBRARY,
                chosen is not None,
                "install it (Debian: libgcc-s1), or the program aborts when a thread ends early",
                evidence,
            )
