"""Faults that showed on programs that have to be built: where they look, and what they carry."""

from __future__ import annotations

import subprocess
from pathlib import Path

import elfpack


def _compile(where: Path, *arguments: str) -> None:
    subprocess.run(["gcc", *arguments], cwd=where, check=True, capture_output=True)


def test_libraries_of_a_program_behind_a_link_stay(tmp_path: Path) -> None:
    """The link is where the user pointed; $ORIGIN is where the program is."""
    for directory in ("real/bin", "real/lib", "bin"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / "x.c").write_text("int x(void) { return 7; }")
    (tmp_path / "p.c").write_text("int x(void); int main(void) { return x(); }")
    _compile(tmp_path, "-shared", "-fPIC", "-o", "real/lib/libx.so", "x.c")
    _compile(
        *(tmp_path, "-o", "real/bin/p", "p.c", "-Lreal/lib", "-lx", "-Wl,-rpath,$ORIGIN/../lib")
    )
    (tmp_path / "bin" / "p").symlink_to("../real/bin/p")
    paths = [e.path for e in elfpack.plan([tmp_path / "bin" / "p"]).entries]
    assert f"{tmp_path}/real/lib/libx.so" in paths
    assert "/etc/ld.so.cache" not in paths


def test_static_pie_carries_look_ups_as_static_does(tmp_path: Path) -> None:
    (tmp_path / "u.c").write_text("#include <pwd.h>\nint main(void) { return getpwuid(0) == 0; }\n")
    _compile(tmp_path, "-static-pie", "-o", "u", "u.c")
    assert elfpack.resolve(tmp_path / "u").loader is None
    paths = [e.path for e in elfpack.plan([f"{tmp_path}/u:/u"]).entries]
    assert {"/etc/passwd", "/etc/nsswitch.conf"} <= set(paths)


def test_origin_of_a_library_is_where_it_was_opened(tmp_path: Path) -> None:
    for directory in ("real", "link"):
        (tmp_path / directory).mkdir()
        (tmp_path / "x.c").write_text("int x(void) { return 7; }")
        _compile(tmp_path, "-shared", "-fPIC", "-o", f"{directory}/libx.so", "x.c")
    (tmp_path / "a.c").write_text("int x(void); int a(void) { return x(); }")
    _compile(
        *(tmp_path, "-shared", "-fPIC", "-o", "real/liba.so", "a.c"),
        *("-Lreal", "-lx", "-Wl,-rpath,$ORIGIN"),
    )
    (tmp_path / "link" / "liba.so").symlink_to("../real/liba.so")
    found = elfpack.resolve(tmp_path / "link" / "liba.so").libraries
    assert [lib.path for lib in found if lib.name == "libx.so"] == [f"{tmp_path}/link/libx.so"]
