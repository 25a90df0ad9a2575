"""What the figures were measured on: nothing that names the machine or says where its files are."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

PEERS = ("ldd", "libtree", "lddtree", "tar", "gzip", "zstd")


def facts(where: str) -> Iterator[str]:
    """A list in Markdown. ``where``: the working directory, for its kind of file system."""
    cores = len(os.sched_getaffinity(0))
    yield f"- {time.strftime('%Y-%m-%d', time.gmtime())}, elfpack {version('elfpack')}"
    yield f"- {_processor()}, {cores} core{'s' if cores > 1 else ''}, {_memory()} GB of memory"
    kernel = re.match(r"[\d.]*", os.uname().release)
    system = platform.freedesktop_os_release().get("PRETTY_NAME", "?")
    yield f"- {system}, Linux {kernel[0] if kernel else '?'}, files on {_file_system(where)}"
    libc = os.confstr("CS_GNU_LIBC_VERSION") or "no glibc"
    python, click = platform.python_version(), version("click")
    yield f"- {libc}, Python {python}, click {click}"
    yield "- " + ", ".join(_peer(name) for name in PEERS)


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)", text, re.M)
    return model[1] if model else platform.machine()


def _memory() -> int:
    total = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    return round(int(total[1]) / 1e6) if total else 0


def _file_system(where: str) -> str:
    """Of the longest mount point above it."""
    best, kind = "", "?"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, this, *_ = line.split()
        if os.path.realpath(where).startswith(point) and len(point) >= len(best):
            best, kind = point, this
    return kind


def _peer(name: str) -> str:
    if shutil.which(name) is None:
        return f"{name} is not installed"
    if name == "lddtree":
        return f"lddtree of pax-utils{_package('pax-utils')}"
    done = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"\d+\.[\d.]+", done.stdout + done.stderr)
    return f"{name} {number[0]}" if number else name


def _package(name: str) -> str:
    if shutil.which("dpkg-query") is None:
        return ""
    command = ["dpkg-query", "-f", "${Version}", "-W", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f" {done.stdout.partition('-')[0]}" if done.returncode == 0 else ""
