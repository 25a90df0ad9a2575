"""What the configuration of an image asks of its files: directories, accounts, the entrypoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from elfpack.errors import Finding, RequestError
from elfpack.loader.files import TEXT_LIMIT, Files
from elfpack.paths import decode, join
from elfpack.planning.config import ImageConfig, is_number
from elfpack.planning.entry import Plan, Reason
from elfpack.planning.put import Put, PutDirectory
from elfpack.root.tree import TreeRoot

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


def findings(plan: Plan, image: TreeRoot) -> Iterator[Finding]:
    """What the user should know of how a container will start. ``image`` is the plan as a tree.

    Raises:
        RequestError: the user is not in the image.
    """
    files = Files(image)
    _check_user(plan.config.user, files)
    started = _started(plan)
    if started and not _programs(started[0], plan.config, files):
        several = " " in started[0] and "one argument a word: write a JSON array"
        yield Finding(
            "no-entrypoint",
            started[0],
            "is to be started, but no program in the image has that name",
            several or "name it by its path in the image",
        )


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
    raw = files.read_all(path, TEXT_LIMIT)
    if isinstance(raw, int):
        return False
    return any(line.split(":")[0] == name for line in decode(raw).split("\n") if ":" in line)
