"""The ways in which a program breaks that was packed naively: it, its interpreter, what ldd lists.

Each is shown by a row of a table here (``case=``), or elsewhere, or there is a reason why not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from elfpack.runtime import module
from tests.docker.program import Program

TESTS = Path(__file__).parents[1]

CASES: Final[dict[int, str]] = {
    1: "the interpreter is absent",
    2: "a library is found only through ld.so.conf.d or LD_LIBRARY_PATH",
    3: "pthread_cancel opens libgcc_s.so.1",
    4: "pthread_exit opens libgcc_s.so.1",
    5: "backtrace opens libgcc_s.so.1",
    6: "a program behind /etc/alternatives finds its libraries from its real path",
    7: "a program of many names, run under its own",
    8: "a library for a better CPU",
    9: "a program for another machine",
    10: "a program for musl on a machine with glibc",
    11: "static and static-pie programs",
    12: "a static program that looks names up",
    13: "a script with #!/usr/bin/env",
    14: "RUNPATH is not inherited, and the order of loading decides",
    15: "libraries of two classes on one path",
    16: "a library in a directory that a RUNPATH names",
    17: "a program that was linked with a later libc",
    18: "a new libc over an old interpreter",
    19: "a directory in place of a link of a merged /usr",
    20: "a program with file capabilities",
    21: "a setuid program",
    22: "a library that the machine must provide",
    23: "a library that is opened by its name",
    24: "libraries of a dlopen metadata note",
    25: "accounts by uid: id",
    26: "accounts by uid: ssh",
    27: "accounts by uid: psql",
    28: "PAM: su",
    29: "look-ups with a glibc before 2.34",
    30: "look-ups with a glibc from 2.34 on",
    31: "the host's own nsswitch.conf",
    32: "services and protocols",
    33: "a time zone",
    34: "character set converters",
    35: "a locale",
    36: "a UTF-8 locale for a terminal's program",
    37: "descriptions of terminals",
    38: "a shell for system() and popen()",
    39: "/tmp",
    40: "/dev/shm",
    41: "certificates: curl",
    42: "helpers: git over https",
    43: "OpenSSL's legacy provider",
    44: "OpenSSL's configuration, a link",
    45: "the Java machine",
    46: "Python's library",
    47: "find_library() of Python",
    48: "PHP's extensions",
    49: "Ruby's library",
    50: "Perl's modules",
    51: "look-ups of Node",
    52: "nginx: configuration, accounts, modules, directories",
    53: "PostgreSQL: a shell, templates, libraries",
    54: "file's magic",
    55: "nmap's data",
    56: "Ghostscript's resources",
    57: "Tcl's library",
    58: "gdb's Python",
    59: "iptables' matches",
    60: "GStreamer's plug-ins",
    61: "fonts",
    62: "vim's runtime files",
    63: "SASL's mechanisms",
    64: "Qt's platform plug-ins",
    65: "gdk-pixbuf's loaders",
    66: "CUDA's driver",
    67: "protocols for Haskell's network library",
}


class Elsewhere(NamedTuple):
    """A test in another file."""

    file: str
    """Below ``tests``."""
    text: str
    """What stands in it."""


ELSEWHERE: Final[dict[int, Elsewhere]] = {
    1: Elsewhere("docker/test_check.py", '"link of the interpreter deleted"'),
    2: Elsewhere("docker/test_search_path.py", '"ld.so.conf.d"'),
    9: Elsewhere("docker/test_images.py", "test_of_another_machine"),
    11: Elsewhere("docker/rows.py", '"static-pie"'),
    14: Elsewhere("oracle/rows.py", '"runpath is not inherited"'),
    15: Elsewhere("oracle/rows.py", 'skipped("wrong class"'),
    17: Elsewhere("docker/test_check.py", "test_version_that_is_missing"),
    20: Elsewhere("docker/test_privileges.py", "test_kept"),
    21: Elsewhere("docker/test_privileges.py", "test_kept"),
    23: Elsewhere("docker/test_dlopen.py", "--with dlopen=strings"),
    24: Elsewhere("docker/test_dlopen.py", '"recommended by default"'),
    29: Elsewhere("docker/test_older_glibc.py", "getent"),
}

BY_MODULE: Final[dict[int, str]] = {41: "certs"}
"""Shown by the tests of a module, ``docker/test_NAME.py``."""

NOT_SHOWN: Final[dict[int, str]] = {
    18: "a layer is a whole root: libc and interpreter come from one, and none goes over another",
    19: "a layer is a whole root; its links stay links (row 'hello:/lib/hello')",
}


def shown(rows: Sequence[Program]) -> dict[int, str | None]:
    """By what each case is shown, or why it is not; None for nothing of it."""
    return {number: _rows(number, rows) or _other(number) for number in CASES}


def _rows(number: int, rows: Sequence[Program]) -> str:
    return ", ".join(row.name for row in rows if number in row.case)


def _other(number: int) -> str | None:
    if number in ELSEWHERE:
        file, text = ELSEWHERE[number]
        return file if text in (TESTS / file).read_text(encoding="utf-8") else None
    name = BY_MODULE.get(number)
    if name is not None and (module(name) is None or (TESTS / f"docker/test_{name}.py").exists()):
        return f"module {name}"
    return NOT_SHOWN.get(number)


def told(rows: Sequence[Program]) -> list[str]:
    """By what the cases are shown, by number, and why others are not."""
    here = [str(number) for number in CASES if _rows(number, rows)]
    lines = [f"ways to break, of {len(CASES)}, shown by these rows: {', '.join(here)}"]
    for number in CASES:
        if str(number) not in here:
            lines.append(f"{number}, {CASES[number]}: {_other(number)}")
    return lines
