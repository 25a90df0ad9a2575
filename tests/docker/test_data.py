"""Time zones, character sets and locales: the host's answer, the container's, and what a container
says that has not got the data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, Outcome, on_host
from tests.docker.packing import build, elfpack, layer, need, regular_files, words

NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Row:
    """A layer, a run of it that must be equal to the host's, and one that must not be."""

    name: str
    program: str
    args: str = ""
    more: str = ""
    """Options that bring the data; empty where that comes by itself."""
    less: str = ""
    """Options in place of them, with which the container must say something else."""
    build: tuple[str, ...] = ()
    says: str = ""
    """What must be in the output on the host."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment, here and there."""
    here: Mapping[str, str] = field(default_factory=dict)
    """Only on the host."""
    data: bytes = b""
    """What is in the file ``{here}/text``."""


def _compare(row: Row, engine: Engine, here: Path, report: Report) -> None:
    (here / "text").write_bytes(row.data)
    build(row.build, here)
    if row.program.startswith("/"):
        need(row.program)
    arguments = words(row.args, here)
    outside = on_host([row.program, *arguments], here, {**row.variables, **row.here})
    assert outside.status == 0, outside
    assert row.says.encode() in outside.stdout, outside
    inside = _inside(row, row.more, engine, here)
    equal = inside == outside
    size = (here / "x.tar").stat().st_size
    report(Line(row.name, outside.status, inside.status, equal, size))
    assert equal, f"on the host: {outside}\nin the container: {inside}"
    lacking = _inside(row, row.less, engine, here)
    assert lacking != outside, f"it needs nothing: {row.less!r}"


def _inside(row: Row, options: str, engine: Engine, here: Path) -> Outcome:
    told, _ = layer(f"{row.program} {options}", "x.tar", here)
    variables = [word for pair in row.variables.items() for word in ("--env", "=".join(pair))]
    with engine.imported(told, here) as image:
        return image.run(words(row.args, here), *variables)


_DATE = "-d @1720000000 '+%F %T %Z %z'"
_MUSL = ("musl-gcc -o localtime {src}/localtime.c",)
_BERLIN = {"TZ": "Europe/Berlin"}

ZONES = (
    Row(
        "date, TZ=Europe/Berlin",
        "/usr/bin/date",
        _DATE,
        "--with tz",
        says="11:46:40 CEST +0200",
        variables=_BERLIN,
    ),
    Row(
        "date, TZ=Europe/Berlin, that zone alone",
        "/usr/bin/date",
        _DATE,
        "--with tz=Europe/Berlin",
        says="11:46:40 CEST +0200",
        variables=_BERLIN,
        less="--with tz=Asia/Tokyo",
    ),
    Row(
        "date, a zone that is a link",
        "/usr/bin/date",
        _DATE,
        "--with tz=Asia/Calcutta",
        says="+0530",
        variables={"TZ": "Asia/Calcutta"},
    ),
    Row(
        "date, local time",
        "/usr/bin/date",
        _DATE,
        "--with tz=Asia/Tokyo --with tz=Europe/Berlin",
        says="18:46:40 JST +0900",
        here={"TZ": "Asia/Tokyo"},
        less="--with tz",
    ),
    Row(
        "perl, TZ=America/Argentina/Buenos_Aires",
        "/usr/bin/perl",
        "-e 'print scalar localtime(1720000000)'",
        "--with tz=America/Argentina/Buenos_Aires",
        says="06:46:40",
        variables={"TZ": "America/Argentina/Buenos_Aires"},
    ),
    Row(
        "musl, TZ=Europe/Berlin",
        "./localtime",
        more="--with tz",
        build=_MUSL,
        says="11:46 CEST",
        variables=_BERLIN,
    ),
    Row(
        "musl, local time",
        "./localtime",
        more="--with tz=Europe/Berlin",
        build=_MUSL,
        says="11:46 CEST",
        here=_BERLIN,
    ),
)

_CONVERTER = (
    "gcc -shared -fPIC -o libconvert.so {src}/convert.c",
    "gcc -o converter {src}/converter.c -L. -lconvert -Wl,-rpath,$ORIGIN",
)


def _iconv(options: str, data: bytes, says: str, more: str, less: str) -> Row:
    return Row(
        f"iconv {options}",
        "/usr/bin/iconv",
        f"{options} {{here}}/text",
        f"{more} --add {{here}}/text",
        f"{less} --add {{here}}/text",
        says=says,
        data=data,
    )


_SUN = "\N{CJK UNIFIED IDEOGRAPH-65E5}"
_WITHOUT = "--without gconv"

