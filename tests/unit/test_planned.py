"""A plan as a root: what a tree in memory of the same entries tells."""

from __future__ import annotations

import errno

import pytest

from elfpack.blob import from_bytes
from elfpack.errors import InputError
from elfpack.paths import sort_key
from elfpack.planning.entry import (
    Directory,
    Entry,
    HardLink,
    Plan,
    Reason,
    Regular,
    Symlink,
)
from elfpack.planning.planned import PlanRoot

WHY = Reason("added")
ENTRIES: tuple[Entry, ...] = (
    Directory("/a", WHY, 0o750),
    Directory("/a/d", WHY),
    Regular("/a/d/x", WHY, from_bytes(b"x", "x")),
    Regular("/a/d-e", WHY, from_bytes(b"12345", "x"), 0o755, capability=b"cap", identity=(7, 8)),
    HardLink("/a/z", WHY, "/a/d-e", 0o755, (7, 8), capability=b"cap"),
    Directory("/ab", WHY),
    Symlink("/l", WHY, "a/d"),
    Regular("/\udcff", WHY, from_bytes(b"", "x")),
)


@pytest.fixture(name="root")
def _root() -> PlanRoot:
    entries = tuple(sorted(ENTRIES, key=lambda entry: sort_key(entry.path)))
    return PlanRoot(Plan(entries=entries, programs=()))


@pytest.mark.parametrize(
    ("directory", "names"),
    [
        ("", ("a", "ab", "l", "\udcff")),
        ("/a", ("d", "d-e", "z")),
        ("/a/d", ("x",)),
        ("/ab", ()),
        ("/l", errno.ENOENT),
        ("/a/z", errno.ENOENT),
        ("/none", errno.ENOENT),
    ],
)
def test_directories_have_the_names_below_them(
    root: PlanRoot, directory: str, names: tuple[str, ...] | int
) -> None:
    assert root.entries(directory) == names


def test_nodes_tell_type_mode_and_size(root: PlanRoot) -> None:
    rows = {}
    for directory, name in (("", "a"), ("", "l"), ("/a", "d-e"), ("/a", "z"), ("/a/d", "x")):
        node = root.node(directory, name)
        assert not isinstance(node, int)
        rows[name] = oct(node.mode), node.size, node.target
    assert rows == {
        "a": ("0o40750", 0, ""),
        "l": ("0o120777", 0, "a/d"),
        "d-e": ("0o100755", 5, ""),
        "z": ("0o100755", 5, ""),
        "x": ("0o100644", 1, ""),
    }
    top = root.node("", "")
    assert not isinstance(top, int) and top.is_directory


def test_a_file_of_a_root_keeps_its_identity_and_what_is_made_has_its_own(root: PlanRoot) -> None:
    places = [("", "a"), ("/a", "d"), ("/a/d", "x"), ("", "l"), ("", "\udcff")]
    nodes = [root.node(*place) for place in places + places]
    made = [node.identity for node in nodes if not isinstance(node, int)]
    assert made[:5] == made[5:]
    assert len(set(made)) == 5
    assert all(device == -1 for device, _ in made)
    for name in ("d-e", "z"):
        node = root.node("/a", name)
        assert not isinstance(node, int) and node.identity == (7, 8)


def test_what_is_not_there_has_the_errors_of_a_directory(root: PlanRoot) -> None:
    assert root.node("/a", "none") == errno.ENOENT
    assert root.node("/none", "x") == errno.ENOENT
    assert root.node("/a", "n" * 256) == errno.ENAMETOOLONG


def test_contents_and_capabilities_are_those_of_the_file(root: PlanRoot) -> None:
    for name in ("d-e", "z"):
        node = root.node("/a", name)
        assert not isinstance(node, int)
        assert root.open("/a", name, node).pread(9, 0) == b"12345"
        assert root.capabilities("/a", name, node) == b"cap"
    node = root.node("", "l")
    assert not isinstance(node, int)
    assert root.capabilities("", "l", node) == b""
    with pytest.raises(InputError, match="not a regular file"):
        root.open("", "l", node)
