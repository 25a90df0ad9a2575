"""What ``ldd -r`` tells of versions and symbols, in its words and at its places."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from elfpack.loader.binding import Binding, Lack, MissingVersion, UndefinedSymbol
from elfpack.loader.closure import Closure
from elfpack.loader.identify import MUSL

_WORDS = {
    Lack.MISSING: "version `{}' not found",
    Lack.WEAK: "weak version `{}' not found",
    Lack.UNVERSIONED: "no version information available",
}


def before(closure: Closure, binding: Binding) -> Iterator[str]:
    """The lines that stand before the objects. Source: glibc elf/rtld.c,
    print_missing_version()."""
    for version in binding.versions:
        yield _version(closure, version)


def after(closure: Closure, binding: Binding) -> Iterator[str]:
    """The lines that stand behind the objects. Source: print_unresolved(); musl ldso/dynlink.c,
    do_relocs()."""
    musl = closure.loader is not None and closure.loader.libc == MUSL
    for symbol in binding.undefined:
        yield _on_musl(closure, symbol) if musl else _undefined(closure, symbol)


def _version(closure: Closure, version: MissingVersion) -> str:
    program, path = _shown(closure, closure.name), _shown(closure, version.path)
    words = _WORDS[version.lack].format(version.version)
    return f"{program}: {path}: {words} (required by {_shown(closure, version.required_by)})"


def _undefined(closure: Closure, symbol: UndefinedSymbol) -> str:
    version = f", version {symbol.version}" if symbol.version is not None else ""
    return f"undefined symbol: {symbol.name}{version}\t({_shown(closure, symbol.object)})"


def _on_musl(closure: Closure, symbol: UndefinedSymbol) -> str:
    return f"Error relocating {_shown(closure, symbol.object)}: {symbol.name}: symbol not found"


def _shown(closure: Closure, name: str) -> str:
    """As the loader calls an object: ldd gives it a path also of a program here."""
    return f"./{name}" if name == closure.name and "/" not in name else name


def properties(binding: Binding) -> dict[str, Any]:
    """A program's ``undefined_symbols``, each once, and ``missing_versions`` in JSON. What the
    loader warns of without stopping is in ``version_warnings``."""
    warnings = [v for v in binding.versions if v.lack is not Lack.MISSING]
    return {
        "undefined_symbols": [symbol._asdict() for symbol in dict.fromkeys(binding.undefined)],
        "missing_versions": [_version_properties(v) for v in binding.missing_versions],
        "version_warnings": [
            {**_version_properties(v), "message": _WORDS[v.lack].format(v.version)}
            for v in warnings
        ],
    }


def _version_properties(version: MissingVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "file": version.file,
        "path": version.path,
        "required_by": version.required_by,
    }


def errors(closure: Closure, binding: Binding) -> list[dict[str, str]]:
    """What kept the loader, or elfpack, from looking at all of a closure."""
    found = [f"{fault.path}: {fault.message}" for fault in binding.faults]
    if binding.stop is not None:
        found.append(f"{binding.stop.path}: it {binding.stop.reason}")
    return [{"path": closure.name, "message": message} for message in found]
