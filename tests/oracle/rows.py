"""The loaders' rules as rows: a world, and what ldd prints for it.

A row is a unit test (the world in memory, a loader known by its bytes) and an oracle case (the
same world built with gcc below a directory that stands for ``/w``, and the real loader asked).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NOT_FOUND = "not found"


@dataclass(frozen=True, kw_only=True)
class Row:
    name: str
    world: Mapping[str, str]
    """Below ``/w``, in the words of ``tests/worlds.py``."""
    lines: tuple[str, ...] = ()
    """What ldd prints, without the tab; of musl's without the lines that name its loader."""
    refusal: str = ""
    """Where the loader stops: its reason."""
    program: str = "/w/bin/exe"
    library_path: str = ""
    preload: str = ""
    cwd: str = "/w"
    by_kernel: bool = False
    """The oracle starts the program itself: given to ld.so, its links would not be resolved."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Reasons that elfpack words otherwise than the loader: ours, the loader's."""


def found(*names: str, at: str = "/w/lib") -> tuple[str, ...]:
    return tuple(f"{name} => {at}/{name}" for name in names)


def missing(*names: str) -> tuple[str, ...]:
    return tuple(f"{name} => {NOT_FOUND}" for name in names)


ORDER = [
    Row(
        name="nothing to load",
        world={"/w/bin/exe": "exe"},
        lines=("statically linked",),
    ),
    Row(
        name="missing",
        world={"/w/bin/exe": "exe needs=libxa.so"},
        lines=missing("libxa.so"),
    ),
    Row(
        name="rpath",
        world={"/w/bin/exe": "exe needs=libxa.so rpath=/w/none:/w/lib", "/w/lib/libxa.so": "lib"},
        lines=found("libxa.so"),
    ),
    Row(
        name="runpath",
        world={"/w/bin/exe": "exe needs=libxa.so runpath=/w/lib", "/w/lib/libxa.so": "lib"},
        lines=found("libxa.so"),
    ),
    Row(
        name="LD_LIBRARY_PATH",
        world={"/w/bin/exe": "exe needs=libxa.so", "/w/lib/libxa.so": "lib"},
        library_path="/w/none:/w/lib",
        lines=found("libxa.so"),
    ),
    Row(
        name="rpath goes before LD_LIBRARY_PATH",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/env/libxa.so": "lib",
        },
        library_path="/w/env",
        lines=found("libxa.so"),
    ),
    Row(
        name="LD_LIBRARY_PATH goes before runpath",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/env/libxa.so": "lib",
        },
        library_path="/w/env",
        lines=found("libxa.so", at="/w/env"),
    ),
    Row(
        name="runpath silences the rpath beside it",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so rpath=/w/p runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/p/libxa.so": "lib",
            "/w/p/libxb.so": "lib",
        },
        lines=(*found("libxa.so"), *missing("libxb.so")),
    ),
    Row(
        name="rpath is inherited",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so",
            "/w/lib/libxb.so": "lib needs=libxc.so",
            "/w/lib/libxc.so": "lib",
        },
        lines=found("libxa.so", "libxb.so", "libxc.so"),
    ),
    Row(
        name="runpath is not inherited",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so",
            "/w/lib/libxb.so": "lib",
        },
        lines=(*found("libxa.so"), *missing("libxb.so")),
    ),
    Row(
        name="the nearest rpath goes first",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so rpath=/w/near",
            "/w/lib/libxb.so": "lib",
            "/w/near/libxb.so": "lib",
        },
        lines=(*found("libxa.so"), *found("libxb.so", at="/w/near")),
    ),
    Row(
        name="a requester with a runpath ignores every rpath",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so runpath=/w/r",
            "/w/lib/libxb.so": "lib",
        },
        lines=(*found("libxa.so"), *missing("libxb.so")),
    ),
    Row(
        name="a runpath on the way does not break the chain of rpaths",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so runpath=/w/r",
            "/w/r/libxb.so": "lib needs=libxc.so",
            "/w/lib/libxc.so": "lib",
        },
        lines=(
            *found("libxa.so"),
            *found("libxb.so", at="/w/r"),
            *found("libxc.so"),
        ),
    ),
    Row(
        name="the first requester decides whose rpath counts",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxs.so runpath=/w/s",
            "/w/lib/libxb.so": "lib needs=libxs.so rpath=/w/s:/w/deep",
            "/w/s/libxs.so": "lib needs=libxd.so",
            "/w/deep/libxd.so": "lib",
        },
        lines=(
            *found("libxa.so", "libxb.so"),
            *found("libxs.so", at="/w/s"),
            *missing("libxd.so"),
        ),
    ),
    Row(
        name="the first requester decides, in the other order",
        world={
            "/w/bin/exe": "exe needs=libxb.so,libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxs.so runpath=/w/s",
            "/w/lib/libxb.so": "lib needs=libxs.so rpath=/w/s:/w/deep",
            "/w/s/libxs.so": "lib needs=libxd.so",
            "/w/deep/libxd.so": "lib",
        },
        lines=(
            *found("libxb.so", "libxa.so"),
            *found("libxs.so", at="/w/s"),
            *found("libxd.so", at="/w/deep"),
        ),
    ),
    Row(
        name="breadth first",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxc.so,libxb.so",
            "/w/lib/libxb.so": "lib needs=libxd.so,libxc.so",
            "/w/lib/libxc.so": "lib needs=libxa.so",
            "/w/lib/libxd.so": "lib",
        },
        lines=found("libxa.so", "libxb.so", "libxc.so", "libxd.so"),
    ),
    Row(
        name="needed twice by one object",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="what is missing is looked for again by the next that needs it",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so,libxm.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxm.so",
            "/w/lib/libxb.so": "lib needs=libxm.so runpath=/w/m",
            "/w/m/libxm.so": "lib",
        },
        lines=(
            *found("libxa.so", "libxb.so"),
            *missing("libxm.so", "libxm.so"),
            *found("libxm.so", at="/w/m"),
        ),
    ),
    Row(
        name="a library that is looked at counts as the program",
        program="/w/lib/libxa.so",
        world={
            "/w/lib/libxa.so": "lib soname=libxa.so needs=libxb.so runpath=$ORIGIN",
            "/w/lib/libxb.so": "lib needs=libxa.so",
        },
        lines=found("libxb.so"),
    ),
    Row(
        name="the program's own file is never compared",
        program="/w/lib/libxa.so",
        world={
            "/w/lib/libxa.so": "lib needs=libxb.so rpath=/w/lib",
            "/w/lib/libxb.so": "lib needs=libxa.so",
        },
        lines=found("libxb.so", "libxa.so"),
    ),
]

