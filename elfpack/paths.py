"""Guest paths: absolute paths inside a root, and the one kind of string they are.

A guest path, and every name from an ELF file, is ``str`` decoded as UTF-8 with surrogateescape,
whatever the locale: a name that is not UTF-8 passes through unharmed. Host calls get bytes,
sort keys are bytes. Nothing here touches a file; only ``root/`` turns a guest path into a host's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

PATH_LIMIT = 4096
"""Bytes of a path with its NUL. Source: Linux include/uapi/linux/limits.h, PATH_MAX."""
GONE = "/\0"
"""The working directory of a process whose own was deleted: no file has such a name, and so nothing
that is relative is found."""


def decode(raw: bytes) -> str:
    """``raw`` as the project's one kind of string."""
    return raw.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The bytes that ``text`` was decoded from."""
    return text.encode("utf-8", "surrogateescape")


def is_utf8(text: str) -> bool:
    """False if ``text`` came from bytes that are not UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def parent(path: str) -> str:
    """The directory part, ``/`` for a path in the top directory."""
    return path.rpartition("/")[0] or "/"


def basename(path: str) -> str:
    """The last component."""
    return path.rpartition("/")[2]


def join(directory: str, name: str) -> str:
    """``name`` below ``directory``; an absolute ``name`` stands for itself."""
    if name.startswith("/"):
        return name
    return f"{directory.rstrip('/')}/{name}"


def components(path: str) -> list[str]:
    """The components of a path, without the empty ones and ``.``."""
    return [part for part in path.split("/") if part not in ("", ".")]


def normal(path: str) -> str:
    """``path`` made absolute and free of ``.``, ``..`` and doubled slashes, by its text alone.

    Right only where no component is a link: for a path that the user names as a destination,
    never for one that a loader opens (it leaves ``..`` to the file system).
    """
    kept: list[str] = []
    for part in components(path):
        if part != "..":
            kept.append(part)
        elif kept:
            kept.pop()
    return "/" + "/".join(kept)


def ancestors(path: str) -> Iterator[str]:
    """The directories above a normal path, outermost first, without ``/``."""
    start = 1
    while (slash := path.find("/", start)) > 0:
        yield path[:slash]
        start = slash + 1


def matches(name: str, globs: Iterable[str]) -> bool:
    """Whether a name matches one of these patterns, ``*`` standing for slashes too."""
    return any(_matches(name, glob) for glob in globs)


def _matches(name: str, glob: str) -> bool:
    from fnmatch import fnmatchcase  # few calls have a pattern at all

    return fnmatchcase(name, glob)


def literal(name: str) -> str:
    """The pattern that matches this name alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def sort_key(path: str) -> bytes:
    """The order of entries in an output: by components, as bytes. ``/a/b`` follows ``/a``."""
    # NUL is below all that a component has: one that ends is before one that goes on.
    return encode(path).replace(b"/", b"\0")


def printable(text: str) -> str:
    r"""``text`` with all that could steer a terminal made visible as ``\xNN`` or ``\uNNNN``.

    Control characters (C0, DEL, C1), bytes that are not UTF-8, and the invisible characters that
    change the direction or the look of what follows.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible, text))


def _visible(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if char == " " or char.isprintable():
        return char
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
