"""Following links inside a root: the same in memory and in a directory of the host."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from elfpack.errors import InputError
from elfpack.root.directory import DirectoryRoot
from elfpack.root.node import Node, Root
from elfpack.root.walk import Hop, Place, Walker
from tests.worlds import World, on_disk, tree

WORLD: World = {
    "/usr/lib/libz.so.1.2": "text z",
    "/usr/lib/libz.so.1": "-> libz.so.1.2",
    "/usr/lib/abs.so": "-> /usr/lib/libz.so.1",
    "/usr/lib/up.so": "-> ../../usr/lib/libz.so.1.2",
    "/usr/lib/out.so": "-> ../../../../../usr/lib/libz.so.1.2",
    "/lib": "-> usr/lib",
    "/lib64": "-> /usr/lib",
    "/usr/lib/self": "-> .",
    "/loop/a": "-> b",
    "/loop/b": "-> a",
    "/loop/me": "-> me",
    "/dangling": "-> /nowhere/x",
    "/slash": "-> usr/lib/",
    "/fileslash": "-> usr/lib/libz.so.1.2/",
    "/file": "text f",
    "/filelink": "-> file",
    "/empty": "dir",
    "/dots": "-> usr/lib/..",
}


@dataclass(frozen=True)
class Case:
    name: str
    path: str
    found: str | int
    """The real path, or the errno."""
    hops: tuple[str, ...] = ()
    follow: bool = True


CASES = [
    Case("a file", "/usr/lib/libz.so.1.2", "/usr/lib/libz.so.1.2"),
    Case("a link beside it", "/usr/lib/libz.so.1", "/usr/lib/libz.so.1.2", ("/usr/lib/libz.so.1",)),
    Case(
        "links on the way and at the end",
        "/lib/libz.so.1",
        "/usr/lib/libz.so.1.2",
        ("/lib", "/usr/lib/libz.so.1"),
    ),
    Case(
        "absolute links stay inside",
        "/lib64/abs.so",
        "/usr/lib/libz.so.1.2",
        ("/lib64", "/usr/lib/abs.so", "/usr/lib/libz.so.1"),
    ),
    Case("a link upwards", "/usr/lib/up.so", "/usr/lib/libz.so.1.2", ("/usr/lib/up.so",)),
    Case("a link above the top", "/usr/lib/out.so", "/usr/lib/libz.so.1.2", ("/usr/lib/out.so",)),
    Case(".. above the top", "/../../file", "/file"),
    Case(
        ".. behind a link goes up from its target",
        "/lib/../lib/libz.so.1",
        "/usr/lib/libz.so.1.2",
        ("/lib", "/usr/lib/libz.so.1"),
    ),
    Case(".. of a missing directory", "/nowhere/../file", errno.ENOENT),
    Case(".. of a file", "/file/../file", errno.ENOTDIR),
    Case("doubled slashes and dots", "//usr/.//lib///libz.so.1.2", "/usr/lib/libz.so.1.2"),
    Case(
        "a link to .",
        "/usr/lib/self/self/libz.so.1.2",
        "/usr/lib/libz.so.1.2",
        ("/usr/lib/self",) * 2,
    ),
    Case("missing", "/usr/lib/none", errno.ENOENT),
    Case("missing in a missing directory", "/none/none", errno.ENOENT),
    Case("a file as a directory", "/file/x", errno.ENOTDIR),
    Case("a link to a file as a directory", "/filelink/x", errno.ENOTDIR),
    Case("a file with a slash behind", "/file/", errno.ENOTDIR),
    Case("a file with a dot behind", "/file/.", errno.ENOTDIR),
    Case("a link to a file with a slash behind", "/filelink/", errno.ENOTDIR),
    Case("a directory with a slash behind", "/usr/lib/", "/usr/lib"),
    Case("a link to a directory", "/lib", "/usr/lib", ("/lib",)),
    Case(
        "a link whose text ends in a slash",
        "/slash/libz.so.1.2",
        "/usr/lib/libz.so.1.2",
        ("/slash",),
    ),
    Case(
        "a link whose text ends in ..", "/dots/lib/libz.so.1.2", "/usr/lib/libz.so.1.2", ("/dots",)
    ),
    Case("an empty directory", "/empty", "/empty"),
    Case("the top", "/", "/"),
    Case("the top by its ..", "/..", "/"),
    Case("dangling", "/dangling", errno.ENOENT),
    Case("a loop of two", "/loop/a", errno.ELOOP),
    Case("a loop of one", "/loop/me", errno.ELOOP),
    Case("behind a loop", "/loop/a/x", errno.ELOOP),
    Case("a name of 255 bytes", "/" + "n" * 255, errno.ENOENT),
    Case("a name of 256 bytes", "/" + "n" * 256, errno.ENAMETOOLONG),
    Case("a name too long in a directory", f"/{'n' * 256}/x", errno.ENAMETOOLONG),
    Case("a name too long behind what is missing", f"/none/{'n' * 256}", errno.ENOENT),
    Case("a path of 4096 bytes", "/" * 4092 + "file", errno.ENAMETOOLONG),
    Case("a path of 4095 bytes", "/" * 4091 + "file", "/file"),
    Case(
        "links not followed: the link itself", "/usr/lib/libz.so.1", "/usr/lib/libz.so.1", (), False
    ),
    Case(
        "links not followed: but those on the way",
        "/lib/libz.so.1",
        "/usr/lib/libz.so.1",
        ("/lib",),
        False,
    ),
    Case("links not followed: but with a slash behind", "/lib/", "/usr/lib", ("/lib",), False),
    Case("links not followed: a loop", "/loop/a", "/loop/a", (), False),
    Case("a link to a file whose text ends in a slash", "/fileslash", errno.ENOTDIR),
    Case("a missing file by a path of 4096 bytes", "/" + "./" * 2047 + "f", errno.ENAMETOOLONG),
]


@pytest.fixture(params=["memory", "directory"])
def walker(request: pytest.FixtureRequest, tmp_path: Path) -> Walker:
    root: Root = tree(WORLD)
    if request.param == "directory":
        root = DirectoryRoot(str(on_disk(WORLD, tmp_path)))
    return Walker(root)


def shown(place: Place | int) -> str | int:
    return place if isinstance(place, int) else place.path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_walk(walker: Walker, case: Case) -> None:
    for _ in range(2):  # what is remembered must not change the answer
        assert shown(walker.find(case.path, follow=case.follow)) == case.found
    traced = walker.trace(case.path, follow=case.follow)
    assert shown(traced) == case.found
    if not isinstance(traced, int):
        assert tuple(hop.path for hop in traced.hops) == case.hops


def test_the_kernel_agrees(tmp_path: Path) -> None:
    """Where no link leads out of the directory, its own look-up gives the same."""
    top = on_disk(WORLD, tmp_path)
    leaving = ("/..", "/lib64", "/usr/lib/out.so", "/dangling")
    for case in CASES:
        if case.follow and not case.path.startswith(leaving) and len(case.path) < 4000:
            try:
                os.stat(f"{top}{case.path}")
                found = 0
            except OSError as e:
                found = e.errno or 0
            assert found == (case.found if isinstance(case.found, int) else 0), case.name


@pytest.mark.parametrize(("count", "ends"), [(40, "/file"), (41, errno.ELOOP)])
@pytest.mark.parametrize("where", ["memory", "directory"])
def test_forty_links_are_followed(tmp_path: Path, count: int, ends: str | int, where: str) -> None:
    world = {"/file": "text f", "/0": "-> file"}
    world.update({f"/{n}": f"-> {n - 1}" for n in range(1, count)})
    root: Root = tree(world) if where == "memory" else DirectoryRoot(str(on_disk(world, tmp_path)))
    assert shown(Walker(root).find(f"/{count - 1}")) == ends


def test_hops_tell_the_text_of_links(walker: Walker) -> None:
    place = walker.trace("/lib/libz.so.1")
    assert isinstance(place, Place)
    assert place.hops == (Hop("/lib", "usr/lib"), Hop("/usr/lib/libz.so.1", "libz.so.1.2"))


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    world = {"/\udcff\udcfe/f\udc80": "text x", "/l": "-> \udcff\udcfe/f\udc80"}
    for root in (tree(world), DirectoryRoot(str(on_disk(world, tmp_path)))):
        assert shown(Walker(root).find("/l")) == "/\udcff\udcfe/f\udc80"
        assert root.entries("") == ("l", "\udcff\udcfe")


def test_a_name_with_a_nul(walker: Walker) -> None:
    assert walker.find("/fi\0le") == errno.ENOENT


# A directory of the host


def place_of(root: DirectoryRoot, path: str) -> Place:
    place = Walker(root).find(path)
    assert isinstance(place, Place)
    return place


def opened(root: DirectoryRoot, place: Place) -> bytes:
    source = root.open(place.directory, place.name, place.node)
    try:
        return source.pread(100, 0)
    finally:
        source.close()


def rewritten(top: Path) -> None:
    (top / "f").write_text("other")
    os.utime(top / "f", (9, 9))


def replaced(top: Path) -> None:
    (top / "new").write_text("old\n")
    (top / "new").rename(top / "f")


def grown(top: Path) -> None:
    with (top / "f").open("a") as file:
        file.write("more")


@pytest.mark.parametrize("change", [rewritten, replaced, grown])
def test_a_file_that_changed_is_refused(tmp_path: Path, change: Callable[[Path], None]) -> None:
    (tmp_path / "f").write_text("old\n")
    os.utime(tmp_path / "f", (5, 5))
    root = DirectoryRoot(str(tmp_path))
    place = place_of(root, "/f")
    assert opened(root, place) == b"old\n"
    change(tmp_path)
    with pytest.raises(InputError, match="changed while elfpack worked"):
        opened(root, place)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("make", [fifo, link])
def test_a_file_that_became_something_else(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """It neither hangs nor follows."""
    (tmp_path / "f").write_text("old")
    root = DirectoryRoot(str(tmp_path))
    place = place_of(root, "/f")
    (tmp_path / "f").unlink()
    make(tmp_path / "f")
    with pytest.raises((InputError, OSError)):
        opened(root, place)


def test_a_directory_swapped_for_a_link_leads_nowhere(tmp_path: Path) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    for directory in (top / "d" / "e", outside / "e"):
        directory.mkdir(parents=True)
        (directory / "f").write_text("secret")
    root = DirectoryRoot(str(top))
    (top / "d").rename(top / "was")
    (top / "d").symlink_to(outside)
    assert root.node("/d", "e") == errno.ENOTDIR
    assert root.entries("/d/e") == errno.ENOTDIR


def test_links_never_leave_the_root(tmp_path: Path) -> None:
    top = tmp_path / "top"
    world = {"/etc": "-> /etc", "/up": "-> ../../..", "/abs": "-> /etc/passwd", "/d/x": "text x"}
    on_disk(world, top)
    walker = Walker(DirectoryRoot(str(top)))
    assert walker.find("/abs") in (errno.ENOENT, errno.ELOOP)
    assert walker.find("/etc/passwd") == errno.ELOOP
    assert walker.find("/up/etc/passwd") == errno.ELOOP
    assert shown(walker.find("/up/d/x")) == "/d/x"


def test_more_directories_than_descriptors(tmp_path: Path) -> None:
    world = {f"/{n}/a/b": f"text {n}" for n in range(300)}
    walker = Walker(DirectoryRoot(str(on_disk(world, tmp_path))))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(2):
        for path in world:
            assert shown(walker.find(path)) == path
    assert len(os.listdir("/proc/self/fd")) - before <= 128


def test_closing_gives_descriptors_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    root = DirectoryRoot(str(on_disk({"/a/b/c": "text x"}, tmp_path)))
    Walker(root).find("/a/b/c")
    root.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("path", ["/none/such", "/etc/passwd"])
def test_what_is_no_directory_is_no_root(path: str) -> None:
    with pytest.raises(InputError, match="cannot be used as a root"):
        DirectoryRoot(path)


def test_nodes_tell_type_size_owner(tmp_path: Path) -> None:
    root = DirectoryRoot(str(on_disk({"/f": "text abc", "/l": "-> f", "/d": "dir 0711"}, tmp_path)))
    found = {name: root.node("", name) for name in ("f", "l", "d")}
    nodes = {name: node for name, node in found.items() if isinstance(node, Node)}
    assert (nodes["f"].size, nodes["f"].is_regular) == (3, True)
    assert (nodes["l"].target, nodes["l"].is_link) == ("f", True)
    assert (nodes["d"].mode & 0o7777, nodes["d"].is_directory) == (0o711, True)
    assert nodes["f"].owner == (os.getuid(), os.getgid())
