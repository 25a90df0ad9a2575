"""How an output is used: the command that makes an image of it."""

from __future__ import annotations

import json
import re
import shlex

from elfpack.elf.file import Abi
from elfpack.paths import basename
from elfpack.planning.entry import HardLink, Plan, Regular

_PLATFORMS = {
    "x86_64": "linux/amd64",
    "i686": "linux/386",
    "aarch64": "linux/arm64",
    "ppc64le": "linux/ppc64le",
    "s390x": "linux/s390x",
    "riscv64": "linux/riscv64",
    "loongarch64": "linux/loong64",
    "mips64": "linux/mips64le",
}
"""Machines as container engines name them. Source: OCI image-spec, config.md; Go's GOARCH."""


def platform(abi: Abi, machine: str) -> str | None:
    """``linux/arm64`` for a machine; None for one that engines do not know."""
    if machine == "armv7l":
        return "linux/arm/v7" if abi.flags & 0x400 else "linux/arm/v6"
    return _PLATFORMS.get(machine)


def command(plan: Plan, output: str, form: str, host: str) -> str:
    """The ``docker import`` command for an output; ``host`` is this machine, as uname -m has it."""
    words = ["docker", "import"]
    machine = plan.programs[0].closure.hits[0].elf.header.machine_name if plan.programs else host
    if plan.abi is not None and not _runs_here(machine, host):
        named = platform(plan.abi, machine)
        if named is not None:
            words += ["--platform", named]
    if plan.entrypoint is not None:
        # Exec form: an image from scratch has no shell to split a line at spaces.
        words += ["--change", f"ENTRYPOINT {json.dumps([plan.entrypoint])}"]
    makers = {
        "tree": f"tar {_attributes(plan)}-C {shlex.quote(output)} -c .",
        "tar.zst": f"zstd -dc {shlex.quote(output)}",  # engines do not import it
    }
    words += ["-" if form in makers else output, name(plan)]
    line = " ".join(map(shlex.quote, words))
    return f"{makers[form]} | {line}" if form in makers else line


def _attributes(plan: Plan) -> str:
    """The options by which GNU tar takes capabilities along. It has none for a second name, by
    which an engine that sets the owner once more takes them away."""
    able = [e for e in plan.entries if isinstance(e, (Regular, HardLink)) and e.capability]
    if not able:
        return ""
    whole = "--hard-dereference " if any(isinstance(e, HardLink) for e in able) else ""
    return f"--xattrs --xattrs-include=security.capability {whole}"


def _runs_here(machine: str, host: str) -> bool:
    return machine == host or (machine.startswith("armv") and host.startswith("armv"))


def name(plan: Plan) -> str:
    """A name for the image: the program's, as far as a repository may be called so."""
    stem = re.sub(r"[^a-z0-9._-]+", "-", basename(plan.entrypoint or "").lower()).strip("._-")
    return re.sub(r"[._-]{2,}", "-", stem) or "image"
