"""How an output is used: the command that makes an image of it, or runs it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from elfpack.light import TYPE_CHECKING
from elfpack.paths import basename
from elfpack.planning.entry import HardLink, Plan, Regular

if TYPE_CHECKING:
    from elfpack.formats.reference import Reference


def command(plan: Plan, output: str, form: str, host: str, *, owned: bool = True) -> str:
    """The ``docker import`` command for an output; ``host`` is this machine, as uname -m has it.
    ``owned`` is whether a tree belongs to whom it should: without root it is the user's."""
    words = ["docker", "import"]
    words += _platform(plan, host)
    if plan.entrypoint is not None:
        # Exec form: an image from scratch has no shell to split a line at spaces.
        words += ["--change", f"ENTRYPOINT [{_json(plan.entrypoint)}]"]
    owner = "" if owned else "--owner=0 --group=0 "
    makers = {
        "tree": f"tar {_attributes(plan)}{owner}-C {_quoted(output)} -c .",
        "tar.zst": f"zstd -dc {_quoted(output)}",  # engines do not import it
    }
    words += ["-" if form in makers else output, name(plan)]
    line = _joined(words)
    return f"{makers[form]} | {line}" if form in makers else line


def _attributes(plan: Plan) -> str:
    """The options by which GNU tar takes capabilities along. It has none for a second name, by
    which an engine that sets the owner once more takes them away."""
    able = [e for e in plan.entries if isinstance(e, (Regular, HardLink)) and e.capability]
    if not able:
        return ""
    whole = "--hard-dereference " if any(isinstance(e, HardLink) for e in able) else ""
    return f"--xattrs --xattrs-include=security.capability {whole}"


def image_command(plan: Plan, output: str, tags: Sequence[Reference], host: str) -> str:
    """The command that loads an image and runs it, or copies its layout to where it can be run."""
    reference = tags[0]
    if output.endswith("/"):
        source = f"oci:{output.rstrip('/') or '/'}:{reference.tag}"
        return _joined(["skopeo", "copy", source, f"docker-daemon:{reference.familiar}"])
    load = ["docker", "load"] + (["-i", output] if output != "-" else [])
    run = ["docker", "run", "--rm", *_platform(plan, host), reference.familiar]
    return f"{_joined(load)} && {_joined(run)}"


def _platform(plan: Plan, host: str) -> list[str]:
    """The option that says so if a plan is for another machine."""
    machine = plan.programs[0].closure.hits[0].elf.header.machine_name if plan.programs else host
    if _runs_here(machine, host) or not plan.platforms:
        return []
    # v8 is the one that arm64 stands for, and not every engine takes it in words.
    platform = plan.platforms[0][0]
    if platform.architecture == "arm64":
        platform = platform._replace(variant="")
    return ["--platform", str(platform)]


def _runs_here(machine: str, host: str) -> bool:
    return machine == host or (machine.startswith("armv") and host.startswith("armv"))


def name(plan: Plan) -> str:
    """A name for the image: the program's, as far as a repository may be called so."""
    letters = basename(plan.entrypoint or "").lower()
    stem = "".join(c if c in _NAMING else "-" for c in letters).strip(_BETWEEN)
    runs = ("".join(run) for _, run in groupby(stem, _BETWEEN.__contains__))
    return "".join("-" if run[0] in _BETWEEN and run[1:] else run for run in runs) or "image"


_BETWEEN = "._-"
_NAMING = frozenset(f"abcdefghijklmnopqrstuvwxyz0123456789{_BETWEEN}")


def _json(text: str) -> str:
    """As ``json.dumps``, which is not loaded for what needs no escape."""
    if text.isascii() and text.isprintable() and not _ESCAPED.intersection(text):
        return f'"{text}"'
    import json

    return json.dumps(text)


_ESCAPED = frozenset('"\\')


def _quoted(text: str) -> str:
    """As ``shlex.quote``; shlex imports re."""
    if text and _SAFE.issuperset(text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-")


def _joined(words: Sequence[str]) -> str:
    return " ".join(map(_quoted, words))
