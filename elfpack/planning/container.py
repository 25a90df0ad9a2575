"""What the configuration of an image asks of its files: directories, accounts, the entrypoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elfpack.errors import Finding, RequestError
from elfpack.formats.localearchive import normal as normal_locale
from elfpack.loader.files import TEXT_LIMIT, Files
from elfpack.loader.identify import GLIBC
from elfpack.paths import decode, join
from elfpack.planning.config import ImageConfig, is_number
from elfpack.planning.entry import Directory, Plan, Reason, Regular
from elfpack.planning.put import Put, PutDirectory
from elfpack.root.node import Root

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""PATH of a container whose image has none. Source: moby oci/defaults.go, DefaultPathEnv."""


def directories(config: ImageConfig) -> Iterator[Put]:
    """The working directory and the mount points. Engines make them too, but not in an image that
    is read-only."""
    what = PutDirectory(0o755, (0, 0))
    if config.workdir != "/":
        yield Put(
            config.workdir, what, Reason("workdir"), f"the working directory {config.workdir}"
        )
    for path in config.volumes:
        yield Put(path, what, Reason("volume"), f"the volume {path}")


def findings(plan: Plan, image: Root) -> Iterator[Finding]:
    """What the user should know of how a container will start. ``image`` is the plan as a tree.

    Raises:
        RequestError: the user is not in the image.
    """
    files = Files(image)
    _check_user(plan.config.user, files)
    yield from _permissions(plan, files)
    yield from _environment(plan, files)
    started = _started(plan)
    if started and not _programs(started[0], plan.config, files):
        several = " " in started[0] and "one argument a word: write a JSON array"
        yield Finding(
            "no-entrypoint",
            started[0],
            "is to be started, but no program in the image has that name",
            several or "name it by its path in the image",
        )


def _environment(plan: Plan, files: Files) -> Iterator[Finding]:
    """Variables that name what the image has not: programs go on in UTC, or in the C locale."""
    zone = plan.config.variable("TZ").removeprefix(":")
    if "/" in zone and isinstance(files.find(join(_ZONES, zone)), int):
        yield Finding(
            "no-zone",
            f"TZ={zone}",
            "names a time zone that the image has not, so it would be UTC",
            f"--with tz={zone}",
        )
    if not any(
        p.closure.loader is not None and p.closure.loader.libc == GLIBC for p in plan.programs
    ):
        return
    name = plan.config.variable("LC_ALL") or plan.config.variable("LANG")
    if name in _BUILT_IN:
        return
    places = (name, normal_locale(name), "locale-archive")
    if all(isinstance(files.find(join(_LOCALES, p)), int) for p in places):
        yield Finding(
            "no-locale",
            name,
            "is named by the image's environment, and the image has no such locale",
            f"--with locale={name}",
        )


_ZONES = "/usr/share/zoneinfo"
_LOCALES = "/usr/lib/locale"
_BUILT_IN = ("", "C", "POSIX")


def _started(plan: Plan) -> Sequence[str]:
    """What the user wants to be started; nothing if it is the first program."""
    config = plan.config
    if config.entrypoint is None:
        return () if plan.entrypoint is not None else config.cmd
    return config.entrypoint or config.cmd


def _programs(name: str, config: ImageConfig, files: Files) -> bool:
    """Whether a name stands for an executable file.

    Source: Go os/exec, LookPath(), as runc uses it.
    """
    if "/" in name:
        paths = [join(config.workdir, name)]
    else:
        directories = (config.variable("PATH") or _PATH).split(":")
        paths = [join(join(config.workdir, directory), name) for directory in directories]
    places = [files.find(path) for path in paths]
    return any(
        not isinstance(place, int) and place.node.is_regular and place.node.mode & 0o111
        for place in places
    )


def _check_user(user: str, files: Files) -> None:
    """Source: moby/sys/user, GetExecUser(): names are looked up in the image's own files."""
    name, _, group = user.partition(":")
    if name and not is_number(name) and not _has(name, "/etc/passwd", files):
        switch = "--with users" + ("" if name in ("root", "nobody") else f"={name}:UID:GID")
        raise RequestError(
            "no such user in the image's /etc/passwd", path=name, hint=f"{switch}, or --user UID"
        )
    if group and not is_number(group) and not _has(group, "/etc/group", files):
        raise RequestError(
            "no such group in the image's /etc/group",
            path=group,
            hint=f"--user {name}:GID, or --add a file that has it",
        )


def _has(name: str, path: str, files: Files) -> bool:
    return _row(name, path, files) is not None


def _row(name: str, path: str, files: Files) -> list[str] | None:
    """The fields of a name in a file such as /etc/passwd."""
    raw = files.read_all(path, TEXT_LIMIT)
    lines = decode(raw).split("\n") if isinstance(raw, bytes) else ()
    return next((line.split(":") for line in lines if line.startswith(f"{name}:")), None)


def _permissions(plan: Plan, files: Files) -> Iterator[Finding]:
    """What the image's user may not use. Groups are left aside: all belongs to root's."""
    name = plan.config.user.partition(":")[0]
    row = _row(name, "/etc/passwd", files) or []
    number = name if is_number(name) else "".join(row[2:3])
    if not is_number(number) or int(number) == 0:
        return
    closed = [
        entry.path
        for entry in plan.entries
        if isinstance(entry, (Regular, Directory))
        and entry.owner[0] != int(number)
        and not entry.mode & (0o001 if isinstance(entry, Directory) else 0o004)
    ]
    if closed:
        more = f" and {len(closed) - 1} more" if closed[1:] else ""
        yield Finding(
            "not-permitted",
            closed[0],
            f"the image's user {name} may not use it{more}",
            "chmod o+r files and o+x directories before they are packed, or choose another --user",
        )
