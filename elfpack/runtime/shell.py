"""A shell to look around with: a busybox and its applets, when asked for."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.elf.busybox import read_applets
from elfpack.elf.file import ElfFile
from elfpack.elf.reader import read
from elfpack.errors import InputError
from elfpack.light import TYPE_CHECKING
from elfpack.paths import components
from elfpack.runtime.module import (
    Addition,
    AddLink,
    AddProgram,
    Evidence,
    Hint,
    Lacking,
    View,
)

if TYPE_CHECKING:
    from typing import ClassVar, Final

_BUSYBOX: Final = "--with shell=/bin/busybox"
_WHERE = "/bin"


class Shell:
    """A shell and the small programs that go with it."""

    name: ClassVar[str] = "shell"
    summary: ClassVar[str] = "a busybox with a link in /bin for each of its applets, for debugging"
    when: ClassVar[str] = "only when asked for"
    value: ClassVar[str | None] = "/bin/busybox"
    needs_value: ClassVar[bool] = True
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        parts = components(value)
        if not value.startswith("/") or not parts or ".." in parts or "\0" in value:
            raise ValueError("name the path of a shell, as in /bin/busybox")
        return "/" + "/".join(parts)

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        for path in dict.fromkeys(map(str, chosen or ())):
            yield from _shell(view, path)


def _shell(view: View, path: str) -> Iterator[Addition]:
    real = view.real(path)
    if real is None:
        yield Lacking(path, True, "install it (Debian: busybox-static), or name another shell")
        return
    _check(view, path)
    yield AddProgram(path, None)
    target = path if view.link(path) is None else real
    applets = view.derived(path, read_applets) or ()
    for name in applets:
        if f"{_WHERE}/{name}" != path:
            evidence = Evidence(name, path, "applet of")
            yield AddLink(f"{_WHERE}/{name}", target, evidence, yields=True)
    if not applets:
        if path != f"{_WHERE}/sh":
            yield AddLink(f"{_WHERE}/sh", target, None, yields=True)
        message = "is no busybox: nothing such as ls and cat comes with it"
        yield Hint("shell-alone", path, message, f"{_BUSYBOX} brings them along")


def _check(view: View, path: str) -> None:
    """
    Raises:
        InputError: it is no program that the others could run.
    """
    elf = view.derived(path, read)
    if not isinstance(elf, ElfFile) or elf.kind in ("library", "object"):
        raise InputError("is no ELF program", path=path, hint=f"name a shell, as in {_BUSYBOX}")
    objects = view.objects()
    if objects and objects[0].hit.elf.abi[:3] != elf.abi[:3]:
        mine, others = elf.header.machine_name, objects[0].hit.elf.header.machine_name
        raise InputError(
            f"is a program for {mine}, not for {others} as {objects[0].label}",
            path=path,
            hint="install a shell for that machine",
        )
