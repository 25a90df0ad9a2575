"""What the kernel does with a program before any loader runs: ``#!``, PT_INTERP.

Source: Linux fs/exec.c, bprm_execve(); fs/binfmt_script.c; fs/binfmt_elf.c.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from elfpack.elf import constants as c
from elfpack.elf.file import ElfFile, Malformed
from elfpack.errors import InputError, unreadable
from elfpack.light import NamedTuple
from elfpack.loader.files import Files
from elfpack.loader.records import Hit, Kind, Via
from elfpack.paths import GONE, basename, components, decode, join
from elfpack.root.walk import Place

SCRIPT_DEPTH = 5
"""Scripts that the kernel runs through. Source: fs/exec.c, exec_binprm()."""
_HEAD = 256
"""Bytes of a script that the kernel reads. Source: include/uapi/linux/binfmts.h."""
SEARCH_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""PATH in a container whose image sets none, where ``env`` looks for its command."""


_NAMED = Via(Kind.PROGRAM)


NO_SUCH_FILE = "no such file"
"""The message of the error for a name that leads nowhere: the command line knows more to say."""


class Script(NamedTuple):
    """A ``#!`` file on the way to a program."""

    path: str
    """As it was named."""
    real_path: str
    interpreter: str
    """The program that its first line names."""
    command: str | None
    """For an interpreter that is ``env``: the path of the command it will run, if there is one."""
    wanted: str | None
    """For an interpreter that is ``env``: the command's name."""


class Program(NamedTuple):
    """An ELF file that is executed, or a library that is looked at."""

    name: str
    """As the user named it."""
    path: str
    """Absolute guest path, links not resolved."""
    hit: Hit
    """The ELF file, ``path`` being what the kernel opens."""
    scripts: tuple[Script, ...] = ()
    """The scripts on the way, the one that the user named first."""
    set_id: bool = False
    """Set-uid, or set-gid and executable by its group: the loader is told not to trust its user.

    Source: Linux fs/exec.c, bprm_fill_uid().
    """
    place: Place | None = None
    """Where the file is; None for one that is not executed."""

    @property
    def kind(self) -> str:
        return "script" if self.scripts else self.hit.elf.kind


class MissingInterpreter(NamedTuple):
    """A script whose interpreter the root lacks."""

    name: str
    scripts: tuple[Script, ...]
    missing: str


def open_program(
    files: Files, name: str, cwd: str, search_path: Sequence[str] = SEARCH_PATH
) -> Program | MissingInterpreter:
    """The program that executing ``name`` comes down to. ``env`` looks for its command in the
    directories of ``search_path``.

    Raises:
        InputError: there is no such file, it cannot be read, or it is no program.
    """
    if cwd == GONE and not name.startswith("/"):
        raise gone(name)
    path = _absolute(cwd, name)
    scripts: list[Script] = []
    while True:
        shown = name if not scripts else path
        place = _place(files, path, shown, scripts)
        if place is None:
            return MissingInterpreter(name, tuple(scripts), path)
        content = _content(files, place, shown)
        if not isinstance(content, bytes):
            # A library is given to its loader, which takes the path as it is written; a program
            # is executed by the kernel, which tells where it found it.
            opened = join(cwd, shown) if content.kind == "library" and not scripts else path
            hit = Hit(opened, place.path, content, place.node.identity, _NAMED)
            return Program(name, path, hit, tuple(scripts), _set_id(place.node.mode), place)
        if len(scripts) == SCRIPT_DEPTH:
            raise InputError(
                f"its interpreters are scripts, more than {SCRIPT_DEPTH} deep",
                path=name,
                hint="name a program on its first line",
            )
        script = _script(files, content, (shown, path), place, cwd, search_path)
        scripts.append(script)
        path = _absolute(cwd, script.command or script.interpreter)


def gone(name: str) -> InputError:
    """The error for a relative name where there is no working directory."""
    return InputError("the working directory is gone", path=name, hint="change to one that exists")


def _set_id(mode: int) -> bool:
    return bool(mode & stat.S_ISUID) or mode & 0o2010 == 0o2010


