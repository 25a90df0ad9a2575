"""The linkages of a root's files, each read once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TypeVar

from elfpack.blob import Source
from elfpack.elf.layout import ElfFault
from elfpack.elf.linking import Linking, read_linking
from elfpack.elf.versions import Versions, read_versions
from elfpack.errors import Finding
from elfpack.loader.files import Files
from elfpack.loader.glibc_symbols import GLIBC_RULES
from elfpack.loader.identify import MUSL
from elfpack.loader.linkage import EMPTY, Linkage, Reference, Rules, linkage, referring
from elfpack.loader.musl_symbols import MUSL_RULES
from elfpack.loader.records import Hit

T = TypeVar("T")


def rules_of(libc: str) -> Rules:
    """How a libc reads symbols."""
    return MUSL_RULES if libc == MUSL else GLIBC_RULES


class Linkages:
    """What binds the files of a root to each other. Tables only gain entries."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[tuple[object, str], Linkage | Finding] = {}
        self._versions: dict[object, Versions] = {}

    def linkage(self, hit: Hit, libc: str) -> Linkage | Finding:
        """What binds a file to others; a finding if its tables are broken or cannot be read."""
        key = hit.identity, libc
        known = self._known.get(key)
        if known is None:
            read = self._open(hit, lambda source: self._linkage(hit, source, libc))
            known = self._known.setdefault(key, read)
        return known

    def _linkage(self, hit: Hit, source: Source, libc: str) -> Linkage:
        rules = rules_of(libc)
        linking = read_linking(source, rules.order)
        return EMPTY if linking is None else linkage(linking, hit.elf.abi, rules)

    def referring(self, hit: Hit, libc: str) -> Iterator[Reference]:
        """What a file's relocations look up, in the loader's order. Read once more: few files
        lack anything, and all relocations of all of them would be much to keep."""
        rules = rules_of(libc)
        linking = self._open(hit, lambda source: read_linking(source, rules.order))
        if isinstance(linking, Linking):
            yield from referring(linking, hit.elf.abi, rules)

    def versions(self, hit: Hit) -> Versions:
        """The versions that a file wants of others and defines; none if its tables are broken."""
        known = self._versions.get(hit.identity)
        if known is None:
            read = self._open(hit, read_versions)
            known = Versions() if isinstance(read, Finding) else read
            known = self._versions.setdefault(hit.identity, known)
        return known

    def _open(self, hit: Hit, read: Callable[[Source], T]) -> T | Finding:
        place = self._files.find(hit.real_path)
        if isinstance(place, int):
            return _broken(hit, os.strerror(place))
        try:
            source = self._files.open(place)
            try:
                return read(source)
            finally:
                source.close()
        except OSError as e:
            return _broken(hit, os.strerror(e.errno or 0))
        except ElfFault as e:
            return _broken(hit, e.message)


def _broken(hit: Hit, message: str) -> Finding:
    return Finding("broken-symbols", hit.path, message, "install that file anew")
