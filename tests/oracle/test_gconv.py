"""Conversion modules: every name of every character set, as glibc itself converts it, with nothing
but what elfpack would pack for that name."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import elfpack
from elfpack.formats import gconv
from tests.oracle.figures import record
from tests.oracle.test_worlds import needs_root

_SOURCE = r"""
#include <iconv.h>
#include <stdio.h>
#include <string.h>

static void convert(iconv_t with, char *in, size_t left, char *out, size_t *made) {
    char *to = out;
    size_t room = 200;
    int status = with == (iconv_t)-1 ? -2 : (int)iconv(with, &in, &left, &to, &room);
    if (with != (iconv_t)-1)
        iconv(with, NULL, NULL, &to, &room);
    *made = to - out;
    printf(" %d ", status);
    for (size_t n = 0; n < *made; n++)
        printf("%02x", (unsigned char)out[n]);
}

int main(int argc, char **argv) {
    for (int n = 1; n < argc; n++) {
        char in[] = "Hello 123", out[200], back[200];
        size_t made;
        printf("%s", argv[n]);
        convert(iconv_open(argv[n], "UTF-8"), in, strlen(in), out, &made);
        convert(iconv_open("UTF-8", argv[n]), out, made, back, &made);
        puts("");
    }
    return 0;
}
"""


def _said(
    program: str, names: list[str], enter: Callable[[], None] | None = None
) -> dict[str, str]:
    done = subprocess.run(
        [program, *names], capture_output=True, check=True, preexec_fn=enter, env={}, timeout=60
    )
    lines = done.stdout.decode().splitlines()
    return dict(line.split(" ", 1) for line in lines)


@contextmanager
def _linked(files: Iterable[str], source: Path, target: Path) -> Iterator[None]:
    for file in files:
        (target / file).hardlink_to(source / file)
    yield
    for file in files:
        (target / file).unlink()


@needs_root
def test_every_name(tmp_path: Path) -> None:
    (tmp_path / "convert.c").write_text(_SOURCE)
    program = str(tmp_path / "convert")
    subprocess.run(["gcc", "-o", program, tmp_path / "convert.c"], check=True)
    plan = elfpack.plan([f"{program}:/convert"])
    root = tmp_path / "root"
    plan.write_tree(str(root))
    (configuration,) = root.glob("usr/lib*/**/gconv/gconv-modules")
    more = sorted(configuration.parent.glob("gconv-modules.d/*.conf"))
    modules = gconv.parse(path.read_bytes() for path in (configuration, *more))

    def enter() -> None:
        os.chroot(root)
        os.chdir("/")

    names = gconv.names(modules)
    here = _said(program, names)
    assert _said("/convert", names, enter) == here, "all, by the cache"
    top = configuration.parent
    (top / "gconv-modules.cache").unlink()
    assert _said("/convert", names, enter) == here, "all, without a cache"
    shutil.rmtree(top / "gconv-modules.d", ignore_errors=True)
    held = tmp_path / "held"
    held.mkdir()
    for step in modules.steps:
        if (top / step.file).exists():
            (top / step.file).rename(held / step.file)
    groups: dict[frozenset[str], list[str]] = {}
    for name in names:
        groups.setdefault(gconv.charsets(modules, name) or frozenset(), []).append(name)
    differing = []
    for charsets, group in groups.items():
        chosen = gconv.subset(modules, charsets)
        configuration.write_text(gconv.dump(chosen))
        with _linked({step.file for step in chosen.steps}, held, top):
            there = _said("/convert", group, enter)
        differing += [name for name in group if there[name] != here[name]]
    record("gconv: names of character sets", len(names) - len(differing), len(names))
    assert not differing
