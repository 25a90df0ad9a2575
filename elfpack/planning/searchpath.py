"""What makes the image's loaders look where their objects are: an ``ld.so.cache``, with the
``ld.so.conf`` that rebuilds it, or musl's path file.

It names only what would not be found without it: a cache comes before the loader's own directories,
and a name in it answers for every program of the image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack.errors import Finding
from elfpack.formats import ldcache
from elfpack.loader.files import TEXT_LIMIT, Files
from elfpack.loader.hwcaps import PREFIX
from elfpack.loader.identify import MUSL, Loader
from elfpack.loader.machine import cache_flags
from elfpack.loader.records import Hit, Kind
from elfpack.paths import basename, components, encode, parent
from elfpack.planning.entry import Reason
from elfpack.planning.put import Put, PutText
from elfpack.planning.settle import Difference, Fault

SOURCE = "ld.so.cache"
"""The reason's source of the files that are made here."""
_REASON = Reason(SOURCE, "a library outside the loader's own directories")
_USUAL = ("/lib", "/usr/local/lib", "/usr/lib")
"""musl's own directories, which a path file replaces. Source: ldso/dynlink.c, load_library()."""


class _Cache:
    """One ``ld.so.cache``."""

    def __init__(self, *, little: bool) -> None:
        self.little = little
        self.entries: dict[tuple[str, int, str], tuple[ldcache.Entry, Difference]] = {}
        """By name, flags and subdirectory: a loader takes one object for them."""
        self.directories: dict[str, None] = {}


class _Directories:
    """One path file of musl."""

    def __init__(self) -> None:
        self.before: dict[str, None] = {}
        """What LD_LIBRARY_PATH, or an rpath that leads elsewhere now, had found: it comes first."""
        self.known: dict[str, None] = {}
        """What the root's own path file had found: it keeps the order that it has there."""


class SearchPath:
    """Grows by what was found to be lost."""

    def __init__(self, files: Files) -> None:
        """``files`` are those of the root that the plan is made from."""
        self._files = files
        self._caches: dict[str, _Cache] = {}
        self._path_files: dict[str, _Directories] = {}
        self.conflicts: dict[Finding, None] = {}
        """What no cache could serve."""

    def add(self, lost: Iterable[Difference]) -> bool:
        """Whether anything new came; what is lost for another reason is left alone."""
        cached, by_path = [], []
        for difference in lost:
            loader = difference.program.closure.loader
            difference = difference._replace(file=self._plain(difference.file))
            if difference.fault not in (Fault.LIBRARY, Fault.ORDER) or loader is None:
                continue
            if loader.libc == MUSL:
                by_path.append((loader, difference))
            elif loader.cache is not None and "/" not in difference.name:
                cached.append((loader, loader.cache, difference))
        # First what comes from outside the loader's own ways: what that needs is often found then.
        first = [row for row in cached if _from_outside(row[0], row[2].hit)]
        grown = [self._add(path, loader, lost) for loader, path, lost in first or cached]
        grown += [self._add_directory(loader, lost) for loader, lost in by_path]
        return any(grown)

    def _plain(self, file: str) -> str:
        """A path without ``..``: what stands before it may not be in the image."""
        if ".." not in components(file):
            return file
        directory = self._files.walker.directory(parent(file))
        return file if isinstance(directory, int) else f"{directory}/{basename(file)}"

    def _add(self, path: str, loader: Loader, lost: Difference) -> bool:
        abi = lost.hit.elf.abi
        cache = self._caches.setdefault(path, _Cache(little=abi.little))
        if cache.little != abi.little:
            self._conflict(lost, "a cache of the other byte order", "make an image for each")
            return False
        directory, hwcaps = parent(lost.file), ""
        if lost.hit.via.hwcaps.startswith(PREFIX):
            directory = directory.removesuffix("/" + lost.hit.via.hwcaps)
            hwcaps = lost.hit.via.hwcaps.removeprefix(PREFIX)
        isa = max(0, lost.hit.elf.isa.bit_length() - 1) if hwcaps else 0
        entry = ldcache.Entry(lost.name, lost.file, cache_flags(abi)[0], hwcaps, isa)
        key = (lost.name, entry.flags, hwcaps)
        known = cache.entries.setdefault(key, (entry, lost))
        if known[1].hit.identity != lost.hit.identity:
            self._two(known[1], lost)
            return False
        if directory + "/" not in loader.directories:
            cache.directories[directory] = None
        return known[1] is lost

    def _two(self, one: Difference, other: Difference) -> None:
        first, second = one.program.closure.name, other.program.closure.name
        self._conflict(
            other,
            f"{first} needs {one.hit.path}, and only one of them can be found by that name",
            "make an image for each, link one with -rpath, or put the library into a directory "
            "that its program names"
            if first != second
            else "link it with -rpath",
        )

    def _conflict(self, lost: Difference, what: str, hint: str) -> None:
        finding = Finding(
            "two-objects",
            lost.program.closure.name,
            f"{lost.name} has to be {lost.hit.path} in the image, but {what}",
            hint,
        )
        self.conflicts[finding] = None

    def _add_directory(self, loader: Loader, lost: Difference) -> bool:
        from elfpack.loader.musl import path_file  # late, as in loader/search.py

        directories = self._path_files.setdefault(
            path_file(loader.path, loader.lib), _Directories()
        )
        directory = parent(lost.file)
        if directory in directories.before or directory in directories.known:
            return False
        if lost.hit.via.kind is Kind.PATH_FILE:
            directories.known[directory] = None
        else:
            directories.before[directory] = None
        return True

    def _lines(self, path: str, directories: _Directories) -> Iterator[str]:
        from elfpack.loader.musl import system_path

        raw = self._files.read_all(path, TEXT_LIMIT)
        listed = system_path(raw) if isinstance(raw, bytes) else _USUAL
        yield from dict.fromkeys((*directories.before, *listed))

    def puts(self) -> Iterator[Put]:
        """The files, as they have to be now."""
        for path, cache in self._caches.items():
            entries = [entry for entry, _ in cache.entries.values()]
            content = ldcache.dump(entries, little=cache.little)
            yield Put(path, PutText(content), _REASON)
            lines = "".join(f"{directory}\n" for directory in cache.directories)
            yield Put(path.removesuffix(".cache") + ".conf", PutText(encode(lines)), _REASON)
        for path, directories in self._path_files.items():
            lines = "".join(f"{line}\n" for line in self._lines(path, directories))
            yield Put(path, PutText(encode(lines)), _REASON)


def _from_outside(loader: Loader, hit: Hit) -> bool:
    """Whether an object was found by what the image has not."""
    found = hit.via.kind in (Kind.CACHE, Kind.ENVIRONMENT)
    directory = parent(hit.path)
    if hit.via.hwcaps:
        directory = directory.removesuffix("/" + hit.via.hwcaps)
    return found and directory + "/" not in loader.directories
