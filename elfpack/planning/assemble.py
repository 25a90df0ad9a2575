"""Puts to entries: links of the plan followed, parents added, conflicts refused, sorted.

The only maker of a :class:`Plan`.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable

from elfpack.blob import Blob, Source, from_bytes
from elfpack.errors import Finding, RequestError, unreadable
from elfpack.loader.files import Files
from elfpack.paths import ancestors, components, sort_key
from elfpack.planning.entry import (
    Directory,
    Entry,
    HardLink,
    Placed,
    Plan,
    Reason,
    Regular,
    Symlink,
)
from elfpack.planning.put import Put, PutDirectory, PutFile, PutLink, PutText
from elfpack.planning.request import Request
from elfpack.root.walk import LINK_LIMIT, Place

_SET_ID = stat.S_ISUID | stat.S_ISGID


class Assembly:
    """The paths of an image while they come together."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._puts: dict[str, Put] = {}
        self._links: dict[str, str] = {}
        self.findings: list[Finding] = []

    def add_all(self, puts: Iterable[Put]) -> None:
        """
        Raises:
            RequestError: two sources that the user named for one path.
        """
        waiting = list(puts)
        # Links first: a path that passes through one belongs behind it.
        for put in sorted(waiting, key=_links_from_the_top):
            self._add(put)

    def add_directories(self, puts: Iterable[Put]) -> None:
        """Directories that have to be there: one that is keeps its mode and owner.

        Raises:
            RequestError: a file is in the way.
        """
        for put in puts:
            known = self._puts.get(self._canonical(put))
            if known is None:
                self._add(put)
            elif not isinstance(known.what, PutDirectory):
                raise RequestError(
                    f"{_source(known)} is no directory, as {put.named} has to be",
                    path=known.path,
                    hint="give one of them another path",
                )

    def _add(self, put: Put) -> None:
        path = self._canonical(put)
        if path == "/":
            return
        known = self._puts.get(path)
        if known is None or known.what == put.what:
            if known is None or (put.named and not known.named):
                self._puts[path] = put._replace(path=path)
        elif not self._same(known, put):
            self._conflict(path, known, put)
        if isinstance(self._puts[path].what, PutLink):
            self._links[path] = self._puts[path].what.target  # type: ignore[union-attr]

    def _same(self, a: Put, b: Put) -> bool:
        if isinstance(a.what, PutFile) and isinstance(b.what, PutFile):
            return a.what.place.node.identity == b.what.place.node.identity
        return False

    def _conflict(self, path: str, known: Put, put: Put) -> None:
        if bool(known.named) != bool(put.named):
            winner, loser = (known, put) if known.named else (put, known)
            self._puts[path] = winner._replace(path=path)
            self.findings.append(
                Finding(
                    "named-wins",
                    path,
                    f"{winner.named} is taken, not what {loser.reason.source} would put there",
                    note=True,
                )
            )
            return
        raise RequestError(
            f"two sources for one path: {_source(known)} and {_source(put)}",
            path=path,
            hint="give one of them another destination",
        )

    def _canonical(self, put: Put) -> str:
        """The path with the plan's links followed; the last component's too for a directory."""
        parts = components(put.path)
        last = [] if isinstance(put.what, PutDirectory) or not parts else [parts.pop()]
        pending = parts[::-1]
        done: list[str] = []
        followed = 0
        while pending:
            part = pending.pop()
            if part == "..":
                del done[-1:]
                continue
            target = self._links.get("/" + "/".join([*done, part]))
            if target is None:
                done.append(part)
                continue
            followed += 1
            if followed > LINK_LIMIT:
                raise RequestError(
                    "passes through a loop of links", path=put.path, hint="leave one of them out"
                )
            if target.startswith("/"):
                done.clear()
            pending.extend(components(target)[::-1])
        return "/" + "/".join(done + last)

    def entries(self) -> tuple[Entry, ...]:
        """All entries with their parents, sorted.

        Raises:
            RequestError: a file stands where a directory is needed.
        """
        found: dict[str, Entry] = {}
        first: dict[tuple[int, int], str] = {}
        for path in sorted(self._puts, key=sort_key):
            for above in ancestors(path):
                if above in self._puts and not isinstance(self._puts[above].what, PutDirectory):
                    raise RequestError(
                        f"is a file or link, but {path} needs a directory there",
                        path=above,
                        hint="give one of them another destination",
                    )
                if above not in found:
                    found[above] = Directory(path=above, reason=Reason("parent", because_of=path))
            found[path] = self._entry(self._puts[path], first)
        return tuple(found[path] for path in sorted(found, key=sort_key))

    def _entry(self, put: Put, first: dict[tuple[int, int], str]) -> Entry:
        match put.what:
            case PutLink():
                return Symlink(path=put.path, reason=put.reason, target=put.what.target)
            case PutDirectory():
                mode, owner = put.what.mode, put.what.owner
                return Directory(path=put.path, reason=put.reason, mode=mode, owner=owner)
            case PutText():
                blob = from_bytes(put.what.content, put.path)
                return Regular(path=put.path, reason=put.reason, blob=blob)
            case PutFile():
                return self._file(put, put.what.place, first)

    def _file(self, put: Put, place: Place, first: dict[tuple[int, int], str]) -> Entry:
        identity = place.node.identity
        mode = stat.S_IMODE(place.node.mode) & ~_SET_ID
        target = first.setdefault(identity, put.path)
        if target != put.path:
            return HardLink(
                path=put.path, reason=put.reason, target=target, mode=mode, identity=identity
            )
        if place.node.mode & _SET_ID:
            self.findings.append(
                Finding("privileges-dropped", put.path, "its setuid or setgid bit is dropped")
            )
        if self._files.root.capabilities(place.directory, place.name, place.node):
            self.findings.append(
                Finding("privileges-dropped", put.path, "its file capabilities are dropped")
            )
        if put.reason.source == "program" and put.reason.evidence != "library":
            self._executable(put, mode)
        blob = Blob(place.node.size, _opener(self._files, place), place.path)
        return Regular(path=put.path, reason=put.reason, blob=blob, mode=mode, identity=identity)

    def _executable(self, put: Put, mode: int) -> None:
        if mode & 0o111:
            return
        self.findings.append(
            Finding(
                "not-executable",
                put.path,
                "has no execute bit, so the kernel will not start it",
                f"chmod +x {put.named}, if it is to be started",
            )
        )


