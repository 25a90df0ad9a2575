"""The log of ``strace``: calls that take the name of a file, with their processes.

Source: strace(1); strace src/strace.c, printleader() and line_ended(); src/util.c,
string_quote() and printfd().
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack import late
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import PATH_LIMIT, decode

if TYPE_CHECKING:
    import re
    from typing import Final

LONGEST: Final = 1 << 20
"""Bytes of a line; a longer one, which only arguments make, is passed over."""
_WAITING = 4096
"""Calls that are kept until their rest comes."""
_INTERRUPTED = 16
"""Lines that a call is told in; one that comes in more, as none does, is passed over."""


class Name(NamedTuple):
    """An argument that names a file."""

    descriptor: bytes
    """Of the directory that a relative name counts from, ``AT_FDCWD`` for the working directory;
    empty if the call takes none."""
    shown: str | None
    """The path with which -y decorates the descriptor."""
    text: str
    """Without escapes. Empty: the descriptor itself is meant."""


class Call(NamedTuple):
    """A call that came back."""

    process: bytes
    """The number of the process or thread; empty in a log of one alone."""
    name: str
    names: tuple[Name, ...]
    words: frozenset[bytes]
    """The ``O_`` and ``AT_`` constants among its arguments."""
    result: bytes
    """The number that it gave, empty if it failed or never came back."""
    real: str | None
    """The path with which -y decorates that number."""
    error: bytes
    """``ENOENT``."""


class Ended(NamedTuple):
    """A process or thread is no more."""

    process: bytes


class Started(NamedTuple):
    """A process or thread has a parent."""

    process: bytes
    parent: bytes
    thread: bool
    """It has the working directory and the descriptors of its parent, no copy of them."""


CALLS: Final[dict[str, int]] = dict.fromkeys(
    (
        *("open", "openat", "openat2", "creat", "execve", "execveat", "chdir", "fchdir", "getcwd"),
        *("access", "faccessat", "faccessat2", "stat", "stat64", "newfstatat", "fstatat64"),
        *("statx", "statfs", "statfs64", "getxattr", "listxattr", "inotify_add_watch"),
        *("name_to_handle_at", "lstat", "lstat64", "readlink", "readlinkat", "lgetxattr"),
        *("llistxattr", "mkdir", "mkdirat", "mknod", "mknodat", "chroot"),
    ),
    1,
) | dict.fromkeys(
    ("link", "linkat", "symlink", "symlinkat", "rename", "renameat", "renameat2"),
    2,
)
"""The calls that are read, and how many names they take."""
_NAMES = {name.encode(): name for name in CALLS}
_STARTING = (b"clone", b"clone2", b"clone3", b"fork", b"vfork")

# A process's number (-f; -Y puts a name behind it), up to four columns (-t, -tt, -ttt, -r; -n and
# -i in brackets), then a call, the rest of one, a signal or an end.
_LINE = late.pattern(
    rb"(?:\[pid\s+(\d+)(?:<[^>]*>)?\]\s+|(\d+)(?:<[^>]*>)?\s+|\s*)"
    rb"(?:(?:\+?\d[\d:]*(?:[.,]\d+)?|\(\+?\s*[\d.]+\)|\[[^\]]{1,40}\])\s+){0,4}"
    rb"(?:([a-z_][a-z0-9_]*)\(|<\.\.\. ([a-z_][a-z0-9_]*) resumed>\s?|(---|\+\+\+) )"
)
_DECORATED = rb"<((?:[^<>]|<[^<>]*>)*)>(?:\(deleted\))?"
_DESCRIPTOR = rb"(AT_FDCWD|-?\d+)(?:" + _DECORATED + rb")?"
# One that does not end takes all the rest: to try again at each of its quotes would take long.
_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)'
# Behind a string may stand the dots of one that is cut, and the label that --secontext tells.
_NAME = rb"(?:" + _DESCRIPTOR + rb",\s*)?" + rb'"([^"\\]*(?:\\.[^"\\]*)*)"(\.\.\.)?(?: \[[^\]]*\])?'
_FIRST = late.pattern(rb"(?s)" + _NAME)
_NEXT = late.pattern(rb"(?s),\s*" + _NAME)
_ALONE = late.pattern(rb"(?s)" + _DESCRIPTOR + rb"\s*\Z")
_WORD = late.pattern(rb"\b(?:O|AT)_[A-Z_]+")
# Strings and decorated descriptors are stepped over: a name may hold what looks like a result.
_RESULT = late.pattern(
    rb"(?s)"
    + _STRING
    + rb"|<(?:[^<>]|<[^<>]{0,400}>){0,4200}>"
    + rb"|\)\s*= (?:(\d+)(?:"
    + _DECORATED
    + rb")?|(?:-\d+|\?)(?: (E[A-Z0-9]+))?|(0x[0-9a-f]+))",
)
_ESCAPE = late.pattern(rb"(?s)\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)")
_SHORT = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"v": b"\v", b"f": b"\f"}
_CHANGED = late.pattern(rb"<pid changed to (\d+) \.\.\.>\Z")
_SUPERSEDED = late.pattern(rb"superseded by execve in pid (\d+)")
_CHILD = late.pattern(rb"SIGCHLD \{[^}]{0,300}?si_pid=(\d+)")
_BORN = late.pattern(rb"\)\s*= (\d+)")


def unquoted(raw: bytes) -> bytes:
    r"""A string without its escapes: ``\n``, ``\"``, octal, and ``\x`` of -x and -xx."""
    return _ESCAPE.sub(_escape, raw) if b"\\" in raw else raw


