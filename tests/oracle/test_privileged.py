"""What needs a root of its own: ``/etc/ld.so.preload``, set-id programs, ISA levels, caches."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import elfpack
from elfpack.api.session import Session
from elfpack.loader.remarks import remarks
from elfpack.report import ldd
from tests.oracle.chroot import run, trace
from tests.worlds import LOADER, World, on_disk

pytestmark = [
    pytest.mark.part("(b) rows of glibc"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root's rights, for chroot and set-id"),
]
NOBODY = 65534


@pytest.fixture(name="top")
def _top() -> Iterator[Path]:
    """A directory that everybody may enter, with what tells a loader where its program is."""
    top = Path(tempfile.mkdtemp(dir="/var/tmp"))
    top.chmod(0o755)
    proc = top / "proc"
    proc.mkdir()
    subprocess.run(["mount", "--bind", "/proc", proc], check=True, timeout=60)
    try:
        yield top
    finally:
        subprocess.run(["umount", proc], check=True, timeout=60)
        shutil.rmtree(top)


def world(top: Path, table: World) -> None:
    """The table below ``top``, with this machine's loader."""
    place = top / LOADER.lstrip("/")
    place.parent.mkdir(parents=True)
    shutil.copy2(os.path.realpath(LOADER), place)
    on_disk(table, top)


FILES = [
    ("one", "/lib/libp.so\\n"),
    ("several", "/lib/libp.so:/lib/libq.so\\n"),
    ("by its name", "libp.so"),
    ("comments", "# all of it\\n/lib/libp.so\\n"),
    ("a comment that survives", "# one long word, really\\n/lib/libp.so\\n# /lib/libq.so\\n"),
    ("a missing one", "/none.so /lib/libq.so"),
    ("a NUL", "/lib/libp.so\\0x\\n/lib/libq.so"),
    ("empty", ""),
]


@pytest.mark.parametrize(("name", "text"), FILES, ids=lambda v: str(v)[:30])
def test_preload_file(name: str, text: str, top: Path) -> None:
    table = {
        "/bin/exe": "exe needs=liba.so rpath=/lib",
        "/lib/liba.so": "lib",
        "/lib/libp.so": "lib",
        "/lib/libq.so": "lib",
        "/etc/ld.so.preload": f"text {text}",
    }
    world(top, table)
    answer = trace(top, ["/bin/exe"])
    with Session(top) as session:
        options = session.options._replace(preload_file=True)
        closure = session.resolver.resolve("/bin/exe", options)
    assert (0, list(ldd.lines(closure))) == (answer.status, answer.lines), name
    refused = [p.name for p in closure.preloads if p.reason]
    assert answer.errors.count("cannot be preloaded") == len(refused)
    assert all(f"'{name}'" in answer.errors for name in refused)


class Secure(NamedTuple):
    name: str
    tag: str
    library: str
    """Where the library is."""
    found: bool
    program: str = "/opt/bin/exe"
    environment: str = ""
    needed: str = "libx.so"


SECURE = [
    Secure("an absolute runpath counts", "runpath=/opt/lib", "/opt/lib", True),
    Secure("the origin does not", "runpath=$ORIGIN/../lib", "/opt/lib", False),
    Secure("nor does it in an rpath", "rpath=$ORIGIN/../lib", "/opt/lib", False),
    Secure(
        "the origin below a system directory",
        "runpath=$ORIGIN/../lib",
        "/usr/lib/app/lib",
        True,
        "/usr/lib/app/bin/exe",
    ),
    Secure(
        "but not in the middle",
        "runpath=/opt/..$ORIGIN/../lib",
        "/usr/lib/app/lib",
        False,
        "/usr/lib/app/bin/exe",
    ),
    Secure(
        "nor with something behind it",
        "runpath=${ORIGIN}x",
        "/usr/lib/app/binx",
        False,
        "/usr/lib/app/bin/exe",
    ),
    Secure(
        "nor out of it",
        "runpath=$ORIGIN/../../../../opt/lib",
        "/opt/lib",
        False,
        "/usr/lib/app/bin/exe",
    ),
    Secure("$LIB counts", "runpath=/opt/$LIB", "/opt/lib/x86_64-linux-gnu", True),
    Secure("LD_LIBRARY_PATH does not", "runpath=/none", "/opt/lib", False, environment="/opt/lib"),
    Secure(
        "a token in a needed name",
        "runpath=/opt/lib",
        "/opt/lib",
        False,
        needed="$ORIGIN/../lib/libx.so",
    ),
]


