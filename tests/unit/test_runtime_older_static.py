"""What a static program of a glibc before 2.34 opens to look names up."""

from __future__ import annotations

import re

import pytest

from elfpack.runtime.nss import Nss
from tests.smallview import SmallView, Thing, shown

DIRECTORIES = b"\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0"
OLDER = b"\0libnss_%s.so.%d.%d\0" + DIRECTORIES
LATER = b"\0libnss_%s.so%s\0/etc/ethers\0" + DIRECTORIES
FILES = b"\0_nss_files_getpwnam_r\0"
DNS = b"\0_nss_dns_gethostbyname4_r\0"


def view(content: bytes, symbol: str, **files: bytes) -> SmallView:
    """A root with such a program and such modules."""
    there = {"/usr/lib/ld-linux-x86-64.so.2": b"", "/usr/lib/libc.so.6": b""}
    there |= {f"/usr/lib/libnss_{service}.so.2": text for service, text in files.items()}
    return SmallView((Thing("/exe", (symbol,), content=content, static=True),), None, there)


CASES = [
    (
        "accounts",
        view(OLDER, "getpwnam", files=FILES, dns=DNS),
        ["program files", "file ld-linux-x86-64"],
    ),
    (
        "of 2.33",
        view(OLDER.replace(b".%d.%d", b"%s"), "getpwnam", files=FILES),
        ["program files", "file ld-linux-x86-64"],
    ),
    (
        "hosts",
        view(OLDER, "gethostbyname", files=FILES, dns=DNS),
        ["program files", "program dns", "file ld-linux-x86-64"],
    ),
    ("of 2.34", view(LATER, "getpwnam", files=FILES), []),
    ("nothing to open", view(DIRECTORIES, "getpwnam", files=FILES), []),
    ("none there", view(OLDER, "getpwnam"), ["warning files"]),
    ("an empty one", view(OLDER, "getpwnam", files=b"\0libnss_files.so.2\0"), ["warning files"]),
    ("no directories", view(OLDER[:21], "getpwnam", files=FILES), ["warning files"]),
]


@pytest.mark.parametrize(("seen", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_modules(seen: SmallView, expected: list[str]) -> None:
    lines = shown(Nss().propose(seen, None))
    short = [re.sub(r"/usr/lib/|libnss_|\.so\.2", "", line) for line in lines if ".so" in line]
    assert short == expected


def test_a_requested_one_is_a_fault() -> None:
    assert "fault libnss_files.so.2" in shown(Nss().propose(view(OLDER, "getpwnam"), (("files",),)))
