"""Every ELF file of this machine: the same objects as the real loader, in the same order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from elfpack.api.session import Session
from elfpack.errors import ElfpackError
from elfpack.loader.closure import Closure
from elfpack.report import ldd
from tests.oracle.figures import record
from tests.oracle.realloader import ask

PLACES = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/local/bin")
DIFFERING: frozenset[str] = frozenset()
"""Files where elfpack is not equal to the loader yet, by name. Empty, and it has to stay so."""


def elf_files() -> Iterator[str]:
    for place in PLACES:
        for directory, _, names in os.walk(place):
            for name in sorted(names):
                path = Path(directory, name)
                if path.is_symlink() or not path.is_file() or path.stat().st_size < 64:
                    continue
                with path.open("rb") as file:
                    if file.read(4) == b"\x7fELF":
                        yield str(path)


def _dynamic(session: Session) -> tuple[dict[str, Closure], dict[str, str]]:
    closures: dict[str, Closure] = {}
    refused: dict[str, str] = {}
    for path in elf_files():
        try:
            closure = session.resolve(path)
        except ElfpackError as e:
            refused[path] = e.message
            continue
        if closure.loader is not None:
            closures[path] = closure
    return closures, refused


def test_every_elf_file() -> None:
    with Session("/") as session:
        closures, refused = _dynamic(session)
        loaders = native(closures)
    with ThreadPoolExecutor(2) as pool:
        # What elfpack calls no program, the loader has to refuse too.
        loader = next(iter(loaders.values()))
        refusing = dict(zip(refused, pool.map(lambda p: ask(loader, p)[0], refused), strict=True))
        answers = dict(zip(loaders, pool.map(lambda p: ask(loaders[p], p), loaders), strict=True))
    differing = [path for path, status in refusing.items() if status == 0]
    for path, (status, expected) in answers.items():
        ours = [] if closures[path].refusal else list(ldd.lines(closures[path]))
        if status == 0 and ours != expected:
            differing.append(path)
        if status != 0 and closures[path].refusal is None:
            differing.append(path)
    record(
        "every ELF file of this machine",
        len(answers) + len(refused) - len(differing),
        len(answers) + len(refused),
        f"{len(refused)} of them refused by both, {len(closures) - len(answers)} more for other "
        "loaders",
    )
    assert answers
    assert set(differing) == DIFFERING


def native(closures: dict[str, Closure]) -> dict[str, str]:
    """The loader to ask for each file: that of its class, as long as it runs here."""
    with Session("/") as session:
        host = session.resolve("/usr/bin/env")
    assert host.loader is not None
    abi = host.hits[0].elf.abi
    return {
        path: closure.interpreter.path if closure.interpreter else host.loader.path
        for path, closure in closures.items()
        if closure.hits[0].elf.abi == abi and closure.loader and closure.loader.libc == "glibc"
    }
