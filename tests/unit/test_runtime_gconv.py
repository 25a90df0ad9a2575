"""The module gconv by a view that is a plain small class."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from elfpack.runtime.gconv import Gconv
from elfpack.runtime.module import AddObject, Lacking
from tests.smallview import SmallView, Thing, musl, shown, text

TOP = "/usr/lib64/gconv"
LIBC = Thing(
    "/lib64/libc.so.6",
    role="library",
    soname="libc.so.6",
    content=b"\0/usr/lib64/gconv\0 /usr/lib64/gconv/gconv-modules.cache\0",
)
MODULES = ("UTF-16", "UTF-7", "ISO8859-1", "CP1252", "SJIS", "EUC-JP")


def _lines(*names: str) -> str:
    return "".join(f"module {n}// INTERNAL {n} 1\nmodule INTERNAL {n}// {n} 1\n" for n in names)


FILES = {
    f"{TOP}/gconv-modules": _lines(*MODULES[:3]) + "alias LATIN1// ISO8859-1//\n",
    f"{TOP}/gconv-modules.d/extra.conf": _lines(*MODULES[3:]) + "alias SHIFT_JIS// SJIS//\n",
    f"{TOP}/gconv-modules.d/extra.conf.old": "",
    f"{TOP}/gconv-modules.cache": "cache",
    **{f"{TOP}/{name}.so": "" for name in MODULES},
}
CONFIGURATION = f"text {TOP}/gconv-modules"


def _view(*things: Thing, files: dict[str, str] | None = None) -> SmallView:
    """With a libc whose modules are there, and which opens them."""
    there = FILES if files is None else files
    opens = tuple(path for path in there if path.endswith(".so"))
    return SmallView((*things, LIBC), files=there, libraries=opens)


def _program(*symbols: str) -> Thing:
    return Thing("/exe", symbols)


def _library(name: str) -> Thing:
    return Thing(f"/lib64/{name}", ("iconv_open",), role="library", soname=name)


def _objects(*names: str) -> list[str]:
    return [f"object {TOP}/{name}.so" for name in names]


ALL = [
    f"file {TOP}/gconv-modules",
    f"file {TOP}/gconv-modules.d/extra.conf",
    f"file {TOP}/gconv-modules.cache",
    *_objects(*MODULES),
]
COMMON = [CONFIGURATION, *_objects("UTF-16", "UTF-7", "ISO8859-1", "CP1252")]


@dataclass(frozen=True)
class Case:
    name: str
    view: SmallView
    additions: list[str]
    chosen: tuple[str, ...] | None = None


CASES = [
    Case("nothing imported", _view(_program("puts")), []),
    Case("a program", _view(_program("iconv_open")), ALL),
    Case(
        "an added object",
        _view(_program(), replace(_library("libplugin.so"), role="added")),
        ALL,
    ),
    Case(
        "a static program",
        SmallView(
            (Thing("/exe", ("iconv_open",), static=True, content=LIBC.content),),
            None,
            {**FILES, "/usr/lib64/ld-linux-x86-64.so.2": ""},
        ),
        [
            *(line.replace("object", "program") for line in ALL),
            "file /usr/lib64/ld-linux-x86-64.so.2",
        ],
    ),
    Case("a library", _view(_program(), _library("libxml2.so.2")), COMMON),
    Case("a library and a program", _view(_program("iconv_open"), _library("libxml2.so.2")), ALL),
    Case(
        "libraries that convert between what is built in",
        _view(
            _program(),
            *map(_library, ("libstdc++.so.6", "libunistring.so.2", "libidn2.so.0", "libpsl.so.5")),
        ),
        [],
    ),
    Case(
        "such a library, and another one",
        _view(_program(), _library("libstdc++.so.6"), _library("libglib-2.0.so.0")),
        COMMON,
    ),
    Case("asked for", _view(_program()), ALL, ()),
    Case("asked for, where a library would get few", _view(_library("libxml2.so.2")), ALL, ()),
    Case(
        "by name",
        _view(_program("iconv_open")),
        [CONFIGURATION, *_objects("ISO8859-1", "SJIS")],
        ("shift_jis,Latin1//TRANSLIT",),
    ),
    Case(
        "by name, twice",
        _view(_program()),
        [CONFIGURATION, *_objects("UTF-16", "SJIS")],
        ("SJIS", "UTF-16,sjis.so"),
    ),
    Case("what is built in", _view(_program("iconv_open")), [], ("UTF-8,ASCII,UCS-2LE,WCHAR_T",)),
    Case(
        "a name that nobody knows",
        _view(_program()),
        ["fault character set UTF-61", CONFIGURATION, *_objects("SJIS")],
        ("UTF-61,SJIS",),
    ),
    Case(
        "a module that the root lacks, asked for",
        _view(_program(), files={p: t for p, t in FILES.items() if "SJIS.so" not in p}),
        [f"fault {TOP}/SJIS.so", CONFIGURATION, *_objects("UTF-16")],
        ("SJIS,UTF-16",),
    ),
    Case(
        "a module that the root lacks",
        _view(
            _program(),
            _library("libxml2.so.2"),
            files={p: t for p, t in FILES.items() if "UTF-7.so" not in p},
        ),
        [CONFIGURATION, *_objects("UTF-16", "ISO8859-1", "CP1252")],
    ),
    Case(
        "a linked file in the directory is passed over, as glibc does",
        _view(
            _program(),
            files={
                **FILES,
                f"{TOP}/gconv-modules.d/linked.conf": "-> ../other",
                f"{TOP}/other": _lines("OTHER"),
            },
        ),
        ["fault character set OTHER"],
        ("OTHER",),
    ),
    Case(
        "a root without modules",
        _view(_program("iconv_open"), files={}),
        [f"warning {TOP}/gconv-modules"],
    ),
    Case(
        "a root without modules, asked for",
        _view(_program("iconv_open"), files={}),
        [f"fault {TOP}/gconv-modules"],
        (),
    ),
    Case(
        "a root without modules, a library",
        _view(_program(), _library("libxml2.so.2"), files={}),
        [],
    ),
    Case(
        "a root without a cache",
        _view(_program("iconv_open"), files={p: t for p, t in FILES.items() if "cache" not in p}),
        [line for line in ALL if "cache" not in line],
    ),
    Case("musl", musl("iconv_open"), []),
    Case("musl, asked for", musl("iconv_open"), ["hint gconv-unused --with gconv"], ()),
    Case("musl, by name", musl(), ["hint gconv-unused --with gconv"], ("SJIS",)),
    Case(
        "no program, only libraries: nothing opens the modules by name",
        replace(_view(_library("libxml2.so.2")), libraries=()),
        [line.replace("object", "program") for line in COMMON],
    ),
    Case(
        "two C libraries",
        SmallView(
            (
                _program("iconv_open"),
                LIBC,
                Thing(
                    "/lib32/libc.so.6",
                    role="library",
                    soname="libc.so.6",
                    content=b"/lib32/gconv/gconv-modules.cache\0",
                ),
            ),
            files={"/lib32/gconv/gconv-modules": _lines("X"), "/lib32/gconv/X.so": "", **FILES},
            libraries=tuple(line.split()[1] for line in _objects(*MODULES)),
        ),
        [*ALL, "file /lib32/gconv/gconv-modules", "program /lib32/gconv/X.so"],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_gconv(case: Case) -> None:
    gconv = Gconv()
    chosen = None if case.chosen is None else tuple(gconv.parse(value) for value in case.chosen)
    assert shown(gconv.propose(case.view, chosen)) == case.additions


def test_the_configuration_that_is_made() -> None:
    made = text(Gconv().propose(_view(_program()), (("SHIFT_JIS",),)), f"{TOP}/gconv-modules")
    assert made == (
        "alias\tSHIFT_JIS//\tSJIS//\n"
        "module\tSJIS//\tINTERNAL\tSJIS\t1\n"
        "module\tINTERNAL\tSJIS//\tSJIS\t1\n"
    )


def test_who_imports_it_is_told() -> None:
    view = _view(_program(), _library("libstdc++.so.6"), _library("libxml2.so.2"))
    for addition in Gconv().propose(view, None):
        assert str(addition.evidence) == "iconv_open, imported by libxml2.so.2"
    view = _view(_library("libxml2.so.2"), _program("iconv_open"))
    for addition in Gconv().propose(view, None):
        assert str(addition.evidence) == "iconv_open, imported by /exe"


def test_an_object_is_opened_by_its_path() -> None:
    made = [a for a in Gconv().propose(_view(_program()), (("SJIS",),)) if isinstance(a, AddObject)]
    assert [(one.name, one.found.opener) for one in made] == [(f"{TOP}/SJIS.so", (0, None))]


@pytest.mark.parametrize(("wrong", "right"), [("LATIN-1", "LATIN1"), ("Shift-JIS", "SHIFT_JIS")])
def test_the_nearest_name(wrong: str, right: str) -> None:
    lacking = next(iter(Gconv().propose(_view(_program()), ((wrong,),))))
    assert isinstance(lacking, Lacking)
    assert f"did you mean {right}" in lacking.advice


@pytest.mark.parametrize(
    "value", ["", "UTF-16,", ",", "a b", "../x", "/UTF-16", "\xe9", "UTF-16\n"]
)
def test_refuses(value: str) -> None:
    with pytest.raises(ValueError, match="as in UTF-16,ISO8859-15"):
        Gconv().parse(value)
