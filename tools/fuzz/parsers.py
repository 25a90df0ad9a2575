"""The parsers of elfpack, each as a function of bytes. What they raise but their own faults is a
find."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from elfpack.blob import Source, chunks
from elfpack.elf import arm, busybox, constant, debugfile, edit, golang, notes, symbols, versions
from elfpack.elf.file import Abi, ElfFile
from elfpack.elf.layout import ElfFault, read_layout
from elfpack.elf.linking import read_linking
from elfpack.elf.reader import read
from elfpack.elf.sections import defined_functions
from elfpack.errors import ElfpackError
from elfpack.formats import (
    decompression,
    dlopennote,
    gconv,
    localearchive,
    nsswitch,
    pem,
    strace,
    tar,
)
from elfpack.formats.ldcache import LdCache
from elfpack.loader.identify import identify
from elfpack.loader.linkage import linkage
from elfpack.loader.linkages import rules_of
from tests.unit.test_broken import Strict

FAULTS = (
    *(ElfFault, ElfpackError, decompression.CompressionFault, dlopennote.NoteFault),
    *(localearchive.ArchiveFault, tar.TarFault),
)
Reader = Callable[[bytes], object]


def parse(form: str, raw: bytes) -> None:
    """All parsers of a format over one input.

    Raises:
        Exception: what is none of :data:`FAULTS`.
    """
    for reader in PARSERS[form]:
        try:
            reader(raw)
        except FAULTS:
            continue


def _of_source(reader: Callable[[Source], object], raw: bytes) -> object:
    return reader(Strict(raw))


def _linked(raw: bytes) -> None:
    source = Strict(raw)
    found = read(source)
    if isinstance(found, ElfFile):
        for libc in ("glibc", "musl"):
            rules = rules_of(libc)
            linking = read_linking(source, rules.order)
            if linking is not None:
                linkage(linking, found.abi, rules)


def _stripped(raw: bytes) -> None:
    source = Strict(raw)
    recipe = edit.strip(source)
    if recipe is not None:
        assert sum(map(len, chunks(recipe.apply(source)))) == recipe.size


def _cache(raw: bytes) -> None:
    for little, bits in ((True, 64), (True, 32), (False, 64)):
        found = LdCache(raw, little=little, bits=bits)
        for name in ("liba.so.1", "libc.so.6", "none"):
            found.best(name, flags=(0x0303, 0x0003), hwcaps=("x86-64-v3",), isa=7)


def _members(raw: bytes) -> None:
    source = Strict(raw)
    source.least = 1 << 20  # who reads a tar is not told its size: that is the most of a header
    for member in tar.members(source.pread):
        str(member)


def _unpacked(raw: bytes) -> None:
    kind = decompression.compression(raw[:512])
    size = 0
    for piece in decompression.decompress(kind, [raw]) if kind else ():
        size += len(piece)
        if size > 1 << 24:
            return


def _locales(raw: bytes) -> None:
    def piece(size: int, offset: int) -> bytes:
        return raw[offset : offset + size]

    found = localearchive.read_archive(piece)
    for name in found.names:
        localearchive.read_locale(piece, found, name)


def _modules(raw: bytes) -> None:
    found = gconv.parse([raw])
    wanted = [name for name in gconv.names(found)[:8] if gconv.charsets(found, name)]
    gconv.dump(gconv.subset(found, wanted))


def _calls(raw: bytes) -> None:
    for _ in strace.starts(strace.split([raw])):
        pass
    for _ in strace.events(strace.split([raw])):
        pass


def _text(raw: bytes) -> None:
    text = raw.decode("utf-8", "surrogateescape")
    nsswitch.dump(nsswitch.parse(text))
    localearchive.expand(raw, "german")
    pem.certificates(raw)
    pem.has_private_key(raw)


_ABI = Abi(62, 64, True, 0)
_ELF: tuple[Reader, ...] = (
    *(partial(_of_source, one) for one in (read, symbols.read_symbols, symbols.read_imports)),
    *(partial(_of_source, one) for one in (versions.read_versions, notes.read_notes, arm.version)),
    *(partial(_of_source, one) for one in (golang.read_go, busybox.read_applets, constant.paths)),
    *(partial(_of_source, one) for one in (debugfile.is_debug_file, defined_functions)),
    lambda raw: versions.read_compared(Strict(raw), read_layout(Strict(raw))),
    lambda raw: identify(raw, "/lib/ld.so", _ABI),
    *(_linked, _stripped),
)
PARSERS: dict[str, tuple[Reader, ...]] = {
    "elf": _ELF,
    "gotables": (partial(_of_source, golang.read_go),),
    "note": (dlopennote.parse,),
    "cache": (_cache,),
    "text": (_text, _modules),
    "table": (_locales, localearchive.charset),
    "strace": (_calls,),
    "tar": (_members,),
    "packed": (_unpacked,),
}
