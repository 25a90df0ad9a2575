"""Worlds in which random ones differed once, each reduced to its rule."""

from __future__ import annotations

from tests.oracle.generate import Made
from tests.worlds import MUSL_LOADER

_MUSL_EXE = f"exe interp={MUSL_LOADER} exports=f"

GLIBC = {
    "what filters itself by its soname is still known": Made(
        world={
            "/lib/liba.so": "lib needs=libb.so soname=liba.so auxiliary=liba.so",
            "/lib/libb.so": "lib needs=liba.so",
        },
        program="/lib/liba.so",
    ),
    "the loader is known where a filter of the program is missing": Made(
        world={
            "/bin/exe": "exe needs=liba.so filter=libnone.so",
            "/lib/liba.so": "lib needs=libgone.so,/lib64/ld-linux-x86-64.so.2",
        },
    ),
    "what the program itself filters is loaded and not listed": Made(
        world={
            "/bin/exe": "exe needs=liba.so filter=libb.so",
            "/lib/liba.so": "lib",
            "/lib/libb.so": "lib needs=libc.so",
            "/lib/libc.so": "lib",
        },
    ),
    "a filter of the program that is missing is not listed": Made(
        world={
            "/bin/exe": "exe needs=liba.so auxiliary=libnone.so",
            "/lib/liba.so": "lib",
        },
    ),
    "what the program filters is not seen by later requests": Made(
        world={
            "/bin/exe": "exe needs=libb.so filter=liba.so",
            "/lib/liba.so": "lib needs=liba.so",
            "/lib/libb.so": "lib",
        },
    ),
    "what the program filters is missing where only its paths lead": Made(
        world={
            "/bin/exe": "exe needs=libnone.so filter=liba.so runpath=/opt",
            "/opt/liba.so": "lib needs=liba.so",
        },
    ),
    "a library that is looked at is judged as any other": Made(
        world={"/lib/liba.so": "lib osabi=9 needs=libb.so"},
        program="/lib/liba.so",
    ),
    "what is missing stays behind what was loaded before it, wherever a filter puts that": Made(
        world={
            "/bin/exe": "exe needs=liba.so",
            "/lib/liba.so": "lib needs=libnone.so filter=libb.so",
            "/lib/libb.so": "lib",
        },
    ),
    "a filtered object moves alone, not what was missing beside it": Made(
        world={
            "/bin/exe": "exe needs=liba.so,libnone.so,libb.so",
            "/lib/liba.so": "lib needs=libgone.so filter=libb.so",
            "/lib/libb.so": "lib",
        },
    ),
    "an empty path in the cache is no file": Made(
        world={"/bin/exe": "exe needs=liba.so", "/etc/ld.so.cache": "cache liba.so="},
    ),
}

MUSL = {
    "a name that leads to a file that is loaded already is forgotten": Made(
        world={
            "/bin/exe": f"{_MUSL_EXE} needs=liba.so,libb.so,libd.so rpath=/opt",
            "/opt/liba.so": "lib exports=f",
            "/opt/libb.so": "lib needs=libq.so.1 rpath=/opt/more exports=f",
            "/opt/more/libq.so.1": "-> ../liba.so",
            "/opt/libd.so": "lib needs=libq.so.1 exports=f",
        },
    ),
    "what was loaded by its path gets its short name when a search leads to it": Made(
        world={
            "/bin/exe": f"{_MUSL_EXE} needs=/opt/liba.so,libz.so,libd.so rpath=/opt/more:/usr/lib",
            "/opt/liba.so": "lib exports=f",
            "/opt/more/libz.so": "-> ../liba.so",
            "/usr/lib/libd.so": "lib needs=liba.so exports=f",
        },
    ),
    "the origin of a library found by a relative element is relative": Made(
        world={
            "/bin/exe": f"{_MUSL_EXE} needs=liba.so runpath=opt",
            "/opt/liba.so": "lib needs=libb.so rpath=$ORIGIN/deep exports=f",
            "/opt/deep/libb.so": "lib exports=f",
        },
    ),
    "the origin of a library needed by a relative path is relative": Made(
        world={
            "/bin/exe": f"{_MUSL_EXE} needs=opt/liba.so",
            "/opt/liba.so": "lib needs=libb.so rpath=$ORIGIN exports=f",
            "/opt/libb.so": "lib exports=f",
        },
    ),
    "a directory that is a loop of links ends the search": Made(
        world={
            "/bin/exe": f"{_MUSL_EXE} needs=liba.so rpath=/opt/loop",
            "/opt/loop": "-> loop",
            "/lib/liba.so": "lib exports=f",
        },
    ),
}
