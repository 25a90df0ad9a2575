"""``elfpack deps -`` and ``--from-file``: lists of programs, answered while they are read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import COMMAND, PATIENCE, Ran, elfpack, environment, one_error, well_spoken
from tests.contract.tree import LIBC, library, plant, program, static, system

FORMS = ("ldd", "tree", "paths", "json", "dot")
BLOCK = ["\tstatically linked"]


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    return system(
        tmp_path / "root",
        {
            "/bin/good": program("liba.so.1", LIBC),
            "/bin/bad": program("libgone.so.1", LIBC),
            "/bin/static": static(),
            "/bin/other": static(),
            "/bin/text": "just text\n",
            "/lib/liba.so.1": library("liba.so.1", LIBC),
            "-": static(),
            "-q": static(),
            "a:b": static(),
        },
    )


def _piped(root: Path, raw: bytes, *arguments: str) -> Ran:
    """A run with ``raw`` as its standard input."""
    reading, writing = os.pipe()
    os.write(writing, raw)
    os.close(writing)
    try:
        ran = elfpack("deps", "--root", root, *arguments, stdin=reading)
    finally:
        os.close(reading)
    well_spoken(ran)
    return ran


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("more", [(), ("--symbols",), ("-v",)])
def test_as_if_they_were_arguments(form: str, more: tuple[str, ...], root: Path) -> None:
    names = ["/bin/good", "/bin/bad", "/bin/text", "/bin/static", "/bin/good"]
    named = elfpack("deps", "--root", root, *more, "--format", form, *names)
    assert named.status == 2
    for raw in ("\n".join(names), "\0".join([*names, ""])):
        assert _piped(root, raw.encode(), *more, "--format", form, "-") == named
        (root / "list").write_text(raw)
        for words in (["--from-file", str(root / "list")], [*names[:2], "-"]):
            if words[-1] == "-":
                raw = raw.replace("/bin/good", "", 1).replace("/bin/bad", "").lstrip("\n\0")
            assert _piped(root, raw.encode(), *more, "--format", form, *words) == named


def test_why(root: Path) -> None:
    ran = _piped(root, b"/bin/good\n/bin/static\n", "--why", LIBC, "-")
    assert ran.status == 1
    assert ran.out[0] == "/bin/good:"
    assert ran.said("error")[0].startswith("/bin/static: ")


def test_one_name_is_several(root: Path) -> None:
    assert _piped(root, b"/bin/static\n", "-").out == ["/bin/static:", *BLOCK]


def test_in_the_order_given(root: Path) -> None:
    (root / "list").write_text("/bin/good\n")
    words = ["--from-file", str(root / "list"), "/bin/static", "-", "/bin/static"]
    ran = _piped(root, b"/bin/other", "--exclude", "*", *words)
    headings = [line for line in ran.out if line.endswith(":")]
    assert headings == ["/bin/static:", "/bin/other:", "/bin/static:", "/bin/good:"]


def test_names_are_no_options(root: Path) -> None:
    ran = _piped(root, b"-\n-q\na:b\n", "-")
    assert (ran.status, ran.out) == (0, ["-:", *BLOCK, "-q:", *BLOCK, "a:b:", *BLOCK])
    assert _piped(root, b"/bin/bad", "./-").out == BLOCK


@pytest.mark.parametrize("form", FORMS)
def test_nothing_in_it(form: str, root: Path) -> None:
    ran = _piped(root, b"\n", "--format", form, "-")
    assert (ran.status, ran.err) == (0, [])
    if form == "json":
        empty = {"schema": "elfpack.deps/1", "programs": [], "errors": []}
        assert json.loads(ran.stdout) == empty
    elif form == "dot":
        assert (ran.out[0], ran.out[-1]) == ("digraph elfpack {", "}")
    else:
        assert ran.out == []


def test_empty_name(root: Path) -> None:
    ran = _piped(root, b"/bin/static\0\0/bin/static\0", "--format", "json", "-")
    assert ran.status == 2
    assert ran.said("error") == ["'': names no file (check the name)"]
    document = json.loads(ran.stdout)
    assert len(document["programs"]) == 2
    assert document["errors"] == [{"path": "", "message": "names no file"}]


def test_carriage_return(root: Path) -> None:
    ran = _piped(root, b"/bin/static\r\n", "-")
    assert "Unix line ends" in one_error(ran, 2, "/bin/static\\x0d")


def test_name_that_is_not_utf8(root: Path) -> None:
    name = os.fsdecode(b"/bin/\xff")
    plant(root, {name: static()})
    assert _piped(root, os.fsencode(name), "-").stdout.startswith(b"/bin/\xff:\n")


def test_name_longer_than_any_path(root: Path) -> None:
    ran = _piped(root, b"a" * 50_000 + b"\n/bin/static", "-")
    assert ran.status == 2
    assert ran.out == ["/bin/static:", *BLOCK]
    (error,) = ran.said("error")
    assert "name too long" in error
    assert len(error) < 200


# What cannot be read


def test_list_that_is_not_there(tmp_path: Path) -> None:
    name = str(tmp_path / "list")
    assert "no such file" in one_error(elfpack("deps", "--from-file", name), 2, name)
    assert "no such file" in one_error(elfpack("deps", "--from-file", ""), 2, "''")


def test_list_that_is_a_directory(tmp_path: Path) -> None:
    ran = elfpack("deps", "/bin/sh", "--from-file", tmp_path)
    assert "directory" in one_error(ran, 2, str(tmp_path))
    assert ran.out == []


def test_list_that_breaks_off(root: Path) -> None:
    """What cannot be read to its end is an error in a whole document. /proc/self/mem has no first
    page, for root either."""
    words = ("--format", "json", "/bin/static", "--from-file", "/proc/self/mem")
    ran = _piped(root, b"", *words)
    assert "input/output error" in ran.said("error")[0]
    document = json.loads(ran.stdout)
    assert (ran.status, len(document["programs"]), len(document["errors"])) == (2, 1, 1)


@pytest.mark.parametrize("words", [["-", "-"], ["-", "--from-file", "-"]])
def test_standard_input_twice(words: list[str], root: Path) -> None:
    assert "twice" in one_error(_piped(root, b"/bin/good", *words), 2, "standard input")


@pytest.mark.parametrize("command", [COMMAND, (str(Path(sys.executable).with_name("elfpack")),)])
def test_standard_input_closed(command: tuple[str, ...]) -> None:
    """Python's own file may have its number then."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command, "deps", "-"],
        capture_output=True,
        env=environment(),
        check=False,
        timeout=PATIENCE,
    )
    ran = Ran(done.returncode, done.stdout, done.stderr)
    assert "closed" in one_error(ran, 2, "standard input")


