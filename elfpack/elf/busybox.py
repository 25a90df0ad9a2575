"""The applets of a busybox, from its bytes.

Source: busybox applets/applet_tables.c: ``applet_names`` has the names in the order of strcmp(),
each with its NUL, behind each other in the read-only data.
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack import late
from elfpack.blob import Source

_MOST_APPLETS = 2000
"""A busybox of everything has 400."""
_MOST = 64 << 20
"""Bytes that are read; a busybox has two million."""
_BANNER = b"BusyBox v"
_NAMES = late.pattern(rb"(?:(?:\[\[?|[a-z][a-z0-9_.+-]{0,31})\0){2,}")
_KNOWN = frozenset((b"ash", b"busybox", b"cat", b"cp", b"echo", b"ls", b"sh", b"true"))
"""Of these every table has one; other sorted lists of words have none of them."""


def read_applets(source: Source) -> tuple[str, ...]:
    """The names of the applets, sorted; empty if the file is no busybox of several."""
    raw = source.pread(min(source.size, _MOST), 0)
    if _BANNER not in raw:
        return ()
    tables = [n for n in _sorted(raw) if len(n) <= _MOST_APPLETS and not _KNOWN.isdisjoint(n)]
    return tuple(name.decode() for name in max(tables, key=len, default=[]))


def _sorted(raw: bytes) -> Iterator[list[bytes]]:
    """Each run of names, as long as they are in order."""
    for match in _NAMES.finditer(raw):
        run: list[bytes] = []
        for name in match[0].split(b"\0")[:-1]:
            if run and name <= run[-1]:
                yield run
                run = []
            run.append(name)
        yield run
