"""What ten times the programs cost, by counts, and how much memory is taken: never by time."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from tests.cli import environment
from tests.worlds import GLIBC, on_disk

FEW, MANY = 20, 200
CALLS = (
    "open",
    "pread",
    "preadv",
    "read",
    "stat",
    "lstat",
    "fstat",
    "readlink",
    "scandir",
    "listdir",
)
_COUNTED = """
import json, os, sys
os.sched_setaffinity(0, (min(os.sched_getaffinity(0)),))  # no work is shared with a copy of it
counts = dict.fromkeys(sys.argv[1].split(","), 0)
def counted(name, real):
    def call(*args, **options):
        counts[name] += 1
        return real(*args, **options)
    return call
for name in counts:
    setattr(os, name, counted(name, getattr(os, name)))
report, sys.argv[1:] = sys.argv[2], sys.argv[3:]
from elfpack.cli import main
try:
    status = main()
except SystemExit as e:
    status = e.code
with open("/proc/self/status") as stream:
    peak = next(int(line.split()[1]) for line in stream if line.startswith("VmHWM"))
with open(report, "w") as stream:
    json.dump({"status": status or 0, "peak": peak * 1.024 / 1000, "counts": counts}, stream)
"""


def ran(tmp_path: Path, *arguments: str) -> tuple[Counter[str], float]:
    """What it called, and the MB that it took at most."""
    report = tmp_path / "report"
    subprocess.run(
        [sys.executable, "-c", _COUNTED, ",".join(CALLS), str(report), *arguments],
        env=environment(),
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=120,
    )
    told = json.loads(report.read_text())
    assert told["status"] == 0
    return Counter(told["counts"]), told["peak"]


def world(top: Path, programs: int) -> tuple[str, list[str]]:
    """A root in which every program has a library of its own, one by RUNPATH, and all have two."""
    table = {
        **GLIBC,
        "/lib64/libc.so.6": "lib soname=libc.so.6",
        "/lib64/libm.so.6": "lib needs=libc.so.6",
    }
    for n in range(programs):
        table[f"/bin/{n}"] = f"exe needs=liba{n}.so,libb{n}.so,libm.so.6 runpath=$ORIGIN/../own/{n}"
        table[f"/lib64/liba{n}.so"] = "lib needs=libc.so.6"
        table[f"/own/{n}/libb{n}.so"] = "lib needs=libc.so.6"
    return str(on_disk(table, top)), [f"/bin/{n}" for n in range(programs)]


@pytest.fixture(name="roots", scope="module")
def _roots(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, list[str]]]:
    top = tmp_path_factory.mktemp("worlds")
    return [world(top / str(count), count) for count in (FEW, MANY)]


@pytest.mark.parametrize(("form", "opens"), [("ldd", 6), ("json", 9)])
def test_deps_grows_with_the_programs(
    roots: list[tuple[str, list[str]]], tmp_path: Path, form: str, opens: int
) -> None:
    few, many = (
        ran(tmp_path, "deps", "--format", form, "--root", root, *programs)[0]
        for root, programs in roots
    )
    grows(few, many)
    # A program: itself, its two libraries, their directories; in JSON the links to them as well.
    assert many["open"] < opens * MANY


def test_layer_and_check_grow_with_the_programs(
    roots: list[tuple[str, list[str]]], tmp_path: Path
) -> None:
    outs = [str(tmp_path / name) for name in ("few.tar", "many.tar")]
    few, many = (
        ran(tmp_path, "layer", "-q", "--root", root, *programs, "-o", out)[0]
        for (root, programs), out in zip(roots, outs, strict=True)
    )
    grows(few, many)
    few, many = (ran(tmp_path, "check", "-q", out)[0] for out in outs)
    grows(few, many)


def grows(few: Counter[str], many: Counter[str]) -> None:
    """Each kind of call at most eleven times as often; those that are rare do not matter."""
    assert many.total() > MANY
    more = {name: (few[name], many[name]) for name in CALLS if many[name] > 11 * max(few[name], 2)}
    assert not more


@pytest.fixture(name="programs", scope="module")
def _programs(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    return world(tmp_path_factory.mktemp("many"), 1200)


def test_memory_of_deps(programs: tuple[str, list[str]], tmp_path: Path) -> None:
    root, names = programs
    assert ran(tmp_path, "deps", "--root", root, *names)[1] < 80


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.zst"])
def test_memory_of_a_layer_does_not_grow_with_its_bytes(tmp_path: Path, ending: str) -> None:
    root, names = world(tmp_path / "root", 1)
    with (Path(root) / "large").open("wb") as stream:
        stream.truncate(200_000_000)
    out = str(tmp_path / f"out.{ending}")
    assert (
        ran(tmp_path, "layer", "-q", "--root", root, *names, "--add", "/large", "-o", out)[1] < 100
    )


def test_memory_of_a_layer_with_many_files(programs: tuple[str, list[str]], tmp_path: Path) -> None:
    root, names = programs
    out = str(tmp_path / "out.tar")
    assert ran(tmp_path, "layer", "-q", "--root", root, *names, "-o", out)[1] < 100


def test_memory_of_programs_that_open_many_modules(tmp_path: Path) -> None:
    """Each of a thousand programs may open each of glibc's conversion modules."""
    modules = [f"M{number}" for number in range(250)]
    words = "".join(f"module {name}// INTERNAL {name} 1\\n" for name in modules)
    table = {
        **GLIBC,
        # As a path that is compiled in.
        "/lib64/libc.so.6": "lib soname=libc.so.6 runpath=/lib64/gconv/gconv-modules.cache",
        "/lib64/gconv/gconv-modules": f"text {words}",
        **{f"/lib64/gconv/{name}.so": "lib needs=libc.so.6" for name in modules},
        **{f"/bin/{n}": "exe needs=libc.so.6 imports=iconv_open" for n in range(1200)},
    }
    root = str(on_disk(table, tmp_path / "root"))
    out = str(tmp_path / "out.tar")
    names = [f"/bin/{n}" for n in range(1200)]
    assert ran(tmp_path, "layer", "-q", "--root", root, *names, "-o", out)[1] < 80
    with tarfile.open(out) as tar:
        assert "lib64/gconv/M249.so" in tar.getnames()