@pytest.mark.parametrize("row", SECURE, ids=lambda row: row.name)
def test_set_id(row: Secure, top: Path) -> None:
    """A program of root's that nobody executes. The loader tells nothing of itself then: it stops,
    or goes on and the program, which has no code, dies by a signal."""
    table = {
        row.program: f"exe needs={row.needed} {row.tag}",
        f"{row.library}/libx.so": "lib",
        "/opt/none": "empty",
    }
    world(top, table)
    (top / row.program.lstrip("/")).chmod(0o4755)
    env = {"LD_LIBRARY_PATH": row.environment} if row.environment else {}
    done = _as_nobody(top, row.program, env)
    assert (done.returncode < 0) is row.found, done.stderr
    with Session(top, library_path=row.environment) as session:
        closure = session.resolve(row.program)
        told = [r.message for r in remarks(session.resolver, closure, session.options)]
        plain = session.resolver.resolve(row.program, session.options._replace(secure=False))
    stopped = bool(closure.missing) or closure.refusal is not None
    assert stopped is not row.found
    assert not plain.missing, "without its rights it finds all of it"
    if closure.missing:
        assert any("set-id" in line for line in told)
    if closure.refusal is not None:
        assert closure.refusal.reason in done.stderr


def test_file_capabilities(top: Path) -> None:
    """A program that gains capabilities is as little trusted as a set-id one."""
    table = {"/opt/bin/exe": "exe needs=libx.so runpath=$ORIGIN/../lib", "/opt/lib/libx.so": "lib"}
    world(top, table)
    with Session(top) as session:
        assert not session.resolve("/opt/bin/exe").missing
    # struct vfs_cap_data, revision 2: CAP_NET_RAW, permitted and effective.
    raw = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)
    os.setxattr(top / "opt/bin/exe", "security.capability", raw)
    done = _as_nobody(top, "/opt/bin/exe", {})
    assert "libx.so: cannot open shared object file" in done.stderr
    with Session(top) as session:
        closure = session.resolve("/opt/bin/exe")
        assert [missing.name for missing in closure.missing] == ["libx.so"]
        assert any(r.code == "set-id" for r in remarks(session.resolver, closure, session.options))


REFUSED = [
    ("text", "text no loader at all", errno.EIO),
    ("empty", "empty", errno.EIO),
    ("a directory", "dir", errno.EACCES),
    ("another machine's", "lib machine=aarch64", errno.ELIBBAD),
    ("a loop of links", "-> ld.so", errno.ELOOP),
    ("missing", "", errno.ENOENT),
]


@pytest.mark.parametrize(("name", "spec", "number"), REFUSED, ids=[row[0] for row in REFUSED])
def test_interpreters_that_the_kernel_refuses(name: str, spec: str, number: int, top: Path) -> None:
    table = {"/bin/exe": "exe interp=/opt/ld.so needs=libx.so", "/lib/libx.so": "lib"}
    world(top, {**table, **({"/opt/ld.so": spec} if spec else {})})
    interpreter = top / "opt/ld.so"
    if interpreter.is_file():
        interpreter.chmod(0o755)
    with pytest.raises(OSError) as caught:
        run(top, ["/bin/exe"])
    assert caught.value.errno in (number, errno.ELIBBAD), name
    with Session(top) as session:
        closure = session.resolve("/bin/exe")
    if spec:
        assert closure.refusal is not None
        assert (closure.refusal.path, closure.refusal.by) == ("/opt/ld.so", "the kernel")
    else:
        assert closure.missing_interpreter == "/opt/ld.so"


def _as_nobody(top: Path, program: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    def enter() -> None:
        os.chroot(top)
        os.chdir("/")
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    return subprocess.run(
        [program],
        env=env,
        preexec_fn=enter,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


def test_isa_level(top: Path) -> None:
    """A level that no CPU has: listed, and refused when it is executed."""
    table = {"/bin/exe": "exe needs=libx.so rpath=/lib", "/lib/libx.so": "lib isa=0x100"}
    world(top, table)
    assert trace(top, ["/bin/exe"]).status == 0
    answer = run(top, ["/bin/exe"])
    assert answer.status == 127
    assert "/lib/libx.so: CPU ISA level is lower than required" in answer.errors
    with Session(top, cpu="host") as session:
        closure = session.resolve("/bin/exe")
        told = list(remarks(session.resolver, closure, session.options))
    assert [(r.code, r.path, r.note) for r in told] == [("isa-level", "/bin/exe", False)]


@pytest.mark.parametrize("outside", [False, True], ids=["by itself", "by a cache"])
def test_variants_in_an_image(outside: bool, top: Path, tmp_path: Path) -> None:
    """What ``--cpu`` packs beside the baseline is what the real loader takes in the image."""
    place = "/opt/lib" if outside else "/lib"
    source = tmp_path / "source"
    table = {
        "/bin/exe": "exe needs=libx.so",
        f"{place}/libx.so": "lib",
        f"{place}/glibc-hwcaps/x86-64-v2/libx.so": "lib isa=3 needs=liby.so",
        f"{place}/liby.so": "lib",
    }
    world(source, table)
    for cpu in ("baseline", "x86-64-v2"):
        image = top / cpu
        elfpack.plan(["/bin/exe"], root=source, library_path=place, cpu=cpu).write_tree(image)
        answer = trace(image, ["/bin/exe"])
        better = "/glibc-hwcaps/x86-64-v2" if cpu != "baseline" else ""
        assert answer.status == 0
        assert answer.lines[0] == f"\tlibx.so => {place}{better}/libx.so"
        assert (f"\tliby.so => {place}/liby.so" in answer.lines) is bool(better)
