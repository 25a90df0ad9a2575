"""Every ELF file of the roots of other machines, against the loaders in them under qemu.

The roots are made anew in each run; ELFPACK_SYSROOTS names a directory that keeps them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from elfpack.api.session import Session
from tests.oracle.everyfile import compare, elf_files, survey
from tests.oracle.figures import record
from tests.oracle.sysroots import MACHINES, Machine, Sysroot, Unreachable, sysroot
from tests.oracle.test_worlds import needs_root

FEWEST = {"riscv64": 30}
"""Files that a root has at least, so that an empty one does not pass; 300 for others."""


@pytest.fixture
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sysroot]:
    machine: Machine = request.param
    kept = os.environ.get("ELFPACK_SYSROOTS")
    if shutil.which("apt-get") is None:
        pytest.skip("no apt-get here")
    if not Path(f"/usr/bin/qemu-{machine.qemu}-static").exists():
        pytest.skip(f"no qemu-{machine.qemu}-static here")
    try:
        yield sysroot(machine, Path(kept) if kept else tmp_path)
    except Unreachable as e:
        pytest.skip(f"the packages of {machine.name} cannot be had: {e}")
    finally:
        if not kept:
            shutil.rmtree(tmp_path)


@needs_root
@pytest.mark.parametrize("root", MACHINES, ids=lambda machine: machine.name, indirect=True)
def test_every_elf_file(root: Sysroot) -> None:
    machine = root.machine
    with Session(str(root.top)) as session:
        found = survey(session, elf_files(root.top, ("/",)))
    loaders = {
        path: closure.loader.path
        for path, closure in found.closures.items()
        if closure.loader is not None
    }
    differing, total = compare(found, loaders, machine.loader, root.ask)
    refused = f"{len(found.refused)} of them refused by both"
    record(f"(d) sysroot {machine.name}", total - len(differing), total, refused)
    assert list(differing) == []
    assert total >= FEWEST.get(machine.name, 300)
