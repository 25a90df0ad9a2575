"""Layers of other machines: their own loaders, under qemu, read the caches that elfpack writes,
and their programs run from what elfpack packed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from elfpack.api.session import Session
from tests.oracle.sysroots import MACHINES, Machine, Sysroot
from tests.oracle.test_sysroots import root as root  # the fixture
from tests.oracle.test_worlds import needs_root
from tests.worlds import on_disk

ARM64 = [machine for machine in MACHINES if machine.name == "arm64"]
WORDS = {
    "arm64": "machine=aarch64",
    "armhf": "machine=arm e_flags=0x5000400",
    "i386": "machine=i386",
    "s390x": "machine=s390x",
    "ppc64el": "machine=ppc64le e_flags=2",
    "riscv64": "machine=riscv64 e_flags=5",
    "bullseye": "machine=x86-64",
}
"""How a world says that a file is of a machine."""


def _with_qemu(machine: Machine, top: Path) -> Sysroot:
    shutil.copyfile(f"/usr/bin/qemu-{machine.qemu}-static", top / "qemu")
    (top / "qemu").chmod(0o755)
    return Sysroot(machine, top)


def _world(words: str, loader: str) -> Mapping[str, str]:
    return {
        "/exe": f"exe {words} interp={loader} needs=liba.so.1,libb.so",
        "/p/liba.so.1": "-> liba.so.1.2",
        "/p/liba.so.1.2": f"lib {words} soname=liba.so.1 needs=libc.so.1",
        "/q/libb.so": f"lib {words}",
        "/q/libc.so.1": f"lib {words} soname=libc.so.1",
    }


@needs_root
@pytest.mark.part("(g) caches of other machines")
@pytest.mark.parametrize("root", MACHINES, ids=lambda machine: machine.name, indirect=True)
def test_the_real_loader_reads_the_cache(root: Sysroot, tmp_path: Path) -> None:
    machine = root.machine
    top, out = tmp_path / "world", tmp_path / "out"
    on_disk(_world(WORDS[machine.name], machine.loader), top)
    loader = top / machine.loader.lstrip("/")
    loader.parent.mkdir(parents=True, exist_ok=True)
    with Session(str(root.top)) as session:
        place = session.resolver.files.find(machine.loader)
        assert not isinstance(place, int)
    shutil.copyfile(root.top / place.path.lstrip("/"), loader)
    loader.chmod(0o755)
    with Session(str(top), library_path="/p:/q") as session:
        session.plan(["/exe"]).write_tree(str(out))
    status, lines = _with_qemu(machine, out).ask(machine.loader, "/exe")
    assert (out / "etc/ld.so.cache").exists()
    assert (status, lines) == (
        0,
        [
            "\tliba.so.1 => /p/liba.so.1",
            "\tlibb.so => /q/libb.so",
            "\tlibc.so.1 => /q/libc.so.1",
        ],
    )


RUN = (
    (("/bin/bash", "-c", "echo $((6*7)) from bash"), b"42 from bash\n"),
    (("/usr/bin/sqlite3", ":memory:", "select 6*7"), b"42\n"),
    (("/usr/bin/openssl", "dgst", "-sha256", "/etc/group"), b"SHA2-256(/etc/group)= "),
    (("/usr/bin/curl", "--version"), b"curl 7"),
    (("/usr/bin/id", "-un"), b"root\n"),
)


@needs_root
@pytest.mark.part("(g) programs of another machine run from their layer")
@pytest.mark.parametrize("root", ARM64, ids=lambda machine: machine.name, indirect=True)
def test_programs_run_under_qemu(root: Sysroot, tmp_path: Path) -> None:
    out = tmp_path / "out"
    programs = [command[0] for command, _ in RUN]
    with Session(str(root.top)) as session:
        plan = session.plan(programs)
        plan.write_tree(str(out))
    packed = _with_qemu(root.machine, out)
    for command, said in RUN:
        done = packed.run(*command)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(said)
    for program in programs:
        here, there = (
            root.ask(root.machine.loader, program),
            packed.ask(root.machine.loader, program),
        )
        assert here == there, program
