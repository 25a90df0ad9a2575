"""Every ELF file of a root: what elfpack makes of it, beside what the real loader says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from elfpack.api.session import Session
from elfpack.errors import ElfpackError
from elfpack.loader.closure import Closure
from elfpack.report import ldd

Ask = Callable[[str, str], tuple[int, list[str]]]
"""A loader and a file, by their paths in the root: its status and its lines."""


class Survey(NamedTuple):
    """What elfpack makes of all files."""

    closures: dict[str, Closure]
    """Of what has a loader."""
    refused: tuple[str, ...]
    """What is no program and no library for it: no loader may take these."""


class Compared(NamedTuple):
    differing: tuple[str, ...]
    total: int


def elf_files(top: Path, places: Sequence[str]) -> Iterator[str]:
    """The paths of ELF files inside the root ``top``, links left out."""
    for place in places:
        for directory, _, names in os.walk(top / place.lstrip("/")):
            for name in sorted(names):
                path = Path(directory, name)
                if path.is_symlink() or not path.is_file() or path.stat().st_size < 64:
                    continue
                with path.open("rb") as file:
                    if file.read(4) == b"\x7fELF":
                        yield f"/{path.relative_to(top)}"


def survey(session: Session, paths: Iterator[str]) -> Survey:
    closures: dict[str, Closure] = {}
    refused = []
    for path in paths:
        try:
            closure = session.resolve(path)
        except ElfpackError:
            refused.append(path)
            continue
        if closure.loader is not None:
            closures[path] = closure
    return Survey(closures, tuple(refused))


def compare(found: Survey, loaders: dict[str, str], usual: str, ask: Ask) -> Compared:
    """``loaders`` says which file is given to which loader; ``usual`` is for what is refused."""
    with ThreadPoolExecutor(2) as pool:
        refusing = list(pool.map(lambda path: ask(usual, path)[0], found.refused))
        answers = list(pool.map(lambda path: ask(loaders[path], path), loaders))
    differing = [p for p, status in zip(found.refused, refusing, strict=True) if status == 0]
    for path, (status, expected) in zip(loaders, answers, strict=True):
        closure = found.closures[path]
        ours = None if closure.refusal else list(ldd.lines(closure))
        if ours != (expected if status == 0 else None):
            differing.append(path)
    return Compared(tuple(differing), len(loaders) + len(found.refused))
