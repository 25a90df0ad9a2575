"""The fuzzer: its inputs can be made again, they are changed, and whatever is wrong is found."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

pytest.importorskip("tools.fuzz", reason="the tools are not here")

from elfpack.errors import InputError
from tests.cli import Ran
from tests.elfbuild import elf
from tools.fuzz import __main__ as command
from tools.fuzz import archives, corpus, drive, formats, parsers, plain, worker
from tools.fuzz import elf as elves
from tools.fuzz.drive import Place, WrongError, judge
from tools.fuzz.formats import FORMATS, Case, case

FORMS = tuple(FORMATS)
GOOD = Ran(0, b"\tlibc.so.6 => /lib/libc.so.6\n", b"elfpack: note: a: b (c)\n")


@pytest.fixture(name="place")
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    yield Place(tmp_path)
    gc.unfreeze()  # the command line leaves it so, for its process ends
    gc.enable()


# Inputs


@pytest.mark.parametrize("form", FORMS)
def test_a_number_makes_the_same_input_always(form: str) -> None:
    first = [case(form, number) for number in range(20)]
    formats.seeds.cache_clear()
    assert [case(form, number) for number in range(20)] == first
    assert len({one.seed.raw for one in first}) > 10, "and each makes another one"


def test_what_is_doubled_is_one_of_its_own() -> None:
    """Or the next change of it would be one in many places, and take no end of memory."""
    for number in range(20):
        for holder, key in (([[1]], 0), ({"a": [1]}, "a")):
            plain._again(holder, key, Random(number))
            found = [*(holder.values() if isinstance(holder, dict) else holder)]
            assert len({id(value) for value in found}) == len(found)


@pytest.mark.parametrize("form", FORMS)
def test_inputs_are_changed(form: str) -> None:
    rule = FORMATS[form]
    seeds = {rule.made(seed.raw) for seed in formats.seeds(form)}
    inputs = [case(form, number).seed.raw for number in range(50)]
    assert sum(raw not in seeds for raw in inputs) > 40
    assert len(max(inputs, key=len)) < 16 << 20


def test_shares_are_hundredths() -> None:
    assert sum(rule.share for rule in FORMATS.values()) == 100
    assert set(parsers.PARSERS) <= set(FORMATS)


def test_tables_of_an_elf_file_are_found() -> None:
    """Changes hit what means something: each table of a file that has all of them."""
    raw = corpus.app()
    seen = elves.look(raw)
    assert seen is not None
    forms = {table[0].form for table in seen.tables}
    assert {"HHIQQQIHHHHHH", "IIQQQQQQ", "IIQQQQIIQQ", "QQ", "IBBHQQ", "QQQ", "III"} <= forms
    assert {"H", "HHIII", "I"} <= forms
    assert b"libssl.so.3" in raw[slice(*seen.strings)]
    assert elves.look(raw[:40]) is None


def test_a_changed_image_still_names_its_blobs() -> None:
    raw = formats.seeds("image")[1].raw
    files = archives.files(raw)
    layer = next(name for name, content in files.items() if b"ustar" in content[:512])
    archives._follow(files, layer, b"{}")
    read = archives.files(archives.pack(files))
    assert layer not in read
    told = b"".join(read[name] for name in ("index.json", "manifest.json"))
    assert layer.encode() not in told
    blobs = {name.rpartition("/")[2].encode() for name in read if name.startswith("blobs/")}
    everything = b"".join(read.values())
    assert all(digest in everything for digest in blobs)


# What is found


class Wrong(NamedTuple):
    name: str
    ran: Ran
    argv: tuple[str, ...] = ("deps", "x")
    terminal: bool = False


WRONG = [
    Wrong("another status", GOOD._replace(status=3)),
    Wrong("a signal", GOOD._replace(status=-11)),
    Wrong("a traceback", GOOD._replace(stderr=b"Traceback (most recent call last):\n")),
    Wrong("a line of somebody else", GOOD._replace(stderr=b"lief: cannot read\n")),
    Wrong("a raw name among messages", GOOD._replace(stderr=b"elfpack: error: \x1b[2J\n")),
    Wrong("a fault", GOOD._replace(stderr=b"elfpack: error: a fault of elfpack itself: x (y)\n")),
    Wrong("memory", Ran(2, b"", b"elfpack: error: out of memory (name fewer)\n")),
    Wrong("an error without a word", Ran(2, b"", b"")),
    Wrong("a raw name for a terminal", GOOD._replace(stdout=b"\t\x1b[2J => x\n"), terminal=True),
    Wrong("no JSON", GOOD, ("deps", "x", "--format", "json")),
    Wrong("JSON of another form", GOOD._replace(stdout=b'{"a": 1}'), ("deps", "--format", "json")),
]


@pytest.mark.parametrize("row", WRONG, ids=lambda row: row.name)
def test_a_run_that_breaks_the_contract(row: Wrong) -> None:
    with pytest.raises(Exception, match=r"."):
        judge(row.ran, list(row.argv), row.terminal)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_run_that_keeps_it(terminal: bool) -> None:
    judge(GOOD, ["deps", "x"], terminal)
    judge(Ran(2, b"", b"elfpack: error: x: y (z)\n"), ["deps", "x", "--format", "json"], terminal)
    judge(GOOD._replace(stdout=b"\t\x1b[2J\n"), ["deps", "x"], False)


def test_a_damaged_tar_makes_an_empty_layout(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    for number, raw in enumerate((b"x" * 600, header.tobuf() * 2000)):
        drive._unpack(raw, tmp_path / str(number))
        assert not os.listdir(tmp_path / str(number))


def test_what_is_left_or_goes_astray(place: Place) -> None:
    place.nothing_else(written=False)
    Path("out/part").touch()
    with pytest.raises(WrongError, match="left behind"):
        place.nothing_else(written=False)
    place.nothing_else(written=True)
    assert not os.listdir("out")
    Path("astray").touch()
    with pytest.raises(WrongError, match="astray"):
        place.nothing_else(written=True)


@pytest.mark.parametrize("error", [InputError("no")])
def test_an_error_of_elfpack_is_an_answer(error: Exception, place: Place) -> None:
    assert not _measured(place, _raising(error)).wrong


@pytest.mark.parametrize("error", [ValueError("no"), RecursionError(), InputError(" ")])
def test_any_other_is_a_find(error: Exception, place: Place) -> None:
    found = _measured(place, _raising(error))
    assert type(error).__name__ in found.wrong or "WrongError" in found.wrong
    assert "Traceback" in found.trace


def _raising(error: Exception) -> Callable[[Case, Place], None]:
    def way(one: Case, place: Place) -> None:
        with drive._only_elfpack_errors():
            raise error

    return way


def _measured(place: Place, way: Callable[[Case, Place], None]) -> worker.Measured:
    return worker.measured(case("text", 1), place, way)


def test_time_and_memory_have_an_end(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGPROF, worker._stop)
    monkeypatch.setattr(worker, "SECONDS", 0.05)
    try:
        assert "SlowError" in _measured(place, _endless).wrong
    finally:
        signal.signal(signal.SIGPROF, before)
    monkeypatch.setattr(worker, "PEAK", 1)
    assert "MB" in _measured(place, lambda one, place: None).wrong


def _endless(one: Case, place: Place) -> None:
    while True:
        pass


# Whole inputs


@pytest.mark.parametrize("form", FORMS)
def test_an_input_goes_all_its_ways(form: str, place: Place) -> None:
    for number in range(4):
        found = worker.measured(case(form, number), place)
        assert not found.wrong, found.trace


def test_the_next_input_finds_the_root_as_it_was(place: Place) -> None:
    before = {path: path.read_bytes() for path in Path("root").rglob("*") if path.is_file()}
    good = corpus.Seed(elf(), "/lib/more.so", {corpus.PROGRAM: b"#!/x\n"})
    for form in FORMS:
        place.put(case(form, 1).seed)
    place.put(good)
    assert Path("root/lib/more.so").read_bytes() == elf()
    place.put(corpus.Seed(b"", "archive"))
    assert {p: p.read_bytes() for p in Path("root").rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("form", parsers.PARSERS)
def test_parsers_take_what_is_good_and_what_is_not(form: str) -> None:
    for number in range(5):
        parsers.parse(form, case(form, number).seed.raw)
    with pytest.raises((TypeError, AttributeError)):
        parsers.parse(form, None)  # type: ignore[arg-type]


# Processes that die


def _round(program: str, tmp_path: Path, part: command.Part) -> command.Figures:
    work = command.Round(tmp_path, (sys.executable, "-c", program))
    work.run(part)
    return work.figures[part.form]


DIES = "import os, sys; print('{\"at\": %s}' % sys.argv[2], flush=True); os.abort()"


def test_a_process_that_dies_is_a_find_and_the_rest_goes_on(tmp_path: Path) -> None:
    figures = _round(DIES, tmp_path, command.Part("text", 5, 2))
    assert dict(figures.wrong) == {"the process ended with -6": 2}
    assert figures.inputs == 2
    assert (tmp_path / "text-6").read_bytes() == case("text", 6).seed.raw
    assert "--again text:6" in (tmp_path / "text-6.txt").read_text()


def test_a_process_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_PATIENCE", 0.5)
    figures = _round("import time; time.sleep(1000)", tmp_path, command.Part("text", 5, 1))
    assert dict(figures.wrong) == {"the process ended with -6": 1}
