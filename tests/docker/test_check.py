"""What ``elfpack check`` says of a tar is what becomes of a container of it, in the same words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docker.engine import Engine, run
from tests.docker.packing import PROJECT, build, elfpack, layer

_NAME = "elfpack-test-check"


def _check(path: Path | str) -> tuple[int, list[dict[str, str]]]:
    done = elfpack(["check", str(path), "--format", "json"], Path("/"))
    return done.status, json.loads(done.stdout)["findings"]


def _rewritten(path: Path, change: Callable[[tarfile.TarInfo], bytes | bool]) -> None:
    """A tar without the members for which ``change`` says no, or with other content."""
    out = BytesIO()
    with tarfile.open(path) as old, tarfile.open(fileobj=out, mode="w") as new:
        for member in old:
            kept = change(member)
            if kept is False:
                continue
            content = old.extractfile(member).read() if member.isfile() else b""  # type: ignore[union-attr]
            if isinstance(kept, bytes):
                content, member.size = kept, len(kept)
            new.addfile(member, BytesIO(content))
    path.write_bytes(out.getvalue())


def _drop(text: str) -> Callable[[tarfile.TarInfo], bytes | bool]:
    return lambda member: text not in member.name


def _put(text: str, content: bytes) -> Callable[[tarfile.TarInfo], bytes | bool]:
    return lambda member: content if text in member.name and member.isfile() else True


def _mode(text: str, mode: int) -> Callable[[tarfile.TarInfo], bytes | bool]:
    def change(member: tarfile.TarInfo) -> bool:
        if text in member.name and member.isfile():
            member.mode = mode
        return True

    return change


class Row(NamedTuple):
    name: str
    change: Callable[[tarfile.TarInfo], bytes | bool]
    code: str
    args: tuple[str, ...] = ()
    """The entrypoint, where it is not the program."""


ROWS = [
    Row("library deleted", _drop("libgreet"), "missing-library"),
    Row("library that is text", _put("libgreet", b"INPUT(-lgreet)\n" * 9), "loader-refuses"),
    Row("library that is empty", _put("libgreet", b""), "loader-refuses"),
    Row("interpreter deleted", _drop("usr/lib/x86_64-linux-gnu/ld-"), "dangling-link"),
    Row("link of the interpreter deleted", _drop("lib64/ld-"), "missing-interpreter"),
    Row("interpreter that is text", _put("/ld-linux", b"text\n" * 99), "bad-interpreter"),
    Row("interpreter without the bit", _mode("/ld-linux", 0o644), "not-executable"),
    Row("script's interpreter deleted", _drop("bin/busybox"), "missing-interpreter", ("/run",)),
    Row(
        "script's interpreter without the bit",
        _mode("bin/busybox", 0o644),
        "not-executable",
        ("/run",),
    ),
]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A program with a library of its own, and a script of another program."""
    build(
        (
            "gcc -shared -fPIC -o libgreet.so {src}/greet.c",
            "gcc -o greeter {src}/greeter.c -L. -lgreet -Wl,-rpath,/",
        ),
        tmp_path,
    )
    (tmp_path / "run").write_text("#!/bin/busybox true\n")
    (tmp_path / "run").chmod(0o755)
    return tmp_path


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    yield _NAME
    run(["docker", "rmi", "--force", _NAME], Path("/"))


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_says_what_becomes_of_it(row: Row, here: Path, image: str) -> None:
    layer("./greeter ./run --add libgreet.so --library-path {here}", "x.tar", here)
    assert _check(here / "x.tar") == (0, [])
    _rewritten(here / "x.tar", row.change)
    status, findings = _check(here / "x.tar")
    assert status == 1
    subject = row.args[0] if row.args else "/greeter"
    (told,) = [f for f in findings if f["path"] == subject]
    assert told["code"] == row.code
    made = run(["docker", "import", "x.tar", image], here)
    assert made.status == 0, made
    words = ["docker", "run", "--rm", "--network", "none", image, subject]
    said = run(words, here)
    assert said.status != 0
    heard = (said.stdout + said.stderr).decode()
    assert told["quote"].lower() in heard.lower(), heard


