"""From a request to a plan that was held against itself."""

from __future__ import annotations

from dataclasses import replace

from elfpack.errors import IncompleteError
from elfpack.loader.resolve import Options, Resolver
from elfpack.planning import container
from elfpack.planning.assemble import Assembly, assemble
from elfpack.planning.collect import Collection, Collector
from elfpack.planning.entry import Plan
from elfpack.planning.place import Placer
from elfpack.planning.platforms import platforms
from elfpack.planning.request import Request, made_directory
from elfpack.planning.settle import as_root, dangling, differences, finding, search_path


def make(resolver: Resolver, options: Options, request: Request) -> Plan:
    """The plan for a request.

    Raises:
        RequestError: it contradicts itself.
        InputError: something that it names cannot be read.
        IncompleteError: something is missing, or the image could not be right.
    """
    directories = tuple(made_directory(text) for text in request.directories)
    found = Collector(resolver, options, request).run()
    placer = Placer(resolver.files, options.cwd)
    assembly = Assembly(resolver.files)
    assembly.add_all(placer.run(found, directories))
    assembly.add_directories(container.directories(request.config))
    plan = _assemble(assembly, placer, found, request)
    image = as_root(plan)
    asked = options._replace(exclude=request.excluded_names)
    lost = differences(plan, image, asked)
    if lost:
        assembly.add_all(search_path(plan, lost))
        plan = _assemble(assembly, placer, found, request)
        image = as_root(plan)
        lost = differences(plan, image, asked)
    if lost:
        raise IncompleteError(tuple(finding(difference) for difference in lost))
    findings = (*plan.findings, *dangling(plan, image), *container.findings(plan, image))
    return replace(plan, findings=findings, platforms=platforms(plan.programs, resolver.files))


def _assemble(assembly: Assembly, placer: Placer, found: Collection, request: Request) -> Plan:
    return assemble(
        assembly,
        tuple(placer.programs),
        request=request,
        entrypoint=placer.entrypoint,
        findings=tuple(found.findings),
        missing=tuple(dict.fromkeys(found.missing)),
    )
