"""Hostile files take no more time and memory than a small multiple of their size.

Counts of calls, bytes and lines; where a slow way is in no count, a child with a limit of processor
time that it would exceed ten times over.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from elfpack.blob import BytesSource, FileSource, Source, from_bytes
from elfpack.checking import check
from elfpack.elf import constants as c
from elfpack.elf.constant import has
from elfpack.elf.edit import strip
from elfpack.elf.file import ElfFile, Malformed
from elfpack.elf.golang import read_go
from elfpack.elf.layout import ElfFault, read_layout
from elfpack.elf.linking import read_linking
from elfpack.elf.notes import read_notes
from elfpack.elf.reader import read
from elfpack.elf.relocations import glibc_order
from elfpack.elf.sections import defined_functions, section
from elfpack.elf.symbols import imported_names, read_symbols
from elfpack.elf.versions import read_versions
from elfpack.errors import InputError
from elfpack.formats import ldcache
from elfpack.loader.glibc_symbols import GLIBC_RULES
from elfpack.loader.linkage import linkage
from elfpack.loader.program import Program, open_program
from elfpack.loader.resolve import Options, Resolver
from elfpack.loader.tokens import Tokens, expand
from elfpack.loader.walk import Walk
from elfpack.planning.make import make
from elfpack.planning.request import Request
from elfpack.report import ldd
from elfpack.report import tree as tree_report
from elfpack.root.node import Node
from elfpack.root.tree import TreeRoot
from tests.elfbuild import elf
from tests.worlds import GLIBC, LOADER, tree

LONG = "x" * 200_000
MANY = 1000
X86_64 = 0x0303


class Counted(BytesSource):
    """Bytes that count how many of them are read."""

    __slots__ = ("read",)

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.read = 0

    def pread(self, size: int, offset: int) -> bytes:
        found = super().pread(size, offset)
        self.read += len(found)
        return found


class CountedFile(FileSource):
    __slots__ = ("read",)

    def __init__(self, path: Path) -> None:
        super().__init__(os.open(path, os.O_RDONLY), str(path))
        self.read = 0

    def pread(self, size: int, offset: int) -> bytes:
        self.read += size
        return super().pread(size, offset)


def within_seconds(code: str, seconds: int) -> None:
    """Run it in a process that ends when it needs more processor time."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)),
    )
    assert done.returncode == 0, done.stderr or "it took too long"


# Names that share their bytes

TAGS = (c.DT_NEEDED, c.DT_AUDIT, c.DT_FILTER, c.DT_AUXILIARY)


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("length", [len(LONG), 8000])
def test_names_that_overlap_over_and_over(tag: int, length: int) -> None:
    """Each begins a byte behind the one before it."""
    count = 2 * ((1 << 20) + 32 * length) // (length - 2000)
    starts = [1 + n % 4000 for n in range(count)]
    found = read(BytesSource(elf(soname=LONG[:length], tags=[(tag, at) for at in starts])))
    assert isinstance(found, Malformed)
    assert found.message == "ELF file with names that overlap over and over"


def test_names_that_share_their_ends() -> None:
    """As linkers make them: nobody minds."""
    tags = [(c.DT_NEEDED, 1 + n) for n in range(300)]
    found = read(BytesSource(elf(soname="x" * 400, tags=tags)))
    assert isinstance(found, ElfFile)
    assert found.needed == tuple("x" * (400 - n) for n in range(300))


def overlapping_symbols() -> bytes:
    """The names of imported symbols, moved so that they are ends of one string."""
    names = [f"s{n}" for n in range(MANY)]
    relocations = [f"got:{name}" for name in names]
    raw = elf(soname=LONG, imports=names, relocations=relocations, hash="sysv")
    layout = read_layout(BytesSource(raw))
    start = layout.offset(layout.tags[c.DT_SYMTAB])
    assert start is not None
    changed = bytearray(raw)
    for number in range(1, MANY + 1):
        struct.pack_into("<I", changed, start + 24 * number, number)
    return bytes(changed)


