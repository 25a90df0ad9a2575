"""What elfpack cannot know, and says: one line each, never added by itself.

A shell that a program may run, the library directory of an interpreter of scripts, plug-ins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from elfpack import late
from elfpack.elf.file import ElfFile
from elfpack.errors import Finding
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.loader.files import Files
from elfpack.loader.hwcaps import BASELINE
from elfpack.paths import basename, decode, join, normal, parent
from elfpack.planning import additions
from elfpack.planning.entry import Plan
from elfpack.planning.view import ClosureView
from elfpack.root.node import Root
from elfpack.root.walk import Walker
from elfpack.runtime.dlopen import ENDING, OPENING, named
from elfpack.runtime.go import ZONES, go_time_zones
from elfpack.runtime.module import Evidence, Object

if TYPE_CHECKING:
    import re

_SHELL = "/bin/sh"
_RUN = ("system", "popen", "wordexp")
_EXECUTE = (
    *("execl", "execle", "execlp", "execv", "execve", "execvp", "execvpe"),
    *("posix_spawn", "posix_spawnp"),
)
_TRACE = "--with strace=LOG packs what a run used"
_LIBRARY = late.pattern(r".\.so(\.[0-9]+)*\Z")
_LOOKED_AT = 20
_COMMANDS = ("bin", "sbin")
"""Directories on a PATH: nobody means all of them."""
_SYSTEM = ("/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib")
_LIBC = {"libc.so.6", "gconv-modules", "gconv-modules.cache"}
"""A directory that has one of these is libc's: a static program has their paths as well, and the
module gconv looks after its converters."""
_NAMED = 3
"""Objects that one line names."""


class _Interpreter(NamedTuple):
    """Programs and libraries that read their own library from a directory."""

    starts: tuple[str, ...]
    """With what their names begin: few names are looked at closer."""
    names: re.Pattern[str]
    below: str = ""
    """The directory, from that of the program; ``{}`` is the first group of the name."""
    holds: str = ""
    """What tells such a directory."""
    compiled: re.Pattern[str] | None = None
    """Such directories among the paths that are compiled in."""


_INTERPRETERS = (
    _Interpreter(
        ("python", "libpython"),
        late.pattern(r"(?:lib)?python(3\.\d+)\w*(?:\.so.*)?\Z"),
        "../lib/python{}",
        "os.py",
    ),
    _Interpreter(("libjli.so",), late.pattern(r"(?:libjli\.so)()\Z"), "..", "lib/modules"),
    _Interpreter(
        ("perl", "libperl"),
        late.pattern(r"(?:perl[\d.]*|libperl\.so.*)()\Z"),
        compiled=late.pattern(r"/(?!etc/).*/perl(-base|5)?(/[\d.]+)?\Z"),
    ),
    _Interpreter(
        ("ruby", "libruby"),
        late.pattern(r"(?:ruby[\d.]*|libruby.*\.so.*)()\Z"),
        compiled=late.pattern(r"/.*/ruby/(vendor_ruby/)?[\d.]+\Z"),
    ),
    _Interpreter(
        ("tclsh", "libtcl"),
        late.pattern(r"(?:tclsh[\d.]*|libtcl[\d.]+so.*)()\Z"),
        compiled=late.pattern(r"/(?!.*/include/).*/tcl[\d.]+\Z"),
    ),
)


def hints(plan: Plan, view: ClosureView, files: Files, image: Root) -> Iterator[Finding]:
    """What should be told of a plan. ``image`` is the plan as a tree, ``files`` are the root's."""
    inside = Walker(image)
    traced = any(entry.reason.source == "strace" for entry in plan.entries)
    for this, _ in () if traced else view.importing(OPENING):
        view.go_through(this, ENDING)
    yield from _shell(view, inside)
    if traced:
        return  # a run has shown what else is used
    yield from _scripts(plan)
    yield from _opened(view, inside)
    if isinstance(inside.find(ZONES), int):
        yield from map(additions.hint, go_time_zones(view))
    seen = _Seen(view, files, inside)
    told: set[str] = set()
    for this in view.objects():
        yield from _libraries(this, seen, told)
    for this in view.objects():
        yield from _plugins(this, seen, told)


def _scripts(plan: Plan) -> Iterator[Finding]:
    """What a script loads and runs stands in its text, which nothing here understands."""
    for placed in plan.programs:
        if placed.script is not None and placed.cpu == BASELINE:
            by = placed.closure.label(0)
            message = f"a script, run by {by}: what else it uses cannot be seen"
            yield Finding(
                "script", placed.closure.name, message, f"--add it, or {_TRACE}", note=True
            )


def _opened(view: ClosureView, inside: Walker) -> Iterator[Finding]:
    """Libraries whose names stand in an object that opens libraries, all in one line."""
    packed = {this.hit.identity for this in view.objects()}
    names: dict[str, str] = {}
    for this, name, found in named(view):
        there = name if name.startswith("/") else found.hit.path
        if found.hit.identity not in packed and isinstance(inside.find(there), int):
            names.setdefault(name, this.label)
    if names:
        by = ", ".join(dict.fromkeys(names.values()))
        yield Finding(
            "dlopen-strings",
            _some(list(names)),
            f"may be opened at run time, for the name stands in {by}",
            "--with dlopen=strings packs what it finds so",
            note=True,
        )


_LISTED_NAMES = 50


