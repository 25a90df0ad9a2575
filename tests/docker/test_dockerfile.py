"""The README's Dockerfile, built as it stands. Its base is a small Debian with a compiler, made
here, under the name that the README uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.engine import Engine, required, run
from tests.docker.packing import PROJECT, SOURCES, need

BASE = "gcc"
PACKAGES = "gcc,libc6-dev,make,python3"
RELEASE = "bookworm"


def dockerfile() -> str:
    readme = (PROJECT / "README.md").read_text()
    found = re.search(r"^```dockerfile\n(.*?)^```$", readme, re.M | re.S)
    assert found is not None, "the README has a Dockerfile"
    return found[1]


@pytest.fixture(scope="module")
def base(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Debian with a compiler as an image."""
    need("mmdebstrap")
    here = tmp_path_factory.mktemp("debian")
    known = run(["docker", "image", "inspect", BASE], here).status == 0
    if not known:
        made = run(
            ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, "root.tar"], here
        )
        if made.status:
            (pytest.fail if required() else pytest.skip)(f"no Debian can be had: {made}")
        done = run(["docker", "import", "root.tar", BASE], here)
        assert done.status == 0, done
        (here / "root.tar").unlink()
    yield BASE
    if not known:
        run(["docker", "rmi", "--force", BASE], here)


def test_readme(base: str, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile())
    (tmp_path / "Makefile").write_text("server: server.c\n\tcc -O2 -o server server.c\n")
    shutil.copyfile(SOURCES / "hello.c", tmp_path / "server.c")
    tool = [sys.executable, str(PROJECT / "tools/pyz.py"), str(tmp_path / "elfpack.pyz")]
    subprocess.run(tool, check=True, timeout=60)
    name = "elfpack-test-readme"
    build = ["docker", "build", "--network", "none", "--tag", name, "."]
    done = run(build, tmp_path, {"DOCKER_BUILDKIT": "0", **_docker_environment()})
    assert done.status == 0, done
    try:
        said = run(["docker", "run", "--rm", "--network", "none", name, "from scratch"], tmp_path)
        assert said[:2] == (1, b"hello, world\nfrom scratch\n"), said
        size = run(["docker", "image", "inspect", "--format", "{{.Size}}", name], tmp_path)
        assert int(size.stdout) < 3_000_000
    finally:
        run(["docker", "rmi", "--force", name], tmp_path)


def _docker_environment() -> dict[str, str]:
    names = ("DOCKER_HOST", "PATH", "HOME")
    return {name: os.environ[name] for name in names if name in os.environ}
