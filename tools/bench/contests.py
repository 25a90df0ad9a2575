"""Which commands are held against each other, and what shows that each did its work."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from tools.bench.runs import OUT, Command, WrongError, remove
from tools.bench.turns import Contest, Pair
from tools.bench.world import PROJECT, World, facts_of

SAME = 0.97
"""The share of ldd's lines that is asked for: on a link to a program, $ORIGIN differs by right."""
LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")


def everything(world: World) -> Contest:
    """All programs of the machine, against who answers the same question."""
    programs = world.programs
    seen: set[int] = set()
    commands = {
        "ldd": Command(("ldd", *programs), (0, 1), proof=lambda: seen.update(facts_of(OUT))),
        "deps": Command(world.of("deps", *programs), (0, 1), proof=partial(_same_as_ldd, seen)),
        "libtree": _loop("libtree -pvv", programs),
    }
    loader = next((path for path in LOADERS if os.path.exists(path)), "")
    commands["ldso"] = _loop(f"{loader} --list", programs)
    pairs = [Pair(f"many-{peer}", "deps", peer) for peer in ("ldd", "libtree", "ldso")]
    return Contest(
        commands,
        [*pairs, Pair("memory-deps-all", "deps")],
        seconds=60,
        here={"many-ldd": f"{len(programs)} programs"},
        absent={
            **_absent("ldd", "libtree"),
            **({} if loader else {"ldso": "no loader of glibc is here"}),
        },
    )


def _same_as_ldd(seen: set[int]) -> None:
    ours = facts_of(OUT)
    if not ours or (seen and len(seen & ours) < SAME * len(seen)):
        raise WrongError(f"{len(seen & ours)} of ldd's {len(seen)} lines")


def _loop(command: str, programs: tuple[str, ...]) -> Command:
    """A shell that runs it on one program after the other; its status for each is no matter."""
    script = f'for program; do {command} "$program"; done; :'
    return Command(("sh", "-c", script, "sh", *programs), proof=_has_lines)


def _has_lines() -> None:
    if os.path.getsize(OUT) < 50:
        raise WrongError("it printed next to nothing")


def _absent(*names: str) -> dict[str, str]:
    return {name: f"{name} is not installed" for name in names if shutil.which(name) is None}


def start(world: World) -> Contest:
    """What a process costs before it does anything."""
    hello, python = world.hello, world.python
    tool = str(PROJECT / "tools/pyz.py")
    subprocess.run([python, tool, "elfpack.pyz"], env=dict(world.env), check=True)
    layer = world.of("layer", "-q", hello, "-o", "hello.tar")
    commands = {
        "click": Command((python, "-c", "import click")),
        "deps": Command(world.of("deps", hello), proof=_names_libc),
        "layer": Command(layer, makes=("hello.tar",), proof=partial(_whole_tar, "hello.tar")),
        "pyz": Command((python, "elfpack.pyz", "deps", hello), proof=_names_libc),
    }
    pairs = [
        Pair("start", "deps", "click"),
        Pair("start-layer", "layer", "click"),
        Pair("start-pyz", "pyz", "click"),
    ]
    return Contest(commands, pairs, turns=21, seconds=20)


def _names_libc() -> None:
    if "libc." not in Path(OUT).read_text():
        raise WrongError("no C library was listed")


def largest(world: World) -> Contest:
    """The program with the most objects."""
    program, objects = world.largest
    seen: set[int] = set()
    commands = {
        "ldd": Command(("ldd", program), proof=lambda: seen.update(facts_of(OUT))),
        "deps": Command(world.of("deps", program), proof=partial(_same_as_ldd, seen)),
        "lddtree": Command((*_lddtree(), program), proof=_has_lines),
    }
    here = {"largest": f"{os.path.basename(program)}, {objects} objects"}
    pairs = [Pair("largest", "deps", "ldd"), Pair("largest-lddtree", "deps", "lddtree")]
    return Contest(commands, pairs, turns=15, here=here, absent=_absent("ldd", "lddtree"))


def _lddtree() -> tuple[str, ...]:
    """By the Python that it was packaged for, whichever comes first on PATH."""
    return ("/usr/bin/python3", shutil.which("lddtree") or "lddtree")


