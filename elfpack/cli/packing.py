"""The options that ``layer`` and ``image`` share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from elfpack.cli import options
from elfpack.runtime import MODULES
from elfpack.runtime.module import RuntimeModule

F = TypeVar("F", bound=Callable[..., Any])


class PackingCommand(click.Command):
    """A command whose help ends with the table of runtime modules."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(_switch(m), f"{m.summary}; {_by_itself(m)}") for m in MODULES]
        with formatter.section("Runtime modules, for --with and --without"):
            formatter.write_dl(rows)


def _switch(module: RuntimeModule) -> str:
    if module.value is None:
        return module.name
    return (
        f"{module.name}={module.value}" if module.needs_value else f"{module.name}[={module.value}]"
    )


def _by_itself(module: RuntimeModule) -> str:
    asked = module.when == "only when asked for"
    return module.when if asked else f"by itself when {module.when}"


def options_of(output_help: str) -> Callable[[F], F]:
    """PROGRAMs and all options that say what is packed, for a command with such an OUT."""

    def decorate(function: F) -> F:
        for option in reversed((_PROGRAMS, _output(output_help), *_WHAT)):
            function = option(function)
        return function

    return decorate


_PROGRAMS = click.argument(
    "programs", nargs=-1, required=True, metavar="PROGRAM[:DEST]...", type=options.TEXT
)


def _output(words: str) -> Callable[[F], F]:
    return click.option("-o", "--output", type=options.TEXT, metavar="OUT", help=words)


_WHAT: tuple[Callable[[Any], Any], ...] = (
    click.option(
        "--add",
        type=options.TEXT,
        multiple=True,
        metavar="SRC[:DEST]",
        help="Also this file or directory; ELF files in it get what they need. Can be repeated.",
    ),
    click.option(
        "--mkdir",
        type=options.TEXT,
        multiple=True,
        metavar="PATH[:MODE[:UID:GID]]",
        help="Also an empty directory. Can be repeated.",
    ),
    click.option(
        "--with",
        "switched_on",
        type=options.TEXT,
        multiple=True,
        metavar="MODULE[=VALUE]",
        help="Switch a runtime module on. Can be repeated.",
    ),
    click.option(
        "--without",
        "switched_off",
        type=options.TEXT,
        multiple=True,
        metavar="MODULE",
        help="Switch a runtime module off. Can be repeated.",
    ),
    options.search,
    click.option(
        "--strip", is_flag=True, help="Drop symbol and debug sections from the ELF files packed."
    ),
    click.option(
        "--keep-privileges",
        is_flag=True,
        help="Keep setuid and setgid bits and file capabilities, which are dropped otherwise.",
    ),
    click.option("--dry-run", is_flag=True, help="Print the plan and write nothing."),
    click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="Of the plan and of the summary.",
    ),
)
