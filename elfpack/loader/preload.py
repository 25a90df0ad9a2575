"""What is loaded before all else: LD_PRELOAD and ``/etc/ld.so.preload``.

Source: glibc elf/rtld.c, handle_preload_list() and dl_main(); musl ldso/dynlink.c,
load_preload(), which knows no file.
"""

from __future__ import annotations

from elfpack.light import NamedTuple
from elfpack.loader.files import PRELOAD_FILE
from elfpack.paths import decode, encode

VARIABLE = "LD_PRELOAD"
_NAME_LIMIT = 4096
"""Bytes of a name with its NUL, longer ones are none: SECURE_PATH_LIMIT."""
_SECURE_LIMIT = 255
"""The same for a set-id program: SECURE_NAME_LIMIT."""


class Wanted(NamedTuple):
    """One name to be loaded before what the program needs."""

    name: str
    source: str
    """:data:`VARIABLE` or :data:`PRELOAD_FILE`."""


def of_variable(text: str, *, secure: bool = False) -> list[Wanted]:
    """The names in LD_PRELOAD, separated by spaces and colons. A set-id program ignores those
    with a slash."""
    limit = _SECURE_LIMIT if secure else _NAME_LIMIT
    return [
        Wanted(name, VARIABLE)
        for name in text.replace(":", " ").split(" ")
        if name and len(encode(name)) < limit and not (secure and "/" in name)
    ]


def of_file(raw: bytes) -> list[Wanted]:
    """The names in ``/etc/ld.so.preload``, separated by white space and colons."""
    text = _without_comments(raw)
    for delimiter in b":\t\n":
        text = text.replace(bytes((delimiter,)), b" ")
    # A NUL ends the text. What stands behind the last delimiter is read apart.
    before, _, last = text.rpartition(b" ")
    names = [*before.partition(b"\0")[0].split(b" "), last.partition(b"\0")[0]]
    return [Wanted(decode(name), PRELOAD_FILE) for name in names if name]


def _without_comments(raw: bytes) -> bytes:
    """Comments blanked as the loader does it: after each it looks from the start of the file again,
    but only as far as the bytes that were left behind it, so that a later ``#`` can survive."""
    text = bytearray(raw)
    rest = len(text)
    start = 0
    while rest > 0:
        at = text.find(b"#", start, rest)
        if at < 0:
            break
        start = at  # all before it is blank or has none
        rest -= at
        end = text.find(b"\n", at, at + rest)
        end = end if end >= 0 else at + rest
        text[at:end] = b" " * (end - at)
        rest -= end - at
    return bytes(text)
