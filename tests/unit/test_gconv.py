"""gconv-modules: read, asked, cut down, written."""

from __future__ import annotations

import random

import pytest

from elfpack.formats import gconv
from elfpack.formats.gconv import Modules, Step

STOCK = b"""
# From the C library's own file.
alias\tISO8859-1//\t\tISO-8859-1//
alias\tlatin1//\tISO-8859-1//
module\tISO-8859-1//\tINTERNAL\tISO8859-1\t1
module\tINTERNAL\tISO-8859-1//\tISO8859-1\t1
alias SHIFT_JIS// SJIS//
module SJIS// INTERNAL SJIS 1
module INTERNAL SJIS// SJIS 1
module EUC-CN// INTERNAL EUC-CN 1
module INTERNAL EUC-CN// EUC-CN 1
module GBK// INTERNAL GBK 1
module INTERNAL GBK// GBK 1
module EUC-CN// GBK// GBGBK 1
module GBK// EUC-CN// GBGBK 1
"""

MORE = b"""
module UTF-16// INTERNAL UTF-16 1
module INTERNAL UTF-16// UTF-16 1
module UTF-16LE// INTERNAL UTF-16 1
module INTERNAL UTF-16LE// UTF-16 1
alias UTF16LE// UTF-16LE//
module FAR// NEAR// FARNEAR 1
module NEAR// FAR// FARNEAR 1
module NEAR// ISO-10646/UCS4/ /opt/conv/NEAR.so 1
module INTERNAL NEAR// NEAR
alias DISTANT// FAR//
"""


def _stock(*more: bytes) -> Modules:
    return gconv.parse((STOCK, *more))


@pytest.mark.parametrize(
    ("text", "aliases", "steps"),
    [
        (b"", {}, []),
        (b"alias a// b//", {"A//": "B//"}, []),
        (b"alias a// b// c", {"A//": "B//"}, []),
        (b"  alias\ta//\vb//\r\n", {"A//": "B//"}, []),
        (b"alias a//", {}, []),
        (b"alias a// # b//", {}, []),
        (b"alias a// b//\nalias a// c//", {"A//": "B//"}, []),
        (b"aliases a// b//\nmodules a// b// c", {}, []),
        (b"module a// b// Mod 2", {}, [("A//", "B//", "Mod", 2)]),
        (b"module a// b// Mod", {}, [("A//", "B//", "Mod", 1)]),
        (b"module a// b// Mod 0", {}, [("A//", "B//", "Mod", 1)]),
        (b"module a// b// Mod -3", {}, [("A//", "B//", "Mod", 1)]),
        (b"module a// b// Mod 3x", {}, [("A//", "B//", "Mod", 3)]),
        (b"module a// b// Mod x", {}, [("A//", "B//", "Mod", 1)]),
        (b"module a// b//", {}, []),
        (b"module a// b// M 2\nmodule a// b// N 1", {}, [("A//", "B//", "N", 1)]),
        (b"module a// b// M 1\nmodule a// b// N 1", {}, [("A//", "B//", "M", 1)]),
        (b"alias a// b//\nmodule a// c// M", {"A//": "B//"}, []),
        (b"module a// c// M\nalias a// b//", {}, [("A//", "C//", "M", 1)]),
        (b"module a// b// M\0N 1", {}, [("A//", "B//", "M", 1)]),
        (b"alias \xe4\xdf// b//", {"\udce4\udcdf//": "B//"}, []),
    ],
)
def test_parse(
    text: bytes, aliases: dict[str, str], steps: list[tuple[str, str, str, int]]
) -> None:
    found = gconv.parse((text,))
    assert found.aliases == aliases
    assert [tuple(step) for step in found.steps] == steps


def test_several_files_are_one() -> None:
    assert gconv.parse((STOCK, MORE)).steps == gconv.parse((STOCK + MORE,)).steps


