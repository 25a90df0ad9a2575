"""The module locale by a view that is a plain small class."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from elfpack.runtime.locales import Locale
from elfpack.runtime.module import AddBytes, Hint, Lacking
from tests.localebuild import archive, ctype
from tests.smallview import SmallView, Thing, glibc, musl, shown

TOP = "/usr/lib/locale"
UTF8 = ctype("UTF-8")
LATIN1 = ctype("ISO-8859-1")
ENGLISH = {"LC_CTYPE": UTF8, "LC_MESSAGES": b"yes"}
GERMAN = {"LC_CTYPE": LATIN1, "LC_TIME": b"Uhr"}
ARCHIVE: dict[str, str | bytes] = {
    f"{TOP}/locale-archive": archive(
        {"en_US.utf8": ENGLISH, "de_DE.iso88591": GERMAN}, {"german": "de_DE.iso88591"}
    )
}
ALIASES: dict[str, str | bytes] = {
    "/usr/share/locale/locale.alias": "-> /etc/locale.alias",
    "/etc/locale.alias": "german de_DE.ISO-8859-1\nfrench fr_FR.UTF-8\n",
}


def _directory(name: str, charset: bytes = UTF8) -> dict[str, str | bytes]:
    return {
        f"{TOP}/{name}/LC_CTYPE": charset,
        f"{TOP}/{name}/LC_MESSAGES/SYS_LC_MESSAGES": "yes",
        f"{TOP}/{name}/README": "no category",
    }


def _files(name: str, top: str = TOP) -> list[str]:
    return [f"file {top}/{name}/LC_CTYPE", f"file {top}/{name}/LC_MESSAGES/SYS_LC_MESSAGES"]


ENVIRONMENT = "hint locale-environment"


@dataclass(frozen=True)
class Case:
    name: str
    chosen: tuple[str, ...] | None
    files: dict[str, str | bytes]
    additions: list[str]
    view: SmallView = field(default_factory=lambda: glibc("setlocale"))


CASES = [
    Case("never by itself", None, _directory("C.utf8"), []),
    Case("built in", ("C", "POSIX"), {}, []),
    Case(
        "a directory",
        ("C.UTF-8",),
        _directory("C.utf8"),
        [*_files("C.utf8"), f"{ENVIRONMENT} C.UTF-8"],
    ),
    Case(
        "a directory whose name is not the normal one",
        ("C.utf8",),
        _directory("C.UTF-8"),
        ["fault locale C.utf8", f"{ENVIRONMENT} C.utf8"],
    ),
    Case(
        "the same, by its name: it gets the normal one as well",
        ("C.UTF-8",),
        _directory("C.UTF-8"),
        [*_files("C.UTF-8"), f"link {TOP}/C.utf8 -> C.UTF-8", f"{ENVIRONMENT} C.UTF-8"],
    ),
    Case(
        "a directory for a language",
        ("fr_FR.UTF-8",),
        _directory("fr"),
        [*_files("fr"), f"{ENVIRONMENT} fr_FR.UTF-8"],
    ),
    Case(
        "a directory of another character set",
        ("fr_FR.UTF-8",),
        _directory("fr_FR", LATIN1),
        ["fault locale fr_FR.UTF-8", f"{ENVIRONMENT} fr_FR.UTF-8"],
    ),
    Case(
        "a directory of no character set",
        ("fr_FR.UTF-8",),
        _directory("fr_FR", b"broken"),
        ["fault locale fr_FR.UTF-8", f"{ENVIRONMENT} fr_FR.UTF-8"],
    ),
    Case(
        "from the archive",
        ("en_US.UTF-8",),
        ARCHIVE,
        [
            f"bytes {TOP}/en_US.utf8/LC_CTYPE",
            f"bytes {TOP}/en_US.utf8/LC_MESSAGES/SYS_LC_MESSAGES",
            f"{ENVIRONMENT} en_US.UTF-8",
        ],
    ),
    Case(
        "two",
        ("en_US.UTF-8", "C.utf8"),
        {**ARCHIVE, **_directory("C.utf8")},
        [
            f"bytes {TOP}/en_US.utf8/LC_CTYPE",
            f"bytes {TOP}/en_US.utf8/LC_MESSAGES/SYS_LC_MESSAGES",
            *_files("C.utf8"),
            f"{ENVIRONMENT} en_US.UTF-8",
        ],
    ),
    Case(
        "one that glibc needs a module for",
        ("de_DE.ISO-8859-1",),
        ARCHIVE,
        [
            f"bytes {TOP}/de_DE.iso88591/LC_CTYPE",
            f"bytes {TOP}/de_DE.iso88591/LC_TIME",
            "hint locale-charset de_DE.ISO-8859-1",
            f"{ENVIRONMENT} de_DE.ISO-8859-1",
        ],
    ),
    Case(
        "the same, where all modules come by themselves",
        ("de_DE.ISO-8859-1",),
        ARCHIVE,
        [
            f"bytes {TOP}/de_DE.iso88591/LC_CTYPE",
            f"bytes {TOP}/de_DE.iso88591/LC_TIME",
            f"{ENVIRONMENT} de_DE.ISO-8859-1",
        ],
        glibc("iconv_open"),
    ),
    Case(
        "an alias",
        ("German",),
        {**ARCHIVE, **ALIASES},
        [
            f"bytes {TOP}/de_DE.iso88591/LC_CTYPE",
            f"bytes {TOP}/de_DE.iso88591/LC_TIME",
            "file /usr/share/locale/locale.alias",
            "hint locale-charset German",
            f"{ENVIRONMENT} German",
        ],
    ),
    Case(
        "an alias for a directory",
        ("french",),
        {**ARCHIVE, **ALIASES, **_directory("fr_FR.utf8")},
        [
            *_files("fr_FR.utf8"),
            "file /usr/share/locale/locale.alias",
            f"{ENVIRONMENT} french",
        ],
    ),
    Case(
        "an alias that the archive has by itself",
        ("german",),
        ARCHIVE,
        [
            f"bytes {TOP}/german/LC_CTYPE",
            f"bytes {TOP}/german/LC_TIME",
            "hint locale-charset german",
            f"{ENVIRONMENT} german",
        ],
    ),
    Case(
        "a broken archive is left aside",
        ("C.UTF-8",),
        {f"{TOP}/locale-archive": "broken", **_directory("C.utf8")},
        [
            f"hint locale-archive {TOP}/locale-archive",
            *_files("C.utf8"),
            f"{ENVIRONMENT} C.UTF-8",
        ],
    ),
    Case(
        "an archive that ends too early",
        ("de_DE.ISO-8859-1",),
        {path: raw[:-2] for path, raw in ARCHIVE.items()},
        ["fault locale de_DE.ISO-8859-1", f"{ENVIRONMENT} de_DE.ISO-8859-1"],
    ),
    Case("the root has none", ("it_IT",), {}, ["fault locale it_IT", f"{ENVIRONMENT} it_IT"]),
    Case(
        "the environment of the image names it",
        ("C.UTF-8",),
        _directory("C.utf8"),
        _files("C.utf8"),
        glibc(variables={"LANG": "C.UTF-8"}),
    ),
    Case("musl needs none", ("C.UTF-8",), {}, ["hint locale-unused C.UTF-8"], musl("setlocale")),
    Case(
        "what libc has compiled in",
        ("C.UTF-8",),
        {p.replace(TOP, "/opt/locale"): t for p, t in _directory("C.utf8").items()},
        [*_files("C.utf8", "/opt/locale"), f"{ENVIRONMENT} C.UTF-8"],
        SmallView(
            (
                Thing("/exe"),
                Thing(
                    "/lib64/libc.so.6",
                    role="library",
                    soname="libc.so.6",
                    content=b"\0/opt/locale/locale-archive\0",
                ),
            )
        ),
    ),
    Case(
        "a static program of glibc",
        ("C.UTF-8",),
        _directory("C.utf8"),
        [*_files("C.utf8"), f"{ENVIRONMENT} C.UTF-8"],
        SmallView(
            (Thing("/exe", libc=None, content=b"x\0/usr/lib/locale/locale-archive\0"),), None
        ),
    ),
    Case(
        "a static program without locales",
        ("C.UTF-8",),
        _directory("C.utf8"),
        ["hint locale-unused C.UTF-8"],
        SmallView((Thing("/exe", libc=None),), None),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_locale(case: Case) -> None:
    module = Locale()
    case.view.files = case.files
    chosen = None if case.chosen is None else tuple(module.parse(value) for value in case.chosen)
    assert shown(module.propose(case.view, chosen)) == case.additions


def test_the_content_is_that_of_the_archive() -> None:
    made = list(Locale().propose(glibc(files=ARCHIVE), ("en_US.UTF-8",)))
    assert {a.path: a.content for a in made if isinstance(a, AddBytes)} == {
        f"{TOP}/en_US.utf8/LC_CTYPE": UTF8,
        f"{TOP}/en_US.utf8/LC_MESSAGES/SYS_LC_MESSAGES": b"yes",
    }


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        (
            "en_UK.UTF-8",
            "did you mean en_US.utf8? If not, make it: localedef -i en_UK -f UTF-8 en_UK.UTF-8",
        ),
        ("it_IT.utf8", "make it: localedef -i it_IT -f UTF-8 it_IT.utf8 (Debian: locales)"),
        (
            "nl_NL.ISO-8859-15@euro",
            "make it: localedef -i nl_NL@euro -f ISO-8859-15 nl_NL.ISO-8859-15@euro "
            "(Debian: locales)",
        ),
    ],
)
def test_what_to_do_about_a_lack(name: str, advice: str) -> None:
    lacking = next(iter(Locale().propose(glibc(files=ARCHIVE), (name,))))
    assert isinstance(lacking, Lacking)
    assert lacking.advice == advice


def test_how_it_is_made_to_count() -> None:
    *_, hint = Locale().propose(glibc(files=ARCHIVE), ("en_US.UTF-8",))
    assert isinstance(hint, Hint)
    assert "--env LANG=en_US.UTF-8" in hint.advice


@pytest.mark.parametrize("value", ["", "/etc", "..", ".UTF-8", "a/b", "a b", "en_US\n", "\xe9"])
def test_refuses(value: str) -> None:
    with pytest.raises(ValueError, match=r"as in en_US\.UTF-8"):
        Locale().parse(value)
