"""What planning reads: each file a few times, each byte of its constants once. Counts, no times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

from elfpack.blob import Source
from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile
from elfpack.elf.layout import ElfFault
from elfpack.loader import around
from elfpack.loader.closure import Closure
from elfpack.loader.program import Program
from elfpack.loader.records import Hit, Kind
from elfpack.loader.resolve import Options, Resolver
from elfpack.loader.walk import Walk
from elfpack.planning.assemble import Assembly
from elfpack.planning.make import make
from elfpack.planning.put import Put, PutLink
from elfpack.planning.request import Request
from elfpack.root.node import Node
from elfpack.root.tree import TreeRoot
from elfpack.root.walk import Place, Walker
from tests.worlds import GLIBC, LOADER, World, tree


class Counted:
    """A source that counts the bytes that are read."""

    def __init__(self, source: Source, path: str, read: Counter[str]) -> None:
        self._source, self._path, self._read = source, path, read
        self.size = source.size

    def pread(self, size: int, offset: int) -> bytes:
        raw = self._source.pread(size, offset)
        self._read[self._path] += len(raw)
        return raw

    def changed(self) -> bool:
        return self._source.changed()

    def close(self) -> None:
        self._source.close()


class CountingRoot:
    """A world that counts what is asked of it."""

    label = "the world"

    def __init__(self, world: World) -> None:
        self._tree: TreeRoot = tree(world)
        self.nodes: Counter[str] = Counter()
        self.opened: Counter[str] = Counter()
        self.read: Counter[str] = Counter()

    def node(self, directory: str, name: str) -> Node | int:
        self.nodes[f"{directory}/{name}"] += 1
        return self._tree.node(directory, name)

    def entries(self, directory: str) -> tuple[str, ...] | int:
        return self._tree.entries(directory)

    def capabilities(
        self, directory: str, name: str, node: Node, source: Source | None = None
    ) -> bytes:
        return self._tree.capabilities(directory, name, node)

    def open(self, directory: str, name: str, node: Node) -> Source:
        path = f"{directory}/{name}"
        self.opened[path] += 1
        return Counted(self._tree.open(directory, name, node), path, self.read)


PROGRAMS = ("/a", "/b", "/c")
LIBRARIES = tuple(f"/lib64/lib{n}.so" for n in range(20))
WORLD = {
    **GLIBC,
    **{path: "exe needs=" + ",".join(p.rpartition("/")[2] for p in LIBRARIES) for path in PROGRAMS},
    **dict.fromkeys(LIBRARIES, "lib imports=open,close,puts"),
    "/lib64/lib0.so": "lib imports=getpwuid,dlopen,execve,system",
}


@pytest.fixture(name="root")
def _root() -> Iterator[CountingRoot]:
    root = CountingRoot(WORLD)
    plan = make(Resolver(root), Options(), Request(programs=PROGRAMS))
    assert plan.hints() is plan.hints()
    yield root


def test_files_are_opened_a_few_times(root: CountingRoot) -> None:
    """For what decides loading and for its symbols and notes, for its constants; and what imports
    a symbol that matters for its versions."""
    for path in LIBRARIES[1:]:
        assert root.opened[path] <= 2
    assert root.opened["/lib64/lib0.so"] <= 4


def test_hints_are_looked_for_when_they_are_asked_for() -> None:
    root = CountingRoot(WORLD)
    plan = make(Resolver(root), Options(), Request(programs=PROGRAMS))
    before = root.opened.total()
    assert not any(finding.code == "no-shell" for finding in plan.findings)
    assert root.opened.total() == before
    assert any(finding.code == "no-shell" for finding in plan.all_findings())
    asked = root.opened.total()
    assert asked > before
    plan.all_findings()
    assert root.opened.total() == asked


def test_all_hints_are_notes() -> None:
    """Who is told no notes need not look for them."""
    plan = make(Resolver(tree(WORLD)), Options(), Request(programs=PROGRAMS))
    assert plan.hints()
    assert all(finding.note for finding in plan.hints())


def test_what_cannot_be_read_along_is_read_again() -> None:
    files = Resolver(tree(WORLD)).files
    place = files.find("/lib64/lib0.so")
    assert isinstance(place, Place)

    def broken(*_: object) -> None:
        raise ElfFault("no symbols")

    files.also = broken
    content = files.content(place)
    assert isinstance(content, ElfFile)
    assert content.header.type == c.ET_DYN


def test_constants_are_read_once() -> None:
    """A large file whose strings are most of it: they are read for what decides loading, for the
    names of symbols, and gone through for paths."""
    root = CountingRoot({**WORLD, "/lib64/lib1.so": f"lib soname={'x' * 300_000}"})
    make(Resolver(root), Options(), Request(programs=PROGRAMS)).hints()
    found = Walker(root).find("/lib64/lib1.so")
    assert not isinstance(found, int)
    assert root.read["/lib64/lib1.so"] < 3.5 * found.node.size


def test_names_and_paths_are_looked_for_in_one_reading() -> None:
    """Of what opens libraries, and runs programs."""
    large = f"exe imports=dlopen,execve,system soname={'x' * 300_000}"
    root = CountingRoot({**WORLD, PROGRAMS[0]: large})
    plan = make(Resolver(root), Options(), Request(programs=PROGRAMS[:1]))
    before = root.read[PROGRAMS[0]]
    plan.hints()
    found = Walker(root).find(PROGRAMS[0])
    assert not isinstance(found, int)
    assert root.read[PROGRAMS[0]] - before < 1.5 * found.node.size


def test_settle_reads_nothing_again(root: CountingRoot) -> None:
    """The loader's own bytes tell its rules, in the root and in the image."""
    assert root.opened[LOADER] <= 4


