"""Libraries that only something around the program knew of: they are found from scratch."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, Outcome, run
from tests.docker.packing import build, elfpack, layer, need

LINES = (
    "mkdir -p root/opt/greet/lib root/opt/app/bin",
    "gcc -shared -fPIC -Wl,-soname,libgreet.so.1 -o root/opt/greet/lib/libgreet.so.1 {src}/greet.c",
    "gcc -o root/opt/app/bin/greeter {src}/greeter.c -Wl,--no-as-needed "
    "root/opt/greet/lib/libgreet.so.1",
)


def _started(told: str, engine: Engine, here: Path) -> Outcome:
    with engine.imported(told, here) as image:
        return image.run([])


@pytest.mark.parametrize("way", ["ld.so.conf.d", "LD_LIBRARY_PATH", "--library-path"])
def test_found_from_scratch(way: str, engine: Engine, tmp_path: Path, report: Report) -> None:
    """The library's directory is named by the root's ld.so.conf.d alone, or by the environment."""
    need("ldconfig")
    done = elfpack(["layer", "/bin/sh", "-q", "-o", "root/"], tmp_path)  # a root with a C library
    assert done.status == 0, done
    build(LINES, tmp_path)
    request, env = "--root root /opt/app/bin/greeter", {}
    if way == "ld.so.conf.d":
        (tmp_path / "root/etc/ld.so.conf.d").mkdir(parents=True)
        (tmp_path / "root/etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
        (tmp_path / "root/etc/ld.so.conf.d/greet.conf").write_text("/opt/greet/lib\n")
        assert run([shutil.which("ldconfig") or "", "-r", "root"], tmp_path).status == 0
    elif way == "--library-path":
        request += " --library-path /opt/greet/lib"
    else:
        request = "root/opt/app/bin/greeter:/greeter"
        env = {"LD_LIBRARY_PATH": str(tmp_path / "root/opt/greet/lib")}
    told, done = layer(request, "a.tar", tmp_path, env)
    assert b"/etc/ld.so.cache: made" in done.stderr
    outcome = _started(told, engine, tmp_path)
    said = run(
        [str(tmp_path / "root/opt/app/bin/greeter")],
        tmp_path,
        {"LD_LIBRARY_PATH": str(tmp_path / "root/opt/greet/lib")},
    )
    equal = outcome[:2] == said[:2] and bool(said.stdout)
    report(
        Line(
            f"found by {way}",
            said.status,
            outcome.status,
            equal,
            (tmp_path / "a.tar").stat().st_size,
        )
    )
    assert equal, outcome