def test_standard_input_that_would_block(root: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with _running(root, reading) as running:
        os.close(reading)
        os.write(writing, b"/bin/static\n")
        assert _read(running, 2) == ["/bin/static:", *BLOCK]
        os.close(writing)
        assert running.wait(PATIENCE) == 0


def test_terminal(root: Path) -> None:
    master, slave = os.openpty()
    with _running(root, slave) as running:
        os.close(slave)
        os.write(master, b"/bin/static\n")
        assert _read(running, 2) == ["/bin/static:", *BLOCK]
        os.write(master, b"\x04")  # Ctrl-D
        assert running.wait(PATIENCE) == 0
        assert running.stderr is not None
        assert b"elfpack: note: standard input: a terminal" in running.stderr.read()
    os.close(master)


# As they are found


def _running(root: Path, stdin: int, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "deps", "--root", str(root), *arguments, "-"],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )


def _read(running: subprocess.Popen[bytes], lines: int) -> list[str]:
    assert running.stdout is not None
    return [running.stdout.readline().decode().removesuffix("\n") for _ in range(lines)]


FIRST = {
    "ldd": ["/bin/static:", *BLOCK],
    "tree": ["/bin/static"],
    "paths": ["/bin/static"],
    "json": ["{", '  "schema": "elfpack.deps/1",', '  "programs": [', "    {"],
}


@pytest.mark.parametrize("end", [b"\n", b"\0"])
@pytest.mark.parametrize("form", FIRST)
def test_result_before_the_list_ends(form: str, end: bytes, root: Path) -> None:
    """It would wait for ever: nothing more is written before the result is read."""
    with _running(root, subprocess.PIPE, "--format", form) as running:
        assert running.stdin is not None
        os.write(running.stdin.fileno(), b"/bin/static" + end)
        assert _read(running, len(FIRST[form])) == FIRST[form]
        os.write(running.stdin.fileno(), b"/bin/good" + end)
        out, _ = running.communicate(timeout=PATIENCE)
        assert b"/bin/good" in out
        assert running.returncode == 0


def test_fast_list_is_written_in_large_pieces(root: Path, tmp_path: Path) -> None:
    """Counted: 2,000 programs of 31 bytes each are one piece."""
    (root / "list").write_text("/bin/static\n" * 2000)
    code = (
        "import os, sys; from elfpack.cli import main; write = os.write; count = []\n"
        "os.write = lambda fd, raw: (count.append(fd), write(fd, raw))[1]\n"
        "main(sys.argv[1:]); write(2, str(count.count(1)).encode())"
    )
    words = ["deps", "--root", str(root), "--from-file", str(root / "list")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        env=environment(PYTHONPATH=str(Path(__file__).parents[2])),
        check=True,
        timeout=PATIENCE,
    )
    assert len(done.stdout) == 2000 * len("/bin/static:\n\tstatically linked\n")
    assert done.stderr == b"1"


def test_reader_that_goes_away(root: Path) -> None:
    with _running(root, subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        try:
            for _ in range(10_000):
                os.write(running.stdin.fileno(), b"/bin/static\n" * 500)
        except BrokenPipeError:
            pass  # it does not read on
        else:
            pytest.fail("it reads on for nobody")
        running.stdin.close()
        assert running.wait(PATIENCE) == 0
        assert running.stderr.read() == b""


def test_json_of_one_that_fails_is_whole(root: Path) -> None:
    ran = _piped(root, b"/bin/good\n/bin/none\n/bin/text", "--format", "json", "-")
    assert ran.status == 2
    document = json.loads(ran.stdout)
    assert ran.stdout == json.dumps(document, indent=2).encode() + b"\n"
    assert [one["path"] for one in document["programs"]] == ["/bin/good"]
    assert [one["path"] for one in document["errors"]] == ["/bin/none", "/bin/text"]
