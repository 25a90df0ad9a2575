"""Puts to entries: links of the plan followed, parents added, conflicts refused, sorted.

The only maker of a :class:`Plan`.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from elfpack.blob import from_bytes
from elfpack.errors import Finding, RequestError
from elfpack.loader.files import Files
from elfpack.paths import components, sort_key
from elfpack.planning.entry import (
    SET_ID,
    Directory,
    Entry,
    HardLink,
    Opened,
    Placed,
    Plan,
    Reason,
    Regular,
    Symlink,
)
from elfpack.planning.put import Put, PutDirectory, PutFile, PutLink, PutText
from elfpack.planning.request import Request
from elfpack.root.walk import LINK_LIMIT


class Assembly:
    """The paths of an image while they come together."""

    def __init__(self, files: Files, *, keep_privileges: bool = False) -> None:
        self._files = files
        self._keep = keep_privileges
        self._puts: dict[str, Put | Regular] = {}
        """An entry stands for the put that it was made of, where it tells all of that: there may be
        a great many."""
        self._links: dict[str, str] = {}
        self._ways: dict[tuple[str, bool], str] = {}
        """Where directories are with those links followed, for what the user named and for the
        rest: he is taken at his word."""
        self._plain: set[str] = set()
        """Paths that are no link to a directory in the root."""
        self.findings: list[Finding] = []

    def add_all(self, puts: Iterable[Put]) -> None:
        """
        Raises:
            RequestError: two sources that the user named for one path.
        """
        waiting = list(puts)
        # Links first: a path that passes through one belongs behind it.
        waiting.sort(key=_links_from_the_top)
        waiting.reverse()
        while waiting:
            self._add(waiting.pop())

    def add_directories(self, puts: Iterable[Put]) -> None:
        """Directories that have to be there: one that is keeps its mode and owner.

        Raises:
            RequestError: a file is in the way.
        """
        for put in puts:
            known = self._known(self._canonical(put))
            if known is None:
                self._add(put)
            elif not isinstance(known.what, PutDirectory):
                raise RequestError(
                    f"{_source(known)} is no directory, as {put.named} has to be",
                    path=known.path,
                    hint="give one of them another path",
                )

    def _known(self, path: str) -> Put | None:
        known = self._puts.get(path)
        if not isinstance(known, Regular):
            return known
        assert isinstance(known.blob, PutFile)
        return Put(known.path, known.blob, known.reason, known.reason.because_of)

    def _add(self, put: Put) -> None:
        path = self._canonical(put)
        if path == "/":
            return
        known = self._known(path)
        if known is None or known.what == put.what:
            if known is None or (put.named and not known.named):
                self._puts[path] = put if put.path == path else put._replace(path=path)
        elif known.yields or put.yields:
            self._puts[path] = (put if known.yields else known)._replace(path=path)
            self._linked(path, None)
        elif self._leads_to(known, put):
            self._puts[path] = put._replace(path=path)
            self._linked(path, None)
        elif not self._same(known, put) and not self._leads_to(put, known):
            self._conflict(path, known, put)
        taken = self._puts[path]
        if isinstance(taken, Put) and isinstance(taken.what, PutLink):
            self._linked(path, taken.what.target)

    def revise(self, puts: Iterable[Put]) -> None:
        """Add files that elfpack makes, in place of those that it made before."""
        for put in puts:
            path = self._canonical(put)
            known = self._known(path)
            if known is not None and known.reason == put.reason and not known.named:
                del self._puts[path]
            self._add(put)

    def _same(self, a: Put, b: Put) -> bool:
        if isinstance(a.what, PutFile) and isinstance(b.what, PutFile):
            return a.what.node.identity == b.what.node.identity
        return False

    def _leads_to(self, link: Put, put: Put) -> bool:
        """Whether a link of the root that the user adds leads to the very file that is put in its
        place: a program that is named by the link."""
        if not isinstance(link.what, PutLink) or not isinstance(put.what, PutFile):
            return False
        source = link.named or ""
        place = self._files.find(source) if source.startswith("/") else 0
        return not isinstance(place, int) and place.node.identity == put.what.node.identity

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
        if isinstance(put.what, PutDirectory) or not parts or parts[-1] == "..":
            return self._way(put.path, put) or "/"
        above, _, name = put.path.rpartition("/")
        if name != parts[-1]:  # it ends in a slash or a dot
            return f"{self._followed('', parts[:-1], put)}/{parts[-1]}"
        path = f"{self._way(above, put)}/{name}"
        return put.path if path == put.path else path  # one string for both

    def _way(self, path: str, put: Put) -> str:
        """Where a directory is, empty for the top. Those that are named alike go the same way, as
        long as no link is added, and one in another goes on from there."""
        key = path, bool(put.named)
        known = self._ways.get(key)
        if known is None:
            above, _, name = path.rpartition("/")
            start = self._ways.get((above, key[1])) if name not in ("", ".", "..") else None
            if start is None:
                known = self._followed("", components(path), put)
            else:
                known = self._followed(start, [name], put)
            self._ways[key] = known
        return known

    def _followed(self, start: str, parts: list[str], put: Put) -> str:
        """The directory that ``parts`` lead to, from one where no link is on the way."""
        here, pending = start, parts[::-1]
        followed = 0
        while pending:
            part = pending.pop()
            if part == "..":
                here = here.rpartition("/")[0]
                continue
            path = f"{here}/{part}"
            target = self._link(path, put)
            if target is None:
                here = path
                continue
            followed += 1
            if followed > LINK_LIMIT:
                raise RequestError(
                    "passes through a loop of links", path=put.path, hint="leave one of them out"
                )
            if target.startswith("/"):
                here = ""
            pending.extend(components(target)[::-1])
        return here

    def _linked(self, path: str, target: str | None) -> None:
        """A path is a link now, or none any more."""
        if self._links.get(path) == target:
            return
        self._ways.clear()
        if target is None:
            del self._links[path]
        else:
            self._links[path] = target

    def _link(self, path: str, put: Put) -> str | None:
        """The text of the link that a path is in the image, or has to be: where the root has a link
        to a directory, what elfpack itself puts below makes no directory of it. A destination of
        the user's is taken as it is."""
        known = self._links.get(path)
        if known is not None or put.named or path in self._plain or path in self._puts:
            return known
        link = self._files.walker.find(path, follow=False)
        if not isinstance(link, int) and link.node.is_link:
            there = self._files.walker.find(path)
            if not isinstance(there, int) and there.node.is_directory:
                reason = Reason("link", because_of=put.path)
                self._puts[path] = Put(path, PutLink(link.node.target), reason)
                self._linked(path, link.node.target)
                return link.node.target
        self._plain.add(path)
        return None

    def entries(self) -> Iterator[Entry]:
        """All entries with their parents, sorted.

        Raises:
            RequestError: a file stands where a directory is needed.
        """
        first: dict[tuple[int, int], Regular] = {}
        known: set[str] = {""}
        for path in sorted(self._puts, key=sort_key):
            directory = path.rpartition("/")[0]
            if directory not in known:
                # A parent comes before all that is below it, and after all else that came before.
                yield from self._parents(path, known)
            put = self._known(path)
            assert put is not None
            entry = self._entry(put, first)
            if isinstance(entry, Regular) and put.reason.because_of == put.named:
                self._puts[path] = entry
            yield entry

    def _parents(self, path: str, known: set[str]) -> Iterator[Directory]:
        missing = []
        above = path.rpartition("/")[0]
        while above not in known:
            missing.append(above)
            above = above.rpartition("/")[0]
        for above in reversed(missing):
            put = self._known(above)
            if put is not None and not isinstance(put.what, PutDirectory):
                raise RequestError(
                    f"is a file or link, but {path} needs a directory there",
                    path=above,
                    hint="give one of them another destination",
                )
            if put is None:
                yield Directory(path=above, reason=Reason("parent", because_of=path))
            known.add(above)

    def _entry(self, put: Put, first: dict[tuple[int, int], Regular]) -> Entry:
        match put.what:
            case PutLink():
                return Symlink(put.path, put.reason, put.what.target)
            case PutDirectory():
                mode, owner = put.what.mode, put.what.owner
                return Directory(put.path, put.reason, mode, owner)
            case PutText():
                blob = from_bytes(put.what.content, put.path)
                return Regular(path=put.path, reason=put.reason, blob=blob)
            case PutFile():
                return self._file(put, put.what, first)

    def _file(self, put: Put, file: PutFile, first: dict[tuple[int, int], Regular]) -> Entry:
        identity = file.node.identity
        known = first.get(identity)
        if known is not None:
            return HardLink(
                path=put.path,
                reason=put.reason,
                target=known.path,
                mode=known.mode,
                owner=known.owner,
                capability=known.capability,
                identity=identity,
            )
        mode, owner, capability = self._privileges(put.path, file)
        if put.reason.source == "program" and put.reason.evidence != "library":
            self._executable(put, mode)
        # All in their order: there may be a great many, and names and defaults take time.
        made = Regular(put.path, put.reason, file, mode, owner, capability, identity, False)
        first[identity] = made
        return made

    def _privileges(self, path: str, file: PutFile) -> tuple[int, tuple[int, int], bytes]:
        """Mode, owner and capability of a file in the image.

        All in it belongs to root; what keeps a set-id bit keeps its owner as well, or a program of
        setgid mail would become one of setgid root.
        """
        place, capability = file.place, file.capability
        if capability is None:
            capability = self._files.root.capabilities(place.directory, place.name, place.node)
        mode, owner = _permissions(place.node.mode), (0, 0)
        if mode & SET_ID:
            if self._keep:
                owner = place.node.owner
                message = "keeps its setuid or setgid bit"
                message += ", and its owner {}:{}".format(*owner) if owner != (0, 0) else ""
            else:
                mode &= ~SET_ID
                message = "its setuid or setgid bits are dropped"
            self._tell_privilege(path, message)
        if capability:
            kept = "keeps its file capabilities"
            self._tell_privilege(path, kept if self._keep else "its file capabilities are dropped")
        return mode, owner, capability if self._keep else b""

    def _tell_privilege(self, path: str, message: str) -> None:
        if self._keep:
            self.findings.append(Finding("privileges-kept", path, message, note=True))
            return
        hint = "--keep-privileges keeps them"
        self.findings.append(Finding("privileges-dropped", path, message, hint))

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


@lru_cache(maxsize=64)
def _permissions(mode: int) -> int:
    """One object for all files of a mode."""
    return stat.S_IMODE(mode)


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
    opened: tuple[Opened, ...],
    entrypoint: str | None,
    findings: tuple[Finding, ...],
    missing: tuple[str, ...],
) -> Plan:
    """The plan of what came together."""
    entries = in_order(tuple(assembly.entries()))
    first = next((p.closure.hits[0].elf.abi for p in programs if p.closure.hits), None)
    return Plan(
        entries=entries,
        programs=programs,
        opened=opened,
        epoch=request.epoch,
        config=request.config,
        entrypoint=entrypoint,
        abi=first,
        findings=tuple(dict.fromkeys((*findings, *assembly.findings))),
        missing=missing,
    )


def in_order(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """What every writer relies on."""
    keys = (sort_key(entry.path) for entry in entries)
    if any(a >= b for a, b in pairwise(keys)):
        raise AssertionError("entries of a plan are sorted and each path occurs once")
    return entries
