"""Programs for another machine than the image, or than the other programs beside them."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator

from elfpack.checking.executable import is_command
from elfpack.checking.explain import said
from elfpack.checking.find import ElfAt
from elfpack.checking.start import entry_place
from elfpack.checking.survey import Survey
from elfpack.errors import Finding

_RUNS = {
    "386": ("i686",),
    "amd64": ("x86_64", "i686"),
    "arm": ("armv7l",),
    "arm64": ("aarch64", "armv7l"),
    "loong64": ("loongarch64",),
    "mips64le": ("mips64",),
    "ppc64le": ("ppc64le",),
    "riscv64": ("riscv64",),
    "s390x": ("s390x", "s390"),
}
"""What runs on a machine that engines call so. Source: OCI image-spec, config.md; Go's GOARCH."""


def rule(seen: Survey) -> Iterator[Finding]:
    """Commands, and what the image starts: other programs may be there for other machines."""
    commands = [at for at in _all(seen) if is_command(seen, at.path)]
    entry = entry_place(seen)
    if entry is not None:
        commands += [a for a in _all(seen) if a.place == entry and a not in commands]
    runs = _RUNS.get(seen.config.architecture)
    what = f"the image is for {seen.config.architecture}"
    if runs is None:
        machine = _usual(commands)
        runs = next((names for names in _RUNS.values() if machine in names[:1]), (machine,))
        what = f"the others are for {machine}"
    for at in commands:
        own = at.elf.header.machine_name
        if own not in runs:
            told = f"is for another machine ({own}); {what}"
            yield Finding("wrong-machine", at.path, told, quote=said(errno.ENOEXEC))


def _all(seen: Survey) -> list[ElfAt]:
    return [*[judged.at for judged in seen.programs], *seen.static]


def _usual(commands: list[ElfAt]) -> str:
    counted = Counter(at.elf.header.machine_name for at in commands)
    return counted.most_common(1)[0][0] if counted else ""
