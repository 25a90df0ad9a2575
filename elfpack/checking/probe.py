"""What a check reads of an ELF file. Of a compressed archive that is kept while it passes by."""

from __future__ import annotations

from elfpack.blob import Source
from elfpack.elf import reader
from elfpack.elf.debugfile import is_debug_file
from elfpack.elf.file import Malformed
from elfpack.elf.layout import ElfFault
from elfpack.elf.strings import Strings
from elfpack.elf.versions import versions_of
from elfpack.loader.files import LOADER_LIMIT


def probe(source: Source) -> None:
    """Read it. What is wrong with it is told later."""
    elf, layout = reader.read_laid_out(source)
    if isinstance(elf, Malformed) or layout is None or not elf.dynamic:
        is_debug_file(source)
        return
    try:
        strings = Strings(source, layout)
        versions_of(source, layout, strings)
        strings.whole()
        if elf.of_musl:
            from elfpack.elf.symbols import read_symbols  # few are

            read_symbols(source)
    except ElfFault:
        return
    soname = elf.soname or ""
    named = soname in ("", "libc.so") or soname.startswith(("ld-", "ld.", "ld64.", "libc.musl-"))
    if named and not elf.needed and source.size <= LOADER_LIMIT:
        source.pread(source.size, 0)  # a loader is known by its bytes
