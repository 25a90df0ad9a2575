"""What a user asks for, checked as far as that goes without a look at the files."""

from collections.abc import Mapping
from types import MappingProxyType

from elfpack.errors import RequestError
from elfpack.light import NamedTuple
from elfpack.loader.files import Files
from elfpack.loader.program import gone
from elfpack.paths import GONE, basename, components, join, normal
from elfpack.planning.config import PLAIN, ImageConfig


class Wanted(NamedTuple):
    """A program or a file to add, and where it goes."""

    name: str
    """As the user wrote it, without the destination."""
    source: str
    """Absolute guest path."""
    destination: str | None
    """Absolute path in the image; None: the source's own path."""


class MadeDirectory(NamedTuple):
    """An empty directory that the user asks for."""

    path: str
    mode: int = 0o755
    owner: tuple[int, int] = (0, 0)


class Request(NamedTuple):
    """What to pack and how."""

    programs: tuple[str, ...]
    """``PROGRAM[:DEST]``."""
    added: tuple[str, ...] = ()
    """``SRC[:DEST]``."""
    directories: tuple[str, ...] = ()
    """``PATH[:MODE[:UID:GID]]``."""
    modules: Mapping[str, object] = MappingProxyType({})
    """By name: False for off, True for on, else the parsed values of a module that is on."""
    allow_missing: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    """Patterns of needed names; with a slash in it, also of paths that are dropped."""
    epoch: int = 0
    """Time of all entries, seconds since 1970 UTC."""
    strip: bool = False
    """Drop symbol and debug sections from the ELF files packed."""
    keep_privileges: bool = False
    """Keep set-id bits and file capabilities."""
    config: ImageConfig = PLAIN
    output: frozenset[tuple[int, int]] = frozenset()
    """Device and inode of what belongs to an earlier output, which is to be replaced: it is not
    packed itself."""

    @property
    def excluded_names(self) -> tuple[str, ...]:
        """The patterns of :attr:`exclude` that speak of needed names."""
        return tuple(glob for glob in self.exclude if "/" not in glob)

    @property
    def dropped_paths(self) -> tuple[str, ...]:
        """The patterns of :attr:`exclude` that speak of added paths."""
        return tuple(glob for glob in self.exclude if "/" in glob)


def wanted(text: str, files: Files, cwd: str) -> Wanted:
    """``NAME[:DEST]`` taken apart. A name that exists with its colon is taken as it is.

    Raises:
        RequestError: DEST is not absolute or has ``..``; a relative name leaves its directory.
    """
    name, given = text, None
    if ":" in text and isinstance(files.walker.find(join(cwd, text)), int):
        name, given = _split(text)
    if not name:
        raise RequestError("an empty name", path=text, hint="write NAME or NAME:DEST")
    if cwd == GONE and not name.startswith("/"):
        raise gone(name)
    source = join(cwd, name)
    if given is None and name.startswith("/"):
        return Wanted(name, source, None)
    if given is None:
        if ".." in components(name):
            raise RequestError(
                "a relative name with '..' has no place in the image",
                path=name,
                hint=f"say where it goes: {name}:/{basename(name)}",
            )
        return Wanted(name, source, _unmoved(source, normal("/" + name)))
    if given.endswith("/"):
        given += basename(name.rstrip("/"))
    return Wanted(name, source, _unmoved(source, normal(given)))


def _unmoved(source: str, destination: str) -> str | None:
    return None if source == destination else destination


def _split(text: str) -> tuple[str, str | None]:
    at = text.rfind(":/")
    if at < 0:
        name, _, given = text.rpartition(":")
        raise RequestError(
            f"{given!r} is not an absolute path" if given else "nothing stands behind the colon",
            path=text,
            hint=f"write {name}:/{given.removeprefix('./') or basename(name)}",
        )
    name, given = text[:at], text[at + 1 :]
    if ".." in components(given):
        raise RequestError(
            "a destination must not have '..'", path=text, hint="write it as it is to be"
        )
    return name, given


def made_directory(text: str) -> MadeDirectory:
    """``PATH[:MODE[:UID:GID]]`` taken apart.

    Raises:
        RequestError: it does not have that form.
    """
    path, *rest = text.split(":")
    fault = RequestError(
        "not a directory to make", path=text, hint="write /PATH, /PATH:MODE or /PATH:MODE:UID:GID"
    )
    if not path.startswith("/") or ".." in components(path) or len(rest) not in (0, 1, 3):
        raise fault
    if not all(number.isascii() and number.isdigit() and len(number) < 12 for number in rest):
        raise fault
    try:
        mode = int(rest[0], 8) if rest else 0o755
    except ValueError:  # an 8 or 9
        raise fault from None
    owner = (int(rest[1]), int(rest[2])) if len(rest) == 3 else (0, 0)
    if not 0 <= mode <= 0o7777 or not all(0 <= number < 2**32 for number in owner):
        raise fault
    if normal(path) == "/":
        raise RequestError(
            "every image has one, and the engine says whose it is", path=text, hint="leave it out"
        )
    return MadeDirectory(normal(path), mode, owner)
