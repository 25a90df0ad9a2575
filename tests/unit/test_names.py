"""Lists of names, however the pipe cuts them into pieces."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from elfpack.cli.names import Splitter
from elfpack.paths import PATH_LIMIT


class Row(NamedTuple):
    name: str
    raw: bytes
    names: list[bytes]


ROWS = [
    Row("nothing", b"", []),
    Row("one line", b"/a\n", [b"/a"]),
    Row("last line without its end", b"/a\n/b", [b"/a", b"/b"]),
    Row("empty lines are none", b"\n/a\n\n\n/b\n\n", [b"/a", b"/b"]),
    Row("NUL", b"/a\0/b\0", [b"/a", b"/b"]),
    Row("last NUL missing", b"/a\0/b", [b"/a", b"/b"]),
    Row("an empty name between NULs", b"/a\0\0/b\0", [b"/a", b"", b"/b"]),
    Row("a newline in a name", b"/a\0/b\nc\0", [b"/a", b"/b\nc"]),
    Row("twice", b"/a\n/a\n", [b"/a", b"/a"]),
    Row("blanks, colons, dashes, odd bytes", b" a b \n-\n-x\na:b\n\xff\xe4\n", []),
    Row("a carriage return is part of a name", b"/a\r\n", [b"/a\r"]),
    Row("PATH_MAX", b"a" * (PATH_LIMIT - 1) + b"\nb\n", [b"a" * (PATH_LIMIT - 1), b"b"]),
    Row("beyond it", b"a" * 9 * PATH_LIMIT + b"\nb\n", [b"a" * PATH_LIMIT, b"b"]),
    Row("beyond it, NUL", b"b\0" + b"a" * 9 * PATH_LIMIT, [b"b", b"a" * PATH_LIMIT]),
]


def _names(pieces: list[bytes]) -> list[bytes]:
    splitter = Splitter()
    return [name for raw in pieces for name in splitter.feed(raw)] + list(splitter.end())


@pytest.mark.parametrize("size", [1, 2, 3, 4096, 1 << 16])
@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_names(row: Row, size: int) -> None:
    pieces = [row.raw[n : n + size] for n in range(0, len(row.raw), size)]
    assert _names(pieces) == (row.names or row.raw.split(b"\n")[:-1])


def test_newline_in_the_first_name() -> None:
    assert _names([b"/a\nb\0/c\n", b"\0"]) == [b"/a\nb", b"/c\n"]


def test_first_nul_late() -> None:
    assert _names([b"/a\n/b\n/c", b"\nd\0/e\nf\0"]) == [b"/a", b"/b", b"/c\nd", b"/e\nf"]
