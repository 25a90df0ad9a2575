"""``elfpack check``: is a root file system, tar or image complete?"""

from __future__ import annotations

import click

from elfpack.cli import check_run, options
from elfpack.cli.ui import Talk


@click.command()
@click.argument("rootfs", metavar="ROOTFS", type=options.TEXT)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to show it.",
)
@click.option(
    "--max-unpacked",
    type=options.SIZE,
    metavar="SIZE",
    help="Refuse what unpacks to more, as in 512M or 20G, or lists more than a file for each KiB "
    "of that. Without it that is 4 GiB, or 64 times the size of ROOTFS if that is more, and a file "
    "for each 32 bytes.",
)
@options.talk
@click.pass_obj
def check(talk: Talk, /, rootfs: str, form: str, max_unpacked: int | None) -> int:
    """Tell what the kernel and the loaders would not find in a root file system.

    ROOTFS is a directory, a tar of one (also gzip, zstd or xz), a docker-archive, an OCI image
    layout, or - for a tar on standard input, which an image cannot be: it is read twice. Nothing
    of it is unpacked or run. Each interpreter, library, symbol version or name service module that
    is missing is one line, with what the kernel or the loader would say. Exit status 1 if there is
    any, or if a file in it may not be read; 2 if ROOTFS cannot be read.
    """
    return check_run.run(talk, rootfs, form, max_unpacked)