def test_what_is_loaded_is_looked_at_once_for_all_that_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[Closure] = []
    original = around._loaded

    def counted(closure: Closure, place: int, search: object) -> object:
        looked.append(closure)
        return original(closure, place, search)  # type: ignore[arg-type]

    monkeypatch.setattr(around, "_loaded", counted)
    resolver = Resolver(tree({**WORLD, **{f"/p/{n}.so": "lib needs=lib1.so" for n in range(9)}}))
    opener = resolver.resolve("/a", Options())
    for number in range(9):
        closure = _opened(resolver, f"/p/{number}.so", opener)
        assert [library.path for library in closure.libraries] == ["/lib64/lib1.so"]
    assert looked == [opener]


def _opened(resolver: Resolver, path: str, opener: Closure) -> Closure:
    hit = resolver.starter.open_hit(path, Kind.PATH, Options())
    assert isinstance(hit, Hit)
    return resolver.closure(Program(path, path, hit), Options(), LOADER, (opener,))


def test_what_needs_the_same_where_it_is_loaded_is_walked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walked: list[str] = []
    original = Walk.run

    def counted(self: Walk) -> None:
        walked.append(self.names[0])
        original(self)

    monkeypatch.setattr(Walk, "run", counted)
    modules = [f"/p/{n}.so" for n in range(9)]
    resolver = Resolver(tree({**WORLD, **dict.fromkeys(modules, "lib needs=lib1.so")}))
    opener = resolver.resolve("/a", Options())
    walked.clear()
    for path in modules:
        closure = _opened(resolver, path, opener)
        assert [hit.path for hit in closure.hits][:2] == [path, "/lib64/lib1.so"]
    assert walked == modules[:1]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("lib needs=lib1.so", "lib needs=lib1.so soname=libc.so.6"),
        ("lib needs=lib1.so soname=libc.so.6", "lib needs=lib1.so"),
        ("lib needs=lib1.so", "lib needs=lib1.so soname=lib1.so"),
        ("lib needs=libx.so runpath=/one", "lib needs=libx.so runpath=/two"),
        ("lib needs=libx.so runpath=/one", "lib needs=libx.so"),
        ("lib needs=lib1.so", "lib needs=lib1.so auxiliary=libx.so runpath=/one"),
        ("lib needs=lib1.so,$ORIGIN/libx.so", "lib needs=lib1.so,$ORIGIN/libx.so"),
        ("lib needs=/one/libx.so", "lib needs=/one/libx.so"),
        ("lib needs=lib1.so,libnone.so", "lib needs=lib1.so,libnone.so"),
    ],
)
def test_what_needs_the_same_has_the_closure_that_it_would_have_alone(
    first: str, second: str
) -> None:
    world = {
        **WORLD,
        "/lib64/libc.so.6": "lib soname=libc.so.6 needs=ld-linux-x86-64.so.2",
        "/lib64/lib1.so": "lib needs=libc.so.6",
        "/one/libx.so": "lib needs=lib2.so",
        "/two/libx.so": "lib needs=lib3.so",
        "/p/first.so": first,
        "/q/second.so": second,
        "/q/libx.so": "lib",
    }
    resolver, alone = Resolver(tree(world)), Resolver(tree(world))
    opener = resolver.resolve("/a", Options())
    for path in ("/p/first.so", "/q/second.so", "/p/first.so"):
        again = _opened(resolver, path, opener)
        other = _opened(alone, path, alone.resolve("/a", Options()))
        assert _told(again) == _told(other), path
        alone = Resolver(tree(world))


