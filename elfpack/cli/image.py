"""``elfpack image``: a program and all that it needs, as an image with its configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from elfpack.cli import options, packing, packing_run
from elfpack.cli.ui import Talk
from elfpack.errors import RequestError
from elfpack.formats.reference import Reference
from elfpack.pack import oci
from elfpack.pack.oci import WrittenImage
from elfpack.planning import config
from elfpack.planning.config import ImageConfig
from elfpack.planning.entry import Plan
from elfpack.report import imagedoc, plandoc, use

F = TypeVar("F", bound=Callable[..., Any])


def _option(*names: str, metavar: str, words: str, multiple: bool = False) -> Callable[[F], F]:
    return click.option(
        *names,
        type=options.TEXT,
        metavar=metavar,
        multiple=multiple,
        help=words + (" Can be repeated." if multiple else ""),
    )


_CONFIG = (
    _option(
        "--entrypoint",
        metavar="WORD|JSON",
        words='What is started, one word or ["WORD", "WORD"]; by default the first PROGRAM.',
    ),
    _option(
        "--cmd",
        metavar="WORD|JSON",
        words='Its arguments unless others are given, one word or ["WORD", "WORD"].',
    ),
    _option("--env", metavar="NAME=VALUE", words="A variable of the environment.", multiple=True),
    _option(
        "--user",
        metavar="NAME|UID[:GROUP|GID]",
        words="Who runs it. Names have to be in the image's /etc/passwd and /etc/group.",
    ),
    _option("--workdir", metavar="DIR", words="The working directory; made if it is not there."),
    _option(
        "--expose", metavar="PORT[/PROTOCOL]", words="A port that it listens on.", multiple=True
    ),
    _option("--label", metavar="KEY=VALUE", words="A label of the image.", multiple=True),
    _option("--volume", metavar="DIR", words="A mount point for data that stays.", multiple=True),
    _option("--stop-signal", metavar="SIGNAL", words="What ends it instead of SIGTERM."),
)


def _configured(function: F) -> F:
    for option in reversed(_CONFIG):
        function = option(function)
    return function


@click.command(cls=packing.PackingCommand)
@packing.options_of(
    "*.tar: a docker-archive that is an OCI image layout at once; a path ending in /: that layout "
    "as a directory; -: the archive on standard output."
)
@click.option(
    "-t",
    "--tag",
    "tags",
    type=options.TEXT,
    multiple=True,
    required=True,
    metavar="NAME[:TAG]",
    help="The name of the image. Can be repeated.",
)
@_configured
@options.talk
@click.pass_obj
def image(talk: Talk, /, *, tags: tuple[str, ...], **given: Any) -> int:
    """Write each PROGRAM, and all that it needs at run time, as an image that engines load.

    What is packed, and how, is as for layer. Equal input gives equal bytes and so equal digests.
    """
    names = oci.parse_tags(tags)
    chosen = {name: given.pop(name) for name in _NAMES}
    target = packing_run.Target(
        "image.tar",
        oci.check_output,
        lambda plan, output: oci.write(plan, output, names),
        lambda plan, made: use.image_command(plan, made.output, names, os.uname().machine),
        config=_config(**chosen),
        examine=oci.platform,
        document=lambda plan, made, used: _document(plan, made, used, names),
    )
    return packing_run.run(talk, target, packing_run.Asked(**given))


_NAMES = (
    *("entrypoint", "cmd", "env", "user", "workdir", "expose", "label", "volume"),
    "stop_signal",
)


def _config(
    *,
    entrypoint: str | None,
    cmd: str | None,
    env: Iterable[str],
    user: str | None,
    workdir: str | None,
    expose: tuple[str, ...],
    label: Iterable[str],
    volume: tuple[str, ...],
    stop_signal: str | None,
) -> ImageConfig:
    """
    Raises:
        RequestError: a value is none of its kind.
    """
    for name, value in (("--user", user), ("--workdir", workdir), ("--stop-signal", stop_signal)):
        if value == "":  # most likely a variable of a script that is not set
            raise RequestError("is empty", path=name, hint="leave it out")
    return ImageConfig(
        entrypoint=None if entrypoint is None else config.words(entrypoint),
        cmd=() if cmd is None else config.words(cmd),
        env=dict(map(config.pair, env)),
        user=user or "",
        workdir="/" if workdir is None else workdir,
        exposed_ports=expose,
        labels=dict(map(config.pair, label)),
        volumes=volume,
        stop_signal=stop_signal or "",
    )


def _document(
    plan: Plan, made: WrittenImage | None, used: str | None, tags: tuple[Reference, ...]
) -> dict[str, Any]:
    output, size = (made.output, made.size) if made is not None else (None, None)
    return imagedoc.document(
        plandoc.document(plan, output, size, used),
        oci.platform(plan),
        tags,
        oci.container(plan),
        made.image if made is not None else None,
    )
