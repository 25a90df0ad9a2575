"""What a user should know of a closure besides what it holds."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.elf.file import ElfFile
from elfpack.errors import Finding
from elfpack.loader import hwcaps
from elfpack.loader.closure import Closure
from elfpack.loader.files import PRELOAD_FILE
from elfpack.loader.identify import GLIBC, MUSL, musl_interpreter, usual_interpreters
from elfpack.loader.records import Hit, Kind
from elfpack.loader.resolve import Options, Resolver
from elfpack.loader.tokens import uses_origin
from elfpack.paths import basename


def remarks(resolver: Resolver, closure: Closure, options: Options) -> Iterator[Finding]:
    """Each as a finding: faults to be warned of, and notes."""
    program = closure.program
    if program is None or closure.loader is None:
        return
    if not has_nothing_strange(resolver, closure, options):
        yield from strange(resolver, closure, options)
    if program.hit.path != program.hit.real_path:
        yield from _ldd(resolver, closure, options)


def has_nothing_strange(resolver: Resolver, closure: Closure, options: Options) -> bool:
    """Whether it is plain that :func:`strange` has nothing to say, as of most programs: by one look
    at each object. ``tests/unit/test_common.py`` holds the two together."""
    loader, interpreter, program = closure.loader, closure.interpreter, closure.program
    if loader is None or interpreter is None or program is None or program.place is None:
        return False
    if closure.misses or closure.preloads or closure.secure or not options.preload_file:
        return False
    if not loader.recognised or loader.libc != GLIBC or hwcaps.is_level(options.cpu):
        return False
    if not resolver.starter.mode(interpreter) & program.place.node.mode & 0o111:
        return False
    lacking = ~hwcaps.isa_of(options.cpu, program.hit.elf.abi, options.facts)
    for hit in closure.hits:
        elf = hit.elf
        if elf.isa & lacking or elf.of_musl:
            return False
    return True


def strange(resolver: Resolver, closure: Closure, options: Options) -> Iterator[Finding]:
    """What is rare."""
    yield from _permissions(resolver, closure)
    yield from _loader(resolver, closure)
    if closure.misses:
        yield from _unreadable(resolver, closure, options)
    if closure.preloads or not options.preload_file:
        yield from _preloads(resolver, closure, options)
    if closure.secure:
        yield from _secure(closure, options)
    yield from _cpu(closure, options)
    for hit in foreign(closure):
        yield Finding("wrong-machine", closure.name, told_foreign(hit), "replace that file")


FATAL = ("isa-level", "wrong-machine")
"""Codes of remarks that tell why a program would not start, unless they are notes."""


def foreign(closure: Closure) -> Iterator[Hit]:
    """What musl's loader maps without a look at its machine."""
    if closure.loader is None or closure.loader.libc != MUSL:
        return
    machine = closure.hits[0].elf.header.machine
    for hit in closure.hits:
        if hit.elf.header.machine != machine:
            yield hit


def told_foreign(hit: Hit) -> str:
    """What becomes of it."""
    machine = hit.elf.header.machine_name
    return (
        f"{hit.path} is for another machine ({machine}): the loader maps it, and the program dies"
    )


def _permissions(resolver: Resolver, closure: Closure) -> Iterator[Finding]:
    """What the kernel does not execute. Source: Linux fs/exec.c, do_open_execat()."""
    program, interpreter = closure.program, closure.interpreter
    if interpreter is not None and not resolver.starter.mode(interpreter) & 0o111:
        yield _not_executable(closure, interpreter, "its interpreter ")
    place = None if program is None else program.place
    if place is not None and not place.node.mode & 0o111 and closure.kind != "library":
        yield _not_executable(closure, closure.hits[0])


def _not_executable(closure: Closure, hit: Hit, what: str = "") -> Finding:
    """A warning for an interpreter, which somebody installed so; a note for the program."""
    return Finding(
        "not-executable",
        closure.name,
        f"{what}{hit.path} is not executable: the kernel would not start it",
        f"chmod +x {hit.real_path}",
        note=not what,
    )


def _unreadable(resolver: Resolver, closure: Closure, options: Options) -> Iterator[Finding]:
    """What is missing because it may not be read."""
    missing = {miss.name for miss in closure.misses if miss.refusal is None}
    for path in resolver.search(closure, options).denied if missing else ():
        if path in missing or basename(path) in missing:
            message = f"{path} may not be read: permission denied"
            yield Finding("unreadable", closure.name, message, "run as a user who may read it")


