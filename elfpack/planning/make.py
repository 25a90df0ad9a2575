"""From a request to a plan that was held against itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from elfpack.errors import Finding, IncompleteError
from elfpack.loader.resolve import Options, Resolver
from elfpack.planning import container
from elfpack.planning.additions import opened_objects
from elfpack.planning.assemble import Assembly, assemble
from elfpack.planning.collect import Collection, Collector
from elfpack.planning.entry import Plan
from elfpack.planning.place import Placer
from elfpack.planning.platforms import platforms
from elfpack.planning.request import Request, made_directory
from elfpack.planning.searchpath import SearchPath
from elfpack.planning.settle import Image, dangling, differences, image_of, told, unloaded
from elfpack.planning.view import ClosureView


def make(resolver: Resolver, options: Options, request: Request) -> Plan:
    """The plan for a request.

    Raises:
        RequestError: it contradicts itself, or wants what is not installed.
        InputError: something that it names cannot be read.
        IncompleteError: something is missing, or the image could not be right.
    """
    finish = _finisher(request)
    directories = tuple(made_directory(text) for text in request.directories)
    collector = Collector(resolver, options, request)
    found = collector.run()
    placer = Placer(resolver.files, options.cwd)
    assembly = Assembly(resolver.files, keep_privileges=request.keep_privileges)
    assembly.add_all(placer.run(found, directories))
    assembly.add_directories(container.directories(request.config))
    plan = finish(_assemble(assembly, placer, found, request))
    asked = options._replace(exclude=request.excluded_names)
    search_path = SearchPath(resolver.files)
    for _ in range(_ROUNDS):
        image = image_of(plan, asked, resolver)
        lost = differences(plan, image, resolver, asked)
        if not lost:
            return _complete(plan, image, resolver, collector.view())
        if not search_path.add(lost):
            break
        assembly.revise(search_path.puts())
        plan = finish(_assemble(assembly, placer, found, request))
    raise IncompleteError(tuple(search_path.conflicts) or tuple(map(told, lost)))


_ROUNDS = 4
"""Times that the plan is looked at: as it is, with what comes from outside the loader's own ways,
with the rest of what is lost, and once more."""


def _complete(plan: Plan, image: Image, resolver: Resolver, view: ClosureView) -> Plan:
    """What a plan that is right tells besides."""
    findings = (
        *plan.findings,
        *dangling(plan, image),
        *unloaded(plan, image),
        *container.findings(plan, image.tree),
    )
    return plan._replace(
        findings=findings,
        hints=cache(lambda: _hints(plan, image, resolver, view)),
        platforms=platforms(plan.programs, resolver.files),
    )


def _hints(plan: Plan, image: Image, resolver: Resolver, view: ClosureView) -> tuple[Finding, ...]:
    from elfpack.planning.hints import hints  # late: not everybody wants to hear them

    return tuple(hints(plan, view, resolver.files, image.tree))


def _assemble(assembly: Assembly, placer: Placer, found: Collection, request: Request) -> Plan:
    return assemble(
        assembly,
        tuple(placer.programs),
        request=request,
        opened=tuple(opened_objects(found)),
        entrypoint=placer.entrypoint,
        findings=tuple(found.findings),
        missing=tuple(dict.fromkeys(found.missing)),
    )


def _finisher(request: Request) -> Callable[[Plan], Plan]:
    """What is done to each plan before it is held against itself.

    Raises:
        RequestError: that needs what is not installed.
    """
    if not request.strip:
        return lambda plan: plan
    from elfpack.planning.finish import Stripper  # late, for the few who want it

    return Stripper().run
