"""Every ELF file of this machine: the same objects as the real loader, in the same order."""

from __future__ import annotations

from pathlib import Path

from elfpack.api.session import Session
from elfpack.loader.closure import Closure
from tests.oracle.everyfile import compare, elf_files, survey
from tests.oracle.figures import record
from tests.oracle.realloader import ask

PLACES = ("/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec", "/usr/local/bin")
DIFFERING: frozenset[str] = frozenset()
"""Files where elfpack is not equal to the loader yet, by name. Empty, and it has to stay so."""


def test_every_elf_file() -> None:
    with Session("/") as session:
        found = survey(session, elf_files(Path("/"), PLACES))
    loaders = native(found.closures)
    differing, total = compare(found, loaders, next(iter(loaders.values())), ask)
    record(
        "(a) every ELF file of this machine",
        total - len(differing),
        total,
        f"{len(found.refused)} of them refused by both, "
        f"{len(found.closures) - len(loaders)} more for other loaders",
    )
    assert loaders
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
