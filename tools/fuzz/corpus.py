"""Good input, from which all other is made: a small root that holds a file of every format, and for
each format the seeds that take the place of its files."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from elfpack.blob import BytesSource
from elfpack.elf.file import ElfFile
from elfpack.elf.reader import read
from elfpack.formats import ldcache, pem
from tests.elfbuild import elf
from tests.gobuild import go
from tests.localebuild import archive, ctype
from tests.worlds import LOADER, MUSL_LOADER, loader_of
from tools.fuzz.archives import pack

PROJECT = Path(__file__).resolve().parents[2]
FIXTURES = PROJECT / "tests" / "fixtures"
PROGRAM = "/bin/app"
ARCHIVE = "archive"
"""Stands for a file beside the root."""
LAYOUT = "layout/"
"""Stands for a directory beside the root, into which a tar of its files is unpacked."""
Files = Mapping[str, bytes]


class Seed(NamedTuple):
    """One good input, and where it goes."""

    raw: bytes
    path: str
    """In the root, or :data:`ARCHIVE`, :data:`LAYOUT`."""
    beside: Files = {}
    """What else the root gets for it."""


_IMPORTS = (
    *(
        "getaddrinfo",
        "getpwnam",
        "iconv_open",
        "dlopen",
        "mkstemp",
        "pthread_exit",
        "puts@GLIBC_2.2.5",
    ),
)
_NOTE = json.dumps(
    [
        {"soname": ["libopt.so.1", "libopt.so.0"], "priority": "required", "feature": "x"},
        {"soname": ["libgone.so"], "priority": "suggested", "description": "nothing"},
    ]
).encode()
DLOPEN = ("FDO", 0x407C0C0A)
"""Owner and type of a note that names libraries. Source: the ELF dlopen metadata specification."""
_CERTIFICATES = pem.dump(b"\x30\x82\x01\x00" + bytes([7]) * 256) + pem.dump(
    b"\x30\x82\x01\x00" + bytes([8]) * 256
)
_GCONV = b"""# modules
alias\tISO8859-1//\t\tISO-8859-1//
module\tISO-8859-1//\tINTERNAL\tISO8859-1\t1
module\tINTERNAL\tISO-8859-1//\tISO8859-1\t1
module UTF-16// INTERNAL UTF-16 1
module INTERNAL UTF-16// UTF-16 1
alias CP1252// UTF-16//
"""
_NSSWITCH = b"""passwd: files sss
group:  files [SUCCESS=merge] systemd
hosts: files [!UNAVAIL=return] dns mymachines
networks: db files
"""
_SSL = b'\0OPENSSLDIR: "/usr/lib/ssl"\0/etc/ssl/certs/ca-certificates.crt\0'
_LIBC = (
    b"\0/usr/lib/gconv/gconv-modules.cache\0/usr/lib/locale/locale-archive\0/usr/share/zoneinfo\0"
)
_APPLETS = b"BusyBox v1.36.1 (2024)\0\0ash\0busybox\0cat\0ls\0sh\0\0"
_LOCALES = {
    "en_US.utf8": {"LC_CTYPE": ctype("UTF-16"), "LC_TIME": b"time", "LC_MESSAGES": b"yes"},
    "de_DE": {"LC_CTYPE": ctype("ISO-8859-1"), "LC_COLLATE": b"order" * 20},
}
_ZONE = b"TZif2" + bytes(15) + b"\0\0\0\1" * 6 + bytes(40) + b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"
_ENTRIES = (("libc.so.6", "/lib/libc.so.6"), ("liba.so.1", "/opt/liba.so.1"))
_CACHE = ldcache.dump(
    [
        *(ldcache.Entry(name, path, 0x0303) for name, path in _ENTRIES),
        ldcache.Entry("liba.so.1", "/opt/glibc-hwcaps/x86-64-v3/liba.so.1", 0x0303, "x86-64-v3"),
    ],
    little=True,
)
_LOG = b"""7 execve("/bin/app", ["app", "-x"], 0x7ffc /* 2 vars */) = 0
7 openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3
7 chdir("/etc") = 0
7 openat(5</usr/share>, "zoneinfo/Europe/Paris", O_RDONLY <unfinished ...>
8 stat("passwd", {st_mode=S_IFREG|0644}) = 0
7 <... openat resumed>) = 3</usr/share/zoneinfo/Europe/Paris>
7 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD) = 8
8 readlink("/bin/sh", "/bin/bus"..., 99) = 12
8 openat(AT_FDCWD, "/tmp/\\303\\244\\n", O_RDWR|O_CREAT|O_EXCL, 0600) = 4
8 execveat(AT_FDCWD, "/bin/script", ["script"], 0x7ffd /* 3 vars */, 0) = 0
8 +++ exited with 0 +++
"""


def app(**more: object) -> bytes:
    """The program of the root, with what every runtime module looks for."""
    chosen = {
        **{"interpreter": LOADER, "debug": True, "functions": ["main"]},
        **{"needed": ["libssl.so.3", "liba.so.1", "libc.so.6"], "runpath": "$ORIGIN/../opt"},
        **{"imports": _IMPORTS, "needs": {"libc.so.6": ["GLIBC_2.2.5"]}},
        **{"relocations": ["plt:puts", "got:dlopen"], "notes": [(*DLOPEN, _NOTE + b"\0")]},
        **more,
    }
    return elf(**chosen)


def _library(soname: str, *needed: str, **more: object) -> bytes:
    return elf(soname=soname, needed=needed, **more)


@cache
def world() -> Files:
    """The root, in which everything is found."""
    exports = [*(name for name in _IMPORTS if "@" not in name), "puts@@GLIBC_2.2.5"]
    return {
        PROGRAM: app(),
        LOADER: loader_of("glibc version=2.36 dirs=/lib64:/usr/lib64:/lib:/usr/lib"),
        MUSL_LOADER: loader_of("musl"),
        "/lib/libc.so.6": _library(
            "libc.so.6", exports=exports, defines=["GLIBC_2.2.5"], content=_LIBC
        ),
        "/opt/liba.so.1": _library(
            "liba.so.1", "libc.so.6", exports=["a"], flags_1=1, runpath="$ORIGIN"
        ),
        "/opt/glibc-hwcaps/x86-64-v3/liba.so.1": _library("liba.so.1", "libc.so.6"),
        "/lib/libssl.so.3": _library("libssl.so.3", "libc.so.6", content=_SSL),
        "/lib/libopt.so.1": _library("libopt.so.1", "libc.so.6"),
        "/lib/libgcc_s.so.1": _library("libgcc_s.so.1"),
        "/lib/libnss_sss.so.2": _library("libnss_sss.so.2", "libc.so.6"),
        "/bin/busybox": elf(type=2, content=_APPLETS),
        "/bin/script": b"#!/bin/sh -e\nexec app\n",
        "/bin/sh": b"-> busybox",
        "/etc/ld.so.cache": _CACHE,
        "/etc/ld-musl-x86_64.path": b"/lib:/opt\n",
        "/etc/nsswitch.conf": _NSSWITCH,
        "/etc/passwd": b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/false\n",
        "/etc/group": b"root:x:0:\napp:x:1000:\n",
        "/etc/localtime": b"-> /usr/share/zoneinfo/Europe/Paris",
        "/etc/ssl/certs/ca-certificates.crt": _CERTIFICATES,
        "/usr/lib/ssl/cert.pem": b"-> /etc/ssl/certs/ca-certificates.crt",
        "/usr/share/locale/locale.alias": b"german de_DE.ISO-8859-1\n# x\nfrench fr_FR\n",
        "/usr/lib/locale/locale-archive": archive(_LOCALES, {"german": "de_DE"}),
        "/usr/lib/gconv/gconv-modules": _GCONV,
        "/usr/lib/gconv/UTF-16.so": _library("UTF-16.so", "libc.so.6"),
        "/usr/lib/gconv/ISO8859-1.so": _library("ISO8859-1.so", "libc.so.6"),
        "/usr/share/zoneinfo/Europe/Paris": _ZONE,
        "/usr/share/zoneinfo/zone.tab": b"FR\t+4852+00220\tEurope/Paris\n",
        "/log": _LOG,
    }


def elves() -> list[Seed]:
    """Programs, libraries and loaders of each class, byte order and machine."""
    return [*_fixtures(), *_built(), *_musl()]


def _fixtures() -> Iterator[Seed]:
    for directory in sorted(d for d in FIXTURES.iterdir() if (d / "hello").exists()):
        hello, library = (directory / "hello").read_bytes(), directory / "libanswer.so.1"
        beside = _system(hello)
        if library.exists():
            path, raw = "/bin/libanswer.so.1", library.read_bytes()
            yield Seed(raw, path, {**beside, PROGRAM: hello})
            beside[path] = raw
        yield Seed(hello, PROGRAM, beside)
        if (directory / "debug").exists():
            yield Seed((directory / "debug").read_bytes(), PROGRAM, beside)
    for bare in sorted((FIXTURES / "bare").iterdir()):
        yield Seed(bare.read_bytes(), PROGRAM)


def _system(raw: bytes) -> dict[str, bytes]:
    """A loader and a C library of the same machine as a program."""
    found = read(BytesSource(raw))
    assert isinstance(found, ElfFile)
    assert found.interpreter is not None
    abi, strings = found.abi, loader_of("glibc dirs=/lib:/usr/lib").partition(b"\0/lib/\0")
    kind = {"machine": abi.machine, "bits": abi.bits, "little": abi.little, "e_flags": abi.flags}
    name = found.interpreter.rpartition("/")[2]
    return {
        found.interpreter: elf(soname=name, content=b"".join(strings[1:]), **kind),
        "/lib/libc.so.6": elf(soname="libc.so.6", needed=[name], content=_LIBC, **kind),
    }


def _built() -> Iterator[Seed]:
    here = world()
    for path in (PROGRAM, LOADER, "/lib/libc.so.6", "/opt/liba.so.1", "/bin/busybox"):
        yield Seed(here[path], path)
    tags = [(15, "/opt:$ORIGIN"), (0x7FFFFFFF, "libopt.so.1"), (0x6FFFFEFC, "libopt.so.1")]
    for more in (
        {"hash": "sysv", "tags": tags},
        {"hash": "none", "type": 2},
        {"isa": 7, "strict_versions": ["GLIBC_2.2.5"]},
        {"machine": 3, "bits": 32, "interpreter": "/lib/ld-linux.so.2"},
        {"machine": 22, "little": False, "interpreter": "/lib/ld64.so.1", "hash": "sysv"},
    ):
        yield Seed(app(**more), PROGRAM)
    wide = {"exports": ["a@@V2", "b@V1", "c"], "defines": ["V1", "V2"], "relocations": ["got:a"]}
    for table in ("gnu", "sysv", "none"):
        raw = _library("liba.so.1", "libc.so.6", hash=table, **wide)
        yield Seed(raw, "/opt/liba.so.1")


def _musl() -> Iterator[Seed]:
    program = elf(interpreter=MUSL_LOADER, needed=["libm.so.1", "libc.so"], imports=["puts"])
    library = _library("libm.so.1", exports=["sin"], rpath="$ORIGIN")
    libc = {"/lib/libm.so.1": library}
    yield Seed(program, PROGRAM, libc)
    yield Seed(library, "/lib/libm.so.1", {PROGRAM: program})
    yield Seed(loader_of("musl"), MUSL_LOADER, {PROGRAM: program, **libc})


def go_programs() -> list[Seed]:
    """Each layout of Go's tables."""
    return [
        Seed(go(version, bits, little), PROGRAM)
        for version in ("go1.15", "go1.17", "go1.19.8", "go1.24")
        for bits, little in ((64, True), (32, True), (64, False))
    ]