CHARSETS = (
    _iconv("-f SHIFT_JIS -t UTF-8", _SUN.encode("shift_jis"), _SUN, "", _WITHOUT),
    _iconv("-f UTF-16 -t UTF-8", _SUN.encode("utf-16"), _SUN, "", _WITHOUT),
    _iconv("-f LATIN1 -t UTF-8", b"caf\xe9", "caf\xe9", "", "--with gconv=UTF-16"),
    _iconv(
        "-f EUC-JP -t UTF-8",
        _SUN.encode("euc-jp"),
        _SUN,
        "--with gconv=eucjp",
        "--with gconv=SHIFT_JIS",
    ),
    _iconv(
        "-f ISO-2022-JP -t UTF-16LE",
        _SUN.encode("iso-2022-jp"),
        "e",
        "--with gconv=iso-2022-jp,UTF-16LE",
        "--with gconv=iso-2022-jp",
    ),
    _iconv(
        "-f MS_KANJI -t UTF-8",
        _SUN.encode("shift_jis"),
        _SUN,
        "--with gconv=SHIFT_JIS",
        "--with gconv=EUC-JP",
    ),
    _iconv(
        "-f BIG5 -t GB2312",
        _SUN.encode("big5"),
        "",
        "--with gconv=GB2312,BIG5",
        "--with gconv=GB2312",
    ),
    _iconv(
        "-f UTF-16LE -t ASCII//TRANSLIT",
        "a\xa9".encode("utf-16-le"),
        "a(C)",
        "--with gconv=UTF-16LE//TRANSLIT",
        "--with gconv=UTF-8",
    ),
    Row(
        "iconv -l",
        "/usr/bin/iconv",
        "-l",
        says="SHIFT_JIS//",
        less=_WITHOUT,
    ),
    Row(
        "a library that converts, UTF-16",
        "./converter",
        "UTF-16LE",
        build=_CONVERTER,
        says="h 2",
        less=_WITHOUT,
    ),
    Row(
        "a static program that converts",
        "./static",
        "UTF-16LE",
        build=("gcc -static -o static {src}/converter.c {src}/convert.c",),
        says="h 2",
        less=_WITHOUT,
    ),
    Row(
        "a static program that converts, one character set",
        "./static",
        "SHIFT_JIS",
        more="--with gconv=SHIFT_JIS",
        less=_WITHOUT,
        build=("gcc -static -o static {src}/converter.c {src}/convert.c",),
        says="h 1",
    ),
    Row(
        "a library that converts, SHIFT_JIS",
        "./converter",
        "SHIFT_JIS",
        more="--with gconv=SHIFT_JIS",
        build=_CONVERTER,
        says="h 1",
    ),
    Row(
        "an added library that converts, SHIFT_JIS",
        "./opener",
        "./libconvert.so SHIFT_JIS",
        "--add ./libconvert.so",
        "--add ./libconvert.so --without gconv",
        build=(_CONVERTER[0], "gcc -o opener {src}/plugin.c"),
        says="h 1",
    ),
)

_UTF8 = {"LC_ALL": "C.UTF-8"}
_WITH_UTF8 = "--with locale=C.UTF-8 --add {here}/text"

LOCALES = (
    Row(
        "perl, LC_ALL=C.UTF-8",
        "/usr/bin/perl",
        "-e 'print 6*7'",
        _WITH_UTF8,
        says="42",
        variables=_UTF8,
    ),
    Row(
        "locale charmap, LC_ALL=C.UTF-8",
        "/usr/bin/locale",
        "charmap",
        _WITH_UTF8,
        says="UTF-8",
        variables=_UTF8,
    ),
    Row(
        "locale charmap, LANG=C.utf8",
        "/usr/bin/locale",
        "-c charmap",
        "--with locale=C.utf8",
        says="UTF-8",
        variables={"LANG": "C.utf8", "LC_ALL": ""},
    ),
    Row(
        "sed, LC_ALL=C.UTF-8",
        "/usr/bin/sed",
        "s/./x/g {here}/text",
        _WITH_UTF8,
        "--add {here}/text",
        says="xxxx",
        variables=_UTF8,
        data="caf\xe9".encode(),
    ),
    Row(
        "wc -m, LC_ALL=C.UTF-8",
        "/usr/bin/wc",
        "-m {here}/text",
        _WITH_UTF8,
        "--add {here}/text",
        says="4 ",
        variables=_UTF8,
        data="caf\xe9".encode(),
    ),
    Row(
        "ls -b, LC_ALL=C.UTF-8",
        "/usr/bin/ls",
        "-b {here}/names",
        "--with locale=C.UTF-8 --add {here}/names",
        "--add {here}/names",
        ("mkdir names", "touch names/caf\xe9"),
        "caf\xe9",
        _UTF8,
    ),
)


@pytest.mark.parametrize("row", LOCALES, ids=lambda row: row.name)
def test_locale(row: Row, engine: Engine, tmp_path: Path, report: Report) -> None:
    _compare(row, engine, tmp_path, report)


_SORTED = b"a\nA\nb\nB\n"
_IN_C = b"A\nB\na\nb\n"


