"""The plan held against itself: every closure is resolved again with the plan as root.

What counts is the identity of the sources, never the path: a library may be placed elsewhere than
it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from elfpack.errors import ElfpackError, Finding
from elfpack.formats import ldcache
from elfpack.loader.closure import Closure
from elfpack.loader.hwcaps import PREFIX
from elfpack.loader.identify import MUSL
from elfpack.loader.machine import cache_flags
from elfpack.loader.musl import path_file
from elfpack.loader.program import Program, open_program
from elfpack.loader.records import Hit, Kind
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import encode, parent
from elfpack.planning.entry import Directory, HardLink, Placed, Plan, Reason, Regular, Symlink
from elfpack.planning.put import Put, PutText
from elfpack.root.tree import TreeRoot
from elfpack.root.walk import Walker


class Difference(NamedTuple):
    """An object that the loader in the image would not load as it does here."""

    program: Placed
    name: str
    path: str
    """Where the object is in the root."""


def as_root(plan: Plan) -> TreeRoot:
    """The image as a tree that names can be looked up in."""
    tree = TreeRoot("the image")
    blobs = {entry.path: entry.blob for entry in plan.entries if isinstance(entry, Regular)}
    for entry in plan.entries:
        match entry:
            case Directory():
                tree.add_directory(entry.path, entry.mode)
            case Symlink():
                tree.add_link(entry.path, entry.target)
            case Regular():
                what = entry.blob, entry.mode, entry.identity, entry.capability
                tree.add_file(entry.path, *what)
            case HardLink():
                what = blobs[entry.target], entry.mode, entry.identity, entry.capability
                tree.add_file(entry.path, *what)
    return tree


def differences(plan: Plan, image: TreeRoot, request: Options) -> tuple[Difference, ...]:
    """What would be loaded differently in the image, with the environment it will have.

    ``image`` is the plan :func:`as_root`; of ``request`` what is excluded and the CPU count.
    """
    resolver = Resolver(image)
    config = plan.config
    options = Options(
        library_path=config.variable("LD_LIBRARY_PATH"),
        cwd=config.workdir,
        exclude=request.exclude,
        facts=request.facts,
        secure=request.secure,
    )
    return tuple(
        difference
        for placed in plan.programs
        if placed.closure.loader is not None
        for difference in _compare(placed, resolver, options._replace(cpu=placed.cpu))
    )


def _compare(placed: Placed, resolver: Resolver, options: Options) -> Iterator[Difference]:
    here = placed.closure
    try:
        there = _again(placed, resolver, options)
    except ElfpackError:
        there = None
    if here.interpreter is not None and (
        there is None
        or there.interpreter is None
        or there.interpreter.identity != here.interpreter.identity
    ):
        yield Difference(placed, "its interpreter", here.interpreter.path)
        return
    wanted = _objects(here)
    found = _objects(there) if there is not None and there.refusal is None else []
    if [identity for identity, _, _ in wanted] == [identity for identity, _, _ in found]:
        return
    loaded = {identity for identity, _, _ in found}
    lost = [item for item in wanted if item[0] not in loaded] or wanted[1:]
    for _, name, path in lost:
        yield Difference(placed, name, path)


def _again(placed: Placed, resolver: Resolver, options: Options) -> Closure | None:
    """The closure in the image; None if something else stands at the program's path."""
    program = open_program(resolver.files, placed.path, "/")
    loader = placed.closure.loader
    if not isinstance(program, Program) or program.scripts or loader is None:
        return None
    given = None if program.hit.elf.interpreter else loader.path
    return resolver.closure(program, options, given)


def _objects(closure: Closure) -> list[tuple[tuple[int, int], str, str]]:
    return [
        (hit.identity, name, hit.path)
        for hit, name in zip(closure.hits, closure.names, strict=True)
        if hit.via.kind is not Kind.INTERPRETER
    ]


def finding(difference: Difference) -> Finding:
    """What to tell of a difference that nothing could mend."""
    return Finding(
        "lost-in-image",
        difference.program.closure.name,
        f"the loader in the image would not load {difference.path} for {difference.name}",
        "keep the program beside its libraries, or give it the path that it has here",
    )


def dangling(plan: Plan, image: TreeRoot) -> Iterator[Finding]:
    """Added links that lead nowhere in the image: said, for they may be meant so."""
    walker = Walker(image)
    for entry in plan.entries:
        added = isinstance(entry, Symlink) and entry.reason.source == "added"
        if added and isinstance(walker.find(entry.path), int):
            yield Finding(
                "dangling-link",
                entry.path,
                "an added link leads to nothing in the image",
                "--add what it leads to, if it is needed",
                note=True,
            )


def search_path(plan: Plan, lost: tuple[Difference, ...]) -> Iterator[Put]:
    """What makes the loader look where its objects are: a cache for glibc, a path file for musl."""
    loaders = {d.program.closure.loader for d in lost}
    caches = {loader.cache for loader in loaders if loader is not None and loader.cache}
    for path in sorted(caches):
        yield from _cache(plan, path)
    if any(loader is not None and loader.libc == MUSL for loader in loaders):
        yield from _path_files(plan)


def _cache(plan: Plan, path: str) -> Iterator[Put]:
    reason = Reason("ld.so.cache", "a library outside the loader's own directories")
    entries: list[ldcache.Entry] = []
    directories: dict[str, None] = {}
    little = True
    for placed in plan.programs:
        loader = placed.closure.loader
        if loader is None or loader.cache != path:
            continue
        abi = placed.closure.hits[0].elf.abi
        little = abi.little
        for name, file, hit in _libraries(placed):
            directory, hwcaps = parent(file), ""
            if hit.via.hwcaps.startswith(PREFIX):
                directory = directory.removesuffix("/" + hit.via.hwcaps)
                hwcaps = hit.via.hwcaps.removeprefix(PREFIX)
            isa = max(0, hit.elf.isa.bit_length() - 1)
            for key in {name, hit.elf.soname or name}:
                if "/" not in key:
                    flags = cache_flags(abi)[0]
                    entries.append(ldcache.Entry(key, file, flags, hwcaps, isa if hwcaps else 0))
            if directory + "/" not in loader.directories:
                directories[directory] = None
    yield Put(path, PutText(ldcache.dump(entries, little=little)), reason)
    conf = path.removesuffix(".cache") + ".conf"
    yield Put(conf, PutText(encode("".join(f"{d}\n" for d in directories))), reason)


def _path_files(plan: Plan) -> Iterator[Put]:
    reason = Reason("ld.so.cache", "a library outside the loader's own directories")
    files: dict[str, dict[str, None]] = {}
    for placed in plan.programs:
        loader = placed.closure.loader
        if loader is None or loader.libc != MUSL:
            continue
        directories = files.setdefault(path_file(loader.path, loader.lib), {})
        for _, file, _ in _libraries(placed):
            directories[parent(file)] = None
    for path, directories in files.items():
        lines = dict.fromkeys([*directories, "/lib", "/usr/local/lib", "/usr/lib"])
        yield Put(path, PutText(encode("".join(f"{d}\n" for d in lines))), reason)


def _libraries(placed: Placed) -> Iterator[tuple[str, str, Hit]]:
    """Needed name, path in the image and object of each library."""
    closure = placed.closure
    rows = zip(closure.names, placed.objects, closure.hits, strict=True)
    for name, path, hit in list(rows)[1:]:
        if hit.via.kind is not Kind.INTERPRETER:
            yield name, path, hit