LISTS = [
    Row(
        name="an empty element is the working directory",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so rpath=:/w/lib",
            "/w/cwd/libxa.so": "lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "lib",
        },
        cwd="/w/cwd",
        lines=("libxa.so", *found("libxb.so")),
    ),
    Row(
        name="an empty element at the end",
        world={"/w/bin/exe": "exe needs=libxa.so runpath=/w/none:", "/w/libxa.so": "lib"},
        lines=("libxa.so",),
    ),
    Row(
        name="an empty element of LD_LIBRARY_PATH",
        world={"/w/bin/exe": "exe needs=libxa.so", "/w/libxa.so": "lib"},
        library_path="/w/none::/w/lib",
        lines=("libxa.so",),
    ),
    Row(
        name="a relative element",
        world={"/w/bin/exe": "exe needs=libxa.so rpath=lib", "/w/lib/libxa.so": "lib"},
        lines=("libxa.so => lib/libxa.so",),
    ),
    Row(
        name="the origin of a library found by a relative element",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=lib",
            "/w/lib/libxa.so": "lib needs=libxb.so runpath=$ORIGIN/deep",
            "/w/lib/deep/libxb.so": "lib",
        },
        lines=("libxa.so => lib/libxa.so", *found("libxb.so", at="/w/lib/deep")),
    ),
    Row(
        name="slashes at the end become one",
        world={"/w/bin/exe": "exe needs=libxa.so rpath=/w/lib///", "/w/lib/libxa.so": "lib"},
        lines=found("libxa.so"),
    ),
    Row(
        name="doubled slashes and dots inside stay",
        world={"/w/bin/exe": "exe needs=libxa.so rpath=/w//./lib", "/w/lib/libxa.so": "lib"},
        lines=found("libxa.so", at="/w//./lib"),
    ),
    Row(
        name="a semicolon separates in LD_LIBRARY_PATH",
        world={"/w/bin/exe": "exe needs=libxa.so", "/w/lib/libxa.so": "lib"},
        library_path="/w/none;/w/lib",
        lines=found("libxa.so"),
    ),
    Row(
        name="a semicolon separates nowhere else",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/a;/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/a;/w/lib/x": "text x",
        },
        lines=missing("libxa.so"),
    ),
]

