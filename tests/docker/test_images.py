"""Images in real engines and tools: Docker, podman, skopeo, umoci."""

from __future__ import annotations

import json
import os
import shlex
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, Outcome, run
from tests.docker.packing import PROJECT, build, elfpack, need, words
from tests.ocilayout import Read, of_archive, of_directory

_SAID = (1, b"hello, world\nfrom scratch\n")


@pytest.fixture
def here(tmp_path: Path) -> Path:
    build(("gcc -o hello {src}/hello.c", "gcc -o whoami {src}/whoami.c"), tmp_path)
    return tmp_path


@pytest.fixture
def tag(engine: Engine) -> Iterator[str]:
    """A name that nobody else has; its image is removed in the end."""
    name = f"elfpack-test-{uuid.uuid4().hex}:1"
    yield name
    run(["docker", "rmi", "--force", name], Path("/"))


def image(request: str, tag: str, output: str, cwd: Path) -> str:
    """``elfpack image REQUEST -t TAG -o OUTPUT``: the command of its last note."""
    arguments = ["image", *words(request, cwd), "-t", tag, "-o", output]
    done = elfpack(arguments, cwd)
    assert done.status == 0, f"elfpack {shlex.join(arguments)}: {done}"
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith("elfpack: note: "), last
    return last.removeprefix("elfpack: note: ")


def ran(words: Sequence[str], cwd: Path) -> bytes:
    """What a command that has to succeed prints."""
    done = run(words, cwd)
    assert done.status == 0, f"{shlex.join(words)}: {done}"
    return done.stdout


def contained(tag: str, *options: str, args: Sequence[str] = ()) -> Outcome:
    """A container of an image, as the image's own configuration has it."""
    return run(["docker", "run", "--rm", "--network", "none", *options, tag, *args], Path("/"))


def inspected(tag: str) -> dict[str, Any]:
    (found,) = json.loads(ran(["docker", "image", "inspect", tag], Path("/")))
    assert isinstance(found, dict)
    return found


def loaded(archive: str, tag: str, cwd: Path) -> Read:
    """Load it; the engine has to find what stands in it."""
    assert ran(["docker", "load", "-i", archive], cwd).decode() == f"Loaded image: {tag}\n"
    read = of_archive((cwd / archive).read_bytes())
    found = inspected(tag)
    # An engine with containerd's store calls an image by its manifest.
    names = [descriptor["digest"] for descriptor in (read.manifest["config"], read.described)]
    assert found["Id"] in names
    assert found["RootFS"]["Layers"] == read.config["rootfs"]["diff_ids"]
    assert found["Architecture"] == read.config["architecture"]
    assert found["Os"] == read.config["os"]
    return read


# Docker


def test_load_and_run(tag: str, here: Path, report: Report) -> None:
    told = image("./hello", tag, "hello.tar", here)
    assert told == f"docker load -i hello.tar && docker run --rm {tag}"
    loaded("hello.tar", tag, here)
    outcome = contained(tag, args=["from scratch"])
    equal = outcome[:2] == _SAID
    report(Line("image of hello", 1, outcome.status, equal, (here / "hello.tar").stat().st_size))
    assert equal, outcome


def test_the_command_that_is_told(tag: str, here: Path) -> None:
    told = image("./hello", tag, "an image.tar", here)
    assert ran(["sh", "-c", told], here).endswith(b"\nhello, world\n")


def test_through_a_pipe(tag: str, here: Path) -> None:
    done = elfpack(["image", "./hello", "-t", tag, "-o", "-"], here)
    assert done.status == 0, done
    assert run(["docker", "load"], here, stdin=done.stdout).status == 0
    assert contained(tag).stdout == b"hello, world\n"


def test_two_names(tag: str, here: Path) -> None:
    other = tag.replace(":1", ":two")
    image(f"./hello -t {other}", tag, "hello.tar", here)
    ran(["docker", "load", "-i", "hello.tar"], here)
    try:
        assert inspected(tag)["Id"] == inspected(other)["Id"]
    finally:
        run(["docker", "rmi", "--force", other], here)