def notes() -> list[Seed]:
    """Descriptions of notes that name libraries."""
    return [Seed(_NOTE, PROGRAM), Seed(b'[{"soname":["libopt.so.1"]}]', PROGRAM)]


def caches() -> list[Seed]:
    """Both layouts, alone and behind each other, and of the other byte order."""
    path, texts = "/etc/ld.so.cache", b"liba.so.1\0/opt/liba.so.1\0libc.so.6\0/lib/libc.so.6\0"
    rows = b"".join(n.to_bytes(4, "little") for n in (0x0303, 35, 45, 0x0303, 0, 10))
    old = b"ld.so-1.7.0\0" + (2).to_bytes(4, "little") + rows + texts
    both = old + bytes(-len(old) % 8) + _CACHE
    big = ldcache.dump([ldcache.Entry(n, p, 0x0303) for n, p in _ENTRIES], little=False)
    return [Seed(raw, path) for raw in (_CACHE, old, both, big)]


def texts() -> list[Seed]:
    """Configuration, scripts and lists of names."""
    preload = Seed(b"/opt/liba.so.1 libopt.so.1:/gone\n# x\n", "/etc/ld.so.preload")
    musl = elf(interpreter=MUSL_LOADER, needed=["liba.so.1", "libc.so"])
    here = world()
    own = (
        *("/etc/nsswitch.conf", "/etc/passwd", "/etc/group", "/usr/share/locale/locale.alias"),
        *("/usr/lib/gconv/gconv-modules", "/etc/ssl/certs/ca-certificates.crt", "/bin/script"),
        "/usr/share/zoneinfo/zone.tab",
    )
    scripts = (b"#!/bin/app\n", b"#! /usr/bin/env -S app x\n", b"#!/bin/env sh\n")
    return [
        *(Seed(here[path], path) for path in own),
        *(Seed(raw, PROGRAM) for raw in scripts),
        *(
            preload,
            Seed(here["/etc/ld-musl-x86_64.path"], "/etc/ld-musl-x86_64.path", {PROGRAM: musl}),
        ),
    ]