TOKENS = [
    Row(
        name="the origin of a library that is named is as it is written",
        world={
            "/w/lib/libxa.so": "lib needs=libxb.so runpath=$ORIGIN/../more",
            "/w/more/libxb.so": "lib",
        },
        program="./lib//libxa.so",
        cwd="/w",
        lines=("libxb.so => /w/./lib//../more/libxb.so",),
    ),
    Row(
        name="$ORIGIN",
        world={"/w/bin/exe": "exe needs=libxa.so rpath=$ORIGIN/../lib", "/w/lib/libxa.so": "lib"},
        lines=found("libxa.so", at="/w/bin/../lib"),
    ),
    Row(
        name="${ORIGIN}",
        world={"/w/bin/exe": "exe needs=libxa.so runpath=${ORIGIN}", "/w/bin/libxa.so": "lib"},
        lines=found("libxa.so", at="/w/bin"),
    ),
    Row(
        name="the program's $ORIGIN has its links resolved",
        program="/w/start/exe",
        world={
            "/w/start/exe": "-> ../bin/exe",
            "/w/bin/exe": "-> real/exe",
            "/w/bin/real/exe": "exe needs=libxa.so,libxb.so runpath=$ORIGIN",
            "/w/bin/real/libxa.so": "lib",
            "/w/start/libxb.so": "lib",
        },
        lines=(*found("libxa.so", at="/w/bin/real"), *missing("libxb.so")),
        by_kernel=True,
    ),
    Row(
        name="a library's $ORIGIN has not",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/links",
            "/w/real/libxa.so": "lib needs=libxb.so runpath=$ORIGIN",
            "/w/links/libxa.so": "-> ../real/libxa.so",
            "/w/real/libxb.so": "lib",
        },
        lines=(*found("libxa.so", at="/w/links"), *missing("libxb.so")),
    ),
    Row(
        name="a longer name is no token",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/$ORIGINx",
            "/w/$ORIGINx/libxa.so": "lib",
        },
        lines=found("libxa.so", at="/w/$ORIGINx"),
    ),
    Row(
        name="tokens in a needed name",
        world={
            "/w/bin/exe": "exe needs=$ORIGIN/../lib/libxa.so",
            "/w/lib/libxa.so": "lib",
        },
        lines=("/w/bin/../lib/libxa.so",),
    ),
    Row(
        name="$ORIGIN in LD_LIBRARY_PATH is the program's",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so",
            "/w/bin/sub/libxb.so": "lib",
        },
        library_path="$ORIGIN/sub",
        lines=(*found("libxa.so"), *found("libxb.so", at="/w/bin/sub")),
    ),
]

