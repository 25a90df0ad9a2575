"""One row for each rule of symbols and versions: a small world, and what the loader says of it.

All objects are in ``/w``; ``exe`` is what is asked about. Nothing in them runs.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.worlds import World


class Row(NamedTuple):
    name: str
    world: World
    lines: list[str] = []
    """Besides the objects: versions, then symbols. ``EXE`` is the program."""
    aborts: bool = False
    """The real loader ends the process."""


def _world(exe: str, **libraries: str) -> World:
    names = ",".join(f"{name}.so" for name in libraries)
    head = f"exe needs={names} rpath=$ORIGIN" if names else "exe"
    return {
        "/w/exe": f"{head} {exe}",
        **{
            f"/w/{name}.so": f"lib soname={name}.so rpath=$ORIGIN {spec}"
            for name, spec in libraries.items()
        },
    }


F = "imports=f relocations=plt:f"
F_V1 = "imports=f@V1 relocations=plt:f versions=liba.so:V1"
LACKS = "undefined symbol: f\t(EXE)"
LACKS_V1 = "undefined symbol: f, version V1\t(EXE)"

GLIBC_SYMBOL_ROWS = [
    Row("found", _world(F, liba="exports=f")),
    Row("not found", _world(F, liba="exports=g"), [LACKS]),
    Row("found by the old hash table", _world(F, liba="exports=f hash=sysv")),
    Row("without a hash table nothing is found", _world(F, liba="exports=f hash=none"), [LACKS]),
    Row("a symbol without a relocation is not looked up", _world("imports=f", liba="exports=g")),
    Row("a weak reference needs nothing", _world(f"{F} weak=f", liba="exports=g")),
    Row("a weak definition is one", _world(F, liba="exports=f weak=f")),
    Row("a reference that is hidden is not looked up", _world(f"{F} hidden=f", liba="exports=g")),
    Row("a local symbol is not looked up", _world(f"{F} local=f", liba="exports=g")),
    Row("a hidden definition is none", _world(F, liba="exports=f hidden=f"), [LACKS]),
    Row("a local definition is none", _world(F, liba="exports=f local=f"), [LACKS]),
    Row("a protected definition is one", _world(F, liba="exports=f protected=f")),
    Row(
        "behind a hidden definition the next object is searched",
        _world(F, liba="exports=f hidden=f", libb="exports=f"),
    ),
    Row("a section is no definition", _world(F, liba="exports=f types=f:section"), [LACKS]),
    Row("an indirect function is one", _world(F, liba="exports=f types=f:ifunc")),
    Row("a value of zero is no definition", _world(F, liba="exports=f values=f:0"), [LACKS]),
    Row("but of thread-local data", _world(F, liba="exports=f values=f:0 types=f:tls")),
    Row(
        "an object finds its own",
        _world("", liba="exports=f relocations=plt:f,got:f", libb="exports=g symbolic"),
    ),
    Row(
        "the program's own copy does not fill itself",
        _world("exports=x relocations=copy:x", liba="exports=g"),
        ["undefined symbol: x\t(EXE)"],
    ),
    Row(
        "a copy is filled from a library", _world("exports=x relocations=copy:x", liba="exports=x")
    ),
    Row(
        "the address of a PLT entry does for data, not for a call",
        _world("exports=f canonical=f", liba="imports=f relocations=got:f,plt:f"),
        ["undefined symbol: f\t(/w/liba.so)"],
    ),
    # How often and in which order
    Row("the same look-up twice in a row", _world("imports=f relocations=got:f,got:f"), [LACKS]),
    Row(
        "with another one between",
        _world("imports=f,g relocations=got:f,got:g,got:f"),
        [LACKS, "undefined symbol: g\t(EXE)", LACKS],
    ),
    Row("as data and as call", _world("imports=f relocations=plt:f,got:f"), [LACKS, LACKS]),
    Row(
        "the last object first",
        _world(F, liba=F, libb=F),
        ["undefined symbol: f\t(/w/libb.so)", "undefined symbol: f\t(/w/liba.so)", LACKS],
    ),
    Row(
        "an object behind what it needs",
        _world(F, liba=f"{F} needs=libb.so", libb=F, libc=f"{F} needs=liba.so"),
        [
            "undefined symbol: f\t(/w/libb.so)",
            "undefined symbol: f\t(/w/liba.so)",
            "undefined symbol: f\t(/w/libc.so)",
            LACKS,
        ],
    ),
    Row(
        "objects that need each other",
        _world(F, liba=f"{F} needs=libb.so", libb=f"{F} needs=libc.so", libc=f"{F} needs=liba.so"),
        [
            "undefined symbol: f\t(/w/libb.so)",
            "undefined symbol: f\t(/w/liba.so)",
            "undefined symbol: f\t(/w/libc.so)",
            LACKS,
        ],
    ),
    Row("a missing library", _world(F, liba="needs=libgone.so exports=g"), [LACKS]),
    # Versions
    Row("the version", _world(F_V1, liba="defines=V1 exports=f@@V1")),
    Row("the version, not the default", _world(F_V1, liba="defines=V1,V2 exports=f@V1,f@@V2")),
    Row(
        "another version",
        _world(F_V1, liba="defines=V2 exports=f@@V2"),
        ["EXE: /w/liba.so: version `V1' not found (required by EXE)", LACKS_V1],
    ),
    Row(
        "a weak version",
        _world(f"{F_V1} weak_versions=V1 weak=f", liba="defines=V2 exports=f@@V2"),
        ["EXE: /w/liba.so: weak version `V1' not found (required by EXE)"],
    ),
    Row(
        "a symbol that the version has lost",
        _world(F_V1, liba="defines=V1 exports=g@@V1"),
        [LACKS_V1],
    ),
    Row(
        "the name of the object is a version",
        _world("versions=liba.so:liba.so", liba="defines=V1 exports=g@@V1"),
    ),
    Row(
        "an object without versions, and without the symbol",
        _world(F_V1, liba="exports=g"),
        ["EXE: /w/liba.so: no version information available (required by EXE)", LACKS_V1],
    ),
    Row(
        "an object that has lost its versions",
        _world("imports=e@V1,f@V1 relocations=plt:e,plt:f versions=liba.so:V1", liba="exports=f"),
        [
            "EXE: /w/liba.so: no version information available (required by EXE)",
            "undefined symbol: e, version V1\t(EXE)",
        ],
        aborts=True,
    ),
    Row(
        "another object without versions may have the symbol",
        _world(F_V1, liba="defines=V1 exports=g@@V1", libb="exports=f"),
    ),
    Row(
        "one before the object that has lost its versions",
        _world(F_V1, libb="exports=f", liba="exports=f"),
        ["EXE: /w/liba.so: no version information available (required by EXE)"],
    ),
    Row("the base version does", _world(F_V1, liba="defines=V1 exports=f")),
    Row(
        "unless the reference is strict",
        _world(f"{F_V1} strict_versions=V1", liba="defines=V1 exports=f"),
        [LACKS_V1],
    ),
    Row("without a version, the first", _world(F, liba="defines=V1,V2 exports=f@V1")),
    Row("without a version, the only other", _world(F, liba="defines=V1,V2 exports=f@@V2")),
    Row(
        "without a version, one of two others",
        _world(F, liba="defines=V1,V2,V3 exports=f@@V2,f@@V3"),
        [LACKS],
    ),
    Row(
        "without a version, another that is hidden",
        _world(F, liba="defines=V1,V2 exports=f@V2"),
        [LACKS],
    ),
    Row(
        "versions of a missing library are left out",
        _world(
            "imports=f@V2,g@V1 relocations=got:g,got:f versions=liba.so:V1,libgone.so:V2",
            liba="needs=libgone.so defines=V1 exports=h@@V1",
        ),
        ["undefined symbol: g, version V1\t(EXE)", LACKS],
    ),
    Row(
        "a library wants a version",
        _world("", liba="needs=libb.so versions=libb.so:V1", libb="defines=V2 exports=f@@V2"),
        ["EXE: /w/libb.so: version `V1' not found (required by /w/liba.so)"],
    ),
]

MUSL_SYMBOL_ROWS = [
    Row("found", _world(F, liba="exports=f")),
    Row("not found", _world(F, liba="exports=g"), ["Error relocating EXE: f: symbol not found"]),
    Row("a weak reference needs nothing", _world(f"{F} weak=f", liba="exports=g")),
    Row("another version does", _world(F_V1, liba="defines=V2 exports=f@@V2")),
    Row(
        "unless it is hidden",
        _world(F_V1, liba="defines=V1 exports=f@V1"),
        ["Error relocating EXE: f: symbol not found"],
    ),
    Row("a hidden definition is one", _world(F, liba="exports=f hidden=f")),
    Row(
        "an indirect function is none",
        _world(F, liba="exports=f types=f:ifunc"),
        ["Error relocating EXE: f: symbol not found"],
    ),
    Row(
        "calls first, the program last, each as often as it stands there",
        _world(
            "imports=f,g relocations=got:f,got:f,plt:g",
            liba="imports=f relocations=got:f",
            libb="imports=f relocations=got:f",
        ),
        [
            "Error relocating /w/liba.so: f: symbol not found",
            "Error relocating /w/libb.so: f: symbol not found",
            "Error relocating EXE: g: symbol not found",
            "Error relocating EXE: f: symbol not found",
            "Error relocating EXE: f: symbol not found",
        ],
    ),
    Row(
        "the program's own copy does not fill itself",
        _world("exports=x relocations=copy:x", liba="exports=g"),
        ["Error relocating EXE: x: symbol not found"],
    ),
    Row(
        "the address of a PLT entry does for data, not for a call",
        _world("exports=f canonical=f", liba="imports=f relocations=got:f,plt:f"),
        ["Error relocating /w/liba.so: f: symbol not found"],
    ),
]
