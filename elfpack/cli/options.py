"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from elfpack.cli.surroundings import text
from elfpack.cli.ui import Talk

F = TypeVar("F", bound=Callable[..., Any])


class Text(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A string that may hold any bytes."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        return text(value)


TEXT = Text()
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}


class Size(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Bytes, with a unit if they are many."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        digits = value.rstrip("KMGTkmgt")
        unit = value[len(digits) :].upper()
        is_number = digits.isascii() and digits.isdigit() and len(digits) < 12
        if not is_number or not int(digits) or unit not in _UNITS:
            self.fail(f"{text(value)!r} is no size: write 512M or 4G")
        return int(digits) << _UNITS[unit]


SIZE = Size()


def _set(kind: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            setattr(ctx.ensure_object(Talk), kind, True)

    return callback


def talk(function: F) -> F:
    """``-q`` and ``-v``, taken before and after the command's name."""
    for flags, kind, words in (
        (("-v", "--verbose"), "verbose", "Explain every search step."),
        (("-q", "--quiet"), "quiet", "Silence notes."),
    ):
        option = click.option(
            *flags, is_flag=True, expose_value=False, callback=_set(kind), help=words
        )
        function = option(function)
    return function


def search(function: F) -> F:
    """Where and how names are looked up."""
    for option in reversed(
        (
            click.option(
                "--root",
                type=TEXT,
                metavar="DIR",
                help="Look everything up inside DIR, as if chrooted; PROGRAM is a path in DIR. "
                "Works for any architecture.",
            ),
            click.option(
                "--library-path",
                type=TEXT,
                metavar="DIRS",
                help="LD_LIBRARY_PATH of the program. Without it the variable of the environment "
                "counts, if the root is /.",
            ),
            click.option(
                "--cpu",
                type=TEXT,
                metavar="LEVEL",
                help="Which glibc-hwcaps subdirectories count: host, baseline, x86-64-v2, "
                "x86-64-v3, ...",
            ),
            click.option(
                "--allow-missing",
                type=TEXT,
                multiple=True,
                metavar="GLOB",
                help="Needed names that may be missing. Can be repeated.",
            ),
            click.option(
                "--exclude",
                type=TEXT,
                multiple=True,
                metavar="GLOB",
                help="Needed names that are neither listed nor followed. Can be repeated.",
            ),
        )
    ):
        function = option(function)
    return function
