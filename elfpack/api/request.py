"""What a build script asks for, as the record that planning takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from elfpack.api.names import Name, name, names, texts
from elfpack.errors import RequestError
from elfpack.pack.output import identities
from elfpack.planning.config import PLAIN, ImageConfig
from elfpack.planning.request import Request
from elfpack.runtime import MODULES, module
from elfpack.runtime.module import RuntimeModule
from elfpack.runtime.nearest import did_you_mean

Choice = bool | str | Sequence[str]
"""Of a runtime module: off, on, or on with one or several values."""


def make_request(
    programs: Iterable[Name],
    *,
    add: Iterable[Name],
    mkdir: Iterable[str],
    modules: Mapping[str, Choice] | None,
    allow_missing: Iterable[str],
    exclude: Iterable[str],
    epoch: int,
    strip: bool,
    keep_privileges: bool,
    output: str | None,
    config: ImageConfig = PLAIN,
) -> Request:
    """The arguments of :meth:`elfpack.Session.plan` as a record.

    Raises:
        RequestError: a runtime module or its value is none.
    """
    wanted = names(programs, "programs")
    if not wanted:
        raise RequestError("there is nothing to pack", path="programs", hint="name a program")
    return Request(
        programs=wanted,
        added=names(add, "add"),
        directories=names(mkdir, "mkdir"),
        modules=parse_modules(modules or {}),
        allow_missing=texts(allow_missing, "allow_missing"),
        exclude=texts(exclude, "exclude"),
        epoch=_time(epoch),
        strip=strip,
        keep_privileges=keep_privileges,
        config=_config(config),
        output=identities(name(output)) if output is not None else frozenset(),
    )


_LATEST = 2**33
"""Seconds since 1970 that a tar's header has room for. Source: POSIX.1-2017, pax, ustar format."""


def _time(epoch: object) -> int:
    if not isinstance(epoch, int) or not 0 <= epoch < _LATEST:
        hint = "give whole seconds since 1970"
        raise RequestError(f"cannot be {epoch!r}", path="epoch", hint=hint)
    return epoch


def _config(config: object) -> ImageConfig:
    if not isinstance(config, ImageConfig):
        raise RequestError(
            f"cannot be {config!r}", path="config", hint="give an elfpack.ImageConfig"
        )
    return config


def parse_modules(chosen: Mapping[str, Choice]) -> dict[str, object]:
    """The choice of modules with their values parsed.

    Raises:
        RequestError: there is no such module, or its value is not of its form.
    """
    if not isinstance(chosen, Mapping):
        hint = "give a dict, such as {'certs': True}"
        raise RequestError(f"cannot be {chosen!r}", path="modules", hint=hint)
    parsed: dict[str, object] = {}
    for called, choice in chosen.items():
        this = _known(called)
        if isinstance(choice, bool):
            if choice and this.needs_value:
                raise RequestError("needs a value", path=called, hint=f"{called}={this.value}")
            parsed[called] = choice
        else:
            values = _values(called, choice)
            parsed[called] = tuple(_value(called, value) for value in values)
            _each_once(called, values, parsed[called])
    return parsed


def _values(name: str, choice: object) -> tuple[str, ...]:
    values = (choice,) if isinstance(choice, str) else choice
    if isinstance(values, (tuple, list)) and all(isinstance(value, str) for value in values):
        return tuple(values)
    raise RequestError(
        f"cannot be {choice!r}", path=name, hint="give True, False, a text, or a list of texts"
    )


def _each_once(name: str, texts: Sequence[str], values: object) -> None:
    """Refuse two values that speak of the same thing, such as two users of one name."""
    seen: set[object] = set()
    for text, value in zip(texts, values if isinstance(values, tuple) else (), strict=True):
        key = getattr(value, "name", value)
        if key in seen:
            raise RequestError(f"{text!r} is the second of its name", path=name, hint="give one")
        seen.add(key)


def _known(name: str) -> RuntimeModule:
    found = module(name)
    if found is not None:
        return found
    name = str(name)
    names = [m.name for m in MODULES]
    hint = f"{did_you_mean(name, names)} there are {', '.join(names)}".lstrip()
    raise RequestError(f"no runtime module is called {name!r}", hint=hint)


def _value(name: str, value: str) -> object:
    try:
        return _known(name).parse(value)
    except ValueError as e:
        raise RequestError(f"cannot take the value {value!r}", path=name, hint=str(e)) from e
