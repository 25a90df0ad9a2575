"""What a user should know of a closure besides what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.elf.file import ElfFile
from elfpack.errors import Finding
from elfpack.loader import hwcaps
from elfpack.loader.closure import Closure
from elfpack.loader.identify import GLIBC, MUSL, musl_interpreter, usual_interpreters
from elfpack.loader.records import Kind
from elfpack.loader.resolve import Options, Resolver, wants_musl
from elfpack.loader.tokens import uses_origin
from elfpack.paths import basename


def remarks(resolver: Resolver, closure: Closure, options: Options) -> Iterator[Finding]:
    """Each as a finding: faults to be warned of, and notes."""
    if closure.program is None or closure.loader is None:
        return
    yield from _loader(resolver, closure)
    yield from _preloads(closure)
    yield from _secure(closure, options)
    yield from _isa(closure, options)
    yield from _ldd(resolver, closure, options)


def _loader(resolver: Resolver, closure: Closure) -> Iterator[Finding]:
    assert closure.loader is not None
    loader, elf = closure.loader, closure.hits[0].elf
    if closure.interpreter is not None and not loader.recognised:
        yield Finding(
            "unknown-loader",
            closure.interpreter.path,
            f"no loader that elfpack knows: {loader.libc}'s rules and usual directories are "
            "assumed",
            "what it really loads may differ",
            note=True,
        )
    if closure.missing_interpreter is not None:
        yield from _missing_loader(resolver, closure, elf)
    elif loader.libc == MUSL and _wants_glibc(elf):
        yield Finding(
            "wrong-libc",
            closure.name,
            f"linked with glibc, but {loader.path} is musl's loader, which answers for "
            "libc.so.6 itself and lacks glibc's symbols",
            "use a build for musl, or a root with glibc",
        )
    elif loader.libc == GLIBC and wants_musl(elf):
        yield Finding(
            "wrong-libc",
            closure.name,
            f"linked with musl, but {loader.path} is glibc's loader",
            "use a build for glibc, or a root with musl",
        )


def _missing_loader(resolver: Resolver, closure: Closure, elf: ElfFile) -> Iterator[Finding]:
    """The root has another libc than the program was linked with."""
    missing = closure.missing_interpreter or ""
    of_musl = basename(missing).startswith("ld-musl-")
    if not of_musl and missing not in usual_interpreters(elf.abi):
        return
    others = usual_interpreters(elf.abi) if of_musl else (musl_interpreter(elf.abi),)
    for path in others:
        if path is not None and resolver.open_hit(path, Kind.INTERPRETER, Options()) is not None:
            libcs = (MUSL, GLIBC) if of_musl else (GLIBC, MUSL)
            yield Finding(
                "wrong-libc",
                closure.name,
                f"linked with {libcs[0]}, whose loader {missing} is missing; "
                f"{path} is {libcs[1]}'s",
                f"use a build for {libcs[1]}, or a root with {libcs[0]}",
            )
            return


def _wants_glibc(elf: ElfFile) -> bool:
    return "libc.so.6" in elf.needed or any(n.startswith("ld-linux") for n in elf.needed)


def _preloads(closure: Closure) -> Iterator[Finding]:
    for preload in closure.preloads:
        if preload.target > 0:
            path = closure.hits[preload.target].path
            message = f"{path} is loaded because of {preload.source}"
            yield Finding("preload", closure.name, message, note=True)
        elif preload.reason:
            yield Finding(
                "preload",
                closure.name,
                f"{preload.name} from {preload.source} cannot be preloaded: {preload.reason}",
                "the loader goes on without it",
            )


def _secure(closure: Closure, options: Options) -> Iterator[Finding]:
    """What the loader ignores because the program is set-id. Source: ld.so(8),
    "secure-execution mode"; glibc elf/dl-load.c, _dl_dst_substitute()."""
    program = closure.program
    if program is None or not program.set_id or not options.secure:
        return
    ignored = [
        f"{name}={value}"
        for name, value in (
            ("LD_LIBRARY_PATH", options.library_path),
            ("LD_PRELOAD", options.preload),
        )
        if value and (name == "LD_LIBRARY_PATH" or "/" in value)
    ]
    for hit in closure.hits:
        for tag, text in (("RUNPATH", hit.elf.runpath), ("RPATH", hit.elf.rpath)):
            for element in (text or "").split(":"):
                if uses_origin(element) is not None and not _counts(closure, element):
                    ignored.append(f"DT_{tag} {element} of {hit.path}")
    if ignored:
        yield Finding(
            "set-id",
            closure.name,
            f"a set-id program, whose loader ignores {', '.join(ignored)}",
            "for a user who gains its rights",
            note=True,
        )


def _counts(closure: Closure, element: str) -> bool:
    """Whether something was found through an element after all."""
    return any(hit.via.written == element for hit in closure.hits)


def _isa(closure: Closure, options: Options) -> Iterator[Finding]:
    """Objects that the loader refuses on a lesser CPU. Source: glibc sysdeps/x86/dl-prop.h,
    dl_isa_level_check(), since 2.33."""
    loader = closure.loader
    if loader is None or loader.libc != GLIBC or (0, 0) < loader.version < (2, 33):
        return
    if not any(hit.elf.isa for hit in closure.hits):
        return
    have = hwcaps.cpu_of(options.cpu, closure.hits[0].elf.abi, options.facts).isa
    for hit in closure.hits:
        if hit.elf.isa & ~have:
            level = hit.elf.isa.bit_length()
            host = options.cpu == hwcaps.HOST
            yield Finding(
                "isa-level",
                hit.path,
                f"needs a CPU of level x86-64-v{level}, or the loader stops there: CPU ISA level "
                "is lower than required",
                "this CPU is none" if host else f"looked up for {options.cpu}",
                note=options.cpu == hwcaps.BASELINE,
            )


def _ldd(resolver: Resolver, closure: Closure, options: Options) -> Iterator[Finding]:
    other = resolver.as_ldd(closure, options)
    if other is None or _listed(other) == _listed(closure):
        return
    assert closure.program is not None
    yield Finding(
        "ldd-differs",
        closure.name,
        f"a link to {closure.program.hit.real_path}: executed, $ORIGIN is that file's directory; "
        "ldd on the link takes the link's, and answers otherwise",
        f"ldd {closure.program.hit.real_path} tells the same as here",
        note=True,
    )


def _listed(closure: Closure) -> tuple[object, ...]:
    paths = tuple(hit.path for hit in closure.hits[1:])
    return paths, tuple(miss.name for miss in closure.misses), closure.refusal
