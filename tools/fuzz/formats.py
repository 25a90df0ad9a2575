"""Which formats there are, and by which ways elfpack reads each. One line a format."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import NamedTuple

from tools.fuzz import archives, corpus, elf, plain
from tools.fuzz.corpus import DLOPEN, Seed

_MODULES = (
    "--with dlopen=strings --with dlopen=suggested --with nss=host --with certs --with tz"
    " --with gconv --with locale=en_US.UTF-8 --with locale=german --with shell=/bin/busybox"
    " --with users --with tmp --with libgcc"
)
_CLOSURES = (
    "deps --root root PROGRAM",
    "deps --root root PROGRAM --format tree",
    "deps --root root PROGRAM --format paths",
    "deps --root root PROGRAM --format json",
    "deps --root root PROGRAM --format dot",
    "deps --root root PROGRAM --why libc.so.6",
    "deps --root root PROGRAM --symbols",
    "deps --root root PROGRAM /bin/busybox --symbols --format json",
    "deps --root root -v PROGRAM /bin/sh /bin/script",
    "deps --root root PROGRAM --cpu x86-64-v3 --exclude libssl* --allow-missing *",
)
_CHECKS = ("check ROOTFS", "check ROOTFS --format json", "check ROOTFS -v")
_LAYERS = (
    f"layer --root root PROGRAM --dry-run -q {_MODULES}",
    f"layer --root root PROGRAM --dry-run --format json {_MODULES}",
    "layer --root root PROGRAM -o out/a.tar --strip -q",
    f"layer --root root PROGRAM -o out/a.tar.gz -q --allow-missing * {_MODULES}",
    "layer --root root PROGRAM -o out/a.tar.zst -q --format json --cpu x86-64-v3",
    "layer --root root /bin/busybox --add /bin --add /opt:/data -o out/tree/ --strip"
    " --allow-missing *",
    "layer --root root PROGRAM:/x/ --add /lib -o - --allow-missing * --keep-privileges -q",
    "image --root root PROGRAM -t a:1 -o out/a.tar --user 7:8 --allow-missing *",
    f"image --root root PROGRAM -t a:1 -o out/layout/ -q --strip --format json {_MODULES}",
)
_TRACED = ("layer --root root PROGRAM --with strace=/log -o out/a.tar --allow-missing *",)
_TREE = ("api resolve", "api plan", "api check")
_ANY = (*_LAYERS, "api plan", *("api check", *_CHECKS, "", "") * 4)
"""Writing takes five times as long as reading: of a hundred inputs a third is packed."""
_ARCHIVE = ("api images", "api check", *_CHECKS)


class Format(NamedTuple):
    """A kind of input. Each goes through one way of each row of :attr:`ways`."""

    seeds: Callable[[], list[Seed]]
    mutate: plain.Mutator
    ways: tuple[tuple[str, ...], ...]
    share: int
    """Of all inputs, in hundredths."""
    made: Callable[[bytes], bytes] = bytes
    """What is written, of what was changed."""


def _noted(raw: bytes) -> bytes:
    return corpus.app(notes=[(*DLOPEN, raw)])


FORMATS: dict[str, Format] = {
    "elf": Format(corpus.elves, elf.mutate, (("api resolve",), _CLOSURES, _ANY), 40),
    "go": Format(corpus.go_programs, elf.mutate, (("api plan", *_LAYERS, *_CHECKS),), 4),
    "gotables": Format(corpus.go_programs, plain.numbers, (("api plan", *_LAYERS, *_CHECKS),), 4),
    "note": Format(corpus.notes, plain.document, (("api plan", *_LAYERS),), 5, _noted),
    "cache": Format(corpus.caches, plain.numbers, (_CLOSURES, _ANY), 7),
    "text": Format(corpus.texts, plain.lines, (_CLOSURES, _ANY), 10),
    "table": Format(corpus.tables, plain.numbers, (("api plan", *_LAYERS),), 5),
    "strace": Format(corpus.logs, plain.lines, (("api traced", *_TRACED),), 7),
    "tar": Format(corpus.tars, archives.tar, (_ARCHIVE, ("api images",)), 8),
    "packed": Format(corpus.tars, archives.compressed, (_ARCHIVE,), 3),
    "image": Format(corpus.images, archives.image, (_ARCHIVE,), 7),
}


class Case(NamedTuple):
    """One input, and the ways that it goes."""

    name: str
    """``FORMAT:NUMBER``, which makes it again."""
    seed: Seed
    """With the bytes that it was changed to."""
    ways: tuple[str, ...]

    @property
    def number(self) -> int:
        return int(self.name.partition(":")[2])


@cache
def seeds(form: str) -> list[Seed]:
    """Those of a format, each with what is changed."""
    return FORMATS[form].seeds()


def case(form: str, number: int) -> Case:
    """The input of a number: always the same."""
    random = Random(f"{form}:{number}")
    rule, known = FORMATS[form], seeds(form)
    seed = random.choice(known)
    others = [other.raw for other in known]
    raw = seed.raw
    while raw == seed.raw:  # a field may get the value that it has
        raw = rule.mutate(raw, random, others)
    ways = tuple(random.choice(row) for row in rule.ways)
    return Case(f"{form}:{number}", seed._replace(raw=rule.made(raw)), ways)
