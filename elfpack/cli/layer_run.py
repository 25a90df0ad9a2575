"""What ``elfpack layer`` does. Needs no parser of options."""

from __future__ import annotations

import os

from elfpack.cli import packing_run
from elfpack.cli.ui import Talk
from elfpack.pack.output import Written, check_output, write
from elfpack.planning.entry import Plan
from elfpack.report import use


def run(talk: Talk, asked: packing_run.Asked) -> int:
    """Write the layer; the exit status."""
    target = packing_run.Target("rootfs.tar", check_output, write, _use)
    return packing_run.run(talk, target, asked)


def _use(plan: Plan, written: Written) -> str:
    machine, owned = os.uname().machine, os.geteuid() == 0
    return use.command(plan, written.output, written.form, machine, owned=owned)
