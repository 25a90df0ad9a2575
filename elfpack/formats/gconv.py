"""``gconv-modules``: which module of glibc converts which character set into which.

Every conversion goes through a chain of steps, nearly always over INTERNAL, which is UCS-4 in the
machine's byte order.

Source: glibc iconv/gconv_parseconfdir.h, read_conf_file(); iconv/gconv_conf.c, add_alias(),
add_module(), insert_module(); iconv/gconv_charset.c, gconv_parse_code(); iconv/gconv_charset.h,
strip(); iconv/gconv_builtin.h.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from elfpack import late
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import decode

if TYPE_CHECKING:
    from typing import Final

INTERNAL: Final = "INTERNAL"
_UCS4, _UCS2, _UTF8 = "ISO-10646/UCS4/", "ISO-10646/UCS2/", "ISO-10646/UTF8/"
_ASCII = "ANSI_X3.4-1968//"
_ANY = "-"
"""As the target of a step: whatever is wanted."""
_NUMBER = late.pattern(rb"[+-]?[0-9]{1,9}")
_OTHERS = late.pattern(r"[^A-Z0-9_.,:/-]")


def _aliases(target: str, *names: str) -> dict[str, str]:
    return {name if name.endswith("/") else f"{name}//": target for name in names}


BUILT_IN_ALIASES: Final[Mapping[str, str]] = {
    **_aliases(_UCS4, "UCS4", "UCS-4", "UCS-4BE", "CSUCS4", "ISO-10646", "10646-1:1993"),
    **_aliases(_UCS4, "10646-1:1993/UCS4/", "OSF00010104", "OSF00010105", "OSF00010106"),
    **_aliases(_UTF8, "UTF8", "UTF-8", "ISO-IR-193", "OSF05010001", "ISO-10646/UTF-8/"),
    **_aliases(_UCS2, "UCS2", "UCS-2", "OSF00010100", "OSF00010101", "OSF00010102"),
    **_aliases(_UCS2, "UCS-2LE", "UCS-2BE"),
    **_aliases(_ASCII, "ANSI_X3.4", "ISO-IR-6", "ANSI_X3.4-1986", "ISO_646.IRV:1991", "ASCII"),
    **_aliases(_ASCII, "ISO646-US", "US-ASCII", "US", "IBM367", "CP367", "CSASCII", "OSF00010020"),
    **_aliases(INTERNAL, "WCHAR_T"),
}
"""Names of the character sets that need no module. That UCS-2LE is one thing on a little-endian
machine and another on a big-endian one makes no difference here: both are built in."""
BUILT_IN: Final = frozenset(
    (INTERNAL, _UCS4, "UCS-4LE//", _UTF8, _UCS2, _ASCII, "UNICODELITTLE//", "UNICODEBIG//")
)


class Step(NamedTuple):
    """One line ``module``: a conversion in one direction."""

    source: str
    target: str
    module: str
    """As it is written: a name without its ending, or a path."""
    cost: int

    @property
    def file(self) -> str:
        """Its file, from the directory of the configuration if it is not absolute."""
        return self.module if self.module.endswith(".so") else f"{self.module}.so"


class Modules(NamedTuple):
    """What all configuration files of a directory say together."""

    aliases: Mapping[str, str]
    """Another name of a character set, and the one that steps know: ``LATIN1//``,
    ``ISO-8859-1//``."""
    steps: tuple[Step, ...]
    """In file order, which decides between chains of equal cost; two never have the same ends."""


def parse(files: Iterable[bytes]) -> Modules:
    """The configuration that some files make, in the order in which glibc reads them. What is no
    line of either kind is passed over, as it is by glibc."""
    aliases: dict[str, str] = {}
    steps: dict[tuple[str, str], Step] = {}
    sources: set[str] = set()
    for raw in files:
        for line in raw.split(b"\n"):
            fields = line.partition(b"#")[0].partition(b"\0")[0].split()
            if len(fields) > 2 and fields[0] == b"alias":
                name = _name(fields[1])
                if name not in sources:
                    aliases.setdefault(name, _name(fields[2]))
            elif len(fields) > 3 and fields[0] == b"module":
                step = _step(fields)
                ends = step.source, step.target
                if step.source in aliases or (ends in steps and steps[ends].cost <= step.cost):
                    continue
                steps.pop(ends, None)
                steps[ends] = step
                sources.add(step.source)
    return Modules(aliases, tuple(steps.values()))


def _name(field: bytes) -> str:
    return decode(field.upper())


