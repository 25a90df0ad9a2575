"""What an image's configuration starts: the entrypoint, and the user that it runs as.

Source: OCI image-spec, config.md; runc libcontainer/standard_init_linux.go and
moby/sys/user, GetExecUser(), whose words these are.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from elfpack.checking.explain import broken_link, said
from elfpack.checking.find import executable
from elfpack.checking.survey import Survey
from elfpack.errors import Finding
from elfpack.loader.files import TEXT_LIMIT
from elfpack.loader.program import on_path
from elfpack.paths import decode, join
from elfpack.root.walk import Place


def rule(seen: Survey) -> Iterator[Finding]:
    """The entrypoint is there and may be executed; the user's and the group's names are known."""
    command = entry(seen)
    if command is not None:
        yield from _entrypoint(seen, command)
    user, _, group = seen.config.user.partition(":")
    for name, what, path in ((user, "user", "/etc/passwd"), (group, "group", "/etc/group")):
        if name and not name.isdigit() and not _is_in(seen, path, name):
            file = path.rpartition("/")[2]
            words = f"unable to find {what} {name}: no matching entries in {file} file"
            told = f"has no {what} {name}, which the image is to run as"
            yield Finding(f"missing-{what}", path, told, quote=words)


def entry(seen: Survey) -> str | None:
    """The first word of what the image starts; None if it starts nothing by itself."""
    words = (*seen.config.entrypoint, *seen.config.cmd)
    return words[0] if words and words[0] else None


def entry_place(seen: Survey) -> Place | None:
    """Where that is."""
    command = entry(seen)
    if command is None:
        return None
    path = on_path(seen.files, command, seen.options.cwd, seen.search_path)
    place = seen.files.find(path) if path is not None else errno.ENOENT
    return None if isinstance(place, int) else place


def _entrypoint(seen: Survey, command: str) -> Iterator[Finding]:
    path = on_path(seen.files, command, seen.options.cwd, seen.search_path)
    if path is None:
        words = f'exec: "{command}": executable file not found in $PATH'
        told = "is what the image starts, and in no directory of its PATH"
        yield Finding("missing-entrypoint", command, told, quote=words)
        return
    path = join(seen.options.cwd, path)
    place = seen.files.find(path)
    if isinstance(place, int):
        words = f'exec: "{command}": stat {command}: {said(place)}'
        told = "is what the image starts, and is missing"
        link = broken_link(seen.files.walker, path)
        code = "missing-entrypoint" if link is None else "dangling-link"
        yield Finding(code, path, told + (f": {link}" if link else ""), quote=words)
    elif place.node.is_directory:
        words = f'exec: "{command}": {said(errno.EACCES)}'
        told = "is what the image starts, and a directory"
        yield Finding("not-executable", path, told, quote=words)
    elif not executable(place.node):
        words = f'exec: "{command}": {said(errno.EACCES)}'
        told = "is what the image starts, and not executable"
        yield Finding("not-executable", path, told, quote=words)


def _is_in(seen: Survey, path: str, name: str) -> bool:
    raw = seen.files.read_all(path, TEXT_LIMIT)
    if not isinstance(raw, bytes):
        return False
    return any(line.partition(":")[0] == name for line in decode(raw).split("\n"))