def logs() -> list[Seed]:
    """Logs of strace."""
    return [Seed(_LOG, "/log"), Seed((FIXTURES / "env.strace").read_bytes(), "/log")]


def tables() -> list[Seed]:
    """Files of numbers: locales, zones, what the loader of iconv has made."""
    own = "/usr/lib/locale/locale-archive"
    directory = "/usr/lib/locale/en_US.UTF-8/LC_"
    whole = {f"{directory}{name}": b"x" for name in ("TIME", "COLLATE", "NUMERIC", "MONETARY")}
    return [
        Seed(world()[own], own),
        Seed(archive(_LOCALES, {"german": "de_DE"}, ">"), own),
        Seed(ctype("UTF-16"), f"{directory}CTYPE", {**whole, own: b""}),
        Seed(_ZONE, "/usr/share/zoneinfo/Europe/Paris"),
    ]


@cache
def _tar(form: int = tarfile.PAX_FORMAT) -> bytes:
    """The root as a tar, with each kind of member."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as made:
        for path, raw in world().items():
            info = tarfile.TarInfo(path[1:])
            info.mode, info.size = 0o755, len(raw)
            if raw.startswith(b"-> "):
                info.type, info.size, info.linkname = tarfile.SYMTYPE, 0, raw[3:].decode()
            made.addfile(info, io.BytesIO(raw if info.size else b""))
        for name, kind, target in (
            *(
                ("etc/services", tarfile.LNKTYPE, "etc/passwd"),
                ("lib/loop", tarfile.SYMTYPE, "loop"),
            ),
            *(("opt/" + "d" * 120, tarfile.DIRTYPE, ""), ("dev/null", tarfile.CHRTYPE, "")),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode = kind, target, 0o4755
            info.pax_headers = (
                {"mtime": "1.5", "comment": "x"} if form == tarfile.PAX_FORMAT else {}
            )
            made.addfile(info)
    return out.getvalue()


def _sparse() -> Iterator[bytes]:
    """A file with holes in each form that GNU tar writes."""
    from tests.unit.test_tar_index import END, SPARSE

    yield from (raw + END for raw in SPARSE.values())


def tars() -> list[Seed]:
    """Roots."""
    forms = (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT)
    return [Seed(raw, ARCHIVE) for raw in (*map(_tar, forms), *_sparse())]


def _image(with_docker: bool, with_oci: bool) -> bytes:
    """Two layers and all that describes them, as ``docker save`` or an OCI layout has it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name in ("bin/.wh.script", "etc/.wh..wh..opq", "etc/new"):
            made.addfile(tarfile.TarInfo(name))
    layers = [_tar(), out.getvalue()]
    files: dict[str, bytes] = {}

    def blob(raw: bytes) -> dict[str, object]:
        digest = hashlib.sha256(raw).hexdigest()
        files[f"blobs/sha256/{digest}"] = raw
        return {"digest": f"sha256:{digest}", "size": len(raw)}

    rows = [{**blob(raw), "mediaType": "application/vnd.oci.image.layer.v1.tar"} for raw in layers]
    config = {
        **{"architecture": "amd64", "os": "linux"},
        "config": {
            **{"Env": ["PATH=/bin", "LD_LIBRARY_PATH=/opt"], "Entrypoint": [PROGRAM], "Cmd": ["x"]},
            **{"User": "app:app", "WorkingDir": "/opt"},
        },
        "rootfs": {"type": "layers", "diff_ids": [row["digest"] for row in rows]},
    }
    described = blob(_json(config))
    manifest = blob(_json({"schemaVersion": 2, "config": described, "layers": rows}))
    if with_docker:
        row = {"Config": _path(described), "Layers": [_path(r) for r in rows], "RepoTags": ["a:1"]}
        files["manifest.json"] = _json([row])
    if with_oci:
        names = {"annotations": {"org.opencontainers.image.ref.name": "1"}}
        platform = {"platform": {"os": "linux", "architecture": "amd64"}}
        kind = {"mediaType": "application/vnd.oci.image.manifest.v1+json"}
        files["index.json"] = _json(
            {"schemaVersion": 2, "manifests": [{**manifest, **kind, **names, **platform}]}
        )
        files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    return pack(files)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _path(descriptor: Mapping[str, object]) -> str:
    return f"blobs/{str(descriptor['digest']).replace(':', '/')}"


def images() -> list[Seed]:
    """docker-archives and OCI layouts, as a tar and as a directory."""
    return [
        Seed(_image(True, False), ARCHIVE),
        Seed(_image(True, True), ARCHIVE),
        Seed(_image(False, True), ARCHIVE),
        Seed(_image(False, True), LAYOUT),
        Seed(_image(True, True), LAYOUT),
    ]
