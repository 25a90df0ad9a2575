"""glibc before 2.34, in a root of Debian 11: its name services and threads are libraries."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import ABORTED, Engine, Outcome, run
from tests.docker.packing import SOURCES, layer, words
from tests.oracle.sysroots import OLDER, Unreachable, sysroot

_LIBRARIES = "{top}/usr/lib/x86_64-linux-gnu"
_LINKED = ("Scrt1.o", "crti.o", "libpthread.so.0", "libc.so.6", "libc_nonshared.a", "crtn.o")
LINK = (
    "gcc --sysroot={top} -nostdlib -Wl,--allow-shlib-undefined -o {top}/{program} "
    f"{{src}}/{{program}}.c {' '.join(f'{_LIBRARIES}/{name}' for name in _LINKED)}"
)
"""By file names: a linker takes the root's absolute links for the machine's."""
MODULES = ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2")


@pytest.fixture(name="root", scope="module")
def _root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The root, with programs that are linked with its libc."""
    if os.geteuid() or shutil.which("apt-get") is None:
        pytest.skip("needs root and apt-get")
    kept = os.environ.get("ELFPACK_SYSROOTS")
    shelf = Path(kept) if kept else tmp_path_factory.mktemp("sysroots")
    try:
        top = sysroot(OLDER, shelf).top
    except Unreachable as e:
        pytest.skip(f"the packages of {OLDER.name} cannot be had: {e}")
    for program in ("cancel", "pthread_exit", "getaddrinfo"):
        line = LINK.replace("{program}", program).replace("{top}", str(top))
        done = run(words(line, top), top)
        assert done.status == 0, done
    done = run(["gcc", "-static", "-o", str(top / "parent"), str(SOURCES / "parent.c")], top)
    assert done.status == 0, done
    yield top
    if not kept:
        shutil.rmtree(top)


def _run(
    root: Path, here: Path, engine: Engine, request: str, args: str, *options: str
) -> tuple[Outcome, set[str]]:
    """What a container says, and the names of all that is in its layer."""
    told, _ = layer(f"--root {root} {request}", "x.tar", here)
    with tarfile.open(here / "x.tar") as archive:
        names = {Path(member.name).name for member in archive}
    with engine.imported(told, here) as image:
        return image.run(words(args, here), *options), names


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("hosts 127.0.0.1", "localhost"),
        ("hosts localhost", "localhost"),
        ("passwd root", "root:x:0:0:root:/root:/bin/sh"),
        ("group nogroup", "nogroup:x:65534:"),
        ("services http", "80/tcp"),
        ("protocols tcp", "6 TCP"),
    ],
)
def test_getent(
    args: str, says: str, root: Path, here: Path, engine: Engine, report: Report
) -> None:
    """With its modules it answers; without them it does not, whatever files there are."""
    inside, names = _run(root, here, engine, "/usr/bin/getent", args)
    equal = inside.status == 0 and says.encode() in inside.stdout
    report(Line(f"Debian 11: getent {args}", "-", inside.status, equal, _size(here)))
    assert equal, inside
    assert names >= {*MODULES, "nsswitch.conf"}
    inside, names = _run(root, here, engine, "/usr/bin/getent --without nss", args)
    equal = inside[:2] == (2, b"")
    report(
        Line(f"Debian 11: getent {args}, naive", "-", inside.status, equal, _size(here), "fails")
    )
    assert equal, inside
    assert not names & {*MODULES, "nsswitch.conf"}


def _size(here: Path) -> int:
    return (here / "x.tar").stat().st_size


def test_getaddrinfo(root: Path, here: Path, engine: Engine, report: Report) -> None:
    inside, _ = _run(root, here, engine, "/getaddrinfo", "localhost http")
    equal = inside.status == 0 and b"127.0.0.1 port 80" in inside.stdout
    report(Line("Debian 11: getaddrinfo", "-", inside.status, equal, _size(here)))
    assert equal, inside
    inside, _ = _run(root, here, engine, "/getaddrinfo --without nss", "localhost http")
    equal = inside.status != 0
    report(Line("Debian 11: getaddrinfo, naive", "-", inside.status, equal, _size(here), "fails"))
    assert equal, inside


@pytest.mark.parametrize(
    ("program", "symbol"), [("cancel", "pthread_cancel"), ("pthread_exit", "pthread_exit")]
)
def test_threads(
    program: str, symbol: str, root: Path, here: Path, engine: Engine, report: Report
) -> None:
    """The one who opens libgcc_s.so.1 is libpthread.so.0."""
    outside = run(["chroot", str(root), f"/{program}"], here)
    inside, names = _run(root, here, engine, f"/{program}", "")
    equal = inside == outside
    report(Line(f"Debian 11: {symbol}", outside.status, inside.status, equal, _size(here)))
    assert equal, inside
    assert outside.status == 0
    assert names >= {"libpthread.so.0", "libgcc_s.so.1"}
    inside, _ = _run(root, here, engine, f"/parent /{program} --without libgcc", f"/{program}")
    equal = inside.status == ABORTED
    report(Line(f"Debian 11: {symbol}, naive", "-", inside.status, equal, _size(here), "fails"))
    assert equal, inside
    assert b"libgcc_s.so.1 must be installed for pthread_cancel to work" in inside.stderr
