"""``elfpack layer``: a program and all that it needs, as one layer."""

from __future__ import annotations

from typing import Any

import click

from elfpack.cli import layer_run, options, packing
from elfpack.cli.packing_run import Asked
from elfpack.cli.ui import Talk


@click.command(cls=packing.PackingCommand)
@packing.options_of(
    "*.tar, *.tar.gz, *.tgz or *.tar.zst: a layer; a path ending in /: an unpacked tree; -: a tar "
    "on standard output."
)
@options.talk
@click.pass_obj
def layer(talk: Talk, /, **given: Any) -> int:
    """Write each PROGRAM, and all that it needs at run time, as one layer for an image.

    Equal input gives equal bytes: entries are sorted, owned by 0:0 and dated SOURCE_DATE_EPOCH,
    or 0. A library that is missing is an error, and nothing is written then.
    """
    return layer_run.run(talk, Asked(**given))
