"""Roots from a readable table of strings, and a tar or a directory as such a table.

A world is a ``dict``: path, and what is there. The same table makes a root in memory
(:func:`tree`), a directory (:func:`on_disk`), and in ``oracle/`` files that a real loader reads.

    exe needs=liba.so rpath=$ORIGIN/lib     a PIE whose interpreter is LOADER
    exec, static, static-pie, rel           other kinds of ELF file
    lib soname=liba.so.1 runpath=/r         a shared library
    glibc version=2.36, musl                a loader, recognised by its bytes
    cache liba.so=/opt/liba.so              an ld.so.cache
    -> target, = /path                      a symbolic link; the same file under another name
    text WORDS, empty, dir 0700, fifo       anything else; text takes escapes such as \\n
"""

from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

from elfpack.blob import from_bytes
from elfpack.elf import constants as c
from elfpack.formats import ldcache
from elfpack.paths import decode, encode
from elfpack.root.tree import TreeRoot
from tests.elfbuild import elf

LOADER = "/lib64/ld-linux-x86-64.so.2"
MUSL_LOADER = "/lib/ld-musl-x86_64.so.1"
GLIBC = {LOADER: "glibc"}
MUSL = {MUSL_LOADER: "musl"}
World = Mapping[str, str]

_MACHINES = {
    "x86-64": (c.EM_X86_64, 64, True),
    "x32": (c.EM_X86_64, 32, True),
    "i386": (c.EM_386, 32, True),
    "aarch64": (c.EM_AARCH64, 64, True),
    "arm": (c.EM_ARM, 32, True),
    "s390x": (c.EM_S390, 64, False),
    "ppc64le": (c.EM_PPC64, 64, True),
    "riscv64": (c.EM_RISCV, 64, True),
}
_LISTS = (
    *("needed", "imports", "exports", "weak", "hidden", "protected", "local", "canonical"),
    *("relocations", "weak_versions", "strict_versions", "defines", "functions"),
)
_TYPES = {"object": c.STT_OBJECT, "tls": c.STT_TLS, "ifunc": c.STT_GNU_IFUNC, "section": 3}
_FLAGS: dict[str, dict[str, object]] = {
    "nodynamic": {"dynamic": False},
    "nosections": {"sections": False},
    "symbolic": {"tags": [(c.DT_SYMBOLIC, 0)]},
    "relr": {"tags": [(c.DT_RELR, 0), (c.DT_RELR - 1, 0)]},
    # glibc's ABI tag, which crt1.o puts into every program
    "tagged": {"notes": [("GNU", 1, bytes(16))]},
}
_NAMES = {"needs": "needed", "interp": "interpreter"}
_TEXTS = ("soname", "rpath", "runpath", "interpreter", "hash")
_NUMBERS = ("e_flags", "osabi", "abiversion", "bits", "type", "isa")


def elf_of(spec: str) -> bytes:
    """The ELF file that a table calls ``exe needs=liba.so`` and the like."""
    kind, *words = spec.split()
    options: dict[str, object] = {}
    if kind in ("exe", "exec"):
        options = {"interpreter": LOADER, "debug": True}
    if kind in ("exe", "static-pie"):
        options["flags_1"] = c.DF_1_PIE
    if kind in ("exec", "static"):
        options["type"] = c.ET_EXEC
    if kind == "rel":
        options["type"] = c.ET_REL
    for word in words:
        _option(options, word)
    return elf(**options)


def _option(options: dict[str, object], word: str) -> None:
    key, _, value = word.partition("=")
    key = _NAMES.get(key, key)
    if key == "machine":
        options["machine"], options["bits"], options["little"] = _MACHINES[value]
    elif key == "nodeflib":
        flags = options.get("flags_1", 0)
        assert isinstance(flags, int)
        options["flags_1"] = flags | c.DF_1_NODEFLIB
    elif key == "versions":  # versions=libc.so.6:GLIBC_2.2.5+GLIBC_2.34,libm.so.6:GLIBC_2.29
        rows = (row.split(":") for row in value.split(","))
        options["needs"] = {file: wanted.split("+") for file, wanted in rows}
    elif key == "types":  # types=x:object,y:tls
        kinds = (row.split(":") for row in value.split(","))
        options["types"] = {name: _TYPES[kind] for name, kind in kinds}
    elif key == "values":  # values=x:0
        options["values"] = {n: int(v) for n, v in (row.split(":") for row in value.split(","))}
    elif key in ("filter", "auxiliary"):
        tag = c.DT_FILTER if key == "filter" else c.DT_AUXILIARY
        tags = options.setdefault("tags", [])
        assert isinstance(tags, list)
        tags.append((tag, value))
    elif key in _LISTS:
        options[key] = value.split(",")
    elif key in _NUMBERS:
        options[key] = int(value, 0)
    elif key in _FLAGS:
        options.update(_FLAGS[key])
    else:
        assert key in _TEXTS, f"no option {key}"
        options[key] = value