LOADED = [
    Row(
        name="an empty name is the program's",
        world={"/w/bin/exe": "exe needs=,libxa.so rpath=/w/lib osabi=0", "/w/lib/libxa.so": "lib"},
        lines=found("libxa.so"),
        by_kernel=True,
    ),
    Row(
        name="the kernel's own object is there",
        world={
            "/w/bin/exe": "exe needs=linux-vdso.so.1,libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a soname answers for what was loaded by its path",
        world={
            "/w/bin/exe": "exe needs=/w/lib/real.so,libxa.so",
            "/w/lib/real.so": "lib soname=libxa.so",
        },
        lines=("/w/lib/real.so",),
    ),
    Row(
        name="a soname answers for what was loaded by another name",
        world={
            "/w/bin/exe": "exe needs=libxb.so,libxa.so runpath=/w/lib",
            "/w/lib/libxb.so": "lib soname=libxa.so",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxb.so"),
    ),
    Row(
        name="a path answers for a needed name with a slash",
        world={
            "/w/bin/exe": "exe needs=libxa.so,/w/lib/libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a symbolic link is the same file",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "-> libxa.so",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a hard link is the same file",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "= /w/lib/libxa.so",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a copy is another file",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "lib",
        },
        lines=found("libxa.so", "libxb.so"),
    ),
    Row(
        name="another name of a loaded file is remembered",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so",
            "/w/lib/libxb.so": "-> libxa.so",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="the path by which a file was first opened decides its origin",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/one:/w/two",
            "/w/one/libxa.so": "lib needs=libxc.so runpath=$ORIGIN",
            "/w/two/libxb.so": "= /w/one/libxa.so",
            "/w/two/libxc.so": "lib",
        },
        lines=(*found("libxa.so", at="/w/one"), *missing("libxc.so")),
    ),
    Row(
        name="a relative name with a slash",
        world={"/w/bin/exe": "exe needs=lib/libxa.so", "/w/lib/libxa.so": "lib"},
        lines=("lib/libxa.so",),
    ),
    Row(
        name="two relative names of one file",
        world={
            "/w/bin/exe": "exe needs=lib/libxa.so,./lib/libxa.so",
            "/w/lib/libxa.so": "lib",
        },
        lines=("lib/libxa.so",),
    ),
    Row(
        name="the interpreter stands where it is needed",
        world={
            "/w/bin/exe": "exe needs=libxa.so,ld-linux-x86-64.so.2,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "lib",
        },
        lines=(*found("libxa.so"), "/lib64/ld-linux-x86-64.so.2", *found("libxb.so")),
    ),
    Row(
        name="the interpreter goes before what was not found",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxm.so,ld-linux-x86-64.so.2 runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        lines=(*found("libxa.so"), "/lib64/ld-linux-x86-64.so.2", *missing("libxm.so")),
    ),
    Row(
        name="DT_FILTER is loaded before its object",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib filter=libxf.so runpath=/w/lib",
            "/w/lib/libxf.so": "lib",
        },
        lines=found("libxf.so", "libxa.so"),
    ),
    Row(
        name="DT_AUXILIARY is loaded if it is there",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib auxiliary=libxf.so runpath=/w/lib",
            "/w/lib/libxf.so": "lib",
        },
        lines=found("libxf.so", "libxa.so"),
    ),
    Row(
        name="DT_AUXILIARY that is missing is listed, and no fault",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib auxiliary=libxf.so runpath=/w/lib",
        },
        lines=(*missing("libxf.so"), *found("libxa.so")),
    ),
    Row(
        name="DT_FILTER that is missing is listed",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib filter=libxf.so runpath=/w/lib",
        },
        lines=(*missing("libxf.so"), *found("libxa.so")),
    ),
    Row(
        name="DT_FILTER takes its object forward",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so,libxf.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "lib filter=libxf.so runpath=/w/lib",
            "/w/lib/libxf.so": "lib",
        },
        lines=found("libxa.so", "libxf.so", "libxb.so"),
    ),
    Row(
        name="DT_FILTER leaves its object where it stands before",
        world={
            "/w/bin/exe": "exe needs=libxf.so,libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "lib filter=libxf.so runpath=/w/lib",
            "/w/lib/libxf.so": "lib",
        },
        lines=found("libxf.so", "libxa.so", "libxb.so"),
    ),
    Row(
        name="what a filtered object needs",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib filter=libxf.so needs=libxc.so runpath=/w/lib",
            "/w/lib/libxb.so": "lib needs=libxe.so runpath=/w/lib",
            "/w/lib/libxc.so": "lib",
            "/w/lib/libxd.so": "lib",
            "/w/lib/libxe.so": "lib",
            "/w/lib/libxf.so": "lib needs=libxd.so,libxe.so runpath=/w/lib",
        },
        lines=found("libxf.so", "libxa.so", "libxb.so", "libxc.so", "libxd.so", "libxe.so"),
    ),
    Row(
        name="a filter of a filter",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib filter=libxf.so runpath=/w/lib",
            "/w/lib/libxf.so": "lib auxiliary=libxg.so runpath=/w/lib",
            "/w/lib/libxg.so": "lib",
        },
        lines=found("libxg.so", "libxf.so", "libxa.so"),
    ),
    Row(
        name="two objects filter one",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib filter=libxf.so runpath=/w/lib",
            "/w/lib/libxb.so": "lib filter=libxf.so runpath=/w/lib",
            "/w/lib/libxf.so": "lib",
        },
        lines=found("libxf.so", "libxa.so", "libxb.so"),
    ),
    Row(
        name="an auxiliary object that cannot be loaded is no fault",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib auxiliary=libxf.so runpath=/w/lib",
            "/w/lib/libxf.so": "empty",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a filtered object that cannot be loaded is one",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib filter=libxf.so runpath=/w/lib",
            "/w/lib/libxf.so": "empty",
        },
        refusal="file too short",
    ),
]


def skipped(name: str, first: str, **more: str) -> Row:
    """The first candidate is passed over, the second is taken."""
    world = {
        "/w/bin/exe": "exe needs=libxa.so runpath=/w/first:/w/lib",
        "/w/first/libxa.so": first,
        "/w/lib/libxa.so": "lib",
    }
    return Row(name=name, world={**world, **more}, lines=found("libxa.so"))


def stopped(name: str, first: str, refusal: str, words: Mapping[str, str] | None = None) -> Row:
    """The loader stops at the first candidate, though the second is good."""
    world = {
        "/w/bin/exe": "exe needs=libxa.so runpath=/w/first:/w/lib",
        "/w/first/libxa.so": first,
        "/w/lib/libxa.so": "lib",
    }
    return Row(name=name, world=world, refusal=refusal, words=words or {})


