"""The module ``tmp``."""

from __future__ import annotations

import pytest

from elfpack.elf.golang import GoProgram, Names
from elfpack.runtime.tmp import Tmp
from tests.smallview import SmallView, Thing, glibc, musl, shown

MADE = ["dir /tmp 1777 (0, 0)"]


@pytest.mark.parametrize(
    "symbol",
    [
        *("mkstemp", "mkostemp", "mkstemps", "mkostemps", "mkstemp64", "mkostemps64"),
        *("mkdtemp", "mktemp", "tmpfile", "tmpfile64", "tempnam", "tmpnam", "tmpnam_r"),
    ],
)
def test_by_evidence(symbol: str) -> None:
    assert shown(Tmp().propose(glibc(symbol), None)) == MADE
    (made,) = Tmp().propose(musl(symbol), None)
    assert str(made.evidence) == f"{symbol}, imported by /exe"


@pytest.mark.parametrize(
    "function", ["os.CreateTemp", "os.MkdirTemp", "io/ioutil.TempFile", "io/ioutil.TempDir"]
)
def test_go(function: str) -> None:
    program = GoProgram("go1.19", (), Names((function,)))
    (made,) = Tmp().propose(SmallView((Thing("/app", go=program, libc=None),), None), None)
    assert str(made.evidence) == f"{function}, linked into /app"


def test_without_evidence() -> None:
    assert not list(Tmp().propose(glibc("open", "getaddrinfo"), None))
    assert shown(Tmp().propose(glibc(), ())) == MADE
