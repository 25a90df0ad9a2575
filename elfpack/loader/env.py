"""The command that ``env`` runs, for scripts that begin ``#!/usr/bin/env``.

Source: GNU coreutils, src/env.c and its manual, "env invocation".
"""

from __future__ import annotations

_TAKE_A_WORD = {"-u", "--unset", "-C", "--chdir", "-a", "--argv0"}
"""Options whose value may be the next word."""
_SPLIT = "--split-string"


def env_command(argument: str) -> str | None:
    """The command of ``env ARGUMENT FILE``; None if it would be FILE itself.

    The kernel passes all that follows ``env`` on the first line as one argument; ``-S`` splits it.
    """
    words = _words(argument)
    while words:
        word = words.pop(0)
        if word in _TAKE_A_WORD:
            del words[:1]
        elif word == "--":
            return words[0] if words else None
        elif not word.startswith("-") and "=" not in word:
            return word
    return None


def _words(argument: str) -> list[str]:
    if argument.startswith(_SPLIT):
        return argument.removeprefix(_SPLIT).lstrip("= \t").split()
    if argument.startswith("-") and not argument.startswith("--"):
        # Short options in one word, as -vS: what follows the S is split.
        before, split, after = argument.partition("S")
        if split and before.strip("-iv0") == "":
            return after.split()
    return [argument]