JUDGED = [
    skipped("wrong class", "lib machine=i386"),
    skipped("x32, which is of the other class too", "lib machine=x32"),
    skipped("wrong machine", "lib machine=aarch64"),
    skipped("wrong machine of the other byte order", "lib machine=s390x"),
    skipped("a dangling link", "-> none"),
    skipped("an executable of the wrong class", "exec machine=i386"),
    stopped("text", "text #!/bin/sh", "file too short"),
    stopped("a linker script", "text " + "/* GNU ld script */ " * 9, "invalid ELF header"),
    stopped("an empty file", "empty", "file too short"),
    stopped(
        "a directory",
        "dir",
        "cannot read file data",
        {"cannot read file data: Is a directory": "cannot read file data: Error 21"},
    ),
    stopped("an executable", "exec needs=libxb.so", "cannot dynamically load executable"),
    stopped(
        "a PIE",
        "exe needs=libxb.so",
        "cannot dynamically load position-independent executable",
    ),
    stopped("an object file", "rel machine=x86-64", "only ET_DYN and ET_EXEC can be loaded"),
    stopped("a foreign OS ABI", "lib osabi=9", "ELF file OS ABI invalid"),
    stopped("an ABI version", "lib abiversion=1", "ELF file ABI version invalid"),
    stopped("a GNU ABI version too high", "lib osabi=3 abiversion=15", "ABI version invalid"),
    stopped("no dynamic section", "lib nodynamic", "object file has no dynamic section"),
    Row(
        name="a small GNU ABI version",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib osabi=3 abiversion=1",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a loop of links ends the list",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/loop:/w/lib",
            "/w/loop/libxa.so": "-> libxa.so",
            "/w/lib/libxa.so": "lib",
        },
        lines=missing("libxa.so"),
    ),
    Row(
        name="a loop of links ends the list, not the search",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/loop:/w/lib",
            "/w/loop/libxa.so": "-> libxa.so",
            "/w/lib/libxa.so": "lib",
            "/w/env/libxa.so": "lib",
        },
        library_path="/w/env",
        lines=found("libxa.so", at="/w/env"),
    ),
    Row(
        name="a link through a file ends the list before 2.39",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/bad:/w/lib",
            "/w/bad/libxa.so": "-> ../bin/exe/x",
            "/w/lib/libxa.so": "lib",
        },
        lines=missing("libxa.so"),
    ),
    Row(
        name="a file in place of a directory",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/bin/exe:/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a file above the directory",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/bin/exe/x:/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a directory behind a loop of links",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/loop/x:/w/lib",
            "/w/loop": "-> loop",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a bad file under a name with a slash",
        world={"/w/bin/exe": "exe needs=/w/lib/libxa.so", "/w/lib/libxa.so": "empty"},
        refusal="file too short",
    ),
    Row(
        name="the wrong class under a name with a slash",
        world={"/w/bin/exe": "exe needs=/w/lib/libxa.so", "/w/lib/libxa.so": "lib machine=i386"},
        lines=missing("/w/lib/libxa.so"),
    ),
    Row(
        name="the wrong class and nothing else",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib machine=i386",
        },
        lines=missing("libxa.so"),
    ),
    Row(
        name="a library that is loaded is not judged again",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib soname=libxb.so",
            "/w/lib/libxb.so": "empty",
        },
        lines=found("libxa.so"),
    ),
]