def link(source: Source) -> object:
    linking = read_linking(source, glibc_order)
    assert linking is not None
    elf_file = read(source)
    assert isinstance(elf_file, ElfFile)
    return linkage(linking, elf_file.abi, GLIBC_RULES)


@pytest.mark.parametrize(
    "reader", [link, read_symbols, lambda s: imported_names(s, read_layout(s))]
)
def test_symbols_that_overlap_over_and_over(reader: Callable[[Source], object]) -> None:
    with pytest.raises(ElfFault, match="overlap over and over"):
        reader(BytesSource(overlapping_symbols()))


def test_versions_that_overlap_over_and_over() -> None:
    raw = elf(soname=LONG, defines=[f"v{n}" for n in range(MANY)], imports=["x"])
    layout = read_layout(BytesSource(raw))
    start = layout.offset(layout.tags[c.DT_VERDEF])
    assert start is not None
    changed = bytearray(raw)
    for number in range(MANY + 1):
        struct.pack_into("<I", changed, start + 28 * number + 20, 1 + number)
    with pytest.raises(ElfFault, match="overlap over and over"):
        read_versions(BytesSource(bytes(changed)))


def test_one_symbol_defined_over_and_over() -> None:
    versions = [f"V{n}" for n in range(300)]
    raw = elf(soname="x", defines=versions, exports=[f"f@{v}" for v in versions])
    with pytest.raises(ElfFault, match="one symbol over and over"):
        link(BytesSource(raw))


# Segments that overlap, and holes


