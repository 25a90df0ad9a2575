"""What a build script asks for, as the record that planning takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from elfpack.api.names import Name, names, several
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
        allow_missing=tuple(several(allow_missing, "allow_missing")),
        exclude=tuple(several(exclude, "exclude")),
        epoch=epoch,
        strip=strip,
        keep_privileges=keep_privileges,
        config=config,
        output=identities(output) if output is not None else frozenset(),
    )


def parse_modules(chosen: Mapping[str, Choice]) -> dict[str, object]:
    """The choice of modules with their values parsed.

    Raises:
        RequestError: there is no such module, or its value is not of its form.
    """
    parsed: dict[str, object] = {}
    for name, choice in chosen.items():
        this = _known(name)
        if isinstance(choice, bool):
            if choice and this.needs_value:
                raise RequestError("needs a value", path=name, hint=f"{name}={this.value}")
            parsed[name] = choice
        else:
            values = _values(name, choice)
            parsed[name] = tuple(_value(name, value) for value in values)
            _each_once(name, values, parsed[name])
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
    names = [m.name for m in MODULES]
    hint = f"{did_you_mean(name, names)} there are {', '.join(names)}".lstrip()
    raise RequestError(f"no runtime module is called {name!r}", hint=hint)


def _value(name: str, value: str) -> object:
    try:
        return _known(name).parse(value)
    except ValueError as e:
        raise RequestError(f"cannot take the value {value!r}", path=name, hint=str(e)) from e
