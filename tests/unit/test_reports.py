"""Reports on a closure that are more than a list: tree, dot, why, remarks."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest

from elfpack.loader import hwcaps
from elfpack.loader.remarks import remarks
from elfpack.loader.resolve import Options, Resolver
from elfpack.report import dot, tree, why
from elfpack.report.jsondoc import Described, described, failed, pieces
from tests.worlds import GLIBC, LOADER, MUSL, MUSL_LOADER, World
from tests.worlds import tree as root_of

DIAMOND = {
    **GLIBC,
    "/exe": "exe needs=liba.so,libb.so rpath=/p",
    "/p/liba.so": "lib needs=libc.so,libd.so",
    "/p/libb.so": "lib needs=libc.so runpath=/none",
    "/p/libc.so": "lib needs=liba.so,ld-linux-x86-64.so.2",
    "/p/tls/libd.so": "lib",
}
ONLY = "[only because it was loaded before: its own search finds nothing]"


def told(world: World, form: str, name: str = "", **options: str) -> list[str]:
    resolver = Resolver(root_of(world))
    given = Options(**options)  # type: ignore[arg-type]
    closure = resolver.resolve("/exe", given)
    borrowed = resolver.borrowed(closure, given)
    if form == "tree":
        return list(tree.lines(closure, borrowed))
    if form == "dot":
        return list(dot.lines(closure, borrowed))
    return list(why.lines(closure, name, borrowed)) or list(why.absent(closure, name))


def test_tree() -> None:
    assert told(DIAMOND, "tree") == [
        "/exe",
        f"  {LOADER} [interpreter]",
        "  liba.so => /p/liba.so [rpath /p of /exe]",
        "    libc.so => /p/libc.so [rpath /p of /exe]",
        "      liba.so => /p/liba.so [rpath /p of /exe] (above)",
        f"      ld-linux-x86-64.so.2 => {LOADER} [interpreter]",
        "    libd.so => /p/tls/libd.so [rpath /p of /exe, tls]",
        "  libb.so => /p/libb.so [rpath /p of /exe]",
        f"    libc.so => /p/libc.so [rpath /p of /exe] {ONLY} (above)",
    ]


def test_tree_of_a_filter_and_a_preload() -> None:
    world = {
        **GLIBC,
        "/exe": "exe needs=liba.so rpath=/p",
        "/p/liba.so": "lib filter=libf.so auxiliary=libg.so",
        "/p/libf.so": "lib",
        "/p/libp.so": "lib",
    }
    assert told(world, "tree", preload="libp.so") == [
        "/exe",
        f"  {LOADER} [interpreter]",
        "  libp.so => /p/libp.so [rpath /p of /exe] [LD_PRELOAD]",
        "  liba.so => /p/liba.so [rpath /p of /exe]",
        "    libf.so => /p/libf.so [rpath /p of /exe] [filter]",
        "    libg.so => not found [auxiliary]",
    ]


def test_why() -> None:
    assert told(DIAMOND, "why", "libc.so") == [
        "libc.so => /p/libc.so [rpath /p of /exe]",
        "  /exe -> liba.so -> libc.so",
        f"  /exe -> libb.so -> libc.so {ONLY}",
    ]
    assert told(DIAMOND, "why", "/p/tls/libd.so") == [
        "libd.so => /p/tls/libd.so [rpath /p of /exe, tls]",
        "  /exe -> liba.so -> libd.so",
        f"  /exe -> libb.so -> libc.so {ONLY} -> liba.so -> libd.so",
    ]


def test_why_the_interpreter() -> None:
    lines = told(DIAMOND, "why", "ld-linux-x86-64.so.2")
    assert lines[:2] == [
        f"ld-linux-x86-64.so.2 => {LOADER} [interpreter]",
        f"  /exe -> {LOADER} [interpreter]",
    ]
    assert len(lines) == 4
    plain = {**GLIBC, "/exe": "exe needs=liba.so", "/lib64/liba.so": "lib"}
    assert told(plain, "why", LOADER) == [
        f"{LOADER} [interpreter]",
        f"  /exe -> {LOADER} [interpreter]",
    ]


def test_why_what_is_not_there() -> None:
    world = {
        **GLIBC,
        "/exe": "exe needs=liba.so,libx.so rpath=/p",
        "/p/liba.so": "lib needs=libx.so",
    }
    assert told(world, "why", "libx.so") == [
        "libx.so => not found",
        "  /exe -> libx.so",
        "  /exe -> liba.so -> libx.so",
    ]
    excluded = Options(exclude=("libx*",))
    closure = Resolver(root_of(world)).resolve("/exe", excluded)
    assert next(why.absent(closure, "libx.so")) == "libx.so => excluded"
    assert told(world, "why", "libnone.so") == []


def test_chains_that_double_are_bounded() -> None:
    """Twenty layers of two that need both of the next: a million chains."""
    layers = 20
    world = {**GLIBC, "/exe": "exe needs=lib0a.so,lib0b.so rpath=/p"}
    for layer in range(layers):
        below = (
            "needs=libend.so"
            if layer == layers - 1
            else f"needs=lib{layer + 1}a.so,lib{layer + 1}b.so"
        )
        world |= {f"/p/lib{layer}{side}.so": f"lib {below}" for side in "ab"}
    world["/p/libend.so"] = "lib"
    lines = told(world, "why", "libend.so")
    assert len(lines) == 1 + why.LIMIT
    assert len(set(lines)) == len(lines)


def test_dot_quotes_names() -> None:
    world = {**GLIBC, "/exe": 'exe needs=li"b\\.so,libn\x1b.so'}
    lines = told(world, "dot")
    assert '  "/exe" -> "li\\"b\\\\.so" [label="not found", color=red];' in "\n".join(lines)
    assert "\x1b" not in "".join(lines)


def test_dot_marks_what_is_borrowed() -> None:
    lines = told(DIAMOND, "dot")
    edge = next(line for line in lines if line.startswith('  "/p/libb.so" -> "/p/libc.so"'))
    assert "loaded before" in edge
    assert "style=dashed" in edge


def remarked(world: World, program: str = "/exe", **options: object) -> list[str]:
    resolver = Resolver(root_of(world))
    given = Options(**options)  # type: ignore[arg-type]
    closure = resolver.resolve(program, given)
    return [f"{r.code}{'' if r.note else '!'}" for r in remarks(resolver, closure, given)]


V9 = "lib isa=0x100"
REMARKS: list[tuple[str, World, dict[str, object], list[str]]] = [
    ("nothing", {**GLIBC, "/exe": "exe needs=libc.so.6"}, {}, []),
    (
        "unknown loader",
        {LOADER: "static-pie", "/exe": "exe needs=libc.so.6"},
        {},
        ["unknown-loader"],
    ),
    (
        "glibc's program under musl",
        {**MUSL, "/exe": f"exe interp={MUSL_LOADER} needs=libc.so.6"},
        {},
        ["wrong-libc!"],
    ),
    (
        "musl's program under glibc",
        {**GLIBC, "/exe": "exe needs=libc.musl-x86_64.so.1"},
        {},
        ["wrong-libc!"],
    ),
    (
        "glibc's program on a musl system",
        {**MUSL, "/exe": "exe needs=libc.so.6"},
        {},
        ["wrong-libc!"],
    ),
    (
        "musl's program on a glibc system",
        {**GLIBC, "/exe": f"exe interp={MUSL_LOADER} needs=libc.so"},
        {},
        ["wrong-libc!"],
    ),
    ("no loader at all", {"/exe": "exe needs=libc.so.6"}, {}, []),
    (
        "a level for the baseline",
        {**GLIBC, "/exe": "exe needs=liba.so", "/lib64/liba.so": V9},
        {},
        ["isa-level"],
    ),
    (
        "a level for a CPU",
        {**GLIBC, "/exe": "exe needs=liba.so", "/lib64/liba.so": V9},
        {"cpu": hwcaps.HOST},
        ["isa-level!"],
    ),
    (
        "a level that the CPU has",
        {**GLIBC, "/exe": "exe needs=liba.so", "/lib64/liba.so": "lib isa=7"},
        {"cpu": "x86-64-v3"},
        [],
    ),
    (
        "a loader that does not look",
        {LOADER: "glibc version=2.32", "/exe": "exe needs=liba.so", "/lib64/liba.so": V9},
        {},
        [],
    ),
    (
        "preloads",
        {**GLIBC, "/exe": "exe needs=liba.so", "/lib64/liba.so": "lib", "/p.so": "lib"},
        {"preload": "/p.so /q.so liba.so"},
        ["preload", "preload!", "preload"],
    ),
]


@pytest.mark.parametrize(
    ("name", "world", "options", "codes"), REMARKS, ids=[row[0] for row in REMARKS]
)
def test_remarks(name: str, world: World, options: dict[str, object], codes: list[str]) -> None:
    assert remarked(world, "/exe", **options) == codes, name


LINKED = {
    **GLIBC,
    "/exe": "-> real/exe",
    "/real/exe": "exe needs=liba.so runpath=$ORIGIN/lib",
    "/real/lib/liba.so": "lib",
}


def test_ldd_on_a_link() -> None:
    assert remarked(LINKED) == ["ldd-differs"]
    assert remarked(LINKED, "/real/exe") == []
    assert remarked({**LINKED, LOADER: "glibc version=2.42"}) == []
    same = {**LINKED, "/lib64/liba.so": "lib"} | {"/real/exe": "exe needs=liba.so runpath=/lib64"}
    assert remarked(same) == []


def test_what_is_missing_does_not_shift_what_was_borrowed() -> None:
    """Misses stand in the loader's list, not among the objects."""
    world = {
        **GLIBC,
        "/exe": "exe needs=libmiss.so,liba.so,libb.so runpath=/x",
        "/x/liba.so": "lib",
        "/x/libb.so": "lib needs=liba.so",
    }
    resolver = Resolver(root_of(world))
    closure = resolver.resolve("/exe", Options())
    (found,) = resolver.borrowed(closure, Options())
    paths = closure.hits[found.requester].path, closure.hits[found.target].path
    assert paths == ("/x/libb.so", "/x/liba.so")
    assert described(closure, resolver.borrowed(closure, Options())).program


