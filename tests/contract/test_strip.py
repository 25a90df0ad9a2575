"""``--strip``: which files of a layer get smaller, what is said of it, and what is left alone."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tests.cli import Ran, elfpack, environment, one_error, well_spoken
from tests.contract.tree import (
    LIBC,
    Content,
    content,
    library,
    members,
    plant,
    program,
    run,
    static,
    system,
    tar,
)
from tests.elfbuild import elf

FIXTURES = Path(__file__).parents[1] / "fixtures"
SYMBOLS = ["main", "a_function_of_some_name"]
APP = program("libx.so.1", LIBC, functions=SYMBOLS)
PAYLOAD = b"PK\x03\x04 the archive behind a self-extracting program"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    files: dict[str, Content] = {
        "/bin/app": APP,
        "/lib/libx.so.1": library("libx.so.1", LIBC, functions=SYMBOLS),
        "/lib/libc.so.6": library(LIBC, "ld-linux-x86-64.so.2"),
    }
    return system(tmp_path / "root", files)


def _layer(root: Path, *arguments: str) -> tuple[Ran, dict[str, int], bytes]:
    """A run, and the sizes of the regular files of its layer."""
    ran = elfpack("layer", "--root", root, *arguments, "-o", "-")
    well_spoken(ran)
    assert ran.status == 0, ran.err
    return ran, {p: m.size for p, m in members(ran.stdout).items() if m.isreg()}, ran.stdout


def test_symbols_are_gone(root: Path) -> None:
    plain = _layer(root, "/bin/app")[1]
    ran, sizes, raw = _layer(root, "/bin/app", "--strip")
    assert sizes.keys() == plain.keys()
    for path in ("/bin/app", "/lib/libx.so.1"):
        assert SYMBOLS[1].encode() not in content(raw, path)
        assert b".symtab" not in content(raw, path)
        assert sizes[path] < plain[path]
    saved = sum(plain.values()) - sum(sizes.values())
    notes = [n for n in ran.said("note") if n.startswith("--strip: ")]
    assert notes == [f"--strip: {_changed(plain, sizes)} files, {saved:,} bytes less"]


def _changed(before: dict[str, int], after: dict[str, int]) -> int:
    return sum(before[path] != after[path] for path in before)


def test_nothing_to_drop(tmp_path: Path) -> None:
    plant(tmp_path, {"app": (FIXTURES / "bare/static").read_bytes()})
    ran = elfpack("layer", "./app", "--strip", "-o", "-", cwd=tmp_path)
    assert content(ran.stdout, "app") == (tmp_path / "app").read_bytes()
    assert "--strip: no file gets smaller by it" in ran.said("note")


def test_a_real_program(tmp_path: Path) -> None:
    plant(tmp_path, {"app": static(), "debug": (FIXTURES / "x86_64/debug").read_bytes()})
    made = tar("./app", "--add", "debug", "--allow-missing=*", "--strip", cwd=tmp_path)
    found = content(made, "debug")
    assert len(found) <= (FIXTURES / "x86_64/hello").stat().st_size
    assert b".debug_info" not in found


def test_dry_run_tells_the_sizes_that_are_written(root: Path) -> None:
    _, sizes, _ = _layer(root, "/bin/app", "--strip")
    ran = elfpack("layer", "--root", root, "/bin/app", "--strip", "--dry-run", "--format", "json")
    document = json.loads(ran.stdout)
    assert {e["path"]: e["size"] for e in document["entries"] if e["type"] == "file"} == sizes
    assert document["size"] == sum(sizes.values())
    assert [f["code"] for f in document["findings"]] == ["stripped"]


def test_equal_input_gives_equal_bytes(root: Path) -> None:
    assert _layer(root, "/bin/app", "--strip")[2] == _layer(root, "/bin/app", "--strip")[2]


def test_what_is_packed_can_be_packed_again(root: Path, tmp_path: Path) -> None:
    ran = elfpack("layer", "--root", root, "/bin/app", "--strip", "-o", f"{tmp_path}/out/")
    assert ran.status == 0, ran.err
    again = elfpack("layer", "--root", tmp_path / "out", "/bin/app", "--strip", "-o", "-")
    assert "--strip: no file gets smaller by it" in again.said("note")
    assert again.stdout == _layer(root, "/bin/app", "--strip")[2]


def test_the_source_stays_as_it_is(root: Path) -> None:
    _layer(root, "/bin/app", "--strip")
    assert (root / "bin/app").read_bytes() == APP


def test_hard_links_stay_one_file(root: Path) -> None:
    os.link(root / "bin/app", root / "bin/same")
    ran = elfpack("layer", "--root", root, "/bin/app", "/bin/same", "--strip", "-o", "-")
    found = members(ran.stdout)
    assert found["/bin/same"].islnk()
    assert len(content(ran.stdout, "/bin/app")) < len(APP)


def test_file_that_changes_is_refused(root: Path, tmp_path: Path) -> None:
    import elfpack as package

    with package.Session(root) as session:
        plan = session.plan(["/bin/app"], strip=True)
        (root / "bin/app").write_bytes(APP + b"more")
        with pytest.raises(package.InputError, match="changed while elfpack worked"):
            plan.write_tar(tmp_path / "out.tar")
    assert not (tmp_path / "out.tar").exists()


# What is left as it is


def _told(ran: Ran) -> list[str]:
    return [n for n in ran.said("note") if "left as it is" in n]


def test_data_behind_a_program_stays(root: Path) -> None:
    raw = APP + PAYLOAD
    plant(root, {"/bin/self": raw})
    ran, _, made = _layer(root, "/bin/self", "--strip")
    assert content(made, "/bin/self") == raw
    (line,) = _told(ran)
    assert re.fullmatch(r"/bin/self: left as it is: \d+ bytes at \d+ are in none .*", line)


def test_broken_section_headers(root: Path) -> None:
    raw = APP[:58] + b"\x29" + APP[59:]
    plant(root, {"/bin/broken": raw})
    ran, _, made = _layer(root, "/bin/broken", "--strip")
    assert content(made, "/bin/broken") == raw
    assert _told(ran) == ["/bin/broken: left as it is: its section headers are broken"]


def test_object_files_are_told_of_in_one_line(root: Path) -> None:
    files = {f"/data/{n}.o": elf(type=1, functions=SYMBOLS, content=bytes((n,))) for n in range(5)}
    plant(root, {**files, "/data/text": "text\n", "/data/half": APP[:99]})
    ran, _, made = _layer(root, "/bin/app", "--add", "/data", "--strip")
    for path, raw in files.items():
        assert content(made, path) == raw
    (line,) = _told(ran)
    assert line.startswith("/data/0.o: left as it is, and so are 4 others: an object file")


def test_look_ups_of_a_static_program_are_seen_in_its_symbols(tmp_path: Path) -> None:
    raw = elf(type=2, functions=["getpwuid"], notes=[("GNU", 1, bytes(16))])
    plant(tmp_path, {"app": raw})
    found = members(tar("./app", "--strip", cwd=tmp_path))
    assert "/etc/passwd" in found
    assert found["/app"].size < len(raw)


# Without lief


def _without_lief(directory: Path) -> dict[str, str | bytes]:
    plant(directory, {"none": None})
    (directory / "none/lief.py").write_text("raise ImportError('none here')\n")
    paths = [
        str(directory / "none"),
        os.environ.get("PYTHONPATH", ""),
        str(Path(__file__).parents[2]),
    ]
    return environment(PYTHONPATH=":".join(filter(None, paths)))


def test_without_lief_only_strip_is_refused(root: Path, tmp_path: Path) -> None:
    env = _without_lief(tmp_path)
    plain = elfpack("layer", "--root", root, "/bin/app", "-o", "-", env=env)
    assert plain.status == 0
    ran = run("layer", "--root", root, "/bin/app", "--strip", cwd=root, env=env)
    fact = one_error(ran, 2, "--strip")
    assert fact == "lief is not installed (pip install lief, or go without --strip)"


def test_without_lief_a_dry_run_says_so_too(root: Path, tmp_path: Path) -> None:
    env = _without_lief(tmp_path)
    ran = elfpack("layer", "--root", root, "/bin/app", "--strip", "--dry-run", env=env)
    one_error(ran, 2, "--strip")
    assert ran.stdout == b""
