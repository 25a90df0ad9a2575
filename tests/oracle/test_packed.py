"""Layers of random worlds: the real loader loads in them what it loads in the world, with none of
what the world has around it: no LD_LIBRARY_PATH, no cache but elfpack's, another working directory,
often another place for the program."""

from __future__ import annotations

import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from elfpack.api.session import Session
from tests.oracle import generate
from tests.oracle.chroot import trace
from tests.oracle.compare import standing
from tests.oracle.figures import record
from tests.oracle.generate import Made, Maker, MuslMaker
from tests.oracle.packed import destination, pack
from tests.oracle.test_worlds import TOLD, needs_root, seeds
from tests.worlds import LOADER, MUSL_LOADER


def run(
    part: str, chosen: range, maker: type[Maker], loader: str, out: Path, cpu: str | None = None
) -> list[str]:
    """Pack the worlds of these seeds; the differences, told."""
    outcomes: Counter[str] = Counter()
    differing = []
    for seed in chosen:
        made = replace(maker(seed).make(), by_kernel=True)
        if made.program.endswith(tuple(maker(seed).names)):
            continue  # a library, which nothing starts
        with standing(made, loader) as top:
            found = pack(made, top, out / str(seed), destination(seed, made.program), cpu)
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


REBUILT = {
    "/exe": "exe needs=liba.so.1,libb.so.2",
    "/p/liba.so.1": "-> liba.so.1.2",
    "/p/liba.so.1.2": "lib soname=liba.so.1 needs=libc.so.3",
    "/q/libb.so.2": "lib soname=libb.so.2",
    "/q/libc.so.3": "lib soname=libc.so.3",
    "/usr/lib/libz.so.1": "lib soname=libz.so.1",
}


def _write(out: Path) -> None:
    made = Made(world=REBUILT, program="/exe")
    with standing(made, LOADER) as top, Session(str(top), library_path="/p:/q") as session:
        session.plan(["/exe"]).write_tree(str(out))


@needs_root
@pytest.mark.part("(g) ldconfig rebuilds what elfpack wrote")
@pytest.mark.skipif(not Path(LOADER).exists(), reason=f"no {LOADER} here")
def test_ldconfig_rebuilds_the_cache(tmp_path: Path) -> None:
    out = tmp_path / "out"
    _write(out)
    cache = out / "etc/ld.so.cache"
    written = cache.read_bytes()
    before = trace(out, ["/exe"])
    subprocess.run(["/sbin/ldconfig", "-X", "-r", str(out)], check=True, timeout=60)
    assert cache.read_bytes() != written, "ldconfig lists its own directories too"
    assert trace(out, ["/exe"]) == before
    assert before.lines == [
        "\tliba.so.1 => /p/liba.so.1",
        "\tlibb.so.2 => /q/libb.so.2",
        "\tlibc.so.3 => /q/libc.so.3",
    ]


@needs_root
@pytest.mark.part("(g) ldconfig rebuilds what elfpack wrote")
@pytest.mark.skipif(not Path(LOADER).exists(), reason=f"no {LOADER} here")
def test_ldconfig_prints_the_cache(tmp_path: Path) -> None:
    """As it prints one of its own: ``ldconfig -p`` reads it as the loader does."""
    out = tmp_path / "out"
    _write(out)
    done = subprocess.run(
        ["/sbin/ldconfig", "-p", "-C", str(out / "etc/ld.so.cache")],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("3 libs found in cache")
    assert [line.strip() for line in lines[1:4]] == [
        "libc.so.3 (libc6,x86-64) => /q/libc.so.3",
        "libb.so.2 (libc6,x86-64) => /q/libb.so.2",
        "liba.so.1 (libc6,x86-64) => /p/liba.so.1",
    ]


@needs_root
@pytest.mark.skipif(not Path(LOADER).exists(), reason=f"no {LOADER} here")
def test_variants_for_the_cpu(tmp_path: Path) -> None:
    """With --cpu host the copies for this machine's CPU come along, and are found."""
    part = "(g) layers with copies for the CPU"
    differing = run(part, seeds(60), Maker, LOADER, tmp_path, cpu="host")
    assert not differing, "\n\n".join(differing)
