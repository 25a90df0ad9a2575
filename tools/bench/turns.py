"""Lets the commands of a contest take turns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tools.bench.runs import Command, Ran, WrongError, run
from tools.bench.table import Figure, median


class Pair(NamedTuple):
    """A row's two commands, by their names in the contest; of a row of memory only the first."""

    key: str
    ours: str
    peer: str = ""


class Contest(NamedTuple):
    commands: Mapping[str, Command]
    pairs: Sequence[Pair]
    turns: int = 7
    seconds: float = 20
    """No turn begins after these, once there were LEAST."""
    warm: bool = True
    """A first turn does not count. Where commands take long, it makes no difference."""
    here: Mapping[str, str] = {}
    """What a row is about on this machine."""
    absent: Mapping[str, str] = {}
    """Why a command is not here."""


LEAST = 3
"""Turns that there are, however long they take."""


def measure(
    contest: Contest, wanted: set[str], turns: int | None, env: Mapping[str, str]
) -> list[Figure]:
    """The figures of the rows that are wanted."""
    pairs = [pair for pair in contest.pairs if pair.key in wanted]
    used = {name for pair in pairs for name in (pair.ours, pair.peer)}
    used -= contest.absent.keys()
    commands = {name: command for name, command in contest.commands.items() if name in used}
    ran, wrong = _take_turns(commands, contest, turns, env)
    wrong.update(contest.absent)
    return [_figure(pair, ran, wrong, contest.here.get(pair.key, "")) for pair in pairs]


def _take_turns(
    commands: dict[str, Command], contest: Contest, turns: int | None, env: Mapping[str, str]
) -> tuple[dict[str, list[Ran]], dict[str, str]]:
    """What each run took, by command, and what went wrong with which."""
    ran: dict[str, list[Ran]] = {name: [] for name in commands}
    wrong: dict[str, str] = {}
    first: dict[str, Ran] = {}
    start = time.monotonic()
    for turn in range(-contest.warm, turns or contest.turns):
        if turn == 0:
            start = time.monotonic()
        elif turns is None and turn >= LEAST and time.monotonic() - start > contest.seconds:
            break
        for name, command in commands.items():
            if name in wrong or (turn != 0 and not command.again):
                continue
            try:
                done = _checked(command, first.get(name), env)
            except WrongError as e:
                wrong[name] = str(e)
                continue
            first.setdefault(name, done)
            if turn >= 0:
                ran[name].append(done)
    return ran, wrong


def _checked(command: Command, first: Ran | None, env: Mapping[str, str]) -> Ran:
    done = run(command, env)
    if first is None:
        if command.proof:
            command.proof()
    elif first.left != done.left:
        raise WrongError(f"other output than before: {done.left} bytes, not {first.left}")
    return done


def _figure(
    pair: Pair, ran: Mapping[str, list[Ran]], wrong: Mapping[str, str], here: str
) -> Figure:
    for name in (pair.ours, pair.peer):
        if name in wrong:
            return Figure(pair.key, here=here, wrong=wrong[name])
    ours = ran[pair.ours]
    figure = Figure(
        pair.key, here, seconds=median([r.seconds for r in ours]), peak=max(r.peak for r in ours)
    )
    if not pair.peer:
        return figure
    peer = ran[pair.peer]
    return figure._replace(
        peer=median([r.seconds for r in peer]),
        ratio=_ratio([r.seconds for r in ours], [r.seconds for r in peer]),
        cpu=_ratio([r.cpu for r in ours], [r.cpu for r in peer]),
    )


def _ratio(ours: list[float], peer: list[float]) -> float:
    """The median of the turns' ratios; of what ran once only, the ratio of the medians."""
    if len(ours) != len(peer):
        ours, peer = [median(ours)], [median(peer)]
    return median([a / max(b, 1e-3) for a, b in zip(ours, peer, strict=True)])