HWCAPS = [
    Row(
        name="a subdirectory for the CPU goes before the directory",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/glibc-hwcaps/x86-64-v2/libxa.so": "lib",
        },
        lines=found("libxa.so", at="/w/lib/glibc-hwcaps/x86-64-v2"),
    ),
    Row(
        name="a subdirectory that no CPU has",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/glibc-hwcaps/x86-64-v9/libxa.so": "lib",
            "/w/lib/glibc-hwcaps/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a directory with its subdirectories goes before the next",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib:/w/more",
            "/w/lib/libxa.so": "lib",
            "/w/more/glibc-hwcaps/x86-64-v2/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="older subdirectories",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so,libxc.so,libxd.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/tls/libxa.so": "lib",
            "/w/lib/x86_64/libxa.so": "lib",
            "/w/lib/x86_64/libxb.so": "lib",
            "/w/lib/libxb.so": "lib",
            "/w/lib/tls/x86_64/libxc.so": "lib",
            "/w/lib/tls/libxc.so": "lib",
            "/w/lib/x86_64/tls/libxd.so": "lib",
            "/w/lib/libxd.so": "lib",
        },
        lines=(
            *found("libxa.so", at="/w/lib/tls"),
            *found("libxb.so", at="/w/lib/x86_64"),
            *found("libxc.so", at="/w/lib/tls/x86_64"),
            *found("libxd.so"),
        ),
    ),
    Row(
        name="newer subdirectories go before older ones",
        world={
            "/w/bin/exe": "exe needs=libxa.so",
            "/w/lib/tls/libxa.so": "lib",
            "/w/lib/glibc-hwcaps/x86-64-v2/libxa.so": "lib",
        },
        library_path="/w/lib",
        lines=found("libxa.so", at="/w/lib/glibc-hwcaps/x86-64-v2"),
    ),
    Row(
        name="a loop of links in a subdirectory does not end the list",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib:/w/more",
            "/w/lib/tls/libxa.so": "-> libxa.so",
            "/w/more/libxa.so": "lib",
        },
        lines=found("libxa.so", at="/w/more"),
    ),
    Row(
        name="a text file in a subdirectory stops the loader",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/tls/libxa.so": f"text {'more than an ELF header of text ' * 3}",
            "/w/lib/libxa.so": "lib",
        },
        refusal="invalid ELF header",
    ),
    Row(
        name="the origin of a library in a subdirectory is there",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/tls/libxa.so": "lib needs=libxb.so runpath=$ORIGIN/..",
            "/w/lib/libxb.so": "lib",
        },
        lines=(
            *found("libxa.so", at="/w/lib/tls"),
            *found("libxb.so", at="/w/lib/tls/.."),
        ),
    ),
    Row(
        name="a name with a slash has no subdirectories",
        world={
            "/w/bin/exe": "exe needs=/w/lib/libxa.so",
            "/w/lib/libxa.so": "lib",
            "/w/lib/tls/libxa.so": "lib",
        },
        lines=("/w/lib/libxa.so",),
    ),
    Row(
        name="a relative directory that is a file ends the list",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=file:/w/lib",
            "/w/file": "empty",
            "/w/lib/libxa.so": "lib",
        },
        lines=missing("libxa.so"),
    ),
]

PRELOADS = [
    Row(
        name="a preload goes first",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxc.so",
            "/w/lib/libxp.so": "lib needs=libxb.so",
            "/w/lib/libxb.so": "lib",
            "/w/lib/libxc.so": "lib",
        },
        preload="libxp.so",
        lines=found("libxp.so", "libxa.so", "libxb.so", "libxc.so"),
    ),
    Row(
        name="preloads are separated by spaces and colons",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxp.so": "lib",
            "/w/lib/libxq.so": "lib",
        },
        preload=" libxp.so: /w/lib/libxq.so",
        lines=(*found("libxp.so"), "/w/lib/libxq.so", *found("libxa.so")),
    ),
    Row(
        name="a preload that is missing is passed over",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        preload="libxp.so /w/none.so",
        lines=found("libxa.so"),
    ),
    Row(
        name="a preload that is no library is passed over",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxp.so": "text nothing",
        },
        preload="libxp.so",
        lines=found("libxa.so"),
    ),
    Row(
        name="a preload answers for its soname, and keeps its place",
        world={
            "/w/bin/exe": "exe needs=libxb.so,libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "lib",
            "/w/other/copy.so": "lib soname=libxa.so",
        },
        preload="/w/other/copy.so",
        lines=("/w/other/copy.so", *found("libxb.so")),
    ),
    Row(
        name="the needs of a preload are looked for by the program's rpath",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "lib",
            "/w/other/libxp.so": "lib needs=libxb.so",
        },
        preload="/w/other/libxp.so",
        lines=("/w/other/libxp.so", *found("libxa.so", "libxb.so")),
    ),
    Row(
        name="a preload is looked for by the program's runpath, its needs are not",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxp.so": "lib needs=libxb.so",
            "/w/lib/libxb.so": "lib",
        },
        preload="libxp.so",
        lines=(*found("libxp.so", "libxa.so"), *missing("libxb.so")),
    ),
    Row(
        name="what is preloaded twice is loaded once",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        preload="libxa.so /w/lib/libxa.so libxa.so",
        lines=found("libxa.so"),
    ),
    Row(
        name="tokens in a preload with a slash",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxp.so": "lib",
        },
        preload="$ORIGIN/../lib/libxp.so",
        lines=("$ORIGIN/../lib/libxp.so => /w/bin/../lib/libxp.so", *found("libxa.so")),
    ),
    Row(
        name="a program without needs loads its preload all the same",
        world={"/w/bin/exe": "exe", "/w/lib/libxp.so": "lib"},
        preload="/w/lib/libxp.so",
        lines=("statically linked",),
    ),
    Row(
        name="a library that is a filter: what it filters is before it, and not listed",
        world={
            "/w/lib/libxa.so": "lib needs=libxb.so filter=libxf.so runpath=/w/lib",
            "/w/lib/libxb.so": "lib",
            "/w/lib/libxf.so": "lib needs=libxc.so",
            "/w/lib/libxc.so": "lib",
        },
        program="/w/lib/libxa.so",
        lines=(*found("libxb.so"), *missing("libxc.so")),
    ),
]