def _escape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    if code[:1] == b"x" and len(code) == 3:
        return bytes((int(code[1:], 16),))
    if code[0] in b"01234567":
        return bytes((int(code, 8) & 0xFF,))
    return _SHORT.get(code, code)


def split(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a text that comes in pieces, without those longer than :data:`LONGEST`."""
    begun: list[bytes] = []
    size = 0
    for piece in pieces:
        head, *lines = piece.split(b"\n")
        if size <= LONGEST:
            begun.append(head)
        size += len(head)
        for line in lines:
            if size <= LONGEST:
                yield b"".join(begun)
            begun, size = [line], len(line)
    if 0 < size <= LONGEST:
        yield b"".join(begun)


def starts(lines: Iterable[bytes]) -> Iterator[Started]:
    """Who started a process, as far as the log tells: by clone() and fork(), if they were traced,
    or by the signal at its end."""
    threads: dict[bytes, bool] = {}
    for line in lines:
        if b"SIGCHLD" not in line and b"clone" not in line and b"fork" not in line:
            continue
        match = _LINE.match(line)
        if match is None:
            continue
        process = match[1] or match[2] or b""
        if match[5] == b"---" and (child := _CHILD.search(line, match.end())):
            yield Started(child[1], process, False)
        elif (match[3] or match[4]) in _STARTING:
            thread = b"CLONE_THREAD" in line or threads.pop(process, False)
            if born := _BORN.search(line, match.end()):
                yield Started(born[1], process, thread)
            elif len(threads) < _WAITING:
                threads[process] = thread


def events(lines: Iterable[bytes]) -> Iterator[Call | Ended]:
    """The calls of :data:`CALLS` where they came back, and the ends of processes. What is none of
    strace's lines is passed over."""
    waiting: _Waiting = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        process, rest = match[1] or match[2] or b"", line[match.end() :].rstrip()
        if match[5] is not None:
            if match[5] == b"+++" and _ended(process, rest, waiting):
                yield Ended(process)
            continue
        name = match[3] or match[4]
        begun: tuple[bytes, ...] = ()
        if match[4] is not None:
            first, begun = waiting.pop(process, (b"", ()))
            name = name if first == name else b""
        if name in _NAMES and not _begun(process, name, (*begun, rest), waiting):
            call = _call(process, _NAMES[name], b"".join((*begun, rest)))
            if call is not None:
                yield call


_Waiting = dict[bytes, tuple[bytes, tuple[bytes, ...]]]
"""By process, the name of a call whose rest is to come, and what its lines told of it so far."""


def _begun(process: bytes, name: bytes, told: tuple[bytes, ...], waiting: _Waiting) -> bool:
    """Whether the rest of a call is to come: a line of another process, or a signal, came between,
    or execve() in a thread changes its number."""
    *before, rest = told
    if not rest.endswith(b" ...>") or b"<" not in rest:
        return False
    changed = _CHANGED.search(rest)
    if len(waiting) < _WAITING and len(told) < _INTERRUPTED:
        told = (*before, rest[: rest.rindex(b"<")])
        waiting[changed[1] if changed else process] = name, told
    return True


def _ended(process: bytes, rest: bytes, waiting: _Waiting) -> bool:
    """Whether a process is no more; a thread that calls execve() takes the place of its first."""
    superseded = _SUPERSEDED.match(rest)
    if superseded is None:
        waiting.pop(process, None)
        return True
    if superseded[1] in waiting:
        waiting[process] = waiting.pop(superseded[1])
    return False


def _call(process: bytes, name: str, rest: bytes) -> Call | None:
    """A call from what stands behind its opening bracket; None if that is no call."""
    outcome = next((m for m in _RESULT.finditer(rest) if m[0][:1] == b")"), None)
    if outcome is None:
        return None
    arguments = rest[: outcome.start()]
    match = _FIRST.match(arguments)
    names: list[Name] = []
    end = 0
    if match is None:
        alone = _ALONE.match(arguments)
        names += [Name(alone[1], _path(alone[2]), "")] if alone is not None else []
    for _ in range(CALLS[name]):
        if match is None or match[4] is not None:
            break
        text = unquoted(match[3])
        if len(text) >= PATH_LIMIT or b"\0" in text:
            break
        names.append(Name(match[1] or b"", _path(match[2]), decode(text)))
        end = match.end()
        match = _NEXT.match(arguments, end)
    words = frozenset(_WORD.findall(arguments, end))
    result = outcome[1] or outcome[4] or b""
    error = outcome[3] or b""
    return Call(process, name, tuple(names), words, result, _path(outcome[2]), error)


def _path(shown: bytes | None) -> str | None:
    """The path with which -y decorates a descriptor; None for a socket and the like. Behind it,
    -yy tells the numbers of a device."""
    if shown is None or not shown.startswith((b"/", b"\\x2f")):
        return None
    return decode(unquoted(shown.partition(b"<")[0]))