def _links_from_the_top(put: Put) -> tuple[bool, int]:
    """Links before all else, and of those the outer ones first: an inner may pass through them."""
    is_link = isinstance(put.what, PutLink)
    return not is_link, put.path.count("/") if is_link else 0


def _opener(files: Files, place: Place) -> Callable[[], Source]:
    def opened() -> Source:
        try:
            return files.open(place)
        except OSError as e:
            raise unreadable(place.path, e.errno or 0) from e

    return opened


def _source(put: Put) -> str:
    if put.named:
        return put.named
    if isinstance(put.what, PutFile):
        return put.what.place.path
    return f"a {'link' if isinstance(put.what, PutLink) else 'file'} of {put.reason.source}"


def assemble(
    assembly: Assembly,
    programs: tuple[Placed, ...],
    *,
    request: Request,
    entrypoint: str | None,
    findings: tuple[Finding, ...],
    missing: tuple[str, ...],
) -> Plan:
    """The plan of what came together."""
    entries = assembly.entries()
    first = next((p.closure.hits[0].elf.abi for p in programs if p.closure.hits), None)
    return Plan(
        entries=entries,
        programs=programs,
        epoch=request.epoch,
        config=request.config,
        entrypoint=entrypoint,
        abi=first,
        findings=tuple(dict.fromkeys((*findings, *assembly.findings))),
        missing=missing,
    )