def test_version_that_is_missing(here: Path, image: str) -> None:
    """A program that was linked with a later version of its library."""
    versions = here / "map"
    for number in (1, 2):
        versions.write_text(
            "V1 { global: greet; };\n" + "V2 { global: more; } V1;\n" * (number - 1)
        )
        more = "int more(void) { return 0; }\n" if number == 2 else ""
        (here / "v.c").write_text("int greet(void) { return 0; }\n" + more)
        recipe = "gcc -shared -fPIC -Wl,-soname,libv.so -Wl,--version-script=map -o {} v.c"
        build((recipe.format("libv.so" if number == 2 else "old.so"),), here)
    (here / "m.c").write_text("int more(void); int main(void) { return more(); }\n")
    build(("gcc -o main m.c libv.so -Wl,-rpath,/",), here)
    layer("./main --library-path {here}", "x.tar", here)
    assert _check(here / "x.tar") == (0, [])
    _rewritten(here / "x.tar", _put("libv.so", (here / "old.so").read_bytes()))
    status, (told,) = _check(here / "x.tar")
    assert (status, told["code"]) == (1, "missing-version")
    assert run(["docker", "import", "x.tar", image], here).status == 0
    said = run(["docker", "run", "--rm", "--network", "none", image, "/main"], here)
    assert told["quote"] in said.stderr.decode(), said


def _imported(here: Path, image: str, *changes: str) -> None:
    layer("./greeter --library-path {here}", "x.tar", here)
    words = [word for change in changes for word in ("--change", change)]
    done = run(["docker", "import", *words, "x.tar", image], here)
    assert done.status == 0, done


def test_saved_image(here: Path, image: str) -> None:
    _imported(here, image, 'ENTRYPOINT ["/greeter"]')
    assert run(["docker", "save", "-o", "saved.tar", image], here).status == 0
    assert _check(here / "saved.tar") == (0, [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ('ENTRYPOINT ["/nope"]', "missing-entrypoint"),
        ('CMD ["nope"]', "missing-entrypoint"),
        ('ENTRYPOINT ["/usr"]', "not-executable"),
        ("USER somebody", "missing-user"),
    ],
)
def test_saved_image_that_does_not_start(change: str, code: str, here: Path, image: str) -> None:
    _imported(here, image, *(["CMD /greeter"] if "USER" in change else []), change)
    assert run(["docker", "save", "-o", "saved.tar", image], here).status == 0
    status, findings = _check(here / "saved.tar")
    told = next(f for f in findings if f["code"] == code)
    assert status == 1
    said = run(["docker", "run", "--rm", "--network", "none", image], here)
    assert told["quote"] in said.stderr.decode(), said


@pytest.mark.parametrize(
    "form", ["oci:{here}/copy:1", "oci-archive:{here}/copy:1", "docker-archive:{here}/copy:a:1"]
)
def test_copy_by_skopeo(form: str, here: Path, image: str) -> None:
    """Layers are compressed by it."""
    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    _imported(here, image, 'ENTRYPOINT ["/greeter"]')
    assert run(["docker", "save", "-o", "saved.tar", image], here).status == 0
    target = form.replace("{here}", str(here))
    copy = ["skopeo", "--insecure-policy", "copy", "docker-archive:saved.tar", target]
    done = run(copy, here)
    assert done.status == 0, done
    assert _check(here / "copy") == (0, [])


def test_layers_with_whiteouts(here: Path, image: str) -> None:
    """A layer that an engine wrote: a file of the one below is gone."""
    layer("./greeter /bin/busybox --add libgreet.so --library-path {here}", "x.tar", here)
    assert run(["docker", "import", "x.tar", image], here).status == 0
    name = "elfpack-test-check-container"
    remove = ["docker", "run", "--name", name, "--network", "none", image]
    done = run([*remove, "/bin/busybox", "rm", "/libgreet.so"], here)
    try:
        assert done.status == 0, done
        change = 'ENTRYPOINT ["/greeter"]'
        assert run(["docker", "commit", "--change", change, name, image], here).status == 0
    finally:
        run(["docker", "rm", "--force", name], here)
    assert run(["docker", "save", "-o", "saved.tar", image], here).status == 0
    status, (told,) = _check(here / "saved.tar")
    assert (status, told["code"], told["path"]) == (1, "missing-library", "/greeter")
    said = run(["docker", "run", "--rm", "--network", "none", image], here)
    assert told["quote"] in said.stderr.decode(), said


def test_export_through_a_pipe(here: Path, image: str) -> None:
    _imported(here, image)
    name = "elfpack-test-check-export"
    assert run(["docker", "create", "--name", name, image, "/greeter"], here).status == 0
    try:
        with subprocess.Popen(["docker", "export", name], stdout=subprocess.PIPE) as export:
            done = subprocess.run(
                [sys.executable, "-m", "elfpack", "check", "-"],
                stdin=export.stdout,
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
                capture_output=True,
                check=False,
            )
    finally:
        run(["docker", "rm", "--force", name], here)
    assert (done.returncode, done.stdout) == (0, b""), done
