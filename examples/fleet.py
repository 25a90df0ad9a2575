"""Which programs of which images of a container engine lack something, and what do they need?

    pip install 'elfpack[fleet]'
    python fleet.py                          # all images, one worker process a core
    python fleet.py --json report.json app:1 app:2
    python fleet.py --scheduler tcp://host:8786   # the same on a Dask cluster

Nothing of an image is run or unpacked. Images that share layers are saved together, so that a layer
they share is saved and stored once; images that differ in nothing that counts are looked at once.
Exit status 1 if anything is missing, 2 if an image could not be looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import dask.config
from distributed import Client, LocalCluster, as_completed, get_worker

import elfpack

Report = dict[str, Any]
"""Of one image: plain values, so that they go from process to process and into JSON."""


class Wanted(NamedTuple):
    """An image that is to be looked at."""

    reference: str
    """What ``docker save`` is told: a tag, or an id for an image without one."""
    names: tuple[str, ...]
    """All tags that the report is for."""
    layers: tuple[str, ...]
    """Digests, the lowest first."""


# The engine


def docker(*words: str, host: str) -> bytes:
    """What the engine's client answers. An empty ``host`` is the usual one."""
    environment = {**os.environ, **({"DOCKER_HOST": host} if host else {})}
    return subprocess.run(
        ["docker", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    ).stdout


def wanted(named: Sequence[str], host: str) -> list[Wanted]:
    """The images to look at: those that are named, or all. Equal trees become one."""
    found = list(named)
    if not found:
        found = docker("image", "ls", "--quiet", "--no-trunc", host=host).decode().split()
    if not found:
        return []
    described = json.loads(docker("image", "inspect", "--", *dict.fromkeys(found), host=host))
    alike: dict[object, list[dict[str, Any]]] = {}
    for image in {image["Id"]: image for image in described}.values():
        layers = tuple(image["RootFS"].get("Layers") or ())
        # These decide where libraries are looked for; all else of an image's configuration not.
        config = image["Config"] or {}
        environment = [text for text in config.get("Env") or () if text.startswith("LD_")]
        key = layers, tuple(environment), config.get("WorkingDir")
        alike.setdefault(key if layers else image["Id"], []).append(image)
    return [_wanted(images) for images in alike.values()]


def _wanted(images: list[dict[str, Any]]) -> Wanted:
    tags = sorted(tag for image in images for tag in image["RepoTags"] or ())
    names = tags or [image["Id"] for image in images]
    return Wanted(names[0], tuple(names), tuple(images[0]["RootFS"].get("Layers") or ()))


def groups(images: Iterable[Wanted], most: int) -> Iterator[tuple[Wanted, ...]]:
    """Images that have their lowest layer in common, up to so many at once."""
    # In the order of their layers those that share many stand side by side.
    ordered = sorted(images, key=lambda image: (image.layers, image.names))
    for base, together in groupby(ordered, key=lambda image: image.layers[:1]):
        # Without a tag nothing in an archive tells which image is which: each goes alone.
        rest = list(together)
        size = 1 if not base else most
        tagged = [image for image in rest if not image.reference.startswith("sha256:")]
        yield from ((image,) for image in rest if image not in tagged)
        yield from (tuple(tagged[n : n + size]) for n in range(0, len(tagged), size))


# What a worker does


def scan(group: tuple[Wanted, ...], host: str) -> list[Report]:
    """The reports on the images of a group. Runs in a worker, whose directory holds the archive
    meanwhile."""
    try:
        with tempfile.TemporaryDirectory(dir=get_worker().local_directory) as directory:
            archive = str(Path(directory, "images.tar"))
            docker("save", "-o", archive, "--", *(image.reference for image in group), host=host)
            return list(_reports(archive, group))
    except (OSError, subprocess.CalledProcessError, elfpack.ElfpackError) as e:
        if len(group) > 1:  # one must not spoil it for the others
            return [report for image in group for report in scan((image,), host)]
        said = e.stderr.decode(errors="replace").strip() if hasattr(e, "stderr") else str(e)
        return [{"images": list(group[0].names), "failure": said}]


def _reports(archive: str, group: tuple[Wanted, ...]) -> Iterator[Report]:
    names = {_short(image.reference): image.names for image in group}
    for image in elfpack.images(archive):
        name = group[0].names if len(group) == 1 else names.pop(_short(image.name or ""))
        yield {"images": list(name), **_report(image.session)}


def _short(reference: str) -> str:
    """``docker.io/library/app:1`` and ``app:1`` are one."""
    return reference.removeprefix("docker.io/").removeprefix("library/")


def _report(session: elfpack.Session) -> Report:
    programs = session.programs()
    missing: dict[str, list[str]] = {}
    faults: dict[str, str] = {}
    needs: dict[str, str] = {}
    for result in session.resolve_many(programs):
        if isinstance(result, elfpack.Failure):
            faults[result.path] = result.error.message
            continue
        lost = [library.name for library in result.missing]
        lost += filter(None, (result.missing_interpreter, result.missing_command))
        if lost:
            missing[result.name] = lost
        if result.refusals:
            faults[result.name] = "; ".join(f"{r.path}: {r.reason}" for r in result.refusals)
        for family, version in session.newest_versions(result).items():
            needs[family] = max(needs.get(family, "0"), version, key=_number)
    return {"programs": len(programs), "missing": missing, "faults": faults, "needs": needs}


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


# What the user sees


def lines(reports: Iterable[Report]) -> Iterator[str]:
    """The report as text: a line for each image, one for each program that lacks something."""
    for report in reports:
        name = ", ".join(report["images"])
        if "failure" in report:
            yield f"{name}: could not be looked at: {report['failure']}"
            continue
        glibc = report["needs"].get("GLIBC")
        needs = f"needs glibc {glibc}" if glibc else "needs no glibc"
        count = len(report["missing"].keys() | report["faults"].keys())
        yield f"{name}: programs: {report['programs']}, with faults: {count}, {needs}"
        for program, lost in report["missing"].items():
            yield f"  {program}: missing: {', '.join(lost)}"
        for program, fault in report["faults"].items():
            yield f"  {program}: {fault}"


def status(reports: Iterable[Report]) -> int:
    """The exit status: the worst of all."""
    found = 0
    for report in reports:
        bad = bool(report.get("missing") or report.get("faults"))
        found = max(found, 2 if "failure" in report else int(bad))
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="tags or ids; without any, all")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster to work on")
    parser.add_argument("--workers", type=int, metavar="N", help="processes on this machine")
    parser.add_argument("--together", type=int, default=8, metavar="N", help="images saved at once")
    parser.add_argument(
        "--engine",
        default="",
        metavar="HOST",
        help="where each worker finds the engine: tcp://..., ssh://... (default: as docker does)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the whole report there")
    return parser.parse_args()


