"""The plan held against itself: every closure is resolved again with the plan as root.

What counts is the identity of the sources, never the path: a library may be placed elsewhere than
it was found.
"""

from collections.abc import Iterator, Mapping
from enum import Enum

from elfpack.errors import ElfpackError, Finding
from elfpack.light import NamedTuple
from elfpack.loader.closure import MISSING, Closure
from elfpack.loader.program import SEARCH_PATH, Program, open_program
from elfpack.loader.records import Hit, Kind
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import join, normal, parent
from elfpack.planning.entry import Opened, Placed, Plan, Regular, Symlink
from elfpack.planning.planned import PlanRoot
from elfpack.root.walk import Walker


class Fault(Enum):
    """What is different in the image."""

    PROGRAM = "program"
    """Something else stands at the program's path, or the script would be run by another one."""
    INTERPRETER = "interpreter"
    LIBRARY = "library"
    """It is not found, or another one is."""
    ORDER = "order"
    """All are loaded, in another order: another one may answer for a symbol."""


class Difference(NamedTuple):
    """One thing that the kernel or the loader would not do in the image as it does here."""

    fault: Fault
    program: Placed
    hit: Hit
    """The object here."""
    name: str = ""
    """What it is asked for by."""
    file: str = ""
    """Its path in the image."""
    instead: str = ""
    """What would be loaded instead, by its path in the image; empty for nothing."""


class Image(NamedTuple):
    """A plan as a root, and how its programs start."""

    tree: PlanRoot
    resolver: Resolver
    options: Options
    search_path: tuple[str, ...]
    """PATH."""


def image_of(plan: Plan, asked: Options, here: Resolver) -> Image:
    """The plan as a root; of what was ``asked`` for, what is excluded and the CPU count.

    What was read ``here`` of a file that goes into the image as it is, is not read again.
    """
    tree = PlanRoot(plan)
    resolver = Resolver(tree)
    files = (e for e in plan.entries if isinstance(e, Regular) and not e.edited)
    resolver.files.adopt(here.files, (e.identity for e in files if e.identity is not None))
    options = Options(
        library_path=plan.config.variable("LD_LIBRARY_PATH"),
        cwd=plan.config.workdir,
        exclude=asked.exclude,
        facts=asked.facts,
        secure=asked.secure,
    )
    given = plan.config.variable("PATH")
    search_path = tuple(given.split(":")) if given else SEARCH_PATH
    return Image(tree, resolver, options, search_path)


def differences(plan: Plan, image: Image, here: Resolver, asked: Options) -> tuple[Difference, ...]:
    """What would be started or loaded differently in the image, each once.

    ``here`` is where the plan's closures were resolved, with the options ``asked``.
    """
    found: dict[Difference, None] = {}
    again: dict[int, Closure | None] = {}
    by: dict[tuple[int, int] | None, list[Opened]] = {}
    for one in plan.opened:
        by.setdefault(one.by, []).append(one)
    for placed in plan.programs:
        if placed.script is not None:
            found.update(dict.fromkeys(_script(placed, image)))
        if placed.closure.program is None or not placed.closure.hits:
            continue
        there = again[id(placed.closure)] = _again(placed, image, again)
        found.update(dict.fromkeys(_compare(placed, there)))
        if there is not None and there.loader is not None:
            opened = _opened(by, placed, (here, asked), (image, there))
            found.update(dict.fromkeys(opened))
    return tuple(found)


def _script(placed: Placed, image: Image) -> Iterator[Difference]:
    """A script has to come down to the same program."""
    wanted = placed.closure.hits[0]
    try:
        started = open_program(
            image.resolver.files, placed.script or "", image.options.cwd, image.search_path
        )
    except ElfpackError:
        started = None
    if not isinstance(started, Program):
        yield Difference(Fault.PROGRAM, placed, wanted)
    elif started.hit.identity != wanted.identity:
        yield Difference(Fault.PROGRAM, placed, wanted, instead=started.hit.path)


