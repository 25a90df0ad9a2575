"""Every runtime module keeps the protocol: names, phrases, purity, a reason for each addition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import elfpack
from elfpack.loader.resolve import Options, Resolver
from elfpack.planning.contents import Contents
from elfpack.planning.view import ClosureView, Seen
from elfpack.report import reasons
from elfpack.root.directory import DirectoryRoot
from elfpack.runtime import MODULES, module
from elfpack.runtime.module import RuntimeModule
from tests.cli import elfpack as run

PROGRAMS = ("/usr/bin/getent", "/usr/bin/env")
"""One that looks up everything, and one that looks up nothing."""
VALUES = {
    "nss": ("host", "files,dns"),
    "users": ("app:1000:1000",),
    "dlopen": ("suggested", "strings", "suggested,strings"),
    "certs": ("/etc/ssl/certs/ca-certificates.crt",),
    "tz": ("Europe/Paris", "UTC"),
    "locale": ("C.UTF-8", "C"),
    "shell": ("/bin/sh", "/bin/busybox"),
    "strace": (str(Path(__file__).parents[1] / "fixtures/env.strace"),),
    "gconv": ("UTF-16,ISO8859-15", "latin1//TRANSLIT", "UTF-8"),
}
"""For each module that takes a value, some that it takes."""
BAD_VALUES = ("", " ", ",", ":", "\0", "../..", "a b", "é", "\n")
PATHS = ("certs", "strace")
"""The modules whose value is a path: any name may be one."""
PLANNING = {
    *("program", "script", "interpreter", "library", "link", "parent", "added", "mkdir"),
    "ld.so.cache",
}
"""The reasons for what no module adds."""

each_module = pytest.mark.parametrize("this", MODULES, ids=lambda m: m.name)


@pytest.fixture(name="view", scope="module")
def _view() -> Iterator[ClosureView]:
    root = DirectoryRoot("/")
    resolver, options = Resolver(root), Options()
    closures = tuple(resolver.resolve(path, options) for path in PROGRAMS)
    seen = tuple(Seen(number, closure, "program") for number, closure in enumerate(closures))
    yield ClosureView(resolver, options, seen, Contents(resolver.files))
    root.close()


def test_names_are_unique() -> None:
    names = [m.name for m in MODULES]
    assert len(names) == len(set(names))
    assert all(module(m.name) is m for m in MODULES)
    assert module("nothing-of-the-kind") is None


@each_module
def test_name_can_be_written(this: RuntimeModule) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]*", this.name)
    assert this.name not in PLANNING, "reasons tell modules by name"


@each_module
@pytest.mark.parametrize("which", ["summary", "when"])
def test_phrases(this: RuntimeModule, which: str) -> None:
    phrase = getattr(this, which)
    assert phrase == phrase.strip()
    assert len(phrase.split()) > 1
    assert phrase[-1] not in ".;:,"
    assert "\n" not in phrase
    assert ";" not in phrase, "the help puts phrases in a row"


@each_module
def test_says_what_it_is(this: RuntimeModule) -> None:
    assert type(this).__doc__


@each_module
def test_values(this: RuntimeModule) -> None:
    if this.value is None:
        for text in ("x", *BAD_VALUES):
            with pytest.raises(ValueError, match="no value"):
                this.parse(text)
        return
    for text in VALUES[this.name]:
        parsed = this.parse(text)
        assert parsed == this.parse(text)
        assert hash(parsed) == hash(this.parse(text))


@each_module
@pytest.mark.parametrize("text", BAD_VALUES, ids=repr)
def test_bad_value_says_what_it_should_be(this: RuntimeModule, text: str) -> None:
    if this.name in PATHS and text not in ("", "\0"):
        assert this.parse(text) == this.parse(text)
        return
    with pytest.raises(ValueError, match=r"\w+ \w+") as caught:
        this.parse(text)
    assert str(caught.value).isprintable()


def _choices(this: RuntimeModule) -> list[tuple[object, ...] | None]:
    """Nothing said, switched on, and with each value."""
    if this.value is None:
        return [None, ()]
    alone: list[tuple[object, ...] | None] = [None] if this.needs_value else [None, ()]
    return [*alone, *((this.parse(text),) for text in VALUES[this.name])]


@each_module
def test_propose_is_pure(this: RuntimeModule, view: ClosureView) -> None:
    for chosen in _choices(this):
        first = list(this.propose(view, chosen))
        assert list(this.propose(view, chosen)) == first
        assert len(set(first)) == len(first), "each addition once"


@each_module
def test_additions_by_evidence_carry_it(this: RuntimeModule, view: ClosureView) -> None:
    for addition in this.propose(view, None):
        assert addition.evidence is not None
        assert addition.evidence.symbol
        assert addition.evidence.object


@each_module
def test_nothing_without_objects(this: RuntimeModule) -> None:
    resolver = Resolver(DirectoryRoot("/"))
    nothing = ClosureView(resolver, Options(), (), Contents(resolver.files))
    assert not list(this.propose(nothing, None))


def test_every_entry_has_a_reason() -> None:
    plan = elfpack.plan(
        PROGRAMS, modules={m.name: VALUES[m.name][0] if m.needs_value else True for m in MODULES}
    )
    sources = PLANNING | {m.name for m in MODULES}
    for entry in plan.entries:
        assert entry.reason.source in sources, entry.path
        text = reasons.text(entry.reason)
        assert text.isprintable()
        assert not re.search(r"(^|[:,]) *($|,)|  ", text), f"{entry.path}: {text!r}"


def test_evidence_stands_in_the_object() -> None:
    plan = elfpack.plan(PROGRAMS)
    names = {m.name for m in MODULES}
    found = [e.reason for e in plan.entries if e.reason.source in names]
    assert found
    for reason in found:
        symbol = b"\0" + reason.evidence.encode() + b"\0"
        assert symbol in Path(reason.because_of).read_bytes(), reason


@each_module
def test_switched_off(this: RuntimeModule) -> None:
    plan = elfpack.plan(PROGRAMS, modules={this.name: False})
    assert not [e.path for e in plan.entries if e.reason.source == this.name]


@each_module
def test_says_what_it_added_and_how_to_go_without(this: RuntimeModule) -> None:
    if this.needs_value:
        ran = run("layer", *PROGRAMS, "--with", this.name, "--dry-run")
        assert ran.status == 2
        assert any("needs a value" in line for line in ran.err)
        return
    ran = run("layer", *PROGRAMS, "--with", this.name, "--dry-run")
    assert ran.status == 0, ran.err
    notes = [note for note in ran.said("note") if note.startswith(f"{this.name}: ")]
    added = [line for line in ran.out if f"  {this.name}: " in line]
    assert len(notes) == bool(added), "one note, if it added anything"
    assert all(f"--without {this.name}" in note for note in notes)


def test_without_wins_over_with() -> None:
    ran = run("layer", *PROGRAMS, "--with", "users=app:1:1", "--without", "users", "--dry-run")
    assert ran.status == 0
    assert "/etc/passwd" not in {line.split()[0] for line in ran.out}


def test_readme_has_the_table_of_modules() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    table = readme.partition("<!-- modules: begin -->\n")[2].partition("<!-- modules: end -->")[0]
    rows = [f"| `{m.name}` | {m.summary} | {m.when} | {_value_cell(m)}|" for m in MODULES]
    assert table.splitlines()[2:] == rows


def _value_cell(this: RuntimeModule) -> str:
    return "".join(f"`{v}` or " for v in (this.value or "").split("|") if v).removesuffix("or ")
