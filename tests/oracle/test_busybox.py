"""The applets of a busybox by its bytes, and as it lists them itself."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from elfpack.blob import FileSource
from elfpack.elf.busybox import read_applets


def _packed(package: str, top: Path) -> Path:
    """The busybox of one of Debian's packages, unpacked, not installed."""
    for command in (("apt-get", "-qq", "download", package), ("sh", "-c", "dpkg -x *.deb tree")):
        done = subprocess.run(command, cwd=top, capture_output=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
    return next(path for path in top.glob("tree/**/bin/busybox") if path.is_file())


@pytest.mark.part("applets of busybox")
@pytest.mark.parametrize("package", ["busybox", "busybox-static"])
def test_applets(package: str, tmp_path: Path) -> None:
    busybox = _packed(package, tmp_path)
    listed = subprocess.run(
        ["busybox", "--list"], executable=busybox, capture_output=True, check=True, timeout=60
    )
    source = FileSource(os.open(busybox, os.O_RDONLY), str(busybox))
    try:
        found = read_applets(source)
    finally:
        source.close()
    assert len(found) > 100
    assert list(found) == listed.stdout.decode().split()
