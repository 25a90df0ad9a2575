"""The CPU of the machine that elfpack runs on."""

from __future__ import annotations

import os

from elfpack.blob import let_go, refuse_trouble
from elfpack.loader.hwcaps import Facts

_FIRST_PROCESSOR = 8192
"""Bytes of /proc/cpuinfo that hold the first processor's lines."""


def facts() -> Facts:
    """What the kernel tells of it; without /proc no more than its name."""
    return Facts(os.uname().machine, _start("/proc/cpuinfo").decode("ascii", "replace"), _vector())


def _vector() -> bytes:
    # x86 has all of it in cpuinfo.
    return b"" if os.uname().machine in ("x86_64", "i686") else _start("/proc/self/auxv")


def _start(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _FIRST_PROCESSOR)
        finally:
            let_go(descriptor)
    except OSError as e:
        refuse_trouble(e, path)
        return b""  # it is not there, or not for us