def test_configuration(tag: str, here: Path) -> None:
    image(
        "./whoami --with users=app:1000:1001 --user app --workdir /srv/app --env GREETING=hi "
        '--cmd \'["a b", "c"]\' --expose 80 --expose 53/udp --label k=v --volume /data '
        "--stop-signal QUIT",
        tag,
        "whoami.tar",
        here,
    )
    read = loaded("whoami.tar", tag, here)
    found = inspected(tag)["Config"]
    for key, value in read.container.items():
        assert found[key] == value, key
    said = contained(tag)
    assert said.stdout.decode().splitlines() == [
        "app(1000) app(1001)",
        "/srv/app",
        "GREETING=hi HOME=/home/app",
        "a b",
        "c",
    ], said


@pytest.mark.parametrize(
    ("user", "more", "says"),
    [
        ("app", "--with users=app:1000:1001", "app(1000) app(1001)"),
        ("nobody", "", "nobody(65534) nogroup(65534)"),
        ("root:nogroup", "", "root(0) nogroup(65534)"),
        ("1234", "", "?(1234) root(0)"),
        ("1234:5678", "", "?(1234) ?(5678)"),
    ],
)
def test_user(user: str, more: str, says: str, tag: str, here: Path) -> None:
    image(f"./whoami --user {user} {more}", tag, "whoami.tar", here)
    loaded("whoami.tar", tag, here)
    said = contained(tag)
    assert said.stdout.decode().splitlines()[0] == says, said


def test_entrypoint_of_words(tag: str, here: Path) -> None:
    image('./hello ./whoami --entrypoint \'["/whoami", "x"]\' --cmd y', tag, "x.tar", here)
    loaded("x.tar", tag, here)
    assert contained(tag).stdout.decode().splitlines()[-2:] == ["x", "y"]
    assert contained(tag, args=["z"]).stdout.decode().splitlines()[-2:] == ["x", "z"]


def test_volume_and_workdir_in_a_read_only_container(tag: str, here: Path) -> None:
    image("./whoami --workdir /srv --volume /data", tag, "x.tar", here)
    loaded("x.tar", tag, here)
    assert contained(tag, "--read-only").stdout.decode().splitlines()[1] == "/srv"


def test_library_path_of_the_image(tag: str, here: Path) -> None:
    """A library that only LD_LIBRARY_PATH leads to, in the image by the same variable."""
    (here / "lib").mkdir()
    recipe = (
        "gcc -shared -fPIC -o lib/libgreet.so {src}/greet.c",
        "gcc -o greeter {src}/greeter.c -Llib -lgreet",
    )
    build(recipe, here)
    request = f"./greeter --library-path {here}/lib --env LD_LIBRARY_PATH={here}/lib"
    image(request, tag, "x.tar", here)
    loaded("x.tar", tag, here)
    said = contained(tag)
    outside = run(["./greeter"], here, {"LD_LIBRARY_PATH": str(here / "lib")})
    assert said[:2] == outside[:2], said


@pytest.mark.parametrize(
    ("machine", "architecture", "variant"),
    [("aarch64", "arm64", "v8"), ("armhf", "arm", "v7"), ("s390x", "s390x", "")],
)
def test_of_another_machine(
    machine: str, architecture: str, variant: str, tag: str, here: Path
) -> None:
    library = PROJECT / "tests/fixtures" / machine / "libanswer.so.1"
    image(f"{library}:/lib/libanswer.so.1", tag, "x.tar", here)
    loaded("x.tar", tag, here)
    found = inspected(tag)
    assert (found["Architecture"], found.get("Variant", "")) == (architecture, variant)


# The tools that read OCI images


_SKOPEO = ["skopeo", "--insecure-policy"]


