"""Plans, as build scripts make and write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from elfpack.api.session import Session
from elfpack.errors import Finding, RequestError
from elfpack.pack.output import Written, identity, write
from elfpack.planning.entry import Entry
from elfpack.planning.entry import Plan as Record
from elfpack.planning.make import make
from elfpack.planning.request import Request
from elfpack.runtime import MODULES, module

Choice = bool | str | Sequence[str]
"""Of a runtime module: off, on, or on with one or several values."""


class Plan:
    """All that will be in an image, each entry with its reason. Nothing is written yet.

    Holds the session that it was made in: contents are read when the plan is written, and a file
    that changed meanwhile is refused.
    """

    def __init__(self, record: Record, session: Session) -> None:
        self.record = record
        self._session = session

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Sorted by path."""
        return self.record.entries

    @property
    def entrypoint(self) -> str | None:
        """The path of the first program in the image."""
        return self.record.entrypoint

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the user should know."""
        return self.record.findings

    @property
    def size(self) -> int:
        """Bytes of file content."""
        return self.record.size

    def write_tar(self, path: str) -> Written:
        """Write a layer: ``*.tar``, ``*.tar.gz`` or ``*.tgz``. It appears whole or not at all.

        Raises:
            RequestError: the ending says nothing.
            OutputError: it cannot be written.
            InputError: a source changed since the plan was made.
        """
        if path.endswith("/") or path == "-":
            raise RequestError("not the path of a tar file", path=path, hint="use write_tree()")
        return write(self.record, path)

    def write_tree(self, path: str) -> Written:
        """Write an unpacked tree to a directory that is empty or does not exist.

        Raises:
            OutputError: it cannot be written, or is not empty.
            InputError: a source changed since the plan was made.
        """
        return write(self.record, path.rstrip("/") + "/")


def plan(
    programs: Iterable[str],
    *,
    root: str = "/",
    library_path: str = "",
    add: Iterable[str] = (),
    mkdir: Iterable[str] = (),
    modules: Mapping[str, Choice] | None = None,
    allow_missing: Iterable[str] = (),
    exclude: Iterable[str] = (),
    epoch: int = 0,
) -> Plan:
    """What an image needs for these programs to run in it as they do here.

    Args:
        programs: ``PROGRAM`` or ``PROGRAM:DEST``, as for ``elfpack layer``.
        root: the directory that everything is looked up in.
        library_path: LD_LIBRARY_PATH of the programs. The environment is not read.
        add: ``SRC`` or ``SRC:DEST``: files and directories to add.
        mkdir: ``PATH``, ``PATH:MODE`` or ``PATH:MODE:UID:GID``: empty directories.
        modules: by name: False switches a runtime module off, True on; a text or several are
            its values, as in ``{"users": "app:1000:1000"}``.
        allow_missing: patterns of needed names that may be missing.
        exclude: patterns of needed names that are not followed.
        epoch: time of all entries, seconds since 1970 UTC.

    Raises:
        InputError: a program cannot be read, or is none.
        RequestError: the request contradicts itself.
        IncompleteError: something is missing; its ``findings`` list all of it.
    """
    session = Session(root, library_path=library_path)
    return make_plan(
        session,
        programs,
        add=add,
        mkdir=mkdir,
        modules=modules,
        allow_missing=allow_missing,
        exclude=exclude,
        epoch=epoch,
    )


def make_plan(
    session: Session,
    programs: Iterable[str],
    *,
    add: Iterable[str] = (),
    mkdir: Iterable[str] = (),
    modules: Mapping[str, Choice] | None = None,
    allow_missing: Iterable[str] = (),
    exclude: Iterable[str] = (),
    epoch: int = 0,
    output: str | None = None,
) -> Plan:
    """As :func:`plan`, in a session that has read files already.

    ``output`` is what the plan will be written to: an earlier one of that name is not packed.
    """
    request = Request(
        programs=tuple(programs),
        added=tuple(add),
        directories=tuple(mkdir),
        modules=parse_modules(modules or {}),
        allow_missing=tuple(allow_missing),
        exclude=tuple(exclude),
        epoch=epoch,
        output=identity(output) if output is not None else None,
    )
    return Plan(make(session.resolver, session.options, request), session)


def parse_modules(chosen: Mapping[str, Choice]) -> dict[str, object]:
    """The choice of modules with their values parsed.

    Raises:
        RequestError: there is no such module, or its value is not of its form.
    """
    parsed: dict[str, object] = {}
    for name, choice in chosen.items():
        if isinstance(choice, bool):
            _known(name)
            parsed[name] = choice
        else:
            values = (choice,) if isinstance(choice, str) else tuple(choice)
            parsed[name] = tuple(_value(name, value) for value in values)
            _each_once(name, values, parsed[name])
    return parsed


def _each_once(name: str, texts: Sequence[str], values: object) -> None:
    """Refuse two values that speak of the same thing, such as two users of one name."""
    seen: set[object] = set()
    for text, value in zip(texts, values if isinstance(values, tuple) else (), strict=True):
        key = getattr(value, "name", value)
        if key in seen:
            raise RequestError(f"{text!r} is the second of its name", path=name, hint="give one")
        seen.add(key)


def _known(name: str) -> Any:
    found = module(name)
    if found is not None:
        return found
    from difflib import get_close_matches

    names = [m.name for m in MODULES]
    near = get_close_matches(name, names, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise RequestError(
        f"no runtime module is called {name!r}", hint=f"{hint}there are {', '.join(names)}"
    )


def _value(name: str, value: str) -> object:
    try:
        return _known(name).parse(value)
    except ValueError as e:
        raise RequestError(f"cannot take the value {value!r}", path=name, hint=str(e)) from e
