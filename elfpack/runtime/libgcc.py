"""glibc opens libgcc_s.so.1 by itself to unwind a thread's stack.

Source: glibc misc/unwind-link.c, __libc_unwind_link_get(), before 2.34 also
sysdeps/nptl/unwind-forcedunwind.c in libpthread; nptl/pthread_exit.c, nptl/pthread_cancel.c;
debug/backtrace.c; the number of the name: shlib-versions.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.elf import constants as c
from elfpack.light import TYPE_CHECKING
from elfpack.runtime.module import Addition, AddObject, Hint, Lacking, Object, View

if TYPE_CHECKING:
    from typing import ClassVar

_USUAL = "libgcc_s.so.1"
_BY_MACHINE = {c.EM_68K: "libgcc_s.so.2", c.EM_PARISC: "libgcc_s.so.4"}
_SYMBOLS = ("pthread_cancel", "pthread_exit", "thrd_exit", "backtrace", "__backtrace")


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
        # A static program has its unwinder in it. It is no object of a program of glibc.
        found = [e for this, e in view.importing(_SYMBOLS, "glibc") if this.libc is not None]
        if chosen is None and not found:
            return
        evidence = found[0] if found else None
        if not found and view.glibc is None:
            yield Hint(
                "libgcc-unused",
                _USUAL,
                "left out: no program here loads glibc, which would open it",
                "a static program has its unwinder in it, and musl needs none",
            )
            return
        for name in _names(view.objects()):
            if view.excluded(name):
                continue
            there = view.opened_by_libc(name)
            for one in there:
                yield AddObject(name, one, evidence)
            if not there:
                yield Lacking(
                    name,
                    chosen is not None,
                    "install it (Debian: libgcc-s1), or a thread ending early aborts the program",
                    evidence,
                )


def _names(objects: tuple[Object, ...]) -> tuple[str, ...]:
    machines = (o.hit.elf.abi.machine for o in objects if o.libc == "glibc")
    return tuple(dict.fromkeys(_BY_MACHINE.get(m, _USUAL) for m in machines)) or (_USUAL,)
