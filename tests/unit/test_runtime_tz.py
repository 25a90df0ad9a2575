"""The module tz by a view that is a plain small class."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from elfpack.runtime.module import Lacking
from elfpack.runtime.timezone import Tz
from tests.smallview import SmallView, Thing, glibc, musl, shown

ZONE = "TZif2 and the rest"
ALL = {
    "/usr/share/zoneinfo/Europe/Paris": ZONE,
    "/usr/share/zoneinfo/Europe/London": ZONE,
    "/usr/share/zoneinfo/GB": "-> Europe/London",
    "/usr/share/zoneinfo/zone.tab": "FR Europe/Paris\n",
}


@dataclass(frozen=True)
class Case:
    name: str
    additions: list[str]
    chosen: tuple[str, ...] | None = ()
    files: dict[str, str] = field(default_factory=lambda: ALL)
    view: SmallView = field(default_factory=lambda: glibc("localtime", "tzset"))


def _at(directory: str) -> dict[str, str]:
    return {path.replace("/usr/share/zoneinfo", directory): text for path, text in ALL.items()}


def _files(*names: str, top: str = "/usr/share/zoneinfo") -> list[str]:
    return [f"file {top}/{name}" for name in names]


WHOLE = ("GB", "zone.tab", "Europe/London", "Europe/Paris")

CASES = [
    Case("never by itself", [], None),
    Case("all", _files(*WHOLE)),
    Case(
        "all, and the root's local time",
        [*_files(*WHOLE), "file /etc/localtime"],
        files={**ALL, "/etc/localtime": "-> /usr/share/zoneinfo/Europe/Paris"},
    ),
    Case(
        "a local time that leads nowhere",
        _files(*WHOLE),
        files={**ALL, "/etc/localtime": "-> /usr/share/zoneinfo/Mars/Olympus"},
    ),
    Case(
        "a local time that is no time zone",
        [*_files(*WHOLE), "hint local-time /etc/localtime"],
        files={**ALL, "/etc/localtime": "Europe/Paris\n"},
    ),
    Case(
        "the copies with leap seconds and without are left out",
        _files(*WHOLE),
        files={
            **ALL,
            "/usr/share/zoneinfo/right/Europe/Paris": ZONE,
            "/usr/share/zoneinfo/posix/Europe": "-> ../Europe",
        },
    ),
    Case(
        "but not what is linked into them",
        _files("GB", "UTC", *WHOLE[1:], "Asia/Tokyo"),
        files={
            **ALL,
            "/usr/share/zoneinfo/posix/UTC": ZONE,
            "/usr/share/zoneinfo/posix/Asia/Tokyo": ZONE,
            "/usr/share/zoneinfo/UTC": "-> posix/UTC",
            "/usr/share/zoneinfo/Asia": "-> posix/Asia",
        },
    ),
    Case(
        "one of them by its name",
        [
            "file /usr/share/zoneinfo/right/Europe/Paris",
            "link /etc/localtime -> /usr/share/zoneinfo/right/Europe/Paris",
        ],
        ("right/Europe/Paris",),
        files={**ALL, "/usr/share/zoneinfo/right/Europe/Paris": ZONE},
    ),
    Case(
        "a linked directory",
        ["link /usr/share/zoneinfo/EU -> Europe", *_files(*WHOLE)],
        files={**ALL, "/usr/share/zoneinfo/EU": "-> Europe"},
    ),
    Case(
        "a linked directory elsewhere, with a link back",
        _files(*WHOLE[:2], "Mars/Olympus", *WHOLE[2:]),
        files={
            **ALL,
            "/usr/share/zoneinfo/Mars": "-> /srv/mars",
            "/srv/mars/Olympus": ZONE,
            "/srv/mars/back": "-> /usr/share/zoneinfo",
        },
    ),
    Case(
        "zoneinfo is a link itself",
        _files(*WHOLE),
        files={**_at("/srv/zones"), "/usr/share/zoneinfo": "-> /srv/zones"},
    ),
    Case("the root has none", ["fault /usr/share/zoneinfo"], files={}),
    Case("the root has none for a zone", ["fault /usr/share/zoneinfo"], ("UTC",), {}),
    Case(
        "musl's other directories",
        [
            "file /share/zoneinfo/Europe/Paris",
            "link /etc/localtime -> /share/zoneinfo/Europe/Paris",
        ],
        ("Europe/Paris",),
        _at("/share/zoneinfo"),
        musl("localtime"),
    ),
    Case(
        "what libc has compiled in",
        ["file /nix/tz/zoneinfo/GB", "link /etc/localtime -> /nix/tz/zoneinfo/GB"],
        ("GB",),
        {**ALL, **_at("/nix/tz/zoneinfo")},
        SmallView(
            (
                Thing("/exe"),
                Thing(
                    "/lib64/libc.so.6",
                    role="library",
                    soname="libc.so.6",
                    content=b"x\0/nix/tz/zoneinfo\0/missing/zoneinfo\0",
                ),
            )
        ),
    ),
    Case(
        "one zone",
        [
            "file /usr/share/zoneinfo/Europe/Paris",
            "link /etc/localtime -> /usr/share/zoneinfo/Europe/Paris",
        ],
        ("Europe/Paris",),
    ),
    Case(
        "two zones: the first is local",
        [
            "file /usr/share/zoneinfo/GB",
            "link /etc/localtime -> /usr/share/zoneinfo/GB",
            "file /usr/share/zoneinfo/Europe/Paris",
        ],
        ("GB", "Europe/Paris"),
    ),
    Case("a zone that the root lacks", ["fault time zone Europe/Pari"], ("Europe/Pari",)),
    Case("a directory", ["fault time zone Europe"], ("Europe",)),
    Case("a file that is no zone", ["fault time zone zone.tab"], ("zone.tab",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_tz(case: Case) -> None:
    tz = Tz()
    case.view.files = case.files
    chosen = None if case.chosen is None else tuple(tz.parse(value) for value in case.chosen)
    assert shown(tz.propose(case.view, chosen)) == case.additions


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("Europe/Pariss", "Europe/Paris"),
        ("europe/paris", "Europe/Paris"),
        ("London", "Europe/London"),
        ("gb", "GB"),
    ],
)
def test_the_nearest_name(wrong: str, right: str) -> None:
    lacking = next(iter(Tz().propose(glibc(files=ALL), (wrong,))))
    assert isinstance(lacking, Lacking)
    assert f"did you mean {right}" in lacking.advice


def test_nothing_is_near() -> None:
    lacking = next(iter(Tz().propose(glibc(files=ALL), ("Qqqqqqqqqqqqqq",))))
    assert isinstance(lacking, Lacking)
    assert lacking.advice == "ls /usr/share/zoneinfo shows what there is"


@pytest.mark.parametrize(
    "value", ["UTC", "Europe/Paris", "America/Argentina/ComodRivadavia", "Etc/GMT+1", "GMT-0"]
)
def test_takes(value: str) -> None:
    assert Tz().parse(value) == value


@pytest.mark.parametrize(
    "value",
    ["", "/UTC", "UTC/", "a//b", "..", "../UTC", "Europe/../UTC", "./UTC", "a b", "UTC\n", "\xe9"],
)
def test_refuses(value: str) -> None:
    with pytest.raises(ValueError, match="as in Europe/Paris"):
        Tz().parse(value)
