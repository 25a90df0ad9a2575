"""``elfpack layer``: a program and all that it needs, as one layer."""

from __future__ import annotations

import os
from typing import Any

import click

from elfpack.cli import options, packing
from elfpack.cli.ui import Talk
from elfpack.pack.output import Written, check_output, write
from elfpack.planning.entry import Plan
from elfpack.report import use


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
    target = packing.Target("rootfs.tar", check_output, write, _use)
    return packing.run(talk, target, **given)


def _use(plan: Plan, written: Written) -> str:
    machine, owned = os.uname().machine, os.geteuid() == 0
    return use.command(plan, written.output, written.form, machine, owned=owned)
