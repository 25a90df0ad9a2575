"""The candidates of every search, in the order of the loader's own trace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from elfpack.api.session import Session
from tests.oracle.everyfile import elf_files, survey
from tests.oracle.figures import record
from tests.oracle.realloader import candidates, traced
from tests.oracle.test_machine import PLACES, native

EVERY = 7
"""Of the machine's files, which are all traced alike: each of this many."""


def test_traces_of_programs_and_libraries() -> None:
    with Session("/") as session:
        found = survey(session, iter(list(elf_files(Path("/"), PLACES))[::EVERY]))
        closures = {path: c for path, c in found.closures.items() if c.refusal is None}
        loaders = native(closures)
        ours = {path: traced(session, closures[path]) for path in loaders}
    with ThreadPoolExecutor(2) as pool:
        told = pool.map(lambda path: candidates(loaders[path], path), loaders)
        theirs = dict(zip(loaders, told, strict=True))
    differing = [path for path in loaders if ours[path] != theirs[path]]
    record("(e) traces, candidate by candidate", len(loaders) - len(differing), len(loaders))
    assert ours
    assert not differing
