"""Every ELF file and script of a tree."""

from __future__ import annotations

import errno
import stat

from elfpack.elf import constants as c
from elfpack.elf.debugfile import is_debug_file
from elfpack.elf.file import ElfFile, Malformed
from elfpack.light import NamedTuple
from elfpack.loader.files import Content, Files
from elfpack.root.node import Node
from elfpack.root.walk import Place

_KERNELS = ("/proc", "/sys", "/dev")
"""What a container engine and every boot mount over: nothing of it is part of the tree."""


class ElfAt(NamedTuple):
    """An ELF file that something could load or run."""

    place: Place
    elf: ElfFile

    @property
    def path(self) -> str:
        return self.place.path


class Found:
    """What is in a tree, by its real paths, sorted."""

    def __init__(self) -> None:
        self.programs: list[ElfAt] = []
        self.libraries: list[ElfAt] = []
        self.scripts: list[Place] = []
        self.broken: list[tuple[str, str]] = []
        """Paths of ELF files that cannot be read, and what is wrong with them."""
        self.unread: list[str] = []
        """Files that may not be read."""
        self.names: dict[str, list[str]] = {}
        """The paths of all files, links included, by their names, that have ``.so`` in them."""


def find(files: Files) -> Found:
    """Walk the tree once.

    Raises:
        InputError: a directory, or the archive, cannot be read.
    """
    found = Found()
    pending = [""]
    while pending:
        directory = pending.pop()
        pending += reversed(_directory(files, directory, found))
    return found


def _directory(files: Files, directory: str, found: Found) -> list[str]:
    """Look at the files of a directory; the directories in it."""
    root = files.root
    names = root.entries(directory)
    if isinstance(names, int):
        if names not in (errno.ENOENT, errno.ENOTDIR):  # it went away meanwhile
            found.unread.append(directory or "/")
        return []
    below = []
    for name in names:
        node = root.node(directory, name)
        if isinstance(node, int):
            continue
        if ".so" in name:
            found.names.setdefault(name, []).append(f"{directory}/{name}")
        if node.is_directory:
            path = f"{directory}/{name}"
            if path not in _KERNELS:
                below.append(path)
        elif node.is_regular and node.size:
            head = node.head
            if head is None or head[:1] in (b"\x7f", b"#"):
                _look(files, Place(directory, name, node), found)
    return below


def _look(files: Files, place: Place, found: Found) -> None:
    """The file is opened once, where its first bytes are known as well as where they are not."""
    try:
        source = files.open(place)
    except OSError:
        found.unread.append(place.path)
        return
    try:
        head = source.pread(4, 0)
        if head == b"\x7fELF":
            _elf(files, place, found, files.study(place, source))
        # A script without the bit is read by a program that was told to.
        elif head.startswith(b"#!") and place.node.mode & 0o111:
            found.scripts.append(place)
    except OSError:
        found.unread.append(place.path)
    finally:
        source.close()


def _elf(files: Files, place: Place, found: Found, content: Content) -> None:
    if isinstance(content, int):
        found.unread.append(place.path)
    elif isinstance(content, Malformed):
        kind = content.header.type if content.header is not None else 0
        if kind not in (c.ET_REL, c.ET_CORE) and not _is_debug(files, place):
            found.broken.append((place.path, content.message))
    elif content.kind == "object" or not content.loadable:
        return
    elif content.cut:
        end = f"{place.node.size} bytes, its segments are longer"
        found.broken.append((place.path, f"ELF file cut short: {end}"))
    elif not content.dynamic and _is_debug(files, place):
        return
    elif content.kind == "library":
        found.libraries.append(ElfAt(place, content))
    else:
        found.programs.append(ElfAt(place, content))


def _is_debug(files: Files, place: Place) -> bool:
    try:
        source = files.open(place)
    except OSError:
        return False
    try:
        return is_debug_file(source)
    except OSError:
        return False
    finally:
        source.close()


def executable(node: Node) -> bool:
    """Whether the kernel would execute it for somebody. Source: Linux fs/exec.c, may_open()."""
    return bool(node.mode & 0o111) and stat.S_ISREG(node.mode)
