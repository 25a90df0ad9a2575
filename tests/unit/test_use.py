"""Words for a shell and for JSON are made without shlex and json: they are the same."""

from __future__ import annotations

import json
import random
import re
import shlex

import pytest

from elfpack.planning.entry import Plan
from elfpack.report import use

LETTERS = "aZ0.-_/ \t\n\x7f$~%@+=:,'\"\\\u00e9\u0130\u20ac\udcff"


def texts(seed: int) -> list[str]:
    some = random.Random(seed)
    return ["".join(some.choices(LETTERS, k=some.randrange(9))) for _ in range(2000)]


def name_of(text: str) -> str:
    """The rule, by patterns."""
    stem = re.sub(r"[^a-z0-9._-]+", "-", text.rpartition("/")[2].lower()).strip("._-")
    return re.sub(r"[._-]{2,}", "-", stem) or "image"


@pytest.mark.parametrize("seed", range(3))
def test_command(seed: int) -> None:
    for text in texts(seed):
        plan = Plan(entries=(), programs=(), entrypoint=f"/{text}")
        entrypoint = f"ENTRYPOINT {json.dumps([f'/{text}'])}"
        words = ["docker", "import", "--change", entrypoint, f"{text}.tar", use.name(plan)]
        assert use.command(plan, f"{text}.tar", "tar", "x86_64") == shlex.join(words)


@pytest.mark.parametrize("seed", range(3))
def test_name(seed: int) -> None:
    for text in texts(seed):
        plan = Plan(entries=(), programs=(), entrypoint=f"/bin/{text}")
        assert use.name(plan) == name_of(f"/bin/{text}")
