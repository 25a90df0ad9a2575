"""Which versions a closure lacks, without a look at its symbols.

Source: glibc elf/dl-version.c, _dl_check_map_versions().
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.elf.layout import ElfFault, read_layout
from elfpack.elf.versions import Compared, read_compared
from elfpack.light import NamedTuple
from elfpack.loader.closure import Closure
from elfpack.loader.files import Files
from elfpack.loader.identify import GLIBC
from elfpack.loader.records import Hit


class Lacking(NamedTuple):
    """A version without which the loader does not start a program."""

    version: str
    path: str
    """The object that lacks it."""
    required_by: str


class Versioning:
    """Each file's tables are read once, and each pair of files compared once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._opened: dict[object, Compared] = {}
        self._pairs: dict[object, tuple[str, ...]] = {}

    def lacking(self, closure: Closure, *, alone: bool = False) -> Iterator[Lacking]:
        """What the objects of a closure ask for; ``alone``: what the first of them does.

        Nothing for musl, which knows no versions. Of a weak version, and of a library that has
        none at all, glibc only warns."""
        absent = closure.missing_interpreter or closure.refusal
        if closure.loader is None or closure.loader.libc != GLIBC or absent is not None:
            return
        answers = _Answers(closure)
        for number, hit in enumerate(closure.hits[:1] if alone else closure.hits):
            for file, needs in self._read(hit).needs.items():
                provider = answers.get(file)
                if provider is None:  # missing itself
                    continue
                for version in self._pair(hit, closure.hits[provider], file, needs):
                    yield Lacking(version, closure.label(provider), closure.label(number))

    def _pair(
        self, hit: Hit, provider: Hit, file: str, needs: list[tuple[int, str]]
    ) -> tuple[str, ...]:
        key = hit.identity, provider.identity, file
        known = self._pairs.get(key)
        if known is None:
            defined = self._read(provider).definitions
            if not defined or defined.issuperset(needs):
                known = ()
            else:
                known = tuple([need[1] for need in needs if need not in defined])
            self._pairs[key] = known
        return known

    def _read(self, hit: Hit) -> Compared:
        """Nothing if the tables are broken."""
        known = self._files.compared.get(hit.identity) or self._opened.get(hit.identity)
        if known is None:
            known = self._opened[hit.identity] = self._open(hit)
        return known

    def _open(self, hit: Hit) -> Compared:
        place = self._files.find(hit.real_path)
        if isinstance(place, int):
            return Compared()
        try:
            source = self._files.open(place)
        except OSError:
            return Compared()
        try:
            return read_compared(source, read_layout(source))
        except (OSError, ElfFault):
            return Compared()
        finally:
            source.close()


class _Answers:
    """As :func:`providers`, which is made only for who asks by a soname or a path: most ask by the
    name that an object was found for."""

    def __init__(self, closure: Closure) -> None:
        self._closure = closure
        numbers = range(len(closure.names) - 1, -1, -1)
        self._found = dict(zip(reversed(closure.names), numbers, strict=True))
        """Of objects with the same name the first."""
        self._all: dict[str, int] | None = None

    def get(self, name: str) -> int | None:
        found = None if "/" in name else self._found.get(name)
        if found is None:
            if self._all is None:
                self._all = providers(self._closure)
            found = self._all.get(name)
        return found


def providers(closure: Closure) -> dict[str, int]:
    """The object that answers to each name. Source: elf/dl-version.c, find_needed()."""
    names: dict[str, int] = {}
    for number, hit in enumerate(closure.hits):
        names.setdefault(closure.names[number], number)
        names.setdefault(hit.path, number)
    for number, hit in enumerate(closure.hits):
        for name, target in zip(hit.elf.needed, closure.targets[number], strict=False):
            if target >= 0:
                names.setdefault(name, target)
    for number, hit in enumerate(closure.hits):
        if hit.elf.soname is not None:
            names.setdefault(hit.elf.soname, number)
    return names
