"""Which path each object has in the image.

What stays where it is in the root brings the links on the way along. What moves (a program with a
destination, and what is found relative to it through ``$ORIGIN``) keeps the links that stand
beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from elfpack.loader.closure import Closure
from elfpack.loader.files import Files
from elfpack.loader.hwcaps import BASELINE
from elfpack.loader.program import Script
from elfpack.loader.records import Hit, Kind
from elfpack.paths import basename, encode, join, normal, parent
from elfpack.planning.added import AddedFile
from elfpack.planning.additions import Placeable, module_objects, reasons
from elfpack.planning.collect import Collection, Member
from elfpack.planning.entry import Placed, Reason
from elfpack.planning.put import Put, PutDirectory, PutFile, PutLink, PutText
from elfpack.planning.request import MadeDirectory, Wanted
from elfpack.root.walk import LINK_LIMIT, Place
from elfpack.runtime.module import (
    AddBytes,
    AddDirectory,
    AddFile,
    AddLink,
    AddObject,
    AddProgram,
    AddText,
)


class Placer:
    """Turns a collection into puts."""

    def __init__(self, files: Files, cwd: str) -> None:
        self._files = files
        self._cwd = cwd
        self.programs: list[Placed] = []
        self.entrypoint: str | None = None
        self._traced: dict[str, Place | int] = {}
        """What each path leads to: many closures have the same libraries."""
        self._asked: set[tuple[str, Reason, str | None, bool]] = set()
        """What was put where it is in the root."""
        self._ways: set[tuple[str, bool]] = set()
        """The paths whose links were put."""
        self._objects: dict[int, list[str]] = {}
        """Where the objects of each closure are, by its id(): they live as long as the plan."""
        self._paths: dict[int, dict[tuple[int, int], str]] = {}
        """The same by identity, of closures that something is opened in."""
        self._origins: dict[tuple[int, int], frozenset[int]] = {}
        """By closure and object, see :meth:`_by_origin`."""

    def run(self, found: Collection, directories: tuple[MadeDirectory, ...]) -> Iterator[Put]:
        for script, want in found.scripts:
            yield from self._script(script, want)
        for member in found.members:
            yield from self._member(member)
        found.files.reverse()
        while found.files:  # there may be a great many: what is put is let go of
            yield from self._added(found.files.pop())
        for opened, reason in module_objects(found):
            yield from self._opened(opened, found.members, reason)
        for addition, reason in reasons(found):
            yield from self._addition(addition, reason)
        for made in directories:
            what = PutDirectory(made.mode, made.owner)
            yield Put(made.path, what, Reason("mkdir"), f"--mkdir {made.path}")

    def _script(self, script: Script, want: Wanted | None) -> Iterator[Put]:
        reason = Reason("program" if want is not None else "script", because_of=script.path)
        target = self._target(script.path, want)
        if want is not None and self.entrypoint is None:
            self.entrypoint = target
        yield from self._put(script.path, target, reason, want)

    def _target(self, source: str, want: Wanted | None) -> str:
        return want.destination if want is not None and want.destination else source

    def _put(
        self, source: str, target: str, reason: Reason, want: Wanted | None = None
    ) -> Iterator[Put]:
        named = want.name if want is not None else None
        if source == target:
            yield from self._natural(source, reason, named)
        else:
            yield from self._moved(source, target, reason, named)

    def _natural(
        self, path: str, reason: Reason, named: str | None = None, *, yields: bool = False
    ) -> Iterator[Put]:
        """A file at its own path, with every link on the way to it."""
        place = self._traced.get(path)
        if place is None:
            place = self._traced[path] = self._files.walker.trace(path)
        if isinstance(place, int):
            return
        asked = path, reason, named, yields
        if asked in self._asked:
            return  # many closures have the same libraries: the same put again would say nothing
        self._asked.add(asked)
        way = path, yields
        if way not in self._ways:
            self._ways.add(way)
            yield from self._way(place, path, yields=yields)
        yield Put(place.path, PutFile(self._files, place), reason, named, yields)

    def _way(self, place: Place, path: str, *, yields: bool = False) -> Iterator[Put]:
        """The links that were followed from ``path`` to a place."""
        for hop in place.hops:
            reason = Reason("link", because_of=path)
            yield Put(hop.path, PutLink(hop.target), reason, yields=yields)

    def _moved(
        self, source: str, target: str, reason: Reason, named: str | None = None
    ) -> Iterator[Put]:
        """A file elsewhere. Links to a name beside them stay links, so that a multi-call program
        and a library's soname keep their names; any other link is replaced by what it leads to."""
        directory, beside = parent(source), parent(target)
        name, shown = basename(source), basename(target)
        for _ in range(LINK_LIMIT):
            link = self._files.walker.find(join(directory, name), follow=False)
            if isinstance(link, int) or not link.node.is_link or "/" in link.node.target:
                break
            following = link.node.target
            if following in ("", ".", "..", name):
                break
            yield Put(join(beside, shown), PutLink(following), Reason("link", because_of=target))
            name = shown = following
        place = self._files.find(join(directory, name))
        if not isinstance(place, int):
            yield Put(join(beside, shown), PutFile(self._files, place), reason, named)

    def _member(self, member: Member) -> Iterator[Put]:
        closure = member.closure
        if not closure.hits or closure.program is None:
            return
        program = closure.hits[0]
        target = self._target(closure.program.path, member.wanted)
        if member.opener is not None:
            target = self._beside(closure.around[-1], program, member.opener)
        if ".." in target.split("/"):
            target = program.real_path
        named = member.wanted is not None and not member.added and member.cpu == BASELINE
        if self.entrypoint is None and named:
            self.entrypoint = target
        if not member.added:
            yield from self._put(closure.program.path, target, member.reason, member.wanted)
        if closure.interpreter is not None:
            because = closure.label(0)
            yield from self._natural(
                closure.interpreter.path, Reason("interpreter", because_of=because)
            )
        objects = [target]
        aliases: list[str] = []
        yield from self._libraries(closure, objects)
        yield from self._aliases(closure, objects, aliases)
        self._objects[id(closure)] = objects
        self._paths.pop(id(closure), None)
        self.programs.append(
            Placed(
                closure=closure,
                path=target,
                objects=tuple(objects),
                aliases=tuple(aliases),
                named=named,
                cpu=member.cpu,
                script=self._script_of(member),
            )
        )

    def _opened(self, opened: AddObject, members: list[Member], reason: Reason) -> Iterator[Put]:
        """An object that a module brought, also where it is part of a closure already."""
        number, opener = opened.found.opener
        hit = opened.found.hit
        path = hit.path
        if opener is not None:
            path = self._beside(members[number].closure, hit, opener)
        yield from self._put(join(self._cwd, hit.path), path, reason)

    def _beside(self, closure: Closure, hit: Hit, opener: int) -> str:
        """The path of what an object of a closure opens."""
        owner = None
        if _has_origin(hit.via.written):
            owners = (n for n, h in enumerate(closure.hits) if h.path == hit.via.owner)
            owner = next(owners, opener if hit.via.kind is Kind.PATH else None)
        return self._library(closure, hit, owner, self._objects[id(closure)])

    def _script_of(self, member: Member) -> str | None:
        if member.script is None:
            return None
        return self._target(member.closure.scripts[0].path, member.script)

    def _libraries(self, closure: Closure, placed: list[str]) -> Iterator[Put]:
        """The libraries of a closure; ``placed`` has the paths of those before, and grows."""
        around = [self._placed(one) for one in closure.around]
        for number, hit in enumerate(closure.hits[1:], start=1):
            known = hit.path if hit.via.kind is Kind.INTERPRETER else _loaded(around, hit)
            if known is not None:  # it is put for the program, or for who opens the library
                placed.append(known)
                continue
            owner = self._owner(closure, hit, (closure.requesters[number], number), placed)
            path = self._library(closure, hit, owner, placed)
            placed.append(path)
            requester = closure.label(closure.requesters[number])
            reason = Reason("library", closure.names[number], requester)
            yield from self._put(join(self._cwd, hit.path), path, reason)

    def _placed(self, closure: Closure) -> dict[tuple[int, int], str]:
        """Where each object of a closure is."""
        known = self._paths.get(id(closure))
        if known is None:
            pairs = zip(closure.hits, self._objects[id(closure)], strict=True)
            known = self._paths[id(closure)] = {hit.identity: path for hit, path in pairs}
        return known

    def _aliases(self, closure: Closure, objects: list[str], aliases: list[str]) -> Iterator[Put]:
        """The other names that the loader looks for, and finds to be a file that it has."""
        for alias in closure.aliases:
            owner = self._owner(closure, alias.hit, (alias.requester, alias.target), objects)
            path = self._library(closure, alias.hit, owner, objects)
            aliases.append(path)
            reason = Reason("library", alias.name, closure.label(alias.requester))
            yield from self._put(join(self._cwd, alias.hit.path), path, reason)

    def _owner(
        self, closure: Closure, hit: Hit, asked: tuple[int, int], placed: list[str]
    ) -> int | None:
        """The object whose $ORIGIN led to a file: that whose search path it was, or which names
        the file itself. ``asked`` are the positions of who needs it and of what it is."""
        if hit.via.kind is Kind.PATH:
            return asked[0] if asked[1] in self._by_origin(closure, asked[0]) else None
        if not _has_origin(hit.via.written):
            return None
        number = asked[0]  # it is who asks, or who asked for that one
        while number >= 0:
            if number < len(placed) and closure.hits[number].path == hit.via.owner:
                return number
            number = closure.requesters[number]
        owners = (n for n in range(len(placed)) if closure.hits[n].path == hit.via.owner)
        return next(owners, None)

    def _by_origin(self, closure: Closure, number: int) -> frozenset[int]:
        """What an object names by a path from its own directory."""
        key = id(closure), number
        known = self._origins.get(key)
        if known is None:
            asked = closure.asked(number)
            known = frozenset([target for name, _, target in asked if _has_origin(name)])
            self._origins[key] = known
        return known

    def _library(self, closure: Closure, hit: Hit, owner: int | None, placed: list[str]) -> str:
        """A library's path: its own, or as far from its owner as before if that one moved.

        Source of the origins: glibc elf/dl-object.c, _dl_new_object(): the program's by its real
        path, a library's by the path it was opened under.
        """
        if not hit.path.startswith("/"):
            return normal("/" + hit.path)  # from the working directory, which is / in the image
        source = hit.path
        if owner is None:
            return source
        here = join(self._cwd, closure.hits[owner].path)
        if owner == 0 and closure.program is not None:
            here = closure.program.path
        if placed[owner] == here:
            return source  # the owner did not move, nor do the links that lead to it
        before = join(self._cwd, closure.hits[owner].opened_as)
        old, new = parent(before), parent(placed[owner])
        if old == new or not source.startswith(old.rstrip("/") + "/"):
            return source
        return normal(new + "/" + source[len(old.rstrip("/")) :])

    def _added(self, item: AddedFile) -> Iterator[Put]:
        # Records are made of all their fields in order: there may be a great many.
        reason = Reason("added", "", item.source, "")
        if item.place is None:
            path = item.destination or item.source
            yield Put(path, PutLink(item.node.target), reason, item.source)
        elif item.node.is_directory:
            yield from self._added_directory(item, item.place, reason)
        elif item.destination is None:
            place = self._files.walker.trace(item.source)
            if not isinstance(place, int):
                yield from self._way(place, item.source)
                what = PutFile(self._files, place, item.capability)
                yield Put(place.path, what, reason, item.source)
        elif item.place.path == item.source:  # in a directory that was gone through: no link
            what = PutFile(self._files, item.place, item.capability)
            yield Put(item.destination, what, reason, item.source, False)
        else:
            yield from self._moved(item.source, item.destination, reason, item.source)

    def _added_directory(self, item: AddedFile, place: Place, reason: Reason) -> Iterator[Put]:
        what = PutDirectory(item.node.mode & 0o7777, (0, 0))
        if item.destination is not None:
            yield Put(item.destination, what, reason, item.source)
            return
        traced = self._files.walker.trace(item.source)
        if not isinstance(traced, int):
            yield from self._way(traced, item.source)
        yield Put(place.path, what, reason, item.source)

    def _addition(self, addition: Placeable, reason: Reason) -> Iterator[Put]:
        match addition:
            case AddFile():
                yield from self._natural(addition.path, reason, yields=addition.yields)
            case AddProgram():
                yield from self._natural(addition.path, reason)
            case AddText():
                yield Put(addition.path, PutText(encode(addition.text)), reason)
            case AddBytes():
                yield Put(addition.path, PutText(addition.content), reason)
            case AddLink():
                what = PutLink(addition.target)
                yield Put(addition.path, what, reason, yields=addition.yields)
            case AddDirectory():
                made = PutDirectory(addition.mode, addition.owner)
                yield Put(addition.path, made, reason, yields=addition.yields)


def _loaded(around: Iterable[Mapping[tuple[int, int], str]], hit: Hit) -> str | None:
    """Where an object is that is loaded already; of several places the last."""
    found = None
    for placed in around:
        found = placed.get(hit.identity, found)
    return found


def _has_origin(text: str) -> bool:
    return "$ORIGIN" in text or "${ORIGIN}" in text
