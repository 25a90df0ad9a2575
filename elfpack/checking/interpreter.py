"""The interpreter of each program: there, for its machine, executable, and of its libc.

Source: Linux fs/binfmt_elf.c, load_elf_binary(); fs/exec.c, do_open_execat().
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from elfpack.checking.above import Judged
from elfpack.checking.executable import is_command
from elfpack.checking.explain import broken_link, said
from elfpack.checking.find import executable
from elfpack.checking.survey import Survey
from elfpack.errors import Finding
from elfpack.loader.remarks import wrong_libc


def rule(seen: Survey) -> Iterator[Finding]:
    """What the kernel would say when somebody starts it."""
    for judged in seen.programs:
        if judged.closure.missing_interpreter is not None:
            if not _is_firmware(seen, judged):
                yield _missing(seen, judged, judged.closure.missing_interpreter)
            continue
        yield from _refused(judged)
        yield from _not_executable(seen, judged)
        for finding in wrong_libc(seen.resolver, judged.closure):
            yield Finding(finding.code, judged.path, _about(judged, finding))


def _is_firmware(seen: Survey, judged: Judged) -> bool:
    """Whether a program is there for a machine that is not the tree's own: nobody may execute it,
    it is no command, and others have their loaders."""
    node, above = judged.at.place.node, seen.above
    if executable(node) or is_command(seen, judged.path) or not above.has_loaders:
        return False
    return above.any_loader(judged.at.elf, None) is None


def _missing(seen: Survey, judged: Judged, path: str) -> Finding:
    told = f"interpreter {path} is missing"
    code = "missing-interpreter"
    link = broken_link(seen.files.walker, path)
    if link is not None:
        code, told = "dangling-link", f"{told}: {link}"
    for finding in wrong_libc(seen.resolver, judged.closure):
        told = f"interpreter {path} is missing: {finding.message}"
    return Finding(code, judged.path, told, quote=said(errno.ENOENT))


def _about(judged: Judged, finding: Finding) -> str:
    """What is told of a library of a program is told of the program."""
    if finding.path == judged.path:
        return finding.message
    return f"{finding.path}: {finding.message}"


def _refused(judged: Judged) -> Iterator[Finding]:
    refusal = judged.closure.refusal
    if refusal is None or refusal.by != "the kernel":
        return
    code, number = "bad-interpreter", errno.ELIBBAD
    if "another machine" in refusal.reason:
        code = "wrong-machine"
    elif "no ELF file" not in refusal.reason:
        yield Finding(
            code,
            judged.path,
            f"interpreter {refusal.path} cannot be opened",
            quote=refusal.reason.lower(),
        )
        return
    reason = refusal.reason.replace("the interpreter is ", "is ")
    reason = reason.replace("an interpreter for", "is for")
    yield Finding(code, judged.path, f"interpreter {refusal.path} {reason}", quote=said(number))


def _not_executable(seen: Survey, judged: Judged) -> Iterator[Finding]:
    interpreter = judged.closure.interpreter
    if interpreter is None:
        return
    place = seen.files.find(interpreter.real_path)
    if not isinstance(place, int) and not executable(place.node):
        yield Finding(
            "not-executable",
            judged.path,
            f"interpreter {interpreter.path} is not executable",
            quote=said(errno.EACCES),
        )
