"""What an image will have besides its files. It decides whether the files are right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from elfpack import late
from elfpack.errors import RequestError
from elfpack.light import TYPE_CHECKING
from elfpack.paths import components, is_utf8, normal

if TYPE_CHECKING:
    from typing import Final

_PORT = late.pattern(r"(?i)([0-9]{1,5})(?:-([0-9]{1,5}))?(?:/(tcp|udp|sctp))?")
_LAST_PORT = 65535
_LAST_ID = 2**31 - 1
"""Source: moby/sys/user, maxID."""
_SIGNALS = frozenset(
    (
        *("ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT"),
        *("KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM"),
        *("TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU"),
        *("XFSZ", "RTMIN", *(f"RTMIN+{n}" for n in range(1, 16))),
        *("RTMAX", *(f"RTMAX-{n}" for n in range(1, 15))),
    )
)
"""Source: moby/sys/signal, signal_linux.go."""
_LAST_SIGNAL = 64


_NONE: Mapping[str, str] = MappingProxyType({})


class ImageConfig:
    """How a container of the image starts. Checked when it is made, brought into one form, and not
    changed any more.

    Source: OCI image-spec, config.md; what a Dockerfile's instructions of these names take.

    Raises:
        RequestError: a value is none of its kind.
    """

    # No data class: the module of those takes longer to load than a small plan to be made.
    __slots__ = (
        *("entrypoint", "cmd", "env", "user", "workdir", "exposed_ports", "labels", "volumes"),
        "stop_signal",
    )

    def __init__(
        self,
        *,
        entrypoint: Sequence[str] | None = None,
        cmd: Sequence[str] = (),
        env: Mapping[str, str] = _NONE,
        user: str = "",
        workdir: str = "/",
        exposed_ports: Sequence[str] = (),
        labels: Mapping[str, str] = _NONE,
        volumes: Sequence[str] = (),
        stop_signal: str = "",
    ) -> None:
        self.entrypoint: Final = None if entrypoint is None else _words(entrypoint)
        """What is started, with its first arguments. None: the first program; empty: ``cmd``
        says."""
        self.cmd: Final = _words(cmd, may_be_empty=True)
        """Arguments that follow, unless the user of the image gives others."""
        self.env: Final[Mapping[str, str]] = _named(env, "variable")
        self.user: Final = _user(user)
        """``NAME`` or ``UID``, and ``:GROUP`` or ``:GID``; empty for root."""
        self.workdir: Final = _path(workdir, "working directory")
        ports = (port for text in _list(exposed_ports) for port in _ports(text))
        self.exposed_ports: Final = tuple(dict.fromkeys(ports))
        """``80``, ``53/udp``, ``8000-8010/tcp``; a port a member once it is made, with its
        protocol."""
        self.labels: Final[Mapping[str, str]] = _named(labels, "label")
        self.volumes: Final = tuple(dict.fromkeys(map(_volume, _list(volumes))))
        """Absolute paths of mount points."""
        self.stop_signal: Final = _signal(stop_signal)
        """``SIGTERM``, ``TERM`` or its number; empty for the engine's own, which is that."""

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise AttributeError(f"cannot assign to field {name!r}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ImageConfig):
            return NotImplemented
        return self._values() == other._values()

    def __repr__(self) -> str:
        told = (f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"ImageConfig({', '.join(told)})"

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def variable(self, name: str) -> str:
        """The value that a program of the image sees; empty if there is none."""
        return self.env.get(name, "")


def _text(text: str) -> str:
    """``text``, if a configuration, which is JSON and becomes C strings, can hold it."""
    if not isinstance(text, str):
        raise RequestError(f"cannot be {text!r}", path="ImageConfig", hint="give a text")
    if not is_utf8(text) or "\0" in text:
        raise RequestError(
            "has bytes that the configuration of an image cannot hold",
            path=text,
            hint="UTF-8 without NUL",
        )
    return text


def _list(texts: Sequence[str]) -> Sequence[str]:
    if isinstance(texts, str):  # its letters would be taken for members
        raise RequestError("is one text", path=texts or "''", hint="give a list")
    if not isinstance(texts, Iterable):
        raise RequestError(f"cannot be {texts!r}", path="ImageConfig", hint="give a list")
    return texts


def _words(texts: Sequence[str], *, may_be_empty: bool = False) -> tuple[str, ...]:
    words = tuple(map(_text, _list(texts)))
    if words and not words[0] and not may_be_empty:
        raise RequestError("the entrypoint has no name", path="''", hint="name a program")
    return words


def _named(values: Mapping[str, str], what: str) -> dict[str, str]:
    if not isinstance(values, Mapping):
        raise RequestError(f"cannot be {values!r}", path="ImageConfig", hint="give a dict")
    for name in map(_text, values):
        if not name or "=" in name:
            raise RequestError(f"no name of a {what}", path=name or "''", hint="write NAME=VALUE")
    return {name: _text(value) for name, value in values.items()}


def _path(text: str, what: str) -> str:
    if not _text(text).startswith("/") or ".." in components(text):
        raise RequestError(
            f"a {what} is an absolute path without '..'",
            path=text or "''",
            hint=f"write {normal(text)}" if text else "leave it out for /",
        )
    return normal(text)


def _volume(text: str) -> str:
    path = _path(text, "volume")
    if path == "/":
        raise RequestError("the whole image cannot be a volume", path=text, hint="name a directory")
    return path


def _user(text: str) -> str:
    parts = _text(text).split(":")
    if text and (len(parts) > 2 or not all(parts)):
        raise RequestError("no user", path=text, hint="NAME or UID, and :GROUP or :GID if wanted")
    for part in parts:
        if is_number(part) and (len(part) > 10 or int(part) > _LAST_ID):
            raise RequestError("no id", path=text, hint=f"engines take 0 to {_LAST_ID}")
    return text


def is_number(text: str) -> bool:
    """Whether engines take it for an id, not for a name."""
    return text.isascii() and text.isdigit()


def _ports(text: str) -> Iterable[str]:
    match = _PORT.fullmatch(_text(text))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if match is None or not 0 < first <= last <= _LAST_PORT:
        raise RequestError(
            "no port", path=text or "''", hint="80, 53/udp or 8000-8010/tcp, of 1 to 65535"
        )
    protocol = (match[3] or "tcp").lower()
    return (f"{port}/{protocol}" for port in range(first, last + 1))


def _signal(text: str) -> str:
    if is_number(_text(text)):
        if len(text) <= 3 and 0 < int(text) <= _LAST_SIGNAL:
            return str(int(text))
    elif not text:
        return ""
    elif text.upper().removeprefix("SIG") in _SIGNALS:
        return "SIG" + text.upper().removeprefix("SIG")
    raise RequestError("no signal", path=text, hint="SIGTERM, TERM or its number")


def pair(text: str) -> tuple[str, str]:
    """``NAME=VALUE`` taken apart.

    Raises:
        RequestError: it has no ``=``: no value is taken from elsewhere.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RequestError(
            "has no name" if equals else "has no value", path=text or "''", hint="write NAME=VALUE"
        )
    return name, value


def words(text: str) -> tuple[str, ...]:
    """One word, or a JSON array of strings, as a Dockerfile has it. No shell splits it.

    Raises:
        RequestError: it begins as an array and is none, or it is empty.
    """
    if not text:
        raise RequestError("an empty word", path="''", hint="leave it out, or write [] for none")
    if not text.startswith("["):
        return (text,)
    import json

    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
        raise RequestError(
            "no JSON array of strings", path=text, hint='write ["WORD", "WORD"], with double quotes'
        )
    return tuple(found)


PLAIN = ImageConfig()
"""Of a layer: nobody knows what its image will have, so it must need nothing."""