def _some(names: list[str]) -> str:
    more = len(names) - _LISTED_NAMES
    return ", ".join(names[:_LISTED_NAMES]) + (f" and {more} more" if more > 0 else "")


def _shell(view: ClosureView, inside: Walker) -> Iterator[Finding]:
    if not isinstance(inside.find(_SHELL), int):
        return
    found = [evidence for _, evidence in view.importing(_RUN)]
    known = {evidence.object for evidence in found}
    for this, _ in view.importing(_EXECUTE):
        if this.label not in known and view.names(this, _SHELL):
            found.append(Evidence(_SHELL, this.label, "compiled into"))
    if found:
        by = ", ".join(map(str, found[:_NAMED])) + (", ..." if found[_NAMED:] else "")
        yield Finding(
            "no-shell",
            _SHELL,
            f"is not in the image, and may be run: {by}",
            f"--add {_SHELL}, or --with shell=/bin/busybox",
            note=True,
        )


class _Seen:
    """What is looked at for several objects."""

    def __init__(self, view: ClosureView, files: Files, inside: Walker) -> None:
        self.view = view
        self._files = files
        self._inside = inside
        self._real: dict[str, str | None] = {}
        self.own = {parent(this.hit.real_path) for this in view.objects()} | view.directories()
        """Where the loader looks by itself: full of shared objects, and no plug-ins."""

    def directory(self, path: str) -> str | None:
        """The real path of a directory of the root that the image has nothing of."""
        if path not in self._real:
            real = self._files.walker.directory(normal(path))
            packed = isinstance(real, str) and not isinstance(self._inside.find(real), int)
            self._real[path] = None if packed or isinstance(real, int) else real.rstrip("/") or "/"
        return self._real[path]

    def programs(self, path: str, names: list[str]) -> bool:
        """Whether one of these files of a directory is a program."""
        for name in names:
            place = self._files.find(f"{path}/{name}")
            if not isinstance(place, int) and place.node.mode & 0o111:
                content = self._files.content(place)
                if isinstance(content, ElfFile) and content.kind not in ("library", "object"):
                    return True
        return False

    def lacks(self, path: str) -> bool:
        """Whether the root has a file that the image has not."""
        real = self.view.real(path)
        return real is not None and isinstance(self._inside.find(real), int)

    def compiled(self, this: Object) -> Iterator[str]:
        """The directories whose paths are compiled into an object."""
        found = self.view.paths(this)
        searched = f"{this.hit.elf.rpath}:{this.hit.elf.runpath}".split(":")
        raw = dict.fromkeys((*found.alone, *found.listed))
        for path in dict.fromkeys(normal(decode(one)) for one in raw):
            if path not in searched and self.directory(path) is not None:
                yield path


def _libraries(this: Object, seen: _Seen, told: set[str]) -> Iterator[Finding]:
    """The library directories of an interpreter."""
    for name in dict.fromkeys((basename(this.hit.real_path), this.soname)):
        for kind in _INTERPRETERS:
            match = kind.names.match(name) if name.startswith(kind.starts) else None
            if match is None:
                continue
            found = [d for d in _of(kind, match[1] or "", this, seen) if d not in told]
            told.update(found)
            if found:
                several = "directories" if found[1:] else "directory"
                yield Finding(
                    "no-library-directory",
                    this.label,
                    f"comes without its library {several}",
                    f"{_adds(found)}; or {_TRACE}",
                    note=True,
                )


def _of(kind: _Interpreter, version: str, this: Object, seen: _Seen) -> Iterator[str]:
    if kind.compiled is not None:
        for path in seen.compiled(this):
            if kind.compiled.match(path):
                yield path
        return
    for program in seen.view.programs(this):
        path = normal(join(parent(program.real_path), kind.below.format(version)))
        if seen.lacks(f"{path}/{kind.holds}"):
            yield path


class _Listing:
    """The files of a directory. What an entry is, is looked at only if it matters."""

    def __init__(self, view: ClosureView, path: str) -> None:
        self._view = view
        self._path = path
        self._names = view.names_in(path)

    def named(self, is_such: Callable[[str], object]) -> Iterator[bool]:
        """Whether each entry of such a name is a file."""
        return (self._is_file(name) for name in self._names if is_such(name))

    def first(self) -> list[str]:
        return list(islice(filter(self._is_file, self._names), _LOOKED_AT))

    def _is_file(self, name: str) -> bool:
        return self._view.exists(f"{self._path}/{name}")


def _plugins(this: Object, seen: _Seen, told: set[str]) -> Iterator[Finding]:
    """Directories of shared objects whose paths are compiled into an object."""
    if seen.view.is_own(this) or seen.view.is_data(this):
        return
    for path in seen.compiled(this):
        real = seen.directory(path)
        if path in told or real is None or real in told or real in seen.own:
            continue
        told.update((path, real))
        if real in _SYSTEM or basename(real) in _COMMANDS:
            continue
        files = _Listing(seen.view, path)
        if any(files.named(_LIBC.__contains__)):
            continue
        what = "open plug-ins of" if any(files.named(_LIBRARY.search)) else ""
        if not what and this.hit.elf.kind != "library" and seen.programs(path, files.first()):
            what = "run programs of"
        if what:
            yield Finding(
                "no-plugins" if what.startswith("open") else "no-helpers",
                this.label,
                f"may {what} {path}, which is compiled into it",
                f"{_adds([path])}, if they are needed",
                note=True,
            )


def _adds(paths: Iterable[str]) -> str:
    return " ".join(f"--add {path}" for path in paths)
