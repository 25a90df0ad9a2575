"""The group of commands, and what becomes of each kind of error."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from elfpack import __version__
from elfpack.cli import options
from elfpack.cli.ending import status_of
from elfpack.cli.ui import Talk, Waiting
from elfpack.errors import ElfpackError

COMMANDS = ("deps", "layer", "image", "check")
"""Each is the function of that name in the module of that name."""


class Interrupted(ElfpackError):
    """The user, or SIGTERM, ended the work."""


class LazyGroup(click.Group):
    """Loads a command's module when it is asked for."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # click would print an empty line first
            raise Interrupted("interrupted", hint="nothing was left behind") from None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"elfpack.cli.{cmd_name}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            raise click.UsageError(f"no command {args[0]!r}: there are {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "obj": None},
    no_args_is_help=False,
)
@click.version_option(__version__, message="elfpack %(version)s")
@options.talk
@click.pass_context
def elfpack(ctx: click.Context) -> None:
    """Find what an ELF program needs to run, and pack it into a minimal root file system.

    Files are read, never run.
    """
    ctx.ensure_object(Talk)


def run(argv: list[str]) -> int:
    """Run a command line; every error is one line and a status."""
    talk = Talk()
    try:
        if sys.stdout is None:  # closed: who prints help or the version by it is told
            sys.stdout = os.fdopen(1, "w", closefd=False)
        with Waiting():
            result: Any = elfpack.main(argv, prog_name="elfpack", standalone_mode=False, obj=talk)
            sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except click.ClickException as e:
        talk.error(_usage(e, argv))
        return 2
    except SystemExit:  # so click leaves when the reader of what it prints has seen enough
        return status_of(BrokenPipeError(), talk)
    except click.Abort:
        return status_of(KeyboardInterrupt(), talk)
    except (Exception, KeyboardInterrupt) as e:
        return status_of(e, talk)


def _usage(error: click.ClickException, argv: list[str]) -> str:
    text = error.format_message().rstrip(".")
    text = " ".join(text.split())
    # click does not tell where an option lacks its value; what stands before a command takes none.
    word = next((word for word in argv if not word.startswith("-")), "")
    command = f"elfpack {word}" if word in COMMANDS else "elfpack"
    return f"{text} ('{command} --help' tells what there is)"
