"""A container engine, spoken to through its command line."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
"""What a program gets, on the host as in the container."""
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*")
"""Source: distribution reference/regexp.go, path-component."""
_SECONDS = 300
"""More than any command here takes on a slow machine."""


class Outcome(NamedTuple):
    """How a program ended, and what it said."""

    status: int
    """As a shell has it: 128 and the number of the signal."""
    stdout: bytes
    stderr: bytes

    def __str__(self) -> str:
        said = (self.stdout + self.stderr).decode("utf-8", "replace")
        return f"status {self.status}\n{said}"


def run(
    words: Sequence[str],
    cwd: Path,
    env: dict[str, str] | None = None,
    stdin: bytes = b"",
) -> Outcome:
    """A command, to its end."""
    done = subprocess.run(
        words, cwd=cwd, env=env, input=stdin, capture_output=True, check=False, timeout=_SECONDS
    )
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return Outcome(status, done.stdout, done.stderr)


def on_host(words: Sequence[str], cwd: Path, env: dict[str, str] | None = None) -> Outcome:
    """A program on this machine, with nothing in its environment that a container has not."""
    return run(words, cwd, {**ENVIRONMENT, **(env or {})})


class Image(NamedTuple):
    """An image of one of the layers; it lives as long as its ``with`` block."""

    name: str

    def run(self, args: Sequence[str], *options: str) -> Outcome:
        """A container of it, with its own entrypoint, and without a network unless the options
        name one."""
        words = ["docker", "run", "--rm"]
        words += [] if "--network" in options else ["--network", "none"]
        for key, value in ENVIRONMENT.items():
            words += ["--env", f"{key}={value}"]
        return run([*words, *options, self.name, *args], Path("/"))


class Engine:
    """The engine of the environment: DOCKER_HOST, or the default socket."""

    @contextmanager
    def imported(self, told: str, cwd: Path, stdin: bytes = b"") -> Iterator[Image]:
        """The image that a ``docker import`` command makes.

        ``told`` is the command as elfpack tells it; only the image's name is replaced. It may be
        a pipeline whose first part makes the tar.
        """
        *makers, importing = _pipeline(told)
        if importing[:2] != ["docker", "import"]:
            raise AssertionError(f"no docker import: {told}")
        if not _REPOSITORY.fullmatch(importing[-1]):
            raise AssertionError(f"no name for an image: {importing[-1]}")
        for maker in makers:
            made = run(maker, cwd)
            assert made.status == 0, f"{shlex.join(maker)}: {made}"
            stdin = made.stdout
        name = f"elfpack-test-{uuid.uuid4().hex}"
        done = run([*importing[:-1], name], cwd, stdin=stdin)
        assert done.status == 0, f"{told}: {done}"
        try:
            yield Image(name)
        finally:
            run(["docker", "rmi", "--force", name], cwd)


def _pipeline(line: str) -> list[list[str]]:
    """``a | b`` as lists of words."""
    parts: list[list[str]] = [[]]
    for word in shlex.split(line):
        if word == "|":
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def find() -> Engine | None:
    """The engine, if one answers."""
    try:
        answer = run(["docker", "version", "--format", "{{.Server.Version}}"], Path("/"))
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Engine() if answer.status == 0 and answer.stdout.strip() else None


def required() -> bool:
    """Whether nothing may be skipped."""
    return os.environ.get("ELFPACK_REQUIRE_ENGINE") == "1"


ABORTED = 128 + signal.SIGABRT