def _again(placed: Placed, image: Image, known: Mapping[int, Closure | None]) -> Closure | None:
    """The closure in the image; None if no program stands at its path. ``known`` are those of who
    opens a library, by the id() of the closures here."""
    options = image.options._replace(cpu=placed.cpu)
    try:
        program = open_program(image.resolver.files, placed.path, options.cwd)
    except ElfpackError:
        return None
    if not isinstance(program, Program) or program.scripts:
        return None
    loader = placed.closure.loader
    given = None if program.hit.elf.interpreter or loader is None else loader.path
    around = tuple(c for one in placed.closure.around if (c := known.get(id(one))) is not None)
    return image.resolver.closure(program, options, given, around)


def _compare(placed: Placed, there: Closure | None) -> Iterator[Difference]:
    here = placed.closure
    if there is None or there.hits[0].identity != here.hits[0].identity:
        instead = placed.path if there is not None else ""
        yield Difference(Fault.PROGRAM, placed, here.hits[0], instead=instead)
        return
    if here.interpreter is not None and (
        there.interpreter is None or there.interpreter.identity != here.interpreter.identity
    ):
        instead = there.interpreter.path if there.interpreter is not None else ""
        yield Difference(Fault.INTERPRETER, placed, here.interpreter, instead=instead)
        return
    found = list(_libraries(there)) if there.refusal is None else []
    wanted = list(_libraries(here))
    if [there.hits[n].identity for n in found] != [here.hits[n].identity for n in wanted]:
        yield from _lost(placed, wanted, there, found)
    else:
        yield from _unmet(placed, there)


def _lost(
    placed: Placed, wanted: list[int], there: Closure, found: list[int]
) -> Iterator[Difference]:
    """What is not loaded in the image; if all is, what has another place in the order."""
    here = placed.closure
    loaded = {there.hits[number].identity for number in found}
    by_name = {there.names[number]: there.hits[number].path for number in found}
    fault = Fault.LIBRARY
    lost = [number for number in wanted if here.hits[number].identity not in loaded]
    if not lost:
        fault = Fault.ORDER
        others = [there.hits[number].identity for number in found]
        lost = [
            n for n, other in zip(wanted, others, strict=False) if here.hits[n].identity != other
        ]
        lost = lost or [wanted[-1]]
    for number in lost:
        name = here.names[number]
        instead = by_name.get(name, "") if fault is Fault.LIBRARY else ""
        file = placed.objects[number]
        yield Difference(fault, placed, here.hits[number], name, file, instead)


def _unmet(placed: Placed, there: Closure) -> Iterator[Difference]:
    """Names by which an object is not found in the image, though it is loaded by another one."""
    if not there.misses:
        return
    here = placed.closure
    numbers = {hit.identity: number for number, hit in enumerate(there.hits)}
    aliases = {
        (alias.requester, alias.name): (alias.hit, file)
        for alias, file in zip(here.aliases, placed.aliases, strict=True)
    }
    for number, hit in enumerate(here.hits):
        again = numbers.get(hit.identity)
        if again is None:
            continue
        pairs = zip(here.asked(number), there.asked(again), strict=False)
        for (name, _, target), (_, _, found) in pairs:
            if target >= 0 and found == MISSING:
                usual = (here.hits[target], placed.objects[target])
                lost, file = aliases.get((number, name), usual)
                yield Difference(Fault.LIBRARY, placed, lost, name, file)


def _libraries(closure: Closure) -> Iterator[int]:
    """Where in a closure its libraries stand."""
    for number, hit in enumerate(closure.hits):
        if number and hit.via.kind is not Kind.INTERPRETER:
            yield number


