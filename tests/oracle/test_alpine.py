"""A root as musl's own distributions have it: no path file, libraries in the default directories,
programs from a real linker."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.oracle.compare import compare_musl
from tests.oracle.figures import record
from tests.oracle.generate import Made
from tests.oracle.test_worlds import needs_root
from tests.worlds import MUSL_LOADER

LIBRARIES = {
    "lib/libone.so.1": (),
    "usr/lib/libtwo.so.2": ("lib/libone.so.1",),
    "usr/local/lib/libthree.so.3": ("usr/lib/libtwo.so.2",),
    "usr/lib/libmixed.so": ("usr/local/lib/libthree.so.3", "lib/libone.so.1"),
    "opt/own/libown.so": ("usr/lib/libtwo.so.2",),
}
"""What each needs stands before it."""
PROGRAMS = {
    "bin/alone": ((), ()),
    "bin/one": (("lib/libone.so.1",), ()),
    "usr/bin/chain": (("usr/local/lib/libthree.so.3",), ()),
    "usr/bin/mixed": (("usr/lib/libmixed.so", "lib/libone.so.1"), ("-lm", "-lpthread")),
    "opt/own/own": (("opt/own/libown.so",), ("-Wl,-rpath,$ORIGIN",)),
    "opt/own/lost": (("opt/own/libown.so",), ()),
    "usr/bin/fixed": (("usr/lib/libtwo.so.2",), ("-no-pie",)),
    "usr/bin/static": ((), ("-static",)),
}


def _link(top: Path, output: str, needed: tuple[str, ...], *flags: str) -> None:
    place = top / output
    place.parent.mkdir(parents=True, exist_ok=True)
    source = "int main(void) { return 0; }" if "-shared" not in flags else "int f;"
    subprocess.run(
        [
            *("musl-gcc", "-x", "c", "-", "-x", "none", "-o", str(place), "-Wl,--no-as-needed"),
            *(f"-Wl,-rpath-link,{top}/{name}" for name in ("lib", "usr/lib", "usr/local/lib")),
            *(str(top / name) for name in needed),
            *flags,
        ],
        input=source.encode(),
        check=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def alpine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("alpine")
    for output, needed in LIBRARIES.items():
        soname = f"-Wl,-soname,{output.rpartition('/')[2]}"
        _link(top, output, needed, "-shared", "-fPIC", soname)
    for output, (needed, flags) in PROGRAMS.items():
        _link(top, output, needed, *flags)
    shutil.copyfile(MUSL_LOADER, top / MUSL_LOADER[1:])
    (top / MUSL_LOADER[1:]).chmod(0o755)
    (top / "lib/libc.musl-x86_64.so.1").symlink_to(MUSL_LOADER.rpartition("/")[2])
    return top


@needs_root
@pytest.mark.skipif(not Path(MUSL_LOADER).exists(), reason=f"no {MUSL_LOADER} here")
def test_every_file(alpine: Path) -> None:
    names = [f"/{name}" for name in (*PROGRAMS, *LIBRARIES) if name != "usr/bin/static"]
    found = {name: compare_musl(Made(world={}, program=name), alpine) for name in names}
    differing = {name: verdict for name, verdict in found.items() if not verdict.equal}
    record("(f) musl: files of an Alpine-like root", len(found) - len(differing), len(found))
    assert differing == {}
    assert not any(verdict.died for verdict in found.values())