@pytest.mark.parametrize("kept", ["archive", "directory"])
def test_a_locale_that_localedef_makes(
    kept: str, engine: Engine, tmp_path: Path, report: Report
) -> None:
    (tmp_path / "text").write_bytes(_IN_C)
    done = elfpack(["layer", "/usr/bin/sort", "--add", "text", "-o", "root/"], tmp_path)
    assert done.status == 0, done
    option = "" if kept == "archive" else "--no-archive "
    recipe = (
        "mkdir -p root/usr/lib/locale",
        f"localedef {option}--prefix={{here}}/root -i en_US -f UTF-8 en_US.UTF-8",
        "localedef --no-archive -i en_US -f UTF-8 {here}/locales/en_US.utf8",
    )
    build(("mkdir locales", *recipe), tmp_path)
    variables = {"LC_ALL": "en_US.UTF-8"}
    outside = on_host(["sort", "text"], tmp_path, {**variables, "LOCPATH": f"{tmp_path}/locales"})
    request = "/usr/bin/sort --root root --add /text"
    told, _ = layer(f"{request} --with locale=en_US.UTF-8", "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        inside = image.run(["/text"], "--env", "LC_ALL=en_US.UTF-8")
        normal = image.run(["/text"], "--env", "LC_ALL=en_US.utf8")
        other = image.run(["/text"], "--env", "LC_ALL=en_GB.UTF-8")
    size = (tmp_path / "x.tar").stat().st_size
    equal = inside == outside
    report(Line(f"sort, en_US.UTF-8 from a {kept}", outside.status, inside.status, equal, size))
    assert outside[:2] == (0, _SORTED), outside
    assert equal, f"on the host: {outside}\nin the container: {inside}"
    assert normal == outside
    assert other[:2] == (0, _IN_C)
    names = regular_files((tmp_path / "x.tar").read_bytes())
    made = {name.split("/")[-1]: name for name in names if "/locale/" in name}
    assert len(made) == len(list((tmp_path / "locales").glob("*/**/*_*"))) - 1
    assert all(name.startswith("usr/lib/locale/en_US.utf8/") for name in made.values())
    told, _ = layer(request, "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        assert image.run(["/text"], "--env", "LC_ALL=en_US.UTF-8")[:2] == (0, _IN_C)


def test_musl_needs_no_locale(engine: Engine, tmp_path: Path) -> None:
    build(("musl-gcc -o charmap {src}/charmap.c",), tmp_path)
    told, done = layer("./charmap --with locale=C.UTF-8", "x.tar", tmp_path)
    assert b"musl needs none" in done.stderr, done
    with engine.imported(told, tmp_path) as image:
        inside = image.run([], "--env", "LC_ALL=C.UTF-8")
    assert inside == on_host(["./charmap"], tmp_path, _UTF8)
    assert inside[:2] == (0, b"UTF-8\n"), inside
    assert not [n for n in regular_files((tmp_path / "x.tar").read_bytes()) if "locale" in n]


@pytest.mark.parametrize("row", CHARSETS, ids=lambda row: row.name)
def test_character_set(row: Row, engine: Engine, tmp_path: Path, report: Report) -> None:
    _compare(row, engine, tmp_path, report)


@pytest.mark.parametrize("row", ZONES, ids=lambda row: row.name)
def test_time_zone(row: Row, engine: Engine, tmp_path: Path, report: Report) -> None:
    _compare(row, engine, tmp_path, report)


def test_the_local_time_of_a_root(engine: Engine, tmp_path: Path) -> None:
    made = elfpack(["layer", "/usr/bin/date", "--with", "tz=Asia/Tokyo", "-o", "root/"], tmp_path)
    assert made.status == 0, made
    told, _ = layer("/usr/bin/date --root root --with tz", "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        inside = image.run(words(_DATE, tmp_path))
    assert inside[:2] == (0, b"2024-07-03 18:46:40 JST +0900\n"), inside


@pytest.mark.parametrize(
    ("program", "args", "recipe"),
    [
        ("./hello", "", "g++ -o hello {src}/hello.cpp"),
        ("/usr/bin/seq", "3", ""),
        ("/usr/bin/od", "-c {here}/text", ""),
        ("/usr/bin/less", "--version", ""),
    ],
)
def test_nothing_is_added(
    program: str, args: str, recipe: str, engine: Engine, tmp_path: Path, report: Report
) -> None:
    (tmp_path / "text").write_text("some text\n")
    build((recipe,) if recipe else (), tmp_path)
    if program.startswith("/"):
        need(program)
    told, done = layer(f"{program} --add {{here}}/text", "x.tar", tmp_path)
    assert not re.search(rb"note: (tz|gconv|locale):", done.stderr), done
    tar = (tmp_path / "x.tar").read_bytes()
    assert not [name for name in regular_files(tar) if re.search("gconv|zoneinfo|locale", name)]
    arguments = words(args, tmp_path)
    outside = on_host([program, *arguments], tmp_path)
    with engine.imported(told, tmp_path) as image:
        inside = image.run(arguments)
    equal = inside[:2] == outside[:2]
    report(Line(f"{program}, nothing added", outside.status, inside.status, equal, len(tar)))
    assert equal, f"on the host: {outside}\nin the container: {inside}"
