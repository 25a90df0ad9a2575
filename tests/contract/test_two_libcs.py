"""Programs of several machines, or two glibcs, in one layer: each gets what its own libc opens."""

from __future__ import annotations

from pathlib import Path

import elfpack
from elfpack.elf import constants as c
from tests.contract.tree import LIBC, Content, library, plant, program, system
from tests.worlds import loader_of

ARM = {"machine": c.EM_AARCH64}
ARM_LOADER = "/lib/ld-linux-aarch64.so.1"
GCC = "libgcc_s.so.1"


def _arm(top: Path) -> None:
    dirs = "dirs=/lib/arm:/usr/lib/arm"
    files: dict[str, Content] = {
        ARM_LOADER: loader_of(f"glibc version=2.31 machine=aarch64 {dirs}"),
        f"/lib/arm/{LIBC}": library(LIBC, **ARM),
        f"/lib/arm/{GCC}": library(GCC, LIBC, **ARM),
        "/arm": program(LIBC, interpreter=ARM_LOADER, imports=["pthread_cancel"], **ARM),
        "/arm-hosts": program(LIBC, interpreter=ARM_LOADER, imports=["gethostbyname"], **ARM),
        "/lib/arm/libnss_files.so.2": library("libnss_files.so.2", LIBC, **ARM),
        "/lib/arm/libnss_dns.so.2": library("libnss_dns.so.2", LIBC, **ARM),
    }
    plant(top, files)


def test_two_machines(tmp_path: Path) -> None:
    system(tmp_path, {"/app": program(LIBC), f"/lib/{GCC}": library(GCC, LIBC)})
    _arm(tmp_path)
    paths = {e.path for e in elfpack.plan(["/app", "/arm"], root=tmp_path).entries}
    assert {f"/lib/{GCC}", f"/lib/arm/{GCC}"} <= paths
    assert f"/lib/arm/{GCC}" in {
        e.path for e in elfpack.plan(["/arm", "/app"], root=tmp_path).entries
    }


def test_a_lack_is_told_for_the_libc_that_has_it(tmp_path: Path) -> None:
    """The machine's own glibc is new enough to look names up by itself, the other one is not."""
    system(tmp_path, {"/app": program(LIBC, imports=["gethostbyname"])})
    _arm(tmp_path)
    (tmp_path / "lib/arm/libnss_files.so.2").unlink()
    plan = elfpack.plan(["/app", "/arm-hosts"], root=tmp_path)
    paths = {e.path for e in plan.entries}
    assert "/lib/arm/libnss_dns.so.2" in paths
    assert [f.path for f in plan.findings if f.code == "lacking-nss"] == ["libnss_files.so.2"]