def _loader(resolver: Resolver, closure: Closure) -> Iterator[Finding]:
    assert closure.loader is not None
    loader = closure.loader
    if closure.interpreter is not None and not loader.recognised:
        yield Finding(
            "unknown-loader",
            closure.interpreter.path,
            f"no loader that elfpack knows: {loader.libc}'s rules and usual directories are "
            "assumed",
            "what it really loads may differ",
            note=True,
        )
    yield from wrong_libc(resolver, closure)


def wrong_libc(resolver: Resolver, closure: Closure) -> Iterator[Finding]:
    """A program of one libc, and the loader or a library of the other."""
    assert closure.loader is not None
    loader, elf = closure.loader, closure.hits[0].elf
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
    elif loader.libc == GLIBC:
        strange = [n for n, hit in enumerate(closure.hits) if hit.elf.of_musl]
        if strange:
            yield Finding(
                "wrong-libc",
                closure.label(strange[0]),
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
        if (
            path is not None
            and resolver.starter.open_hit(path, Kind.INTERPRETER, Options()) is not None
        ):
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


def _preloads(resolver: Resolver, closure: Closure, options: Options) -> Iterator[Finding]:
    ignored = resolver.starter.ignored_preloads(closure, options)
    if ignored:
        yield Finding(
            "preload",
            closure.name,
            f"{PRELOAD_FILE} of the root names {_some(ignored)}, which is not counted",
            "it counts for programs of this machine, not inside another root",
            note=True,
        )
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


def _some(names: list[str]) -> str:
    more = f", and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _secure(closure: Closure, options: Options) -> Iterator[Finding]:
    """What the loader ignores because the program is set-id. Source: ld.so(8),
    "secure-execution mode"; glibc elf/dl-load.c, _dl_dst_substitute()."""
    from elfpack.loader.preload import of_variable

    ignored = [f"LD_LIBRARY_PATH={options.library_path}"] if options.library_path else []
    heeded = {wanted.name for wanted in of_variable(options.preload, secure=True)}
    names = [w.name for w in of_variable(options.preload) if w.name not in heeded]
    if names:
        ignored.append(f"LD_PRELOAD={':'.join(names)}")
    counted = {hit.via.written for hit in closure.hits}  # something was found by these after all
    for hit in closure.hits:
        for tag, text in (("RUNPATH", hit.elf.runpath), ("RPATH", hit.elf.rpath)):
            for element in (text or "").split(":"):
                if uses_origin(element) is not None and element not in counted:
                    ignored.append(f"DT_{tag} {element} of {hit.path}")
    if ignored:
        yield Finding(
            "set-id",
            closure.name,
            f"a set-id program, whose loader ignores {_some(ignored)}",
            "for a user who gains its rights",
            note=True,
        )


def _cpu(closure: Closure, options: Options) -> Iterator[Finding]:
    """Objects that the loader refuses on a lesser CPU. Source: glibc sysdeps/x86/dl-prop.h,
    dl_isa_level_check(), since 2.33."""
    loader = closure.loader
    abi, header = closure.hits[0].elf.abi, closure.hits[0].elf.header
    if hwcaps.is_level(options.cpu) and not hwcaps.cpu_of(options.cpu, abi).levels:
        yield Finding(
            "cpu-level",
            closure.name,
            f"{options.cpu} is no level of {header.machine_name}: looked up for the baseline",
            note=True,
        )
    if loader is None or loader.libc != GLIBC or (0, 0) < loader.version < (2, 33):
        return
    lacking = ~hwcaps.isa_of(options.cpu, abi, options.facts)
    for number, hit in enumerate(closure.hits):
        if hit.elf.isa & lacking:
            level = f"x86-64-v{hit.elf.isa.bit_length()}"
            yield Finding(
                "isa-level",
                closure.name,
                f"needs a CPU of level {level}, or the loader stops at {closure.label(number)}: "
                "CPU ISA level is lower than required",
                f"looked up for {_named(options.cpu)}; --cpu {level} looks it up for that one",
                note=options.cpu == hwcaps.BASELINE,
            )


def _named(cpu: str) -> str:
    return {hwcaps.BASELINE: "the baseline", hwcaps.HOST: "this machine's CPU"}.get(cpu, cpu)


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
