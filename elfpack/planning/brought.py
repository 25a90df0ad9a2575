"""What an added library needs and does not find by itself, and a program opens before it."""

from collections.abc import Sequence

from elfpack.light import NamedTuple
from elfpack.loader.closure import Closure
from elfpack.loader.records import Hit
from elfpack.paths import basename, encode
from elfpack.planning.contents import Contents


class Brought(NamedTuple):
    """An added library, and the object that opens it by the name that is written in it."""

    library: Hit
    opener: Hit


def brought(
    name: str,
    machine: tuple[int, int, bool],
    programs: Sequence[Closure],
    added: Sequence[Closure],
    contents: Contents,
) -> Brought | None:
    """Whether a needed name is that of an added library which a program opens itself, or one of
    its libraries, as java does with libjvm.so: what needs it is loaded after it, and a loader
    takes what has that soname already.

    Source: glibc elf/dl-load.c, _dl_map_object(): names of what is loaded come before any search.
    """
    known = next((c.hits[0] for c in added if answers(c.hits[0], name, machine)), None)
    if known is None:
        return None
    import re  # late, for the few who add such libraries

    pattern = re.compile(rb"[\0/](" + re.escape(encode(name)) + rb")\0")
    for program in programs:
        for hit in program.hits:
            if hit.elf.abi[:3] == machine and contents.strings(hit, pattern, whole=False):
                return Brought(known, hit)
    return None


def answers(hit: Hit, name: str, machine: tuple[int, int, bool]) -> bool:
    """Whether a library that is loaded answers to a needed name."""
    return hit.elf.abi[:3] == machine and (hit.elf.soname or basename(hit.path)) == name