def copied(source: str, out: str, cwd: Path) -> Read:
    """``skopeo copy`` to a layout, which has the same layer and configuration."""
    need("skopeo")
    ran([*_SKOPEO, "copy", source, f"oci:{out}:1"], cwd)
    found = json.loads(ran([*_SKOPEO, "inspect", "--config", f"oci:{out}:1"], cwd))
    read = of_archive((cwd / "hello.tar").read_bytes())
    assert found["rootfs"] == {**read.config["rootfs"], "type": "layers"}
    assert found["config"] == read.container
    assert found["created"] == read.config["created"]
    assert [h["created_by"] for h in found["history"]] == ["elfpack image /hello"]
    return read


def unpacked(layout: str, bundle: str, cwd: Path) -> None:
    """``umoci unpack``: the program is there and runs."""
    need("umoci")
    ran(["umoci", "unpack", "--rootless", "--image", layout, bundle], cwd)
    rootfs = cwd / bundle / "rootfs"
    assert (rootfs / "hello").read_bytes() == (cwd / "hello").read_bytes()
    outcome = run(["chroot", str(rootfs), "/hello", "from scratch"], cwd)
    assert outcome[:2] == _SAID, outcome
    spec = json.loads((cwd / bundle / "config.json").read_text())
    assert spec["process"]["args"] == ["/hello"]


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_skopeo_and_umoci(kind: str, here: Path) -> None:
    image("./hello --env A=b --label k=v", "hello:1", "hello.tar", here)
    copied(f"{kind}:hello.tar", "out", here)
    unpacked("out:1", "bundle", here)


def test_skopeo_finds_the_names(here: Path) -> None:
    need("skopeo")
    image("./hello -t hello:2", "hello:1", "hello.tar", here)
    for source in ("docker-archive:hello.tar:hello:2", "oci-archive:hello.tar:2"):
        ran([*_SKOPEO, "copy", source, f"oci:{source.partition(':')[0]}:1"], here)


def test_directory_for_skopeo_and_umoci(here: Path) -> None:
    image("./hello", "hello:1", "hello.tar", here)
    told = image("./hello", "hello:1", "layout/", here)
    assert told == "skopeo copy oci:layout:1 docker-daemon:hello:1"
    assert of_directory(here / "layout") == of_archive((here / "hello.tar").read_bytes())
    copied("oci:layout:1", "out", here)
    unpacked("layout:1", "bundle", here)
    unpacked("out:1", "other-bundle", here)
    need("umoci")
    stat = json.loads(ran(["umoci", "stat", "--image", "layout:1", "--json"], here))
    assert len(stat["history"]) == 1


def test_directory_into_the_engine(tag: str, here: Path) -> None:
    need("skopeo")
    told = image("./hello", tag, "layout/", here)
    command = shlex.split(told)
    assert command[:2] == ["skopeo", "copy"]
    host = os.environ.get("DOCKER_HOST")
    where = ["--dest-daemon-host", host] if host else []
    ran([*_SKOPEO, "copy", *where, *command[2:]], here)
    assert contained(tag).stdout == b"hello, world\n"


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ("", ["docker.io/library/hello:1"]),
        # An archive of several names is a docker-archive to podman, whose short names are local.
        ("-t host:5000/me/hello:2", ["host:5000/me/hello:2", "localhost/hello:1"]),
    ],
)
def test_podman(more: str, names: list[str], here: Path) -> None:
    need("podman")
    image(f"./hello {more}", "hello:1", "hello.tar", here)
    (here / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    with TemporaryDirectory() as short:  # podman takes a runroot of 50 characters at most
        podman = ["podman", "--storage-driver=vfs", f"--root={short}/r", f"--runroot={short}/s"]
        ran([*podman, "load", "--signature-policy", "policy.json", "-i", "hello.tar"], here)
        (found,) = json.loads(ran([*podman, "image", "inspect", "hello:1"], here))
    read = of_archive((here / "hello.tar").read_bytes())
    assert f"sha256:{found['Id']}" == read.manifest["config"]["digest"]
    assert sorted(found["RepoTags"]) == names
    assert found["Config"]["Entrypoint"] == ["/hello"]