def with_segments(raw: bytes, *more: tuple[int, int, int, int]) -> bytes:
    """The file with more program headers, of type, flags, offset and size: all at its end."""
    (start,), (count,) = struct.unpack_from("<Q", raw, 32), struct.unpack_from("<H", raw, 56)
    table = raw[start : start + 56 * count] + b"".join(
        struct.pack("<IIQQQQQQ", kind, flags, at, at, at, size, size, 4)
        for kind, flags, at, size in more
    )
    changed = bytearray(raw + bytes(-len(raw) % 8))
    struct.pack_into("<Q", changed, 32, len(changed))
    struct.pack_into("<H", changed, 56, len(table) // 56)
    return bytes(changed) + table


@pytest.mark.parametrize(
    ("kind", "reader"),
    [(c.PT_NOTE, read_notes), (c.PT_LOAD, read_go), (c.PT_LOAD, lambda s: has(s, b"none"))],
)
def test_overlapping_segments(kind: int, reader: Callable[[Source], object]) -> None:
    source = Counted(
        with_segments(
            elf(content=bytes(1 << 18)),
            *[(kind, c.PF_W | 4 if n % 2 else 4, 64, 1 << 18) for n in range(MANY)],
        )
    )
    reader(source)
    assert source.read < 8 * source.size


def test_properties_in_many_segments() -> None:
    raw = elf(soname="x", content=bytes(1 << 14))
    row = struct.pack("<IIQQQQQQ", c.PT_NOTE, 4, 4096, 4096, 4096, 4096, 4096, 8)
    source = Counted(with_segments(raw, *[(c.PT_NOTE, 4, 4096, 4096)] * 20_000))
    source = Counted(source.pread(source.size, 0)[: -20_000 * len(row)] + row * 20_000)
    assert isinstance(read(source), ElfFile)
    assert source.read < 4 * source.size


@pytest.mark.parametrize("reader", [read_go, lambda s: has(s, b"none")])
def test_a_hole_is_not_read(tmp_path: Path, reader: Callable[[Source], object]) -> None:
    size = 1 << 34
    path = tmp_path / "hole"
    path.write_bytes(with_segments(elf(), (c.PT_LOAD, 4, 0, size), (c.PT_LOAD, 6, 0, size)))
    os.truncate(path, size)
    source = CountedFile(path)
    try:
        if path.stat().st_blocks * 512 > 1 << 24:
            pytest.skip("the file system has no holes")
        reader(source)
        assert source.read < 1 << 24
    finally:
        source.close()


def test_a_string_table_as_large_as_a_hole(tmp_path: Path) -> None:
    path = tmp_path / "hole"
    raw = elf(soname="x", imports=["f"])
    at = raw.index(struct.pack("<Q", c.DT_STRSZ))
    path.write_bytes(raw[: at + 8] + struct.pack("<Q", 1 << 40) + raw[at + 16 :])
    os.truncate(path, 1 << 34)
    source = CountedFile(path)
    try:
        with pytest.raises(ElfFault, match="string table of"):
            imported_names(source, read_layout(source))
        assert source.read < 1 << 20
    finally:
        source.close()


# Sections


def section_row(name: int, kind: int, flags: int, offset: int, size: int, link: int) -> bytes:
    return struct.pack("<IIQQQQIIQQ", name, kind, flags, 0, offset, size, link, 0, 1, 24)


def with_sections(names: bytes, content: bytes, rows: Sequence[tuple[int, ...]]) -> bytes:
    """A file with these sections; the first of them has the names. Offsets count from what is
    behind the segments."""
    raw = elf(interpreter=LOADER, sections=False)
    start = len(raw)
    raw += names + content
    raw += bytes(-len(raw) % 8)
    table = bytes(64) + section_row(1, 3, 0, start, len(names), 0)
    for name, kind, flags, offset, size, linked in rows:
        table += section_row(name, kind, flags, offset + start, size, linked)
    changed = bytearray(raw + table)
    struct.pack_into("<Q", changed, 40, len(raw))
    struct.pack_into("<HHH", changed, 58, 64, len(rows) + 2, 1)
    return bytes(changed)


NAMES = b"\0.shstrtab\0.symtab\0.strtab\0"


def test_names_of_sections_that_take_no_end() -> None:
    rows = [(27 + n, 1, 0, 0, 0, 0) for n in range(MANY)]
    source = Counted(with_sections(NAMES + b"n" * (1 << 20) + b"\0", b"", rows))
    assert section(source, ".nowhere") == b""
    assert source.read < 4 * source.size


def test_nothing_is_decompressed() -> None:
    packed = struct.pack("<IIQQ", 1, 0, 1 << 26, 1) + zlib.compress(bytes(1 << 26), 9)
    packed += bytes(-len(packed) % 24)
    offset, compressed = len(NAMES), 0x800
    rows = [
        (11, 2, compressed, offset, len(packed), 3),
        (19, 3, compressed, offset, len(packed), 0),
    ]
    raw = with_sections(NAMES, packed, rows)
    tracemalloc.start()
    try:
        assert defined_functions(BytesSource(raw)) is not None
        assert tracemalloc.get_traced_memory()[1] < 1 << 25
    finally:
        tracemalloc.stop()


def test_dynamic_symbol_tables_that_overlap() -> None:
    names = NAMES + b".debug_x\0"
    size = 1 << 14
    rows = [(27, 1, 0, len(names), 8, 0)] + [(1, 11, 2, 0, size, 0)] * MANY
    source = Counted(with_sections(names, bytes(size), rows))
    with pytest.raises(ElfFault, match="dynamic symbol tables overlap"):
        strip(source)
    assert source.read < 4 * source.size


# ld.so.cache


class CountedCache(ldcache.LdCache):
    seen = 0

    def _entry(self, index: int) -> tuple[int, int, int, int]:
        self.seen += 1
        return super()._entry(index)


def cache_of(names: Sequence[str]) -> CountedCache:
    raw = ldcache.dump((ldcache.Entry(n, "/x", 0x1) for n in names), little=True)
    return CountedCache(raw, little=True, bits=64)


def test_entries_that_are_equal_to_many_names() -> None:
    names = [f"libx.so.{'0' * n}1" for n in range(300)]
    cache = cache_of(names)
    assert [cache.best(name, flags=(X86_64,)) for name in names] == [None] * 300
    assert cache.seen < 10 * len(names)


def test_a_number_of_any_length() -> None:
    """A C int of all digits, without a step for each."""
    cache = CountedCache(
        ldcache.dump([ldcache.Entry("lib.so.4294967297", "/x", X86_64)], little=True),
        little=True,
        bits=64,
    )
    assert cache.best("lib.so.1", flags=(X86_64,)) == "/x"
    for zeros in (1, 40, 3000):
        name = f"lib.so.{'9' * 10}{'0' * 32}{'0' * zeros}1"
        assert cache.best(name, flags=(X86_64,)) == "/x"


def test_keys_that_share_a_string() -> None:
    """What is kept of them is no more than the file."""
    count = 3000
    start = 48 + 24 * count
    rows = b"".join(struct.pack("<iIIIQ", X86_64, start + n, start, 0, 0) for n in range(count))
    head = struct.pack("<20sIIB3xI12x", b"glibc-ld.so.cache1.1", count, 5001, 2, 0)
    raw = head + rows + b"x" * 5000 + b"\0"
    cache = ldcache.LdCache(raw, little=True, bits=64)
    for length in range(2001, 4000, 7):
        assert cache.best("x" * length, flags=(X86_64,)) is not None
    assert sum(len(rank or ()) for rank in cache._ranks.values()) <= len(raw)


# Searches


class CountingRoot(TreeRoot):
    asked = 0

    def node(self, directory: str, name: str) -> Node | int:
        self.asked += 1
        return super().node(directory, name)


def counting(world: dict[str, bytes]) -> CountingRoot:
    root, known = CountingRoot("the world"), tree(GLIBC)
    loader = known.node("/lib64", LOADER.rpartition("/")[2])
    assert isinstance(loader, Node)
    source = known.open("/lib64", LOADER.rpartition("/")[2], loader)
    root.add_file(LOADER, from_bytes(source.pread(source.size, 0), LOADER), 0o755)
    for path, raw in world.items():
        root.add_file(path, from_bytes(raw, path), 0o755)
    return root


PATHS = {
    "that do not exist": [f"/none/{n}" for n in range(2000)],
    "that do not exist, and are relative": [f"none/{n}" for n in range(2000)],
    "that are one": ["/d" + "/." * n for n in range(400)],
    "that are there": [f"/d/{n}" for n in range(1000)],
}


@pytest.mark.parametrize("tag", ["rpath", "runpath"])
@pytest.mark.parametrize("where", PATHS)
def test_many_names_in_many_directories(where: str, tag: str) -> None:
    names = [f"lib{n}.so" for n in range(300)]
    paths = PATHS[where]
    exe = elf(interpreter=LOADER, needed=[*names, "libthere.so"], **{tag: ":".join(paths)})
    world = {"/exe": exe, f"{paths[-1]}/libthere.so": elf(soname="libthere.so")}
    if where != "that are there":
        world["/lib64/libthere.so"] = world.pop(f"{paths[-1]}/libthere.so")
    world |= {f"/d/{n}/other": b"" for n in range(1000)}
    root = counting(world)
    closure = Resolver(root).resolve("/exe", Options())
    assert [miss.name for miss in closure.misses] == names
    assert [hit.path for hit in closure.hits[1:]] == [
        f"{paths[-1]}/libthere.so" if where == "that are there" else "/lib64/libthere.so"
    ]
    assert root.asked < 20 * (len(paths) + len(names)) + 8000
    assert max(len(places) for _, places in closure.searched) <= 256


@pytest.mark.parametrize("where", PATHS)
def test_why_many_names_are_missing(where: str) -> None:
    names = [f"lib{n}.so" for n in range(300)]
    exe = elf(interpreter=LOADER, needed=names, rpath=":".join(PATHS[where]))
    root = counting({"/exe": exe} | {f"/d/{n}/other": b"" for n in range(1000)})
    root.add_link("/d/999/lib299.so", "gone.so")
    findings = check(root).findings
    is_there = where == "that are there"
    kinds = ["missing-library"] * 299 + ["dangling-link" if is_there else "missing-library"]
    assert [finding.code for finding in findings] == kinds
    assert root.asked < 40 * (len(PATHS[where]) + len(names)) + 16_000


@pytest.mark.parametrize("count", [1, 5000])
@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_is_in_no_list(name: str, count: int) -> None:
    """A directory has it all the same, and the loader stops there, however much it looked for."""
    names = [*[f"n{n}" for n in range(count)], name]
    root = counting({"/exe": elf(interpreter=LOADER, needed=names, runpath="/d:/e"), "/d/x": b""})
    closure = Resolver(root).resolve("/exe", Options())
    assert [refusal.path for refusal in closure.refusals] == [f"/d/{name}"]


def test_places_that_are_told_of_many_names() -> None:
    names = [f"lib{n}.so" for n in range(3000)]
    paths = ":".join(f"/d/{n}/" + "x/" * 500 for n in range(300))
    root = counting({"/exe": elf(interpreter=LOADER, needed=names, rpath=paths)})
    missing = Resolver(root).resolve("/exe", Options()).missing
    assert [m.name for m in missing] == names
    assert all(missing[n].searched == missing[0].searched for n in range(1000))
    assert len(missing[0].searched) == 16
    assert sum(len(place) for m in missing for place in m.searched) < 20_000_000


@pytest.mark.parametrize("steps", [220, 2020])
@pytest.mark.parametrize("count", [1, 5000])
def test_a_long_spelling_hides_no_short_one(count: int, steps: int) -> None:
    """musl passes over a path that is too long, and has the same directory once more."""
    wanted = f"lib{'x' * 100}.so"
    names = [*[f"n{n}" for n in range(count)], wanted]
    runpath = ":".join(("/d" + "/." * steps, "/d", "/e"))
    world = {"/exe": elf(interpreter="/lib/ld-musl-x86_64.so.1", needed=names, runpath=runpath)}
    world |= {f"/d/{wanted}": elf(soname=wanted), "/e/other": b""}
    closure = Resolver(counting(world)).resolve("/exe", Options())
    assert [hit.path for hit in closure.hits[1:]] == [f"/d/{wanted}"]


def test_a_name_of_any_length() -> None:
    """It is no path, and is not copied for each directory."""
    name = "n" * 1_000_000
    paths = ":".join(f"/d/{n}" for n in range(MANY))
    world = {"/exe": elf(interpreter=LOADER, needed=[name, f"/{name}"], rpath=paths)}
    world |= {f"/d/{n}/other": b"" for n in range(MANY)}
    resolver = Resolver(counting(world))
    closure = resolver.resolve("/exe", Options())
    assert [miss.name for miss in closure.misses] == [name, f"/{name}"]
    looks = resolver.search(closure, Options())._looks
    assert sum(map(len, looks)) < 1_000_000


def test_directories_of_long_names() -> None:
    """With a name that makes too long a path of one of them, glibc looks no further."""
    short, long = "libs.so", f"lib{'g' * 200}.so"
    names = [*[f"n{n}" for n in range(2000)], long, short]
    paths = [*[f"/d/{n}{'/.' * 1100}" for n in range(50)], "/d/0" + "/." * 1960, "/d/last"]
    world = {"/exe": elf(interpreter=LOADER, needed=names, runpath=":".join(paths))}
    world |= {f"/d/{n}/other": b"" for n in range(50)}
    world |= {f"/d/last/{name}": elf(soname=name) for name in (short, long)}
    resolver = Resolver(counting(world))
    closure = resolver.resolve("/exe", Options())
    assert [hit.path for hit in closure.hits[1:]] == [f"/d/last/{short}"]
    looks = resolver.search(closure, Options())._looks
    assert sum(map(len, looks)) < 40_000_000


def test_tokens_make_no_endless_path() -> None:
    origin = "/" + "o" * 2000
    found = expand("$ORIGIN" * 10_000, Tokens(origin, "lib", None))
    assert found is not None
    assert len(found) < 100_000


# Walks


def test_a_chain_of_search_paths() -> None:
    count = 300
    world = {"/exe": elf(interpreter=LOADER, needed=["lib0.so"])}
    for n in range(count):
        raw = elf(soname=f"lib{n}.so", needed=[f"lib{n + 1}.so"], rpath=f"/d{n}")
        world[f"/lib64/lib{n}.so"] = raw
    closure = Resolver(counting(world)).resolve("/exe", Options())
    assert closure.refusal is not None
    assert str(closure.refusal).startswith("elfpack stops at /lib64/lib128.so: it inherits more")


class Looked(list[int]):
    """A list in which nothing is looked for from its beginning."""

    def index(self, *_: object) -> int:
        raise AssertionError

    remove = index  # type: ignore[assignment]


def test_a_filter_of_many() -> None:
    """What is missing, what is new, and what was needed before, are moved to their places."""
    needed = [f"n{n}" for n in range(100)]
    tags = [(c.DT_AUXILIARY, f"{'nfm'[n % 3]}{n % 100}") for n in range(3000)]
    world = {"/exe": elf(interpreter=LOADER, needed=["lib", *needed])}
    world["/lib64/lib"] = elf(soname="lib", tags=tags)
    world |= {f"/lib64/{k}{n}": elf(soname=f"{k}{n}") for k in "nf" for n in range(100)}
    resolver = Resolver(counting(world))
    program = open_program(resolver.files, "/exe", "/")
    assert isinstance(program, Program)
    start = resolver.starter.start(program, Options(), None)
    walk = Walk(program, start.interpreter, start.search, ())
    walk.order = Looked(walk.order)
    walk.run()
    found = [walk.names[number] for number in walk.order if number >= 0]
    filtees = dict.fromkeys(name for _, name in tags if not name.startswith("m"))
    rest = [name for name in needed if name not in filtees]
    assert found == ["/exe", *filtees, "lib", *rest]


ORDER = """
from elfpack.loader.order import _moved
needs = [[], *[list(range(1, 500)) for _ in range(499)]]
assert sorted(_moved(500, needs)) == list(range(500))
"""


def test_the_order_of_objects_that_all_need_each_other() -> None:
    """glibc before 2.35 moves each as often as there are others, for each of them."""
    within_seconds(ORDER, 8)


def test_libraries_that_open_each_other() -> None:
    def note(name: str) -> list[tuple[str, int, bytes]]:
        text = json.dumps([{"soname": [name], "priority": "required"}])
        return [("FDO", 0x407C0C0A, text.encode() + b"\0")]

    world = {"/exe": elf(interpreter=LOADER, needed=["liba.so"], notes=note("lib0.so"))}
    world["/lib64/liba.so"] = elf(soname="liba.so")
    for n in range(40):
        world[f"/lib64/lib{n}.so"] = elf(soname=f"lib{n}.so", notes=note(f"lib{n + 1}.so"))
    with pytest.raises(InputError, match="more than 32 libraries of which each opens the next"):
        make(Resolver(counting(world)), Options(), Request(programs=("/exe",)))


def test_a_tree_of_many_levels() -> None:
    count = 400
    world = {"/exe": elf(interpreter=LOADER, needed=["lib0.so"])}
    for n in range(count):
        needed = [f"lib{n + 1}.so"] if n < count - 1 else []
        world[f"/lib64/lib{n}.so"] = elf(soname=f"lib{n}.so", needed=needed)
    closure = Resolver(counting(world)).resolve("/exe", Options())
    assert len(list(ldd.lines(closure))) == count
    lines = list(tree_report.lines(closure))[2:]
    assert lines[99] == f"{'  ' * 100}lib99.so => /lib64/lib99.so [default path]"
    assert lines[100] == f"{'  ' * 100}(101) lib100.so => /lib64/lib100.so [default path]"
    assert max(map(len, lines)) < 300