def test_why_is_not_lost_among_ways_that_lead_back() -> None:
    others = [f"libb{number}.so" for number in range(1100)]
    world = {
        **GLIBC,
        "/exe": "exe needs=liba.so rpath=/p",
        "/p/liba.so": f"lib needs={','.join(others)},libx.so",
        **{f"/p/{name}": "lib needs=liba.so" for name in others},
        "/p/libx.so": "lib needs=libt.so",
        "/p/libt.so": "lib",
    }
    assert told(world, "why", "libt.so")[1:] == ["  /exe -> liba.so -> libx.so -> libt.so"]


def test_chains_that_are_cut_off_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(why, "_WORK", 1)
    assert told(DIAMOND, "why", "libc.so")[1:] == ["  /exe -> liba.so -> libc.so", why.MORE]


PROGRAM: dict[str, Any] = {
    "none": None,
    "flag": True,
    "number": 64,
    "text": 'a "\\ \n\x1b \u20ac \udcff',
    "empty": {"list": [], "tuple": (), "object": {}},
    "nested": [{"names": ("a", "b")}, [["c"]]],
}


@pytest.mark.parametrize("programs", [0, 1, 2])
@pytest.mark.parametrize("errors", [0, 1, 2])
def test_json_is_that_of_the_library(programs: int, errors: int) -> None:
    error = failed("p", "m\n")
    results = [*[Described(PROGRAM)] * programs, *[Described(None, (error,))] * errors]
    document = {
        "schema": "elfpack.deps/1",
        "programs": [PROGRAM] * programs,
        "errors": [error] * errors,
    }
    assert b"".join(pieces(results)).decode() == json.dumps(document, indent=2) + "\n"


def test_json_leaves_no_cycles_behind() -> None:
    """The command line looks for none, and lists have any length."""
    results = [Described(PROGRAM), Described(None, (failed("p", "m"),))] * 50
    gc.collect()
    gc.disable()
    try:
        for _ in pieces(results):
            pass
        assert gc.collect() == 0
    finally:
        gc.enable()
