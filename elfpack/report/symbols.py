"""What ``ldd -r`` tells of versions and symbols, in its words and at its places."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.loader.binding import Binding, Lack, MissingVersion, UndefinedSymbol
from elfpack.loader.closure import Closure
from elfpack.loader.identify import MUSL

_WORDS = {
    Lack.MISSING: "version `{}' not found",
    Lack.WEAK: "weak version `{}' not found",
    Lack.UNVERSIONED: "no version information available",
}


def before(closure: Closure, binding: Binding) -> Iterator[str]:
    """The lines that stand before the objects. Source: glibc elf/rtld.c, print_missing_version()."""
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