def connected(given: argparse.Namespace, stack: ExitStack) -> Client:
    """The cluster that is named, or one of worker processes on this machine."""
    if given.scheduler:
        return stack.enter_context(Client(given.scheduler))
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="elfpack-fleet-"))
    stack.enter_context(dask.config.set({"temporary-directory": scratch}))
    cluster = LocalCluster(
        n_workers=given.workers or os.cpu_count(),
        threads_per_worker=1,
        dashboard_address=None,
    )
    return stack.enter_context(Client(stack.enter_context(cluster)))


def scanned(client: Client, images: list[Wanted], given: argparse.Namespace) -> Iterator[Report]:
    """The reports, as they come."""
    parts = list(groups(images, given.together))
    futures = client.map(scan, parts, host=given.engine, pure=False)
    of = dict(zip(futures, parts, strict=True))
    for future in as_completed(futures):
        fault = future.exception()
        if fault is None:
            yield from future.result()
        else:  # a worker that died, say for want of memory
            yield from ({"images": list(one.names), "failure": str(fault)} for one in of[future])


def main() -> int:
    given = arguments()
    reports: list[Report] = []
    try:
        images = wanted(given.images, given.engine)
        with ExitStack() as stack:
            for report in scanned(connected(given, stack), images, given):
                reports.append(report)
                print(f"{len(reports)} of {len(images)} trees", file=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as e:
        said = getattr(e, "stderr", None)
        print(said.decode(errors="replace").strip() if said else e, file=sys.stderr)
        return 2
    reports.sort(key=lambda report: report["images"])
    for line in lines(reports):
        print(line)
    if given.json:
        Path(given.json).write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    return status(reports)


if __name__ == "__main__":
    sys.exit(main())