@pytest.mark.parametrize(
    ("module", "file"),
    [("SJIS", "SJIS.so"), ("SJIS.so", "SJIS.so"), ("/a/b", "/a/b.so"), ("/a/b.so", "/a/b.so")],
)
def test_file(module: str, file: str) -> None:
    assert Step("A//", "B//", module, 1).file == file


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("utf-16", "UTF-16//"),
        ("UTF-16//", "UTF-16//"),
        ("UTF-16/", "UTF-16//"),
        ("latin1//TRANSLIT", "LATIN1//"),
        ("latin1//TRANSLIT//IGNORE", "LATIN1//"),
        ("latin1//translit/", "LATIN1//"),
        ("ISO-10646/UTF8/", "ISO-10646/UTF8/"),
        ("iso-10646/utf8", "ISO-10646/UTF8/"),
        ("10646-1:1993/UCS4/", "10646-1:1993/UCS4/"),
        ("(ISO)_8859", "ISO_8859//"),
    ],
)
def test_code(name: str, code: str) -> None:
    assert gconv.code(name) == code


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ISO-8859-1", {"ISO-8859-1//"}),
        ("LATIN1", {"ISO-8859-1//"}),
        ("Latin1//TRANSLIT", {"ISO-8859-1//"}),
        ("iso8859-1", {"ISO-8859-1//"}),
        ("shift_jis", {"SJIS//"}),
        ("sjis.so", {"SJIS//"}),
        ("GBGBK", {"EUC-CN//", "GBK//"}),
        ("UTF-8", set()),
        ("utf8", set()),
        ("ASCII", set()),
        ("WCHAR_T", set()),
        ("UCS-2BE", set()),
        ("UNICODELITTLE", set()),
        ("ISO-10646/UTF8/", set()),
        ("LATIN-1", None),
        ("INTERNAL", None),
        ("lib", None),
    ],
)
def test_charsets(name: str, found: set[str] | None) -> None:
    assert gconv.charsets(_stock(), name) == found


def test_every_name_is_known() -> None:
    modules = _stock(MORE)
    names = gconv.names(modules)
    assert {"LATIN1", "SHIFT_JIS", "UTF-8", "FAR", "UNICODEBIG"} <= set(names)
    assert all(gconv.charsets(modules, name) is not None for name in names)


@pytest.mark.parametrize(
    ("wanted", "modules", "aliases"),
    [
        ((), [], []),
        (("ISO-8859-1//",), ["ISO8859-1"] * 2, ["ISO8859-1//", "LATIN1//"]),
        (("SJIS//",), ["SJIS"] * 2, ["SHIFT_JIS//"]),
        (("GBK//",), ["GBK"] * 2, []),
        (("GBK//", "EUC-CN//"), ["EUC-CN", "EUC-CN", "GBK", "GBK", "GBGBK", "GBGBK"], []),
        (("NEAR//",), ["/opt/conv/NEAR.so", "NEAR"], []),
        (("FAR//",), ["FARNEAR", "FARNEAR", "/opt/conv/NEAR.so", "NEAR"], ["DISTANT//"]),
        (("NONE//",), [], []),
        (("UTF-16LE//",), ["UTF-16"] * 4, ["UTF16LE//"]),
    ],
)
def test_subset(wanted: tuple[str, ...], modules: list[str], aliases: list[str]) -> None:
    found = gconv.subset(_stock(MORE), wanted)
    assert [step.module for step in found.steps] == modules
    assert list(found.aliases) == aliases


def test_the_cheaper_chain_is_taken() -> None:
    text = b"""
module A// DEAR// AD 1
module DEAR// INTERNAL D 5
module A// CHEAP// AC 2
module CHEAP// INTERNAL C 2
"""
    found = gconv.subset(gconv.parse((text,)), ["A//"])
    assert [step.module for step in found.steps] == ["AC", "C"]


def test_of_equal_chains_the_first_is_taken() -> None:
    text = b"module A// B// AB\nmodule B// INTERNAL B\nmodule A// C// AC\nmodule C// INTERNAL C\n"
    found = gconv.subset(gconv.parse((text,)), ["A//"])
    assert [step.module for step in found.steps] == ["AB", "B"]


def test_a_step_to_anything() -> None:
    found = gconv.subset(gconv.parse((b"module ODD// - ODD\n",)), ["ODD//"])
    assert [step.module for step in found.steps] == ["ODD"]


def test_what_is_written_is_read() -> None:
    modules = gconv.subset(_stock(MORE), ["FAR//", "SJIS//", "GBK//"])
    assert gconv.parse((gconv.dump(modules).encode(),)) == modules


def test_anything_is_read() -> None:
    pick = random.Random(1)
    good = STOCK + MORE
    for _ in range(300):
        raw = bytearray(good)
        for _ in range(pick.randrange(1, 40)):
            raw[pick.randrange(len(raw))] = pick.randrange(256)
        modules = gconv.parse((bytes(raw[: pick.randrange(len(raw))]),))
        chosen = gconv.subset(modules, ["SJIS//", "FAR//"])
        assert set(chosen.steps) <= set(modules.steps)
        text = gconv.dump(chosen).encode("utf-8", "surrogateescape")
        assert gconv.parse((text,)) == chosen


def test_many_steps_take_no_time() -> None:
    lines = [b"module C%d// C%d// M 1\n" % (n, n + 1) for n in range(20000)]
    modules = gconv.parse((b"".join([*lines, b"module C20000// INTERNAL M 1\n"]),))
    assert len(gconv.subset(modules, ["C0//"]).steps) == 20001
