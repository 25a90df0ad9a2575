"""SECURITY.md says what is so: the tests that it names are there, and its limits are the code's."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "SECURITY.md").read_text()

LIMITS = {
    "bytes that come out": ("root.streams.UNPACKED", "root.streams.TIMES"),
    "files that are listed": ("root.streams.LISTED", "root.streams.EACH", "root.streams.TREE"),
    "memory for xz": ("formats.decompression._MEMORY",),
    "bytes behind the end": ("root.archived._DRAIN",),
    "a pax header": ("formats.tar._SPECIAL_LIMIT",),
    "pieces of all sparse": ("formats.tar._PIECES",),
    "a name or the text": ("paths.PATH_LIMIT -1",),
    "directories that no": ("root.archived._MADE", "root.archived._MADE_EACH"),
    "look-ups while": ("root.archived._LOOKS", "root.archived._LOOKS_EACH"),
    "links in one": ("root.walk.LINK_LIMIT",),
    "images of an archive": ("formats.manifests.MOST_IMAGES",),
    "indexes in indexes": ("root.image._DEPTH",),
    "layers of an image": ("formats.manifests._MOST_LAYERS",),
    "a manifest, an index": ("root.image._LIMIT",),
    "tags, variables": ("formats.manifests._MOST_TEXTS",),
    "a variable of": ("formats.container._LONGEST",),
    "what is kept of": ("root.archived._KEPT",),
    "program headers": ("elf.constants.PN_XNUM -1",),
    "the name of an interpreter": ("paths.PATH_LIMIT",),
    "a table of names": ("elf.layout.TABLE_MOST",),
    "names that share": (),
    "segments of notes": ("elf.layout._SEGMENTS_MOST",),
    "versions of one symbol": ("loader.linkage._ALIKE",),
    "sections, for": ("elf.sectiontable.SHN_LORESERVE -1",),
    "headers and names of sections": ("elf.sections._WORK",),
    "strings and paths": ("elf.constant.MOST", "elf.constant.LONGEST"),
    "a table of Go's": ("elf.golang._TABLE_MOST", "elf.golang._FUNCTIONS_MOST"),
    "a note on": ("formats.dlopennote._MOST_BYTES", "formats.dlopennote._MOST_NAMES"),
    "a busybox": ("elf.busybox._MOST", "elf.busybox._MOST_APPLETS"),
    "a loader": ("loader.files.LOADER_LIMIT",),
    "`ld.so.cache`": ("loader.files.CACHE_LIMIT",),
    "a list:": ("loader.files.TEXT_LIMIT",),
    "scripts whose": ("loader.program.SCRIPT_DEPTH",),
    "search paths that": ("loader.walk._MOST_PATHS",),
    "objects that a program": ("loader.walk._MOST_UNSEEN",),
    "libraries of which": ("planning.collect._DEEPEST",),
    "services of": ("checking.nss._MOST",),
    "places that are told": tuple(f"loader.walk._MOST_{w}" for w in ("PLACES", "TEXT", "TOLD")),
    "chains that": ("report.why.LIMIT",),
    "levels that": ("report.tree.LEVELS",),
    "certificates in": ("runtime.certs._MOST",),
    "a category of": ("formats.localearchive.LONGEST",),
    "a line of a log": ("formats.strace.LONGEST",),
    "lines that one call": ("formats.strace._INTERRUPTED",),
    "paths that a log": ("runtime.traced._MOST_KEPT",),
    "directories that are kept": ("root.directory._DESCRIPTORS", "root.directory._SHARE"),
    "the list of what": ("pack.marker._LIMIT",),
}
"""By what a row begins with, where its numbers stand."""
UNITS = {"KiB": 10, "MiB": 20, "GiB": 30}


def _rows() -> list[tuple[str, str]]:
    section = TEXT.partition("\n## Stated limits\n")[2].partition("\n## ")[0]
    cells = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    assert all(len(row) == 3 for row in cells)
    rows = [(what.strip(), limit.strip()) for what, limit, _ in cells]
    return [(what, limit) for what, limit in rows if limit != "limit" and set(what) != {"-"}]


def _numbers(text: str) -> list[int]:
    found = re.findall(r"([0-9][0-9,]*)(?: (KiB|MiB|GiB))?", text.replace("1/", ""))
    return [int(digits.replace(",", "")) << UNITS.get(unit, 0) for digits, unit in found]


def _constant(where: str) -> int:
    name, _, less = where.partition(" ")
    module, _, constant = name.rpartition(".")
    value: int = getattr(import_module(f"elfpack.{module}"), constant)
    return value + int(less or 0)


def test_every_limit_is_held() -> None:
    whats = [what for what, _ in _rows()]
    for what in whats:
        assert sum(what.startswith(known) for known in LIMITS) == 1, what
    assert len(whats) == len(LIMITS)


def test_limits_are_those_of_the_code() -> None:
    for what, limit in _rows():
        places = next(found for known, found in LIMITS.items() if what.startswith(known))
        if places:
            assert _numbers(limit) == [_constant(place) for place in places], what


def test_names_that_share_their_bytes() -> None:
    from elfpack.elf.strings import most_bytes

    (limit,) = [limit for what, limit in _rows() if what.startswith("names that share")]
    assert _numbers(limit) == [most_bytes(0), most_bytes(1) - most_bytes(0)]


def test_what_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests|tools)/[^`]+)`", TEXT)
    assert len(named) > 5
    assert not [path for path in named if not (PROJECT / path).exists()]
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"`make ([a-z]+)`", TEXT)) <= targets
