"""The versions that a closure lacks, without a look at its symbols.

Source: glibc elf/dl-version.c, _dl_check_map_versions().
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.loader.binding import MissingVersion, providers
from elfpack.loader.closure import Closure
from elfpack.loader.identify import GLIBC
from elfpack.loader.linkages import Linkages
from elfpack.loader.records import Hit

Version = tuple[int, str]
"""Hash and name."""


class Versioning:
    """Each file's tables are read once, and each pair of files compared once."""

    def __init__(self, linkages: Linkages) -> None:
        self._linkages = linkages
        self._defined: dict[object, frozenset[Version]] = {}
        self._lacking: dict[object, tuple[str, ...]] = {}

    def missing(self, closure: Closure) -> Iterator[MissingVersion]:
        """The versions without which glibc's loader does not start the program. A weak one, and
        one of a library that has no versions at all, is only warned of."""
        absent = closure.missing_interpreter or closure.refusal
        if closure.loader is None or closure.loader.libc != GLIBC or absent is not None:
            return
        answers = providers(closure)
        for number, hit in enumerate(closure.hits):
            for file in dict.fromkeys(n.file for n in self._linkages.versions(hit).needs):
                provider = answers.get(file)
                if provider is None:  # missing itself
                    continue
                for version in self._pair(hit, closure.hits[provider], file):
                    by, path = closure.label(number), closure.label(provider)
                    yield MissingVersion(version, file, path, by)

    def _pair(self, hit: Hit, provider: Hit, file: str) -> tuple[str, ...]:
        key = hit.identity, provider.identity, file
        known = self._lacking.get(key)
        if known is None:
            defined = self._definitions(provider)
            known = self._lacking[key] = tuple(
                need.version
                for need in self._linkages.versions(hit).needs
                if need.file == file
                and defined
                and not need.weak
                and (need.hash, need.version) not in defined
            )
        return known

    def _definitions(self, hit: Hit) -> frozenset[Version]:
        known = self._defined.get(hit.identity)
        if known is None:
            found = self._linkages.versions(hit).definitions
            known = frozenset([(d.hash, d.version) for d in found])
            self._defined[hit.identity] = known
        return known
