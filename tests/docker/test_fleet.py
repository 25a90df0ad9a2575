"""examples/fleet.py: a report on the images of an engine, by worker processes."""

from __future__ import annotations

import json
import os
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from elfpack import Session
from tests.contract.tree import static, system
from tests.docker.engine import Engine, Outcome, required, run
from tests.docker.packing import PROJECT, build, elfpack

EXAMPLE = PROJECT / "examples/fleet.py"
PATIENCE = 120


class Fleet(NamedTuple):
    """Small images of an engine."""

    here: Path
    good: str
    also: str
    """The same layer, with another configuration that changes nothing."""
    elsewhere: str
    """The same layer, where LD_LIBRARY_PATH could change what is found."""
    broken: str
    static: str

    @property
    def all(self) -> tuple[str, ...]:
        return self.good, self.also, self.elsewhere, self.broken, self.static


RECIPE = (
    "gcc -O2 -o {here}/hello {here}/hello.c",
    "gcc -O2 -static -o {here}/static {here}/hello.c",
    "gcc -shared -fPIC -o {here}/libgone.so {here}/gone.c",
    "gcc -o {here}/user {here}/user.c -L{here} -lgone",
)


@pytest.fixture(name="fleet", scope="module")
def _fleet(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    if find_spec("distributed") is None:
        (pytest.fail if required() else pytest.skip)("dask[distributed] is not installed")
    here = tmp_path_factory.mktemp("fleet")
    (here / "hello.c").write_text("int main(void) { return 0; }\n")
    (here / "gone.c").write_text("int gone(void) { return 0; }\n")
    (here / "user.c").write_text("int gone(void); int main(void) { return gone(); }\n")
    build(RECIPE, here)
    mark = f"elfpack-test-{uuid.uuid4().hex}"
    fleet = Fleet(here, *(f"{mark}/{name}:1" for name in Fleet._fields[1:]))
    with ExitStack() as stack:
        for request, name in (
            ("./hello", fleet.good),
            ("./hello --env A=b", fleet.also),
            ("./hello --env LD_LIBRARY_PATH=/nowhere", fleet.elsewhere),
            ("./user --allow-missing libgone.so", fleet.broken),
            ("./static", fleet.static),
        ):
            done = elfpack(["image", *shlex.split(request), "-t", name, "-o", "image.tar"], here)
            assert done.status == 0, str(done)
            loaded = run(["docker", "load", "-i", "image.tar"], here)
            assert loaded.status == 0, str(loaded)
            stack.callback(run, ["docker", "rmi", "--force", name], here)
        yield fleet


def _scan(fleet: Fleet, *words: str) -> tuple[Outcome, dict[str, dict[str, Any]], list[str]]:
    """The example as it is used: how it ended, its reports by the image, and what the engine's
    client was asked."""
    scratch, tools = fleet.here / "tmp", fleet.here / "bin"
    for directory in (scratch, tools):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
    real, log = shutil.which("docker"), fleet.here / "asked"
    log.write_text("")
    client = tools / "docker"
    client.write_text(f'#!/bin/sh\necho "$*" >>{shlex.quote(str(log))}\nexec {real} "$@"\n')
    client.chmod(0o755)
    path = f"{tools}:{os.environ['PATH']}"
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "TMPDIR": str(scratch), "PATH": path}
    report = fleet.here / "report.json"
    report.unlink(missing_ok=True)
    done = run([sys.executable, str(EXAMPLE), "--json", str(report), *words], fleet.here, env)
    assert list(scratch.iterdir()) == [], "something was left behind"
    read = json.loads(report.read_text()) if report.exists() else []
    return done, {name: one for one in read for name in one["images"]}, log.read_text().split("\n")


def test_report(fleet: Fleet) -> None:
    done, reports, asked = _scan(fleet, "--workers", "2", *fleet.all, fleet.good)
    assert done.status == 1, str(done)
    assert set(reports) == set(fleet.all)
    assert reports[fleet.broken]["missing"] == {"/user": ["libgone.so"]}
    for name in set(fleet.all) - {fleet.broken}:
        assert reports[name]["missing"] == {}
    for report in reports.values():
        assert report["programs"] == 1
        assert report["faults"] == {}
    assert reports[fleet.static]["needs"] == {}
    assert list(reports[fleet.good]["needs"]) == ["GLIBC"]
    assert f"{fleet.broken}: programs: 1, with faults: 1, needs glibc 2." in str(done)
    # Each tree is saved once, those that share a layer together.
    assert reports[fleet.good] == reports[fleet.also]
    saves = [line.split()[4:] for line in asked if line.startswith("save ")]
    assert sorted(map(len, saves)) == [1, 1, 2]
    assert sorted(name for names in saves for name in names) == sorted(
        set(fleet.all) - {max(fleet.good, fleet.also)}
    )


def test_what_a_script_lacks(tmp_path: Path) -> None:
    """What ``deps`` calls missing is missing here. Needs no engine."""
    pytest.importorskip("distributed")
    files: dict[str, bytes | str | None] = {
        "/one": "#!/no/such\n",
        "/two": "#!/bin/env no-such-command\n",
        "/bin/env": static(),
    }
    with Session(system(tmp_path, files)) as session:
        missing = runpy.run_path(str(EXAMPLE))["_report"](session)["missing"]
    assert missing == {"/one": ["/no/such"], "/two": ["no-such-command"]}


def test_one_image_that_is_well(fleet: Fleet) -> None:
    done, reports, _ = _scan(fleet, "--workers", "1", fleet.good)
    assert done.status == 0, str(done)
    assert set(reports) == {fleet.good}


def test_image_that_does_not_exist(fleet: Fleet) -> None:
    done, reports, _ = _scan(fleet, fleet.good, "elfpack-test-none")
    assert (done.status, reports) == (2, {})
    assert b"Traceback" not in done.stderr
    assert b"elfpack-test-none" in done.stderr


def test_image_without_a_tag(fleet: Fleet) -> None:
    """Another one got its tag."""
    asked = ["docker", "image", "inspect", "--format", "{{.Id}}", fleet.static]
    identity = run(asked, fleet.here).stdout.decode().strip()
    retag = ["docker", "tag", fleet.broken, fleet.static]
    assert run(retag, fleet.here).status == 0
    try:
        done, reports, _ = _scan(fleet, "--workers", "1", identity, fleet.static)
    finally:
        run(["docker", "tag", identity, fleet.static], fleet.here)
    assert done.status == 1, str(done)
    assert reports[identity]["missing"] == {}
    assert reports[fleet.static]["missing"] == {"/user": ["libgone.so"]}


@contextmanager
def _cluster(here: Path) -> Iterator[str]:
    """A scheduler and a worker, as on other machines."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "DASK_TEMPORARY_DIRECTORY": str(here)}
    scheduler = ("scheduler", "--no-dashboard", "--host", "127.0.0.1", "--port", str(port))
    worker = ("worker", "--no-dashboard", "--no-nanny", "--nthreads", "1", address)
    started = []
    try:
        for words in (scheduler, worker):
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "dask", *words],
                    env=env,
                    cwd=here,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
            time.sleep(0.1)
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(PATIENCE)


def test_the_same_on_a_cluster(fleet: Fleet) -> None:
    with _cluster(fleet.here) as address:
        done, reports, _ = _scan(fleet, "--scheduler", address, *fleet.all)
    assert done.status == 1, str(done)
    _, own, _ = _scan(fleet, "--workers", "1", *fleet.all)
    assert reports == own