def _absolute(cwd: str, name: str) -> str:
    """An absolute path without ``.`` and doubled slashes; ``..`` stays, links may precede it."""
    if name.startswith("/") and "//" not in name and "/." not in name:
        return name
    path = "/" + "/".join(components(join(cwd, name)))
    return path + "/" if name.endswith("/") else path


def _place(files: Files, path: str, shown: str, scripts: list[Script]) -> Place | None:
    place = files.find(path)
    if isinstance(place, int):
        if scripts and place in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise InputError(_reason(place), path=shown, hint=_advice(place))
    if place.node.is_directory:
        raise InputError("is a directory", path=shown, hint="name a program in it")
    if not place.node.is_regular:
        raise InputError(
            "is not a regular file", path=shown, hint="a FIFO, socket or device is no program"
        )
    return place


def _content(files: Files, place: Place, shown: str) -> ElfFile | bytes:
    """The ELF record, or the head of a script."""
    content = files.content(place)
    if isinstance(content, int):
        raise InputError(_reason(content), path=shown, hint=_advice(content))
    if isinstance(content, ElfFile):
        if content.header.type not in (c.ET_EXEC, c.ET_DYN):
            raise InputError(
                "an object file or core dump, which no loader loads",
                path=shown,
                hint="name the program that was linked from it",
            )
        if content.cut:
            raise InputError(
                f"ELF file cut short: {place.node.size} bytes, its segments are longer",
                path=shown,
                hint="get the whole file",
            )
        return content
    return _head(files, place, content, shown)


def _head(files: Files, place: Place, broken: Malformed, shown: str) -> bytes:
    if not broken.head.startswith(b"#!"):
        whole = broken.head.startswith(b"\x7fELF")
        hint = "get the whole file" if whole else "name a program, a shared library or a #! script"
        raise InputError(broken.message, path=shown, hint=hint)
    try:
        source = files.open(place)
        try:
            return source.pread(_HEAD, 0)
        finally:
            source.close()
    except OSError as e:  # it could be read a moment ago
        raise unreadable(shown, e.errno or 0) from e


def _script(
    files: Files,
    head: bytes,
    names: tuple[str, str],
    place: Place,
    cwd: str,
    search_path: Sequence[str],
) -> Script:
    """``names`` are what the user sees and the absolute path.

    Source: fs/binfmt_script.c, load_script().
    """
    shown, path = names
    line, newline, _ = head[2:].partition(b"\n")
    # Space and tab alone separate words: a carriage return is part of the name, as for the kernel.
    first, _, rest = line.strip(b" \t").replace(b"\t", b" ").partition(b" ")
    words = [word for word in (first, rest) if word]
    if not words or (not newline and len(head) == _HEAD and len(words) == 1):
        raise InputError(
            "a script whose first line names no interpreter that the kernel can read",
            path=shown,
            hint=f"write #!/path/to/interpreter; the kernel reads {_HEAD} bytes of it",
        )
    interpreter = decode(words[0].partition(b"\0")[0])
    argument = decode(words[1].partition(b"\0")[0]).strip(" \t") if len(words) > 1 else ""
    wanted = command = None
    if basename(interpreter) == "env" and argument:
        from elfpack.loader.env import env_command

        wanted = env_command(argument)
        command = on_path(files, wanted, cwd, search_path) if wanted else None
    return Script(path, place.path, interpreter, command, wanted)


def on_path(files: Files, command: str, cwd: str, search_path: Sequence[str]) -> str | None:
    """The path of a command; one with a slash is a path. None if no directory has it."""
    if "/" in command:
        return join(cwd, command)
    for directory in search_path:
        path = join(cwd, f"{directory or '.'}/{command}")
        place = files.find(path)
        if not isinstance(place, int) and place.node.is_regular:
            return path
    return None


def _reason(number: int) -> str:
    if number == errno.ENOENT:
        return NO_SUCH_FILE
    if number == errno.EACCES:
        return "cannot be read: permission denied"
    return f"cannot be read: {os.strerror(number).lower()}"


def _advice(number: int) -> str:
    if number == errno.EACCES:
        return "run as a user who may read it"
    if number in (errno.ENOENT, errno.ENOTDIR):
        return "check the name"
    return "check the file"
