"""Is a root file system complete? One file a rule, one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from elfpack.checking import (
    broken,
    executable,
    interpreter,
    libraries,
    machine,
    nss,
    preload,
    scripts,
    start,
    versions,
)
from elfpack.checking.report import Checked
from elfpack.checking.survey import Survey, survey
from elfpack.errors import Finding
from elfpack.formats.container import ContainerConfig
from elfpack.light import TYPE_CHECKING
from elfpack.paths import sort_key
from elfpack.root.node import Root

if TYPE_CHECKING:
    from typing import Final


Rule = Callable[[Survey], Iterator[Finding]]
"""What is wrong with a tree, in one respect. Pure: same tree, same findings."""

RULES: Final[tuple[Rule, ...]] = (
    start.rule,
    broken.rule,
    interpreter.rule,
    scripts.rule,
    libraries.rule,
    versions.rule,
    machine.rule,
    executable.rule,
    preload.rule,
    nss.rule,
)
"""All rules, in the order in which their findings of one file are told."""


def check(root: Root, config: ContainerConfig | None = None) -> Checked:
    """What the kernel and the loaders in a tree would not find there.

    ``config`` is that of the image, whose environment and entrypoint count.
    """
    found = survey(root, config or ContainerConfig())
    told = dict.fromkeys(finding for rule in RULES for finding in rule(found))
    findings = sorted(told, key=lambda finding: sort_key(finding.path))
    return Checked(tuple(findings), found.counts, found.unread)
