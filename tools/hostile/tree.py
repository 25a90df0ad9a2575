"""A tree that tries every way out of itself, and what stands outside."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from elfpack.paths import decode, encode
from tests.worlds import LOADER, MUSL_LOADER, on_disk
from tools.hostile.elves import malformed

SECRET = "never-to-be-told-7c1d"
"""Stands in every file outside, as a text, a soname, an option of a configuration. Nothing of the
tree has it."""
MODULES: tuple[str, ...] = (
    "nss=host",
    "users",
    "libgcc",
    "dlopen=suggested",
    "dlopen=strings",
    "certs",
    "tz",
)
MODULES += ("gconv", "locale=en_US.UTF-8", "tmp", "shell=/bin/busybox", "strace=/LOG")
"""What ``--with`` takes, so that each module looks at what the tree has for it."""
LIBRARIES: tuple[str, ...] = (
    "absolute",
    "relative",
    "chain",
    "loop",
    "dangling",
    "proc",
    "device",
    "fifo",
    "socket",
)
LIBRARIES += ("directory", "hard", "text", "empty")
"""Each is ``/lib/libNAME.so``, and ``/bin/NAME`` needs it."""
PROGRAMS: tuple[str, ...] = (
    "rpath",
    "runpath",
    "path",
    "dots",
    "up",
    "cached",
    "cached-up",
    "ld-out",
    "ld-up",
)
PROGRAMS += ("script-out", "script-up", "script-env", "script-chain", "musl", "musl-out", "calls")
PROGRAMS += ("linked", "through", "interp-fifo", "odd-names", "notes", "preloaded", "config")
"""``/bin/NAME``: each asks for something outside in its own way."""
COMPLETE: tuple[str, ...] = (
    "notes",
    "rpath",
    "runpath",
    "path",
    "dots",
    "up",
    "cached",
    "musl",
    "config",
    "hard",
)
COMPLETE += ("absolute", "relative", "chain", "proc", "odd-names", "preloaded")
"""Those of them that can be packed where any library may be missing."""
LEADING_OUT = {
    "certs=/out/ca.pem": 1,
    "certs=/up/ca.pem": 1,
    "shell=/out/bin/busybox": 1,
    "tz=../../outside/zone": 2,
    "nss=../../outside/lib/evil,evil": 2,
    "gconv=../../outside/lib/libevil": 2,
    "locale=../../../outside": 2,
}
"""Values of modules that name what is outside, and the exit status."""
_FILES: tuple[str, ...] = (
    "passwd",
    "group",
    "hosts",
    "nsswitch.conf",
    "zone",
    "ca.pem",
    "gconv-modules",
    "services",
)
_FILES += ("locale-archive", "ld.so.conf", "ld.so.preload", "key.pem", "locale.alias", "script")
_NAMES = {
    "newline": "lib\nevil.so",
    "escape": "lib\x1b]0;title\x07\x1b[2J.so",
    "not UTF-8": "lib\udcff\udcc0.so",
    "dash": "-o",
    "dashes": "--root=..",
    "longest": "l" * 252 + ".so",
    "direction": "lib\u202egnp.so",
    "C1": "lib\x9b31m.so",
    "backslash": "lib\\x41.so",
    "arrow": "lib => /lib/libc.so.6 (0x0)",
    "spaces": "  ",
}


def write_tree(out: Path) -> None:
    """``OUT/root`` and ``OUT/outside``."""
    outside = decode(os.fsencode(out.resolve() / "outside"))
    on_disk(_outside(), out / "outside")
    root = out / "root"
    on_disk({**_system(outside), **_programs(outside), **_runtime(outside)}, root)
    for name, raw in malformed():
        place = root / "malformed" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(raw)
        place.chmod(0o755)
    _specials(root)
    _log(root / "LOG", outside)


def _outside() -> dict[str, str]:
    text = f"text {SECRET}\\n"
    return {
        "/lib/libevil.so": f"lib soname={SECRET}.so exports={SECRET}",
        "/lib/libc.so.6": f"lib soname={SECRET}.so",
        "/ld.so": f"glibc version=2.36 soname={SECRET}.so",
        "/bin/sh": f"exe needs={SECRET}.so",
        "/bin/busybox": f"static functions={SECRET}",
        **{f"/{name}": text for name in _FILES},
        "/evil.conf": f"text /{SECRET}\\n",
        "/zoneinfo/Europe/Paris": text,
        "/certs/a.pem": text,
    }


def _system(outside: str) -> dict[str, str]:
    """A loader, a C library, and what a loader reads; each with a link that leads out beside it."""
    up = "../../../../../../../../.." + outside
    rows = " ".join(
        (f"libcached.so={outside}/lib/libevil.so", f"libcached-up.so=/lib/{up}/lib/libevil.so")
    )
    return {
        LOADER: "glibc version=2.36 dirs=/lib64:/usr/lib64:/lib:/usr/lib",
        "/lib/libc.so.6": "lib soname=libc.so.6",
        "/lib/ld-musl-x86_64.so.1": "musl",
        "/etc/ld-musl-x86_64.path": f"text {outside}/lib\\n/{up}/lib\\n/lib\\n",
        "/etc/ld.so.cache": f"cache {rows}",
        "/etc/ld.so.conf": f"text include {outside}/*.conf\\ninclude /{up}/*.conf\\n",
        "/etc/ld.so.preload": f"text {outside}/lib/libevil.so {up}/lib/libevil.so libevil.so\\n",
        "/lib/libabsolute.so": f"-> {outside}/lib/libevil.so",
        "/lib/librelative.so": f"-> {up}/lib/libevil.so",
        "/lib/libchain.so": "-> libchain2.so",
        "/lib/libchain2.so": "-> ../out/lib/libevil.so",
        "/out": f"-> {outside}",
        "/up": f"-> {up}",
        "/lib/libloop.so": "-> libloop2.so",
        "/lib/libloop2.so": "-> libloop.so",
        "/lib/libdangling.so": "-> libnowhere.so",
        "/lib/libproc.so": f"-> /proc/self/root{outside}/lib/libevil.so",
        "/lib/libcwd.so": "-> /proc/self/cwd/outside/lib/libevil.so",
        "/lib/libfd.so": "-> /proc/self/fd/0",
        "/lib/libdevice.so": "-> /dev/zero",
        "/lib/libdirectory.so": "dir",
        "/lib/libtext.so": f"text INPUT({outside}/lib/libevil.so)\\n",
        "/lib/libempty.so": "empty",
        "/lib/libfifo.so": "fifo",
        "/lib/libthrough.so": "-> ../fifos/interp",
        "/fifos/interp": "fifo",
        "/etc/alternatives/sh": f"-> {outside}/bin/sh",
        "/loop/a": "-> b",
        "/loop/b": "-> a/../b/c",
        **{f"/deep/{'d/' * n}link": f"-> {'../' * (n + 9)}{outside[1:]}/passwd" for n in range(20)},
    }


def _programs(outside: str) -> dict[str, str]:
    up = "../../../../../../../../.." + outside
    evil, away = "libevil.so", f"{outside}/lib"
    return {
        **{f"/bin/{name}": f"exe needs=lib{name}.so,libc.so.6" for name in LIBRARIES},
        "/bin/rpath": f"exe needs={evil} rpath={away}:$ORIGIN/../../..{away}:{up}/lib",
        "/bin/runpath": f"exe needs={evil} runpath=$ORIGIN/{up}/lib:/out/lib:/up/lib:../lib",
        "/bin/path": f"exe needs={outside}/lib/{evil}",
        "/bin/dots": f"exe needs={up}/lib/{evil}",
        "/bin/up": f"exe needs=/up/lib/{evil},/out/lib/{evil}",
        "/bin/cached": "exe needs=libcached.so",
        "/bin/cached-up": "exe needs=libcached-up.so",
        "/bin/ld-out": f"exe needs=libc.so.6 interp={outside}/ld.so",
        "/bin/ld-up": f"exe needs=libc.so.6 interp=/{up}/ld.so",
        "/bin/interp-fifo": "exe needs=libc.so.6 interp=/fifos/interp",
        "/bin/interp-itself": "exe needs=libc.so.6 interp=/bin/interp-itself",
        "/bin/script-out": f"script #!{outside}/bin/sh\\n",
        "/bin/script-up": f"script #!/{up}/bin/sh\\n",
        "/bin/script-env": f"script #!/usr/bin/env -S {outside}/bin/sh\\n",
        "/bin/script-chain": "script #!/bin/script-chain2\\n",
        "/bin/script-chain2": "script #!/bin/script-chain\\n",
        "/usr/bin/env": "exe needs=libc.so.6",
        "/bin/musl": f"exe needs={evil} interp={MUSL_LOADER}",
        "/bin/musl-out": f"exe needs={evil} interp={MUSL_LOADER} rpath={outside}/lib:{up}/lib",
        "/bin/linked": f"-> {outside}/bin/sh",
        "/bin/through": f"exe needs=libthrough.so,{evil} rpath=/proc/self/root{outside}/lib",
        "/bin/preloaded": "exe needs=libc.so.6",
        "/bin/config": f"exe needs={evil}",
        "/bin/odd-names": f"exe needs={','.join(_usable(_NAMES.values()))}",
        **{f"/lib/{name}": "lib" for name in _NAMES.values()},
        **{f"/names/{name}": "exe needs=libc.so.6" for name in _NAMES.values()},
        **{f"/names/link {kind}": f"-> {name}" for kind, name in _NAMES.items()},
        "/lib/libssl.so.3": "lib soname=libssl.so.3",
        "/bin/notes": "exe needs=libc.so.6 imports=dlopen runpath=/out/lib:/lib",
        "/bin/calls": "exe needs=libc.so.6,libssl.so.3 imports="
        "getaddrinfo,getpwnam,getgrnam,getservbyname,iconv_open,mkstemp,dlopen,pthread_cancel,"
        "setlocale,gethostbyname",
    }


def _usable(names: object) -> Iterator[str]:
    """Those that a table can say: words are apart by spaces in it, names by commas."""
    assert hasattr(names, "__iter__")
    yield from (name for name in names if name.split() == [name])


def _runtime(outside: str) -> dict[str, str]:
    """What runtime modules read."""
    up = "../../../../../../../../.." + outside
    return {
        "/etc/passwd": f"-> {outside}/passwd",
        "/etc/group": f"-> {up}/group",
        "/etc/hosts": f"-> {outside}/hosts",
        "/etc/services": f"-> {up}/services",
        "/etc/protocols": "fifo",
        "/etc/nsswitch.conf": f"text hosts: ../..{up}/evil {outside}/evil files dns\\n"
        f"passwd: files evil\\ngroup: [!{up}=return] ../evil\\n",
        "/lib/libnss_evil.so.2": f"-> {outside}/lib/libevil.so",
        "/lib/libnss_files.so.2": f"-> {up}/lib/libevil.so",
        "/lib/libnss_dns.so.2": "fifo",
        "/lib/libgcc_s.so.1": f"-> {outside}/lib/libevil.so",
        "/etc/localtime": f"-> {outside}/zone",
        "/usr/share/zoneinfo/UTC": f"-> {outside}/zone",
        "/usr/share/zoneinfo/Europe": f"-> {up}/zoneinfo/Europe",
        "/usr/share/zoneinfo/fifo": "fifo",
        "/etc/ssl/certs/ca-certificates.crt": f"-> {outside}/ca.pem",
        "/etc/ssl/certs/a.pem": f"-> {up}/certs/a.pem",
        "/etc/ssl/certs/b.pem": "fifo",
        "/etc/ssl/cert.pem": f"-> {outside}/key.pem",
        "/etc/pki/tls/certs": f"-> {outside}/certs",
        "/usr/lib/gconv/gconv-modules": f"text module A// INTERNAL {outside}/lib/libevil 1\\n"
        f"module B// INTERNAL {up}/lib/libevil 1\\nmodule C// INTERNAL UTF-16 1\\n"
        f"alias D// {outside}//\\n",
        "/usr/lib/gconv/UTF-16.so": f"-> {outside}/lib/libevil.so",
        "/usr/lib/gconv/gconv-modules.d/more.conf": f"-> {outside}/gconv-modules",
        "/usr/lib/gconv/gconv-modules.d/fifo.conf": "fifo",
        "/usr/lib/locale/locale-archive": f"-> {up}/locale-archive",
        "/usr/lib/locale/en_US.utf8/LC_CTYPE": f"-> {outside}/passwd",
        "/usr/lib/locale/en_US.utf8/LC_TIME": "fifo",
        "/usr/share/locale/locale.alias": f"-> {outside}/locale.alias",
        "/bin/busybox": f"-> {outside}/bin/busybox",
        "/etc/resolv.conf": f"-> {up}/hosts",
        "/etc/gai.conf": "fifo",
    }


def _specials(root: Path) -> None:
    """What a table has no word for: sockets, devices, second names, and trees of odd shape."""
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(root / "lib", os.O_PATH)
        try:  # the name of a socket has 107 bytes at most
            listening.bind(f"/proc/self/fd/{here}/libsocket.so")
        finally:
            os.close(here)
    os.link(root / "lib/libc.so.6", root / "lib/libhard.so")
    (root / "dev").mkdir()
    for name, kind, number in (("zero", stat.S_IFCHR, (1, 5)), ("loop0", stat.S_IFBLK, (7, 0))):
        try:
            os.mknod(root / "dev" / name, kind | 0o666, os.makedev(*number))
        except OSError as e:
            if e.errno != errno.EPERM:  # only root may
                raise
            os.mkfifo(root / "dev" / name)
    (root / "sparse").mkdir()
    with (root / "sparse/huge").open("wb") as file:
        file.write(b"\x7fELF\x02\x01\x01")
        file.truncate(1 << 40)
    _deep(root / "nested")


def _deep(top: Path) -> None:
    """Directories whose path is longer than any path may be; each is made in the one above."""
    top.mkdir()
    here = os.open(top, os.O_PATH)
    for _ in range(24):
        os.mkdir("n" * 200, dir_fd=here)
        below = os.open("n" * 200, os.O_PATH, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("program", os.O_CREAT | os.O_WRONLY, 0o755, dir_fd=here))
    os.close(here)


def _log(path: Path, outside: str) -> None:
    """A log of strace that names files outside."""
    lines = [
        'execve("/bin/calls", ["/bin/calls"], 0x7ffd /* 1 var */) = 0',
        f'openat(AT_FDCWD, "{outside}/passwd", O_RDONLY) = 3',
        f'openat(AT_FDCWD, "../../../../..{outside}/passwd", O_RDONLY) = 3',
        f'openat(3<{outside}>, "passwd", O_RDONLY) = 3',
        'openat(AT_FDCWD, "/out/passwd", O_RDONLY) = 3',
        'openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3',
        'openat(AT_FDCWD, "/lib/libfifo.so", O_RDONLY) = 3',
        f'readlink("/proc/self/root{outside}/passwd", "x", 4095) = 1',
        "+++ exited with 0 +++",
    ]
    path.write_bytes(b"".join(encode(f"100 {line}\n") for line in lines))