def loader_of(spec: str) -> bytes:
    """The bytes that a loader is recognised by, in an ELF file of its kind."""
    kind, *words = spec.split()
    given = dict(word.split("=", 1) for word in words)
    machine, bits, little = _MACHINES[given.get("machine", "x86-64")]
    soname, content = given.get("soname"), b""
    if kind == "musl":
        content = b"musl libc (x86_64)\0/etc/ld-musl-x86_64.path\0"
    else:
        directories = given.get("dirs", "/lib64:/usr/lib64").split(":")
        content = b"\0" + b"".join(encode(f"{d}/") + b"\0" for d in directories)
        content += encode(given.get("cache", "/etc/ld.so.cache")) + b"\0"
        content += encode(f"\0{given.get('lib', 'lib64')}\0")
        content += encode(f"\0{given.get('hwcaps', '')}\0")
        vendor = "Debian GLIBC 2" if given.get("vendor") == "debian" else "GNU libc"
        version = given.get("version", "2.36")
        content += encode(f"ld.so ({vendor}) stable release version {version}.\0")
        soname = soname or "ld-linux-x86-64.so.2"
    return elf(machine=machine, bits=bits, little=little, soname=soname, content=content)


def cache_of(spec: str) -> bytes:
    """An ld.so.cache of x86-64 with these ``name=path``."""
    rows = (word.split("=", 1) for word in spec.split()[1:])
    return ldcache.dump((ldcache.Entry(n, p, 0x0303) for n, p in rows), little=True)


def content_of(spec: str) -> tuple[bytes, int]:
    """Content and mode of what is a regular file."""
    kind, _, rest = spec.partition(" ")
    if kind == "text":
        return encode(rest.replace("\\n", "\n").replace("\\0", "\0")), 0o644
    if kind == "script":
        return encode(rest.replace("\\n", "\n")), 0o755
    if kind == "empty":
        return b"", 0o644
    if kind == "cache":
        return cache_of(spec), 0o644
    if kind in ("glibc", "musl"):
        return loader_of(spec), 0o755
    return elf_of(spec), 0o644 if kind in ("lib", "rel") else 0o755


def _mode(spec: str) -> int:
    return int(spec.partition(" ")[2] or "755", 8)


def tree(world: World, label: str = "the world") -> TreeRoot:
    """The world in memory."""
    root = TreeRoot(label)
    for path, spec in world.items():
        if spec.startswith("-> "):
            root.add_link(path, spec[3:])
        elif spec.startswith("dir"):
            root.add_directory(path, _mode(spec))
        elif spec == "fifo":
            root.add_special(path, stat.S_IFIFO)
        else:
            target = spec[2:] if spec.startswith("= ") else None
            raw, mode = content_of(world[target] if target else spec)
            identity = _identity(root, target) if target else None
            root.add_file(path, from_bytes(raw, path), mode, identity)
    return root


def _identity(root: TreeRoot, path: str) -> tuple[int, int]:
    directory, _, name = path.rpartition("/")
    node = root.node(directory, name)
    assert not isinstance(node, int), f"{path}: stands below its second name in the table"
    return node.identity


def on_disk(world: World, top: Path) -> Path:
    """The world below a directory, which is returned."""
    for path, spec in world.items():
        place = top / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if spec.startswith("-> "):
            place.symlink_to(os.fsdecode(encode(spec[3:])))
        elif spec.startswith("dir"):
            place.mkdir(_mode(spec), exist_ok=True)
        elif spec == "fifo":
            os.mkfifo(place)
        elif spec.startswith("= "):
            os.link(top / spec[2:].lstrip("/"), place)
        else:
            raw, mode = content_of(spec)
            place.write_bytes(raw)
            place.chmod(mode)
    return top


def dump_tar(raw: bytes) -> dict[str, str]:
    """The members of a tar, in its order: ``file 0755 12``, ``link usr/lib``, ``dir 0755``,
    ``hard /first``; an owner other than 0:0 stands behind."""
    with tarfile.open(fileobj=BytesIO(raw), encoding="utf-8", errors="surrogateescape") as tar:
        return {f"/{member.name}": _member(member) for member in tar}


def _member(member: tarfile.TarInfo) -> str:
    if member.issym():
        return f"link {member.linkname}"
    if member.islnk():
        return f"hard /{member.linkname}"
    owner = f" {member.uid}:{member.gid}" if (member.uid, member.gid) != (0, 0) else ""
    if member.isdir():
        return f"dir {member.mode:04o}{owner}"
    return f"file {member.mode:04o} {member.size}{owner}"


def dump_directory(top: Path) -> dict[str, str]:
    """The same for what is below a directory; names are sorted, hard links by inode."""
    first: dict[tuple[int, int], str] = {}
    return dict(sorted(_below(encode(str(top)), "", first)))


def _below(top: bytes, path: str, first: dict[tuple[int, int], str]) -> Iterator[tuple[str, str]]:
    for raw in sorted(os.listdir(top + encode(path))):
        name = f"{path}/{decode(raw)}"
        found = os.lstat(top + encode(name))
        if stat.S_ISLNK(found.st_mode):
            yield name, f"link {decode(os.readlink(top + encode(name)))}"
        elif stat.S_ISDIR(found.st_mode):
            yield name, f"dir {stat.S_IMODE(found.st_mode):04o}"
            yield from _below(top, name, first)
        elif (before := first.setdefault((found.st_dev, found.st_ino), name)) != name:
            yield name, f"hard {before}"
        else:
            yield name, f"file {stat.S_IMODE(found.st_mode):04o} {found.st_size}"
