"""The candidates of every search, in the order of the loader's own trace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from elfpack.api.session import Session
from elfpack.errors import ElfpackError
from elfpack.loader.closure import Closure
from tests.oracle.realloader import candidates, traced
from tests.oracle.test_machine import elf_files, native

EVERY = 7
"""Of the machine's files, which are all traced alike: each of this many."""


def test_traces_of_programs_and_libraries(capsys: pytest.CaptureFixture[str]) -> None:
    with Session("/") as session:
        closures: dict[str, Closure] = {}
        for path in list(elf_files())[::EVERY]:
            try:
                closure = session.resolve(path)
            except ElfpackError:
                continue
            if closure.loader is not None and closure.refusal is None:
                closures[path] = closure
        loaders = native(closures)
        ours = {path: traced(session, closures[path]) for path in loaders}
    with ThreadPoolExecutor(2) as pool:
        theirs = dict(
            zip(loaders, pool.map(lambda p: candidates(loaders[p], p), loaders), strict=True)
        )
    differing = [path for path in loaders if ours[path] != theirs[path]]
    with capsys.disabled():
        print(f"\noracle: {len(loaders) - len(differing)}/{len(loaders)} traces equal")
    assert ours
    assert not differing
