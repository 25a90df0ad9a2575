r"""``elfpack.deps/1``: closures as JSON.

A name that is not UTF-8 has its odd bytes as the lone surrogates U+DC80 to U+DCFF, written as
``\udcNN`` escapes: Python's surrogateescape turns them back into the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from elfpack.errors import ElfpackError
from elfpack.loader.closure import Borrowed, Closure
from elfpack.loader.program import SEARCH_PATH

SCHEMA = "elfpack.deps/1"


def document(
    results: Iterable[Closure | tuple[str, ElfpackError]],
    borrowed: Callable[[Closure], Iterable[Borrowed]],
) -> dict[str, Any]:
    """The whole document. Programs that could not be read are in ``errors``, by their names.

    ``borrowed`` tells of a closure which needs are met by chance.
    """
    programs: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    for result in results:
        if isinstance(result, Closure):
            programs.append(program(result, borrowed(result)))
            for refusal in result.refusals:
                message = f"{refusal.path}: {refusal.reason}"
                errors.append({"path": result.name, "message": message})
        else:
            path, error = result
            errors.append({"path": path, "message": error.message})
    return {"schema": SCHEMA, "programs": programs, "errors": errors}


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
