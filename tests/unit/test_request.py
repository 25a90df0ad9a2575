"""PROGRAM[:DEST], and the forms of --mkdir and of modules' values."""

from __future__ import annotations

from typing import Any

import pytest

from elfpack.api.request import parse_modules
from elfpack.errors import RequestError
from elfpack.loader.files import Files
from elfpack.planning.request import MadeDirectory, Wanted, made_directory, wanted
from elfpack.runtime.users import User
from tests.worlds import tree

WORLD = {"/w/hello": "text x", "/w/a:b": "text x", "/w/c:/d": "text x", "/w/d/e": "text x"}


@pytest.mark.parametrize(
    ("text", "source", "destination"),
    [
        ("/w/hello", "/w/hello", None),
        ("./hello", "/w/./hello", "/hello"),
        ("hello", "/w/hello", "/hello"),
        ("d/e", "/w/d/e", "/d/e"),
        ("d//./e", "/w/d//./e", "/d/e"),
        ("hello:/bin/hi", "/w/hello", "/bin/hi"),
        ("hello:/bin/", "/w/hello", "/bin/hello"),
        ("d/e:/", "/w/d/e", "/e"),
        ("/w/hello:/w/hello", "/w/hello", None),
        ("/w/hello:/hi", "/w/hello", "/hi"),
        ("../w/hello:/hi", "/w/../w/hello", "/hi"),
        ("a:b", "/w/a:b", "/a:b"),
        ("a:b:/x", "/w/a:b", "/x"),
        ("c:/d", "/w/c:/d", "/c:/d"),
        ("hello:/x//y/./z", "/w/hello", "/x/y/z"),
        ("gone", "/w/gone", "/gone"),
    ],
)
def test_wanted(text: str, source: str, destination: str | None) -> None:
    found = wanted(text, Files(tree(WORLD)), "/w")
    assert found == Wanted(found.name, source, destination)
    assert text.startswith(found.name)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("../w/hello", "relative name with '..'", "../w/hello:/hello"),
        ("hello:bin/x", "'bin/x' is not an absolute path", "write hello:/bin/x"),
        ("hello:", "nothing stands behind the colon", "write hello:/hello"),
        ("hello:/a/../b", "must not have '..'", None),
        (":/x", "an empty name", "NAME:DEST"),
        ("", "an empty name", None),
    ],
)
def test_what_cannot_be_wanted(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        wanted(text, Files(tree(WORLD)), "/w")
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("/tmp", MadeDirectory("/tmp")),
        ("/tmp:1777", MadeDirectory("/tmp", 0o1777)),
        ("/a//b/:700", MadeDirectory("/a/b", 0o700)),
        ("/d:0750:1000:65534", MadeDirectory("/d", 0o750, (1000, 65534))),
        ("/d:0", MadeDirectory("/d", 0)),
    ],
)
def test_made_directory(text: str, made: MadeDirectory) -> None:
    assert made_directory(text) == made


@pytest.mark.parametrize(
    "text",
    [
        *("", "tmp", "/a/../b", "/d:", "/d:9", "/d:10000", "/d:-1", "/d:755:0", "/d:755:a:b"),
        *("/d:755:0:-1", "/d:755:0:4294967296", "/d:755:0:0:0", "/d:0x1"),
    ],
)
def test_what_is_no_directory_to_make(text: str) -> None:
    with pytest.raises(RequestError, match="not a directory to make"):
        made_directory(text)


@pytest.mark.parametrize("text", ["/", "//", "/:1777", "/.:755:0:0"])
def test_the_root_is_there_already(text: str) -> None:
    with pytest.raises(RequestError, match="every image has one"):
        made_directory(text)


@pytest.mark.parametrize("text", ["/d: 755", "/d:7_5", "/d:0o755", "/d:+755", "/d:755: 1:1"])
def test_what_only_int_takes_for_a_number(text: str) -> None:
    with pytest.raises(RequestError, match="not a directory to make"):
        made_directory(text)


def test_modules() -> None:
    assert parse_modules({"nss": True, "libgcc": False}) == {"nss": True, "libgcc": False}
    assert parse_modules({"users": ["a:1:2", "b:3:4"]}) == {
        "users": (User("a", 1, 2), User("b", 3, 4))
    }
    assert parse_modules({"nss": "files,dns"}) == {"nss": (("files", "dns"),)}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("nls", True, "no runtime module is called 'nls'"),
        ("users", "root:0:0", "cannot take the value"),
        ("users", "a:1", "cannot take the value"),
        ("users", "a:1:x", "cannot take the value"),
        ("users", "a b:1:1", "cannot take the value"),
        ("users", "-a:1:1", "cannot take the value"),
        ("users", "a:4294967295:1", "cannot take the value"),
        ("users", "a\n:1:1", "cannot take the value"),
        ("nss", "files,", "cannot take the value"),
        ("nss", "host,files", "cannot take the value"),
        ("nss", "../x", "cannot take the value"),
        ("libgcc", "x", "cannot take the value"),
        ("locale", True, "needs a value"),
        ("users", None, "cannot be None"),
        ("tz", 5, "cannot be 5"),
        ("certs", b"x", "cannot be b'x'"),
        ("certs", ["x", 5], "cannot be"),
    ],
)
def test_bad_modules(name: str, value: Any, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        parse_modules({name: value})
