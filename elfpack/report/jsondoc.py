r"""``elfpack.deps/1``: closures as JSON.

A name that is not UTF-8 has its odd bytes as the lone surrogates U+DC80 to U+DCFF, written as
``\udcNN`` escapes: Python's surrogateescape turns them back into the bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from elfpack.loader.closure import Borrowed, Closure
from elfpack.loader.program import SEARCH_PATH

SCHEMA = "elfpack.deps/1"


class Described(NamedTuple):
    """What one program comes to in the document."""

    program: dict[str, Any] | None
    """None if it could not be read."""
    errors: tuple[dict[str, str], ...] = ()


def pieces(described: Iterable[Described]) -> Iterator[bytes]:
    """The document as ``json.dumps(..., indent=2)`` would write it, each program as it comes.

    Errors are kept, as they will be written, and stand at the end.
    """
    errors: list[str] = []

    def programs() -> Iterator[str]:
        for one in described:
            errors.extend(_text(error, _INNER) for error in one.errors)
            if one.program is not None:
                yield _text(one.program, _INNER)

    yield f'{{\n  "schema": "{SCHEMA}",\n  "programs": '.encode()
    yield from _array(programs())
    yield b',\n  "errors": '
    yield from _array(errors)
    yield b"\n}\n"


_INNER = "    "
"""What an element of an array of the outermost object is indented by."""


def _array(elements: Iterable[str]) -> Iterator[bytes]:
    """An array that stands in the outermost object."""
    head = "["
    for element in elements:
        yield f"{head}\n{_INNER}{element}".encode()
        head = ","
    yield b"[]" if head == "[" else b"\n  ]"


def _text(value: Any, margin: str) -> str:
    """A value as ``json.dumps(..., indent=2)`` writes it. That leaves a cycle of closures behind
    for each call, 3 KB that no reference counts away."""
    if isinstance(value, dict):
        ends, parts = (
            "{}",
            [f"{json.dumps(key)}: {_text(value[key], margin + _STEP)}" for key in value],
        )
    elif isinstance(value, (list, tuple)):
        ends, parts = "[]", [_text(each, margin + _STEP) for each in value]
    else:
        return json.dumps(value)
    if not parts:
        return ends
    start = f"\n{margin}{_STEP}"
    return f"{ends[0]}{start}{f',{start}'.join(parts)}\n{margin}{ends[1]}"


_STEP = "  "


def described(closure: Closure, borrowed: Iterable[Borrowed]) -> Described:
    """A closure, and where a loader would stop as an error.

    ``borrowed`` are its needs that are met by chance.
    """
    errors = [failed(closure.name, f"{r.path}: {r.reason}") for r in closure.refusals]
    return Described(program(closure, borrowed), tuple(errors))


def failed(path: str, message: str) -> dict[str, str]:
    """What is wrong with a program, by its name."""
    return {"path": path, "message": message}


def program(closure: Closure, borrowed: Iterable[Borrowed]) -> dict[str, Any]:
    """One closure."""
    header = closure.hits[0].elf.header if closure.hits else None
    elf = closure.hits[0].elf if closure.hits else None
    return {
        "path": closure.name,
        "kind": closure.kind,
        "machine": header.machine_name if header else None,
        "bits": header.bits if header else None,
        "endian": ("little" if header.little else "big") if header else None,
        "interpreter": elf.interpreter if elf else None,
        "libc": closure.loader.libc if closure.loader else None,
        "libraries": [
            {
                "name": library.name,
                "path": library.path,
                "real_path": library.real_path,
                "soname": library.soname,
                "found_by": library.found_by,
                "needed_by": list(library.needed_by),
                "role": library.role,
                "hwcaps": library.hwcaps,
            }
            for library in closure.libraries
        ],
        "preloads": _preloads(closure),
        "audit": [name for text in (elf.audit if elf else ()) for name in text.split(":") if name],
        "loaded_before": [
            {
                "name": b.name,
                "needed_by": closure.label(b.requester),
                "path": closure.hits[b.target].path,
                "own_search": b.own,
            }
            for b in borrowed
        ],
        "missing": _missing(closure),
        "excluded": list(closure.excluded),
        "scripts": [
            {"path": s.path, "interpreter": s.interpreter, "command": s.command}
            for s in closure.scripts
        ],
    }


def _preloads(closure: Closure) -> list[dict[str, Any]]:
    return [
        {
            "name": preload.name,
            "source": preload.source,
            "path": closure.hits[preload.target].path if preload.target > 0 else None,
            "reason": preload.reason or None,
        }
        for preload in closure.preloads
    ]


def _missing(closure: Closure) -> list[dict[str, Any]]:
    missing: list[dict[str, Any]] = [
        {"name": m.name, "needed_by": list(m.needed_by), "searched": list(m.searched)}
        for m in closure.missing
    ]
    if closure.missing_command is not None:
        name = closure.missing_command
        missing.append({"name": name, "needed_by": [closure.name], "searched": list(SEARCH_PATH)})
    if closure.missing_interpreter is not None:
        path = closure.missing_interpreter
        missing.append({"name": path, "needed_by": [closure.name], "searched": [path]})
    return missing