def _told(closure: Closure) -> tuple[object, ...]:
    rows = [hit.path for hit in closure.hits], closure.names, closure.requesters, closure.targets
    return (*rows, closure.misses, closure.aliases, closure.refusal, closure.interpreter)


def test_a_name_that_one_opening_found_is_not_known_to_the_next() -> None:
    """Each is opened by itself: what is known of the program is shared, and stays as it was."""
    world = {
        **GLIBC,
        "/a": "exe needs=liba.so runpath=/one",
        "/one/liba.so": "lib",
        "/one/libother.so": "-> liba.so",
        "/two/libother.so": "lib",
        "/p/first.so": "lib needs=libother.so runpath=/one",
        "/p/second.so": "lib needs=libother.so runpath=/two",
    }
    resolver = Resolver(tree(world))
    opener = resolver.resolve("/a", Options())
    found = []
    for path in ("/p/first.so", "/p/second.so"):
        hit = resolver.starter.open_hit(path, Kind.PATH, Options())
        assert isinstance(hit, Hit)
        closure = resolver.closure(Program(path, path, hit), Options(), LOADER, (opener,))
        found.append([library.path for library in closure.libraries])
    assert found == [["/one/liba.so"], ["/two/libother.so"]]


def test_the_links_on_the_way_to_a_library_are_put_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many closures have it; it is put for each that has a reason of its own."""
    put: list[Put] = []
    original = Assembly.add_all

    def kept(self: Assembly, puts: Iterable[Put]) -> None:
        put.extend(puts)
        original(self, put)

    monkeypatch.setattr(Assembly, "add_all", kept)
    moved = {path.replace("/lib64/", "/usr/lib64/"): text for path, text in WORLD.items()}
    make(Resolver(tree({**moved, "/lib64": "-> usr/lib64"})), Options(), Request(programs=PROGRAMS))
    names = [one.reason.because_of for one in put if isinstance(one.what, PutLink)]
    assert sorted(names) == sorted({*LIBRARIES, LOADER})
    assert len(put) == len(set(put))


def test_the_way_to_a_directory_is_gone_once() -> None:
    world = {"/usr/lib": "-> share/lib", **{f"/usr/share/lib/d/{n}": "text x" for n in range(50)}}
    root = CountingRoot(world)
    walker = Walker(root)
    for number in range(50):
        place = walker.trace(f"/usr/lib/d/{number}")
        assert not isinstance(place, int)
        assert [hop.path for hop in place.hops] == ["/usr/lib"]
    assert root.nodes["/usr/lib"] <= 2
    assert max(root.nodes[f"/usr/share/lib/d/{number}"] for number in range(50)) == 1


@pytest.mark.parametrize("links", [39, 40, 41])
def test_links_on_the_way_count_to_the_limit(links: int) -> None:
    """As many as the kernel follows, however much of the way was gone before."""
    world = {f"/d/{n}": f"-> {n + 1}" for n in range(links)}
    world |= {f"/d/{links}/file": "text x", "/d/x": "-> /d/0/file"}
    walker = Walker(tree(world))
    walker.directory("/d/1")
    fresh = Walker(tree(world))
    for path in ("/d/0/file", "/d/x", "/d/1/file", "/d/x/.."):
        known, new = walker.trace(path), fresh._walk(path, True)
        assert known == new if isinstance(new, int) else not isinstance(known, int)