def _opened(
    opened: Mapping[tuple[int, int] | None, list[Opened]],
    placed: Placed,
    here: tuple[Resolver, Options],
    there: tuple[Image, Closure],
) -> Iterator[Difference]:
    """What is opened by name has to be what is opened here. ``opened`` is by who opens it."""
    closure = placed.closure
    image, again = there
    options = here[1]._replace(cpu=placed.cpu)
    inside = image.options._replace(cpu=placed.cpu)
    places = {hit.identity: number for number, hit in enumerate(again.hits)}
    openers: list[tuple[tuple[int, int] | None, int | None]] = [
        (hit.identity, number) for number, hit in enumerate(closure.hits) if hit.identity in opened
    ]
    if closure.kind != "library":
        openers.append((None, None))
    machine = closure.hits[0].elf.abi[:3]
    for opener, number in openers:
        by = places.get(opener) if opener is not None else None
        opens = here[0].opener(closure, options, number)
        opens_there = image.resolver.opener(again, inside, by)
        for one in opened.get(opener, ()):
            if one.hit.elf.abi[:3] != machine:
                continue
            hit = opens(one.name)
            if hit is None or hit.identity != one.hit.identity:
                continue  # this program would not open it here either
            found = opens_there(one.name)
            if found is None or found.identity != one.hit.identity:
                instead = found.path if found is not None else ""
                yield Difference(Fault.LIBRARY, placed, one.hit, one.name, one.hit.path, instead)


def told(difference: Difference) -> Finding:
    """What to tell of a difference that nothing could mend."""
    name, hit = difference.program.closure.name, difference.hit
    other = f", but {difference.instead}" if difference.instead else ""
    match difference.fault:
        case Fault.PROGRAM:
            return Finding(
                "lost-in-image",
                name,
                f"in the image it would come down to {difference.instead or 'nothing'}, "
                f"not to {hit.path}",
                "give what stands in its way another destination, or set PATH",
            )
        case Fault.INTERPRETER:
            return Finding(
                "lost-in-image",
                name,
                f"the kernel in the image would not start {hit.path} for it{other}",
                "give what stands at that path another destination",
            )
        case Fault.ORDER:
            return Finding(
                "lost-in-image",
                name,
                f"the loader in the image would load {hit.path} at another place of its order",
                "give the program the path that it has here",
            )
    return Finding(
        "lost-in-image",
        name,
        f"the loader in the image would not load {hit.path} for {difference.name}{other}",
        f"two objects cannot be found by the name {difference.name} there: make two images, or "
        "link one program with -rpath"
        if difference.instead
        else "keep the program beside its libraries, or give it the path that it has here",
    )


def unloaded(plan: Plan, image: Image) -> Iterator[Finding]:
    """What the image's LD_PRELOAD names and its loader would pass over, for the first program."""
    wanted = plan.config.variable("LD_PRELOAD")
    first = next((p for p in plan.programs if p.named and p.closure.loader is not None), None)
    if not wanted or first is None:
        return
    options = image.options._replace(preload=wanted)
    closure = _again(first, image._replace(options=options), {})
    for preload in closure.preloads if closure is not None else ():
        if preload.reason:
            yield Finding(
                "not-preloaded",
                preload.name,
                f"named by the image's LD_PRELOAD, and its loader passes over it: {preload.reason}",
                f"--add {preload.name}, or name a library that is in the image",
            )


def dangling(plan: Plan, image: Image) -> Iterator[Finding]:
    """Added links that lead nowhere in the image: said, for they may be meant so. Many that lead
    into one directory are one line."""
    walker = Walker(image.tree)
    found: dict[str, list[tuple[str, str]]] = {}
    for entry in plan.entries:
        added = isinstance(entry, Symlink) and entry.reason.source == "added"
        if added and isinstance(entry, Symlink) and isinstance(walker.find(entry.path), int):
            target = normal(join(parent(entry.path), entry.target))
            found.setdefault(parent(target), []).append((entry.path, target))
    for directory, links in found.items():
        several = len(links) > _EACH and directory != "/"
        for path, target in links[:1] if several else links:
            more = f", and {len(links) - 1} more into {directory}" if several else ""
            yield Finding(
                "dangling-link",
                path,
                f"an added link leads to {target}, which the image has not{more}",
                f"--add {directory if several else target}, if it is needed",
                note=True,
            )


_EACH = 3
"""Links into one directory that are told one by one."""
