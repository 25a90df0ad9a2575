"""A row about a real program: it runs from scratch, and packed naively it does not."""

from __future__ import annotations

from dataclasses import dataclass

from elfpack.runtime import MODULES
from tests.docker.rows import Row


@dataclass(frozen=True)
class Naive:
    """The same program, packed with less; and how that ends."""

    says: str
    """In its output or in its errors."""
    status: int = 1
    layer: str | None = None
    """What stands after ``elfpack layer``. If it is not there, the programs alone, without any
    module: they, their interpreter and what ldd lists."""
    args: str | None = None
    """If it is not there, those of the row."""
    options: tuple[str, ...] | None = None
    """If they are not there, those of the row."""


@dataclass(frozen=True)
class Program(Row):
    """A :class:`Row`; both streams are compared unless it says otherwise."""

    stderr: bool = True
    case: tuple[int, ...] = ()
    """Numbers of :data:`tests.docker.cases.CASES`."""
    naive: tuple[Naive, ...] = ()
    needs: tuple[str, ...] = ()
    """The runtime modules without which this cannot be tested."""


@dataclass(frozen=True)
class Plain(Program):
    """A program that runs when it is packed naively."""

    adds: tuple[str, ...] = ()
    """The modules that may add something, because evidence wants it, and nothing else may."""


BARE = " ".join(f"--without {m.name}" for m in MODULES)
"""No module at all."""
