"""A row of a table: packed, imported, run from scratch, and held against the host."""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, Outcome, on_host
from tests.docker.packing import build, layer, need, words
from tests.docker.rows import Row


def compare(row: Row, engine: Engine, here: Path, report: Report) -> None:
    """The container's answer is the host's, and the host's is one that proves something."""
    build(row.build, here)
    need_programs(row, here)
    inside, size = contained(row, engine, here)
    outside = _on_host(row, here)
    wanted = Outcome(0, row.instead.encode(), b"") if row.instead is not None else outside
    compared = 3 if row.stderr else 2
    equal = inside[:compared] == wanted[:compared]
    host = outside.status if row.instead is None else "-"
    report(Line(row.name, host, inside.status, equal, size))
    assert outside.status == row.status, outside
    said = outside.stdout + outside.stderr if row.stderr else outside.stdout
    assert row.says.encode() in said, outside
    assert equal, f"on the host: {wanted}\nin the container: {inside}"


def contained(row: Row, engine: Engine, here: Path) -> tuple[Outcome, int]:
    """What a container says, and the size of its layer in bytes."""
    told, _ = layer(row.layer, "x.tar", here, _library_path(row, here))
    with engine.imported(told, here) as image:
        arguments = words(row.args if row.inside is None else row.inside, here)
        options = [option.replace("{here}", str(here)) for option in row.options]
        options += [word for setting in row.env for word in ("--env", setting)]
        inside = image.run(arguments, *options)
    return inside, (here / "x.tar").stat().st_size


def need_programs(row: Row, here: Path) -> None:
    """The machine's programs that the row packs."""
    for word in programs(row.layer, here):
        if word.startswith("/"):
            need(word)


def programs(request: str, here: Path) -> list[str]:
    """What a request packs: all before its first option."""
    return list(takewhile(lambda word: not word.startswith("--"), words(request, here)))


def _on_host(row: Row, here: Path) -> Outcome:
    program = row.host or words(row.layer, here)[0].partition(":")[0]
    env = dict(setting.split("=", 1) for setting in row.env)
    return on_host([program, *words(row.args, here)], here, {**_library_path(row, here), **env})


def _library_path(row: Row, here: Path) -> dict[str, str]:
    if not row.library_path:
        return {}
    return {"LD_LIBRARY_PATH": row.library_path.replace("{here}", str(here))}
