"""Many files that are added: what planning asks of each and holds of it. Counts, no times."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from elfpack.loader.resolve import Options, Resolver
from elfpack.planning.entry import Plan, Regular
from elfpack.planning.make import make
from elfpack.planning.request import Request
from elfpack.report import plandoc, table
from elfpack.root import directory as rooted
from elfpack.root.directory import DirectoryRoot
from tests.worlds import GLIBC, on_disk

FILES = 2000
HELD = 900
"""Bytes for each file, at most, at any time of planning: its path, its stamp, its entry."""


@pytest.fixture(name="many", scope="module")
def _many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = on_disk({**GLIBC, "/a": "exe"}, tmp_path_factory.mktemp("many"))
    for number in range(FILES):
        path = top / f"many/directory{number // 100:02d}" / f"file{number:04d}.txt"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"%d" % number)
    return top


def planned(top: Path, added: str) -> Plan:
    request = Request(programs=("/a",), added=(added,))
    return make(Resolver(DirectoryRoot(str(top))), Options(), request)


def told(plan: Plan) -> None:
    """Each form of a plan, of which nothing is kept."""
    for _ in table.lines(plan):
        pass
    for _ in json.JSONEncoder(indent=2).iterencode(plandoc.document(plan, None, None, None)):
        pass


@pytest.mark.parametrize("added", ["/many", "/many:/data"])
def test_few_bytes_are_held_of_each_file(many: Path, added: str) -> None:
    told(planned(many, "/many/directory00"))  # what is loaded for the first plan stays
    tracemalloc.start()
    try:
        plan = planned(many, added)
        _, most = tracemalloc.get_traced_memory()
        files = [e for e in plan.entries if isinstance(e, Regular) and e.path.endswith(".txt")]
        assert len(files) == FILES
        del files
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        told(plan)
        _, written = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most / FILES < HELD
    assert (written - before) / FILES < 60


def test_each_file_is_opened_once_for_planning(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: Counter[str] = Counter()

    def counted(name: str, path: bytes, *given: object, **options: object) -> object:
        calls[name] += path.endswith(b".txt")
        return getattr(os, name)(path, *given, **options)

    names = {name: lambda *g, _n=name, **o: counted(_n, *g, **o) for name in ("open", "stat")}
    monkeypatch.setattr(rooted, "os", SimpleNamespace(**{**vars(os), **names}))
    planned(many, "/many")
    assert calls == {"open": FILES, "stat": FILES}


def test_rows_are_made_when_they_are_written_and_are_those_of_a_list(many: Path) -> None:
    plan = planned(many, "/many/directory00")
    document = plandoc.document(plan, None, None, None)
    pieces = json.JSONEncoder(indent=2).iterencode(document)
    assert len(document["entries"]) == len(plan.entries) > 100
    whole = {**document, "entries": list(document["entries"])}
    assert "".join(pieces) == json.dumps(whole, indent=2)
