"""Layers of random worlds: the real loader loads in them what it loads in the world, with none of
what the world has around it: no LD_LIBRARY_PATH, no cache but elfpack's, another working directory,
often another place for the program."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tests.oracle import generate
from tests.oracle.compare import standing
from tests.oracle.figures import record
from tests.oracle.generate import Maker, MuslMaker
from tests.oracle.packed import destination, pack
from tests.oracle.test_worlds import TOLD, needs_root, seeds
from tests.worlds import LOADER, MUSL_LOADER


def run(part: str, chosen: range, maker: type[Maker], loader: str, out: Path) -> list[str]:
    """Pack the worlds of these seeds; the differences, told."""
    outcomes: Counter[str] = Counter()
    differing = []
    for seed in chosen:
        made = replace(maker(seed).make(), by_kernel=True)
        if made.program.endswith(tuple(maker(seed).names)):
            continue  # a library, which nothing starts
        with standing(made, loader) as top:
            found = pack(made, top, out / str(seed), destination(seed, made.program))
        outcomes[found.outcome] += 1
        if found.outcome == "differs":
            differing.append(f"seed {seed}:\n{found.told}")
    equal = outcomes["equal"]
    refused = f"{outcomes['refused']} more refused, {outcomes['nothing']} that do not start"
    record(part, equal, equal + len(differing), refused)
    assert outcomes["refused"] * 20 < equal, "elfpack packs what can be packed"
    return differing[:TOLD]


@needs_root
@pytest.mark.skipif(not Path(LOADER).exists(), reason=f"no {LOADER} here")
def test_glibc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generate, "HWCAPS", False)  # a baseline image has none
    differing = run("(g) layers of random worlds, glibc", seeds(200), Maker, LOADER, tmp_path)
    assert not differing, "\n\n".join(differing)


@needs_root
@pytest.mark.skipif(not Path(MUSL_LOADER).exists(), reason=f"no {MUSL_LOADER} here")
def test_musl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generate, "HWCAPS", False)
    part = "(g) layers of random worlds, musl"
    differing = run(part, seeds(100), MuslMaker, MUSL_LOADER, tmp_path)
    assert not differing, "\n\n".join(differing)