def _step(fields: list[bytes]) -> Step:
    cost = _NUMBER.match(fields[4]) if len(fields) > 4 else None
    return Step(
        _name(fields[1]), _name(fields[2]), decode(fields[3]), max(int(cost[0]), 1) if cost else 1
    )


def dump(modules: Modules) -> str:
    """One configuration file."""
    lines = [f"alias\t{name}\t{target}\n" for name, target in modules.aliases.items()]
    lines += [f"module\t{s.source}\t{s.target}\t{s.module}\t{s.cost}\n" for s in modules.steps]
    return "".join(lines)


def code(name: str) -> str:
    """A name as iconv_open() looks it up: capitals, two slashes, no //TRANSLIT."""
    name = name.rstrip(" ,/")
    while name.count("/") >= 2:
        name = name[: max(name.rfind("/"), name.rfind(","))].rstrip(" ,/")
    name = _OTHERS.sub("", name.upper())
    return name + "/" * (2 - name.count("/"))


def is_built_in(name: str) -> bool:
    """Whether a character set of that name needs no module."""
    wanted = code(name)
    return BUILT_IN_ALIASES.get(wanted, wanted) in BUILT_IN


def charsets(modules: Modules, name: str) -> frozenset[str] | None:
    """What steps call the character sets of a name: its own name, an alias, or a module's. Those
    that are built in are left out; None for a name that nobody knows."""
    wanted = code(name)
    wanted = modules.aliases.get(wanted) or BUILT_IN_ALIASES.get(wanted) or wanted
    if wanted in BUILT_IN:
        return frozenset()
    if any(wanted in (step.source, step.target) for step in modules.steps):
        return frozenset((wanted,))
    file = name.casefold().removesuffix(".so")
    ends = {
        end
        for step in modules.steps
        if step.file.rpartition("/")[2].removesuffix(".so").casefold() == file
        for end in (step.source, step.target)
    }
    return frozenset(ends - BUILT_IN - {_ANY}) or None


def names(modules: Modules) -> list[str]:
    """All names of character sets, as people write them."""
    known = {end for step in modules.steps for end in (step.source, step.target)} | BUILT_IN
    all_names = known.union(modules.aliases, BUILT_IN_ALIASES) - {INTERNAL, _ANY}
    return sorted(name.rstrip("/") for name in all_names)


def subset(modules: Modules, wanted: Iterable[str]) -> Modules:
    """What is needed to convert these character sets into each other and into those that are
    built in: the modules of the cheapest chains, those for shorter ways between them, all else
    that these modules convert, and all names of that."""
    wanted = sorted(wanted)
    kept = set(wanted) | BUILT_IN
    for forward in (True, False):
        ways = _ways(modules.steps, forward)
        for charset in wanted:
            at = charset
            while at in ways and at != INTERNAL:
                at = ways[at]
                kept.add(at)
    targets = kept | {_ANY}
    files = {s.file for s in modules.steps if s.source in kept and s.target in targets}
    steps = tuple(step for step in modules.steps if step.file in files)
    known = {end for step in steps for end in (step.source, step.target)} - BUILT_IN
    return Modules({n: target for n, target in modules.aliases.items() if target in known}, steps)


def _ways(steps: tuple[Step, ...], forward: bool) -> dict[str, str]:
    """The next character set on the cheapest chain from each to INTERNAL, or back from INTERNAL.

    Source: glibc iconv/gconv_db.c, find_derivation(): costs add up, and of equal ones the order of
    the steps decides.
    """
    from heapq import heappop, heappush  # late: most programs convert nothing

    edges: dict[str, list[tuple[str, int, int]]] = {}
    for number, step in enumerate((*steps, *_built_in_steps())):
        target = INTERNAL if step.target == _ANY else step.target
        start, end = (target, step.source) if forward else (step.source, target)
        edges.setdefault(start, []).append((end, step.cost, number))
    ways: dict[str, str] = {}
    heap = [(0, 0, INTERNAL, INTERNAL)]
    while heap:
        cost, order, charset, previous = heappop(heap)
        if charset in ways:
            continue
        ways[charset] = previous
        for end, more, number in edges.get(charset, ()):
            if end not in ways:
                heappush(heap, (cost + more, order + number, end, charset))
    return ways


def _built_in_steps() -> Iterable[Step]:
    for charset in sorted(BUILT_IN - {INTERNAL}):
        yield Step(charset, INTERNAL, "=", 1)
        yield Step(INTERNAL, charset, "=", 1)
