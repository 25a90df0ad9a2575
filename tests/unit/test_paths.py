"""Guest paths, and what may be shown of them."""

from __future__ import annotations

import pytest

from elfpack import paths


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/usr/lib/libz.so.1", "/usr/lib/libz.so.1"),
        ("/opt/\N{LATIN SMALL LETTER E WITH ACUTE} \N{CJK UNIFIED IDEOGRAPH-4E2D}", None),
        ("a b", "a b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("two\nlines\ttab\rback", r"two\x0alines\x09tab\x0dback"),
        ("\x7f\x9b\x00", r"\x7f\x9b\x00"),
        ("not \udcff utf-8 \udc80", r"not \xff utf-8 \x80"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gnp", r"\u202egnp"),
        ("\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}", r"\u200b\ufeff"),
        ("\N{LINE SEPARATOR}\N{NO-BREAK SPACE}", r"\u2028\xa0"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
    ],
)
def test_printable(text: str, shown: str | None) -> None:
    assert paths.printable(text) == (text if shown is None else shown)


@pytest.mark.parametrize(
    "raw", [b"/a", b"/\xff\xfe", "/\N{SNOWMAN}".encode(), b"", b"/\xed\xa0\x80"]
)
def test_decode_keeps_every_byte(raw: bytes) -> None:
    assert paths.encode(paths.decode(raw)) == raw


def test_is_utf8() -> None:
    assert paths.is_utf8("/\N{SNOWMAN}")
    assert not paths.is_utf8(paths.decode(b"/\xff"))


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/", "/"),
        ("//a//b/", "/a/b"),
        ("/a/./b/../c", "/a/c"),
        ("/../..", "/"),
        ("a", "/a"),
        ("/a/...", "/a/..."),
    ],
)
def test_normal(path: str, normal: str) -> None:
    assert paths.normal(path) == normal


def test_parent_and_basename() -> None:
    assert [paths.parent(p) for p in ("/a", "/a/b", "a")] == ["/", "/a", "/"]
    assert [paths.basename(p) for p in ("/a", "/a/b", "a", "/")] == ["a", "b", "a", ""]


def test_join() -> None:
    assert paths.join("/", "a") == "/a"
    assert paths.join("/b/", "a") == "/b/a"
    assert paths.join("/b", "/a") == "/a"


def test_ancestors() -> None:
    assert list(paths.ancestors("/a/b/c")) == ["/a", "/a/b"]
    assert list(paths.ancestors("/a")) == []


def test_sort_key_compares_components() -> None:
    given = ["/a-x", "/a/b", "/a", "/a.b", "/a/b-c", "/a/b/c"]
    ordered = ["/a", "/a/b", "/a/b/c", "/a/b-c", "/a-x", "/a.b"]
    assert sorted(given, key=paths.sort_key) == ordered