GLIBC_ROWS = [*ORDER, *LISTS, *TOKENS, *LOADED, *JUDGED, *HWCAPS, *PRELOADS]

SYSTEM_ROWS = [
    Row(
        name="the cache and the default directories",
        world={"/w/bin/exe": "exe needs=libm.so.6,libgcc_s.so.1"},
    ),
    Row(
        name="DF_1_NODEFLIB drops both",
        world={"/w/bin/exe": "exe needs=libm.so.6,libxa.so nodeflib"},
    ),
    Row(
        name="DF_1_NODEFLIB counts for its own object only",
        world={
            "/w/bin/exe": "exe needs=libxa.so nodeflib runpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libm.so.6",
        },
    ),
    Row(
        name="$LIB and $PLATFORM",
        world={"/w/bin/exe": "exe needs=libm.so.6 nodeflib rpath=/w/$PLATFORM:/${LIB}"},
    ),
]
"""With objects of this machine: what they print is for the real loader to say."""


def exec_format(name: str, file: str) -> Row:
    """musl takes the first file that opens."""
    world = {
        "/w/bin/exe": "exe needs=libxa.so runpath=/w/first:/w/lib",
        "/w/first/libxa.so": file,
        "/w/lib/libxa.so": "lib",
    }
    return Row(name=name, world=world, refusal="Exec format error")


