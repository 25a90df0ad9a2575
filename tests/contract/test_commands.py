"""The command line itself: versions, help, flags, and what becomes of a bad request."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import click
import pytest

import elfpack as package
from elfpack.cli.main import COMMANDS
from elfpack.runtime import MODULES
from tests.cli import elfpack, one_error, well_spoken

ENV = "/usr/bin/env"


def _command(name: str) -> click.Command:
    module = "elfpack.cli.main" if name == "elfpack" else f"elfpack.cli.{name}"
    command: click.Command = getattr(import_module(module), name)
    return command


EVERY_COMMAND = ("elfpack", *COMMANDS)
OPTIONS = [
    pytest.param(option, id=f"{name} {option.opts[-1]}")
    for name in EVERY_COMMAND
    for option in _command(name).get_params(click.Context(_command(name)))
    if isinstance(option, click.Option)
]


def test_version() -> None:
    ran = elfpack("--version")
    assert (ran.status, ran.out, ran.err) == (0, [f"elfpack {package.__version__}"], [])


def test_script_and_module_are_one(tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("elfpack")
    assert script.exists(), f"elfpack is installed beside {sys.executable}"
    done = subprocess.run([script, "deps", ENV], cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout == elfpack("deps", ENV, cwd=tmp_path).stdout


@pytest.mark.parametrize("command", EVERY_COMMAND)
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(command: str, flag: str) -> None:
    ran = elfpack(*([] if command == "elfpack" else [command]), flag)
    assert (ran.status, ran.err) == (0, [])
    assert ran.out[0].startswith(f"Usage: {'' if command == 'elfpack' else 'elfpack '}{command} ")


@pytest.mark.parametrize("name", EVERY_COMMAND)
def test_help_of_a_command_is_sentences(name: str) -> None:
    for text in filter(None, (_command(name).help, _command(name).epilog)):
        for paragraph in text.split("\n\n"):
            assert paragraph.strip()[0].isupper(), paragraph
            assert paragraph.rstrip().endswith("."), paragraph


@pytest.mark.parametrize("option", OPTIONS)
def test_help_of_an_option_is_sentences(option: click.Option) -> None:
    assert option.help, "every option says what it does"
    assert option.help.endswith("."), option.help
    assert not option.help[0].islower(), option.help


@pytest.mark.parametrize("command", ["layer", "image"])
def test_help_names_every_module(command: str) -> None:
    text = "".join("".join(elfpack(command, "--help").out).split())
    for module in MODULES:
        by_itself = "" if module.when == "only when asked for" else "by itself when "
        words = f"{module.summary}; {by_itself}{module.when}"
        assert module.name in text
        assert "".join(words.split()) in text
        assert module.value is None or f"{module.value}" in text


class Flags(NamedTuple):
    name: str
    before: list[str]
    after: list[str]


QUIET = [
    Flags("-q before", ["-q"], []),
    Flags("-q after", [], ["-q"]),
    Flags("--quiet before", ["--quiet"], []),
    Flags("--quiet after", [], ["--quiet"]),
]


@pytest.mark.parametrize("flags", QUIET, ids=lambda f: f.name)
def test_quiet(flags: Flags) -> None:
    ran = elfpack(*flags.before, "layer", *flags.after, ENV, "--dry-run")
    assert (ran.status, ran.err) == (0, [])
    assert elfpack("layer", ENV, "--dry-run").said("note")


VERBOSE = [Flags("-v before", ["-v"], []), Flags("--verbose after", [], ["--verbose"])]


@pytest.mark.parametrize("flags", VERBOSE, ids=lambda f: f.name)
def test_verbose(flags: Flags) -> None:
    ran = elfpack(*flags.before, "deps", *flags.after, ENV)
    well_spoken(ran)
    assert ran.status == 0
    assert ran.out == elfpack("deps", ENV).out
    assert any("libc.so.6" in line for line in ran.said("note"))


def test_verbose_says_more_of_layer() -> None:
    ran = elfpack("layer", "-v", ENV, "--dry-run")
    well_spoken(ran)
    assert len(ran.err) > len(elfpack("layer", ENV, "--dry-run").err)


class Usage(NamedTuple):
    name: str
    arguments: list[str]
    told: list[str]
    """What the error line has in it."""


USAGES = [
    Usage("no command", [], ["--help"]),
    Usage("unknown command", ["frobnicate"], ["frobnicate", *COMMANDS]),
    Usage("unknown option", ["--frobnicate"], ["--frobnicate"]),
    Usage("unknown option of deps", ["deps", "--frobnicate", ENV], ["--frobnicate"]),
    Usage("unknown option of layer", ["layer", "--frobnicate", ENV], ["--frobnicate"]),
    Usage("unknown option of image", ["image", "--frobnicate", ENV], ["--frobnicate"]),
    Usage("no tag", ["image", ENV, "-o", "a.tar"], ["--tag"]),
    Usage("no output of image", ["image", ENV, "-t", "a"], ["-o"]),
    Usage("nothing to make an image of", ["image", "-t", "a", "-o", "a.tar"], ["PROGRAM"]),
    Usage("unknown option of check", ["check", "--frobnicate", "/"], ["--frobnicate"]),
    Usage("nothing to check", ["check"], ["ROOTFS"]),
    Usage("unknown format of check", ["check", "--format", "xml", "/"], ["xml", "json"]),
    Usage("nothing to look at", ["deps"], ["PROGRAM"]),
    Usage("nothing to pack", ["layer", "-o", "a.tar"], ["PROGRAM"]),
    Usage("unknown format of deps", ["deps", "--format", "yaml", ENV], ["yaml", "ldd", "json"]),
    Usage("unknown format of layer", ["layer", "--format", "yaml", ENV], ["yaml", "json"]),
    Usage("no output", ["layer", ENV], ["-o"]),
    Usage("flag before a command", ["-q", "deps", "--why"], ["--why", "'elfpack deps --help'"]),
    Usage("option without value", ["layer", ENV, "-o"], ["-o", "'elfpack layer --help'"]),
    Usage(
        "unknown module",
        ["layer", ENV, "--dry-run", "--with", "nsss"],
        ["nsss", "did you mean nss?", *(m.name for m in MODULES)],
    ),
    Usage(
        "unknown module switched off",
        ["layer", ENV, "--dry-run", "--without", "nsss"],
        ["nsss", "did you mean nss?", *(m.name for m in MODULES)],
    ),
    Usage(
        "unknown module with a value",
        ["layer", ENV, "--dry-run", "--with", "user=app:1:1"],
        ["user", "did you mean users?"],
    ),
    Usage("bad value", ["layer", ENV, "--dry-run", "--with", "users=app"], ["users", "app:"]),
    Usage("no value taken", ["layer", ENV, "--dry-run", "--with", "libgcc=x"], ["libgcc"]),
    Usage("a program on PATH", ["layer", "env", "-o", "a.tar"], ["no such file here", ENV]),
    Usage("an empty OUT", ["layer", ENV, "-o", ""], ["'': its ending says nothing"]),
    Usage("root that is no directory", ["deps", "--root", "/nowhere", "/x"], ["/nowhere"]),
    Usage("name that steers a terminal", ["\x1b[2J\n"], [r"\x1b[2J"]),
]


@pytest.mark.parametrize("usage", USAGES, ids=lambda u: u.name)
def test_bad_usage(usage: Usage, tmp_path: Path) -> None:
    ran = elfpack(*usage.arguments, cwd=tmp_path)
    well_spoken(ran)
    assert ran.status == 2
    assert ran.stdout == b""
    assert len(ran.err) == 1
    assert ran.err[0].startswith("elfpack: error: ")
    assert ran.err[0].endswith(")"), "says what to do"
    for word in usage.told:
        assert word in ran.err[0]
    assert not list(tmp_path.iterdir())


def test_one_error_line_names_the_file(tmp_path: Path) -> None:
    assert "no such file" in one_error(elfpack("deps", "./nope", cwd=tmp_path), 2, "./nope")


def test_no_colour_in_a_pipe() -> None:
    for command in (["--help"], ["deps", "-v", ENV], ["layer", ENV, "--dry-run"]):
        ran = elfpack(*command)
        assert b"\x1b" not in ran.stdout + ran.stderr