def pack(world: World) -> Contest:
    """A layer and an image against tar, which packs what the layer has."""
    layer = _layer(world, "layer.tar")
    remove("tree")
    os.mkdir("tree")
    world.prove(layer)
    entries = _entries("layer.tar")
    subprocess.run(["tar", "-xf", "layer.tar", "-C", "tree"], check=True)
    commands = {
        "tar": Command(("tar", "-cf", "peer.tar", "-C", "tree", "."), makes=("peer.tar",)),
        "layer": layer,
        "quiet": _layer(world, "quiet.tar", "-q"),
        "image": Command(
            world.of("image", *world.packed, "-t", "bench:1", "-o", "image.tar"),
            makes=("image.tar",),
            proof=lambda: world.prove(Command(world.of("check", "-q", "image.tar"))),
        ),
    }
    megabytes = os.path.getsize("layer.tar") // 1000**2
    size = f"{len(world.packed)} programs, {entries} entries, {megabytes} MB"
    pairs = [
        Pair("tar", "layer", "tar"),
        Pair("tar-quiet", "quiet", "tar"),
        Pair("image", "image", "tar"),
    ]
    memory = [Pair("memory-tar", "layer"), Pair("memory-image", "image")]
    return Contest(commands, [*pairs, *memory], seconds=30, here={"tar": size})


def _layer(world: World, out: str, *options: str) -> Command:
    command = world.of("layer", *options, *world.packed, "-o", out)
    return Command(command, makes=(out,), proof=partial(_whole_tar, out))