MUSL_ROWS = [
    Row(
        name="a path of some hundred bytes",
        world={
            "/w/bin/exe": f"exe needs=libxa.so runpath=/w/lib{'/.' * 150}",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so", at="/w/lib" + "/." * 150),
    ),
    Row(
        name="a longer path is passed over",
        world={
            "/w/bin/exe": f"exe needs=libxa.so,libxb.so runpath=/w/lib{'/.' * 249}:/w/b",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "lib",
            "/w/b/libxb.so": "lib",
        },
        lines=(*missing("libxa.so"), *found("libxb.so", at="/w/b")),
    ),
    Row(
        name="LD_LIBRARY_PATH goes before rpath",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/env/libxa.so": "lib",
        },
        library_path="/w/env",
        lines=found("libxa.so", at="/w/env"),
    ),
    Row(
        name="runpath is inherited as rpath is",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so rpath=/w/b",
            "/w/b/libxb.so": "lib needs=libxc.so,libxd.so",
            "/w/b/libxc.so": "lib",
            "/w/lib/libxc.so": "lib",
            "/w/lib/libxd.so": "lib",
        },
        lines=(
            *found("libxa.so"),
            *found("libxb.so", "libxc.so", at="/w/b"),
            *found("libxd.so"),
        ),
    ),
    Row(
        name="runpath counts, not the rpath beside it",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so rpath=/w/p runpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/p/libxa.so": "lib",
            "/w/p/libxb.so": "lib",
        },
        lines=(*found("libxa.so"), *missing("libxb.so")),
    ),
    Row(
        name="the first requester decides whose paths count",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so runpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxs.so",
            "/w/lib/libxb.so": "lib needs=libxs.so runpath=/w/deep",
            "/w/lib/libxs.so": "lib needs=libxd.so",
            "/w/deep/libxd.so": "lib",
        },
        lines=(*found("libxa.so", "libxb.so", "libxs.so"), *missing("libxd.so")),
    ),
    Row(
        name="names that are musl itself",
        world={
            "/w/bin/exe": "exe needs=libc.so.6,libpthread.so.0,libm.foo,libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libc.so,librt.so.1,libxnet.so,libc.musl-x86_64.so.1",
            "/w/lib/libm.foo": "empty",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="names that look like it and are not",
        world={"/w/bin/exe": "exe needs=libresolv.so.2,libcrypt.so.1,libmx.so,libdl"},
        lines=missing("libresolv.so.2", "libcrypt.so.1", "libmx.so", "libdl"),
    ),
    Row(
        name="a soname answers for nothing",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib soname=libxb.so",
            "/w/lib/libxb.so": "lib",
        },
        lines=found("libxa.so", "libxb.so"),
    ),
    Row(
        name="a link is the same file",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib",
            "/w/lib/libxb.so": "-> libxa.so",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="what was loaded by its path has no short name",
        world={
            "/w/bin/exe": "exe needs=/w/lib/libxa.so,libxa.so",
            "/w/lib/libxa.so": "lib",
        },
        lines=("/w/lib/libxa.so => /w/lib/libxa.so", *missing("libxa.so")),
    ),
    Row(
        name="tokens in a needed name stay",
        world={
            "/w/bin/exe": "exe needs=$ORIGIN/../lib/libxa.so",
            "/w/lib/libxa.so": "lib",
        },
        lines=missing("$ORIGIN/../lib/libxa.so"),
    ),
    Row(
        name="$ORIGIN in an rpath",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=$ORIGIN/../lib",
            "/w/lib/libxa.so": "lib needs=libxb.so runpath=${ORIGIN}/deep",
            "/w/lib/deep/libxb.so": "lib",
        },
        lines=(
            *found("libxa.so", at="/w/bin/../lib"),
            *found("libxb.so", at="/w/bin/../lib/deep"),
        ),
    ),
    Row(
        name="another token makes the whole rpath void",
        world={"/w/bin/exe": "exe needs=libxa.so rpath=/w/lib:/$LIB", "/w/lib/libxa.so": "lib"},
        lines=missing("libxa.so"),
    ),
    Row(
        name="a longer name is $ORIGIN and more",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=$ORIGINal",
            "/w/binal/libxa.so": "lib",
        },
        lines=found("libxa.so", at="/w/binal"),
    ),
    Row(
        name="empty elements are skipped",
        world={
            "/w/bin/exe": "exe needs=libxa.so,libxb.so rpath=:/w/lib:",
            "/w/libxa.so": "lib",
            "/w/lib/libxb.so": "lib",
        },
        lines=(*missing("libxa.so"), *found("libxb.so")),
    ),
    Row(
        name="a newline separates",
        world={"/w/bin/exe": "exe needs=libxa.so", "/w/lib/libxa.so": "lib"},
        library_path="/w/none\n/w/lib",
        lines=found("libxa.so"),
    ),
    Row(
        name="a semicolon does not",
        world={"/w/bin/exe": "exe needs=libxa.so", "/w/lib/libxa.so": "lib"},
        library_path="/w/none;/w/lib",
        lines=missing("libxa.so"),
    ),
    Row(
        name="slashes at the end stay",
        world={"/w/bin/exe": "exe needs=libxa.so rpath=/w/lib/", "/w/lib/libxa.so": "lib"},
        lines=found("libxa.so", at="/w/lib/"),
    ),
    Row(
        name="a relative element",
        world={"/w/bin/exe": "exe needs=libxa.so rpath=lib", "/w/lib/libxa.so": "lib"},
        lines=("libxa.so => lib/libxa.so",),
    ),
    Row(
        name="DF_1_NODEFLIB is nothing to musl",
        world={
            "/w/bin/exe": "exe needs=libxa.so nodeflib rpath=/w/lib",
            "/w/lib/libxa.so": "lib needs=libxb.so nodeflib",
            "/w/lib/libxb.so": "lib",
        },
        lines=found("libxa.so", "libxb.so"),
    ),
    Row(
        name="DT_FILTER is nothing to musl",
        world={
            "/w/bin/exe": "exe needs=libxa.so rpath=/w/lib",
            "/w/lib/libxa.so": "lib filter=libxf.so",
            "/w/lib/libxf.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a dangling link is passed over",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/first:/w/lib",
            "/w/first/libxa.so": "-> none",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a file in place of a directory is passed over",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/bin/exe:/w/lib",
            "/w/lib/libxa.so": "lib",
        },
        lines=found("libxa.so"),
    ),
    Row(
        name="a loop of links ends the search",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/loop:/w/lib",
            "/w/loop/libxa.so": "-> libxa.so",
            "/w/lib/libxa.so": "lib",
        },
        refusal="Too many levels of symbolic links",
        words={"Too many levels of symbolic links": "Symbolic link loop"},
    ),
    Row(
        name="a directory",
        world={
            "/w/bin/exe": "exe needs=libxa.so runpath=/w/first:/w/lib",
            "/w/first/libxa.so": "dir",
            "/w/lib/libxa.so": "lib",
        },
        refusal="Is a directory",
    ),
    exec_format("wrong class", "lib machine=i386"),
    exec_format("text", "text hello"),
    exec_format("an empty file", "empty"),
    exec_format("an object file", "rel machine=x86-64"),
    exec_format("no dynamic section", "lib nodynamic"),
]
