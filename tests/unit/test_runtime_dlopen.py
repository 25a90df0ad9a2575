"""The module ``dlopen`` and the note that it reads."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from elfpack.formats.dlopennote import OWNER, TYPE, NoteFault, Opens, parse
from elfpack.runtime.dlopen import Dlopen
from tests.smallview import SmallView, Thing, shown

A, B = {"soname": ["liba.so.1"]}, {"soname": ["libb.so.2", "libb.so.1"]}


def raw(*entries: object) -> bytes:
    return json.dumps(entries).encode() + b"\0"


def test_an_entry() -> None:
    row = {"soname": ["a", "b"], "priority": "required", "feature": "f", "description": "", "x": 1}
    assert parse(raw(row, A)) == (Opens(("a", "b"), "required", "f"), Opens(("liba.so.1",)))


@pytest.mark.parametrize(
    "description",
    [
        *(b"", b"\0", b"{}\0", b"[", b"3", b"\xff\0", b"[" * 100_000, b" " * (1 << 21)),
        *(b"9" * 10_000, b"null"),
    ],
    ids=lambda d: repr(d[:8]),
)
def test_a_note_that_is_none(description: bytes) -> None:
    with pytest.raises(NoteFault, match="a description"):
        parse(description)


@pytest.mark.parametrize(
    "row",
    [
        *(3, None, {}, {"soname": "a"}, {"soname": []}, {"soname": [""]}, {"soname": [3]}),
        *({"soname": ["a\n"]}, {"soname": ["a\0b"]}, {"soname": ["a" * 300]}, {"soname": [".."]}),
        *({**A, "priority": "maybe"}, {**A, "priority": 3}, {**A, "feature": []}),
        {"soname": ["a"] * 300},
    ],
    ids=repr,
)
def test_an_entry_that_is_none(row: object) -> None:
    fault, good = parse(raw(row, A))
    assert isinstance(fault, NoteFault)
    assert good == Opens(("liba.so.1",)), "the others count all the same"


@dataclass(frozen=True)
class Case:
    name: str
    thing: Thing
    additions: list[str]
    chosen: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()


def noted(*entries: object, opens: tuple[str, ...] = (), **more: object) -> Thing:
    return Thing("/exe", notes=((OWNER, TYPE, raw(*entries)),), opens=opens, **more)  # type: ignore[arg-type]


def named(content: bytes, *opens: str, imports: tuple[str, ...] = ("dlopen",)) -> Thing:
    return Thing("/exe", imports, content=content, opens=opens)


REQUIRED = {**A, "priority": "required"}
SUGGESTED = {**A, "priority": "suggested"}

CASES = [
    Case("no note", Thing("/exe", ("dlopen",), opens=("liba.so.1",)), []),
    Case("recommended", noted(A, opens=("liba.so.1",)), ["object liba.so.1"]),
    Case("recommended and absent", noted(A), ["warning liba.so.1"]),
    Case("required", noted(REQUIRED, opens=("liba.so.1",)), ["object liba.so.1"]),
    Case("required and absent", noted(REQUIRED), ["fault liba.so.1"]),
    Case("required, absent and excluded", noted(REQUIRED), [], exclude=("liba.so.1",)),
    Case("suggested", noted(SUGGESTED, opens=("liba.so.1",)), []),
    Case(
        "suggested, asked for",
        noted(SUGGESTED, opens=("liba.so.1",)),
        ["object liba.so.1"],
        ("suggested",),
    ),
    Case("switched on alone", noted(SUGGESTED, opens=("liba.so.1",)), [], ()),
    Case("the best alternative", noted(B, opens=("libb.so.1", "libb.so.2")), ["object libb.so.2"]),
    Case("the second alternative", noted(B, opens=("libb.so.1",)), ["object libb.so.1"]),
    Case(
        "an alternative that is excluded",
        noted(B, opens=("libb.so.1", "libb.so.2")),
        ["object libb.so.1"],
        exclude=("libb.so.2",),
    ),
    Case("loaded already", noted({"soname": ["exe"]}), []),
    Case("a static program", noted(A, opens=("liba.so.1",), libc=None), []),
    Case(
        "a broken entry",
        noted(3, A, opens=("liba.so.1",)),
        ["hint dlopen-note /exe", "object liba.so.1"],
    ),
    Case(
        "another owner",
        Thing("/exe", notes=(("GNU", TYPE, raw(A)), (OWNER, 1, raw(A))), opens=("liba.so.1",)),
        [],
    ),
    Case(
        "names as strings",
        named(b"\0liba.so.1\0x\0libnone.so\0", "liba.so.1"),
        [],
    ),
    Case(
        "names as strings, asked for",
        named(b"\0liba.so.1\0x\0libnone.so\0", "liba.so.1"),
        ["object liba.so.1"],
        ("strings",),
    ),
    Case(
        "both",
        named(b"\0liba.so.1\0", "liba.so.1"),
        ["object liba.so.1"],
        ("suggested,strings",),
    ),
    Case(
        "in an object that opens nothing",
        named(b"\0liba.so.1\0", "liba.so.1", imports=()),
        [],
        ("strings",),
    ),
    Case(
        "part of a sentence",
        named(b"\0no liba.so.1 here\0%s.so\0lib*.so\0.so\0", "no liba.so.1 here"),
        [],
        ("strings",),
    ),
    Case("what is loaded already", named(b"\0exe.so\0exe\0", "exe"), [], ("strings",)),
    Case(
        "excluded",
        named(b"\0liba.so.1\0", "liba.so.1"),
        [],
        ("strings",),
        ("liba.so.1",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_dlopen(case: Case) -> None:
    module = Dlopen()
    chosen = None if case.chosen is None else tuple(module.parse(value) for value in case.chosen)
    view = SmallView((case.thing,), exclude=case.exclude)
    assert shown(module.propose(view, chosen)) == case.additions


@pytest.mark.parametrize("value", ["", "string", "suggested,", "none", "suggested strings"])
def test_refuses(value: str) -> None:
    with pytest.raises(ValueError, match="there are suggested and strings"):
        Dlopen().parse(value)