def _entries(tar: str) -> int:
    done = subprocess.run(["tar", "-tf", tar], stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise WrongError(f"tar cannot read {tar}")
    return done.stdout.count(b"\n")


def _whole_tar(tar: str) -> None:
    if _entries(tar) < 3:
        raise WrongError(f"{tar} has next to nothing")


def compressed(ending: str, tool: str, arguments: str, world: World) -> Contest:
    """A compressed layer against the compressor, which is given the tar."""
    if not os.path.exists("layer.tar"):
        world.prove(_layer(world, "layer.tar"))
    ours, peer = f"layer.tar.{ending}", f"peer.tar.{ending}"
    script = f"{tool} {arguments} -c layer.tar > {peer}"
    same = ("sh", "-c", f"{tool} -dc {ours} | cmp - layer.tar")
    commands = {
        "layer": _layer(world, ours)._replace(proof=lambda: world.prove(Command(same))),
        "peer": Command(("sh", "-c", script), makes=(peer,)),
    }
    pairs = [Pair(ending, "layer", "peer"), Pair(f"memory-{ending}", "layer")]
    absent: dict[str, str] = {}
    if shutil.which(tool) is None:
        absent = {"peer": f"{tool} is not installed"}
    return Contest(commands, pairs, turns=5, seconds=45, warm=False, absent=absent)


def check(world: World) -> Contest:
    """Completeness, against listing the members and the libraries."""
    for out, words in (("image.tar", ("image", "-t", "bench:1")), ("layer.tar", ("layer",))):
        if not os.path.exists(out):
            world.prove(Command(world.of(*words, "-q", *world.packed, "-o", out)))
    oci = world.of("image", "-q", *world.packed, "-t", "bench:1", "-o", "image/")
    remove("image")
    world.prove(Command(oci))
    blobs = sorted(Path("image/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    # What `docker save` of older engines writes: the same without the files of the OCI layout.
    shutil.copyfile("image.tar", "archive.tar")
    subprocess.run(("tar", "--delete", "-f", "archive.tar", "oci-layout", "index.json"), check=True)
    tars = {
        "layer": "layer.tar",
        "archive": "archive.tar",
        "image": "image.tar",
        "oci": str(blobs[-1]),
    }
    commands: dict[str, Command] = {}
    for name, tar in tars.items():
        checked = "image/" if name == "oci" else tar
        commands[name] = Command(world.of("check", checked), proof=_nothing_missing)
        script = f'tar -tf {tar} && exec "$@"'
        deps = world.of("deps", *world.packed)
        commands[f"peer-{name}"] = Command(("sh", "-c", script, "sh", *deps), proof=_has_lines)
    pairs = [Pair(f"check-{name}", name, f"peer-{name}") for name in tars]
    return Contest(commands, [*pairs, Pair("memory-check", "archive")], turns=9)


def _nothing_missing() -> None:
    if "nothing is missing" not in Path("stderr").read_text():
        raise WrongError("check did not say that nothing is missing")


def root(world: World) -> Contest:
    """Containment: each link followed inside a root, against a root that is the machine's."""
    inside = world.of("deps", "--cpu", "baseline", "--root", world.copy, *world.programs)
    seen: set[int] = set()
    commands = {
        "host": Command(
            world.of("deps", "--cpu", "baseline", *world.programs),
            (0, 1),
            proof=lambda: seen.update(facts_of(OUT)),
        ),
        "root": Command(inside, (0, 1), proof=partial(_same, seen)),
    }
    return Contest(commands, [Pair("root", "root", "host")], turns=9)


def _same(seen: set[int]) -> None:
    ours = facts_of(OUT)
    if seen and ours != seen:
        raise WrongError(f"{len(ours ^ seen)} lines differ from those on /")


def ten_deps(world: World) -> Contest:
    """Ten times the programs."""
    few, many = world.small
    lines: list[int] = []

    def ten_times() -> None:
        lines.append(Path(OUT).read_bytes().count(b"\n"))
        if len(lines) == 2 and lines[1] != 10 * lines[0]:
            raise WrongError(f"{lines[1]} lines, not ten times {lines[0]}")

    commands = {
        "few": Command(world.of("deps", *few), (0, 1), proof=ten_times),
        "many": Command(world.of("deps", *many), (0, 1), proof=ten_times),
    }
    here = {"ten-deps": f"{len(many)} copies of {len(few)} programs"}
    pairs = [Pair("ten-deps", "many", "few"), Pair("memory-deps", "many")]
    return Contest(commands, pairs, turns=9, here=here)


def ten_layer(world: World) -> Contest:
    """Ten times the bytes: ten times the programs, each a file of its own."""
    commands: dict[str, Command] = {}
    for name, programs in zip(("few", "many"), world.heavy, strict=True):
        out = f"{name}.tar"
        layer = world.of("layer", "-q", *programs, "-o", out)
        commands[name] = Command(layer, makes=(out,), proof=partial(_whole_tar, out))
    few, many = (len(programs) for programs in world.heavy)
    here = {"ten-layer": f"{few} and {many} programs"}
    return Contest(commands, [Pair("ten-layer", "many", "few")], here=here)


def ten_check(world: World) -> Contest:
    """Ten times the bytes to check."""
    commands: dict[str, Command] = {}
    for name, programs in zip(("few", "many"), world.heavy, strict=True):
        out = f"{name}.tar"
        if not os.path.exists(out):
            world.prove(Command(world.of("layer", "-q", *programs, "-o", out)))
        commands[name] = Command(world.of("check", out), proof=_nothing_missing)
    sizes = [os.path.getsize(f"{name}.tar") // 1000**2 for name in commands]
    here = {"ten-check": f"{sizes[0]} and {sizes[1]} MB"}
    return Contest(commands, [Pair("ten-check", "many", "few")], turns=9, here=here)


def memory(world: World) -> Contest:
    """What takes the most memory: many programs with all theirs, many files."""
    plan = ("layer", "-q", "--dry-run", "--allow-missing", "*")
    add = world.of("layer", "-q", world.hello, "--add", world.files, "-o", "files.tar")
    commands = {
        "everything": Command(world.of(*plan, *world.programs), proof=_has_lines, again=False),
        "files": Command(add, makes=("files.tar",), again=False),
    }
    pairs = [Pair(f"memory-{name}", name) for name in commands]
    commands["deps"] = Command(world.of("deps", *world.programs), (0, 1), proof=_has_lines)
    return Contest(commands, [Pair("many-plan", "everything", "deps"), *pairs], turns=1)


CONTESTS: Mapping[str, Callable[[World], Contest]] = {
    "many-ldd many-libtree many-ldso memory-deps-all": everything,
    "start start-layer start-pyz": start,
    "largest largest-lddtree": largest,
    "tar tar-quiet image memory-tar memory-image": pack,
    "gz memory-gz": partial(compressed, "gz", "gzip", "-6"),
    "zst memory-zst": partial(compressed, "zst", "zstd", "-q -T0 -3"),
    "check-image check-archive check-oci check-layer memory-check": check,
    "root": root,
    "ten-deps memory-deps": ten_deps,
    "ten-layer": ten_layer,
    "ten-check": ten_check,
    "many-plan memory-everything memory-files": memory,
}
"""By the keys of the rows that each measures."""
