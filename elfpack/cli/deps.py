"""``elfpack deps``: what the loader would load."""

from __future__ import annotations

import click

from elfpack.cli import deps_run, options
from elfpack.cli.deps_forms import FORMS
from elfpack.cli.ui import Talk
from elfpack.errors import RequestError


@click.command()
@click.argument("programs", nargs=-1, metavar="PROGRAM...", type=options.TEXT)
@click.option(
    "--from-file",
    "lists",
    multiple=True,
    type=options.TEXT,
    metavar="LIST",
    help="Also every program that LIST names, separated by NUL if there is one, else by newline; "
    "results come as they are found. A PROGRAM or LIST - is standard input. Can be repeated.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["ldd", *FORMS]),
    default="ldd",
    show_default=True,
    help="How to show it.",
)
@options.search
@click.option(
    "--why",
    type=options.TEXT,
    metavar="NAME",
    help="Show every chain from the program to that library; exit status 1 if nothing loads it.",
)
@click.option(
    "--symbols",
    is_flag=True,
    help="Show unresolved symbols and missing symbol versions too, as ldd -r does.",
)
@options.talk
@click.pass_obj
def deps(
    talk: Talk,
    /,
    programs: tuple[str, ...],
    lists: tuple[str, ...],
    form: str,
    root: str | None,
    library_path: str | None,
    cpu: str | None,
    why: str | None,
    symbols: bool,
    allow_missing: tuple[str, ...],
    exclude: tuple[str, ...],
) -> int:
    """Show what the dynamic loader would load for each PROGRAM, in its order.

    The output is ldd's, without the addresses: scripts that read ldd read it. Exit status 1 if
    a library or the interpreter is missing, 2 if a program cannot be read.
    """
    if why is not None and form != "ldd":
        raise RequestError("has a format of its own", path="--why", hint="leave --format out")
    if why == "":  # most likely a variable of a script that is not set
        raise RequestError("names no library", path="--why", hint="as in --why libz.so.1")
    if not programs and not lists:
        raise click.UsageError("Missing argument 'PROGRAM...'.")
    asked = deps_run.Asked(
        programs, lists, form, root, library_path, cpu, why, symbols, allow_missing, exclude
    )
    return deps_run.run(talk, asked)
