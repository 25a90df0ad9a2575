"""Plans of images: what the configuration asks of the files, and the documents of an image."""

from __future__ import annotations

import io
import tarfile
from typing import NamedTuple

import pytest

from elfpack.errors import RequestError
from elfpack.formats import oci
from elfpack.formats.oci import Descriptor, Platform
from elfpack.formats.reference import parse
from elfpack.pack.oci import before, container, made_by, platform
from elfpack.planning.config import ImageConfig
from elfpack.planning.entry import Directory, Plan
from tests.unit.test_planning import plan_of
from tests.worlds import GLIBC, World

STATIC: World = {"/app": "static"}
PASSWD = "text root:x:0:0::/:/bin/sh\\napp:x:1000:1000::/:\\n+nis\\nbroken\\n"
GROUP = "text root:x:0:\\nstaff:x:50:\\n"
WITH = {**STATIC, "/etc/passwd": PASSWD, "/etc/group": GROUP}
FILES = ("/etc/passwd", "/etc/group")


def image_of(world: World, *programs: str, **config: object) -> Plan:
    made = ImageConfig(**config)  # type: ignore[arg-type]
    return plan_of(world, *programs, config=made)


def directory(plan: Plan, path: str) -> Directory:
    (found,) = (entry for entry in plan.entries if entry.path == path)
    assert isinstance(found, Directory)
    return found


def test_directories_are_made() -> None:
    plan = image_of(STATIC, "/app", workdir="/srv/app", volumes=["/data", "/srv"])
    assert [e.path for e in plan.entries] == ["/app", "/data", "/srv", "/srv/app"]
    assert directory(plan, "/srv/app").reason.source == "workdir"
    assert directory(plan, "/data").reason.source == "volume"
    assert {directory(plan, p).mode for p in ("/data", "/srv", "/srv/app")} == {0o755}
    assert not plan.findings


def test_a_directory_that_is_there_stays_as_it_is() -> None:
    config = ImageConfig(workdir="/data", volumes=["/home/app", "/data"])
    plan = plan_of(
        STATIC,
        "/app",
        config=config,
        directories=("/data:0700:5:6", "/home/app:0750:1000:1000"),
    )
    assert (directory(plan, "/data").mode, directory(plan, "/data").owner) == (0o700, (5, 6))
    assert directory(plan, "/home/app").owner == (1000, 1000)
    assert not plan.findings


def test_a_directory_behind_a_link() -> None:
    world: World = {"/bin": "-> usr/bin", "/usr/bin/app": "static"}
    plan = image_of(world, "/bin/app", workdir="/bin", volumes=["/bin/data"])
    paths = [e.path for e in plan.entries if e.reason.source != "parent"]
    assert paths == ["/bin", "/usr/bin", "/usr/bin/app", "/usr/bin/data"]


@pytest.mark.parametrize("config", [{"workdir": "/app"}, {"volumes": ["/app"]}])
def test_a_file_where_a_directory_is_needed(config: dict[str, object]) -> None:
    with pytest.raises(RequestError, match="/app is no directory"):
        image_of(STATIC, "/app", **config)


@pytest.mark.parametrize("config", [{"workdir": "/app/x"}, {"volumes": ["/app/x"]}])
def test_a_file_on_the_way_to_a_directory(config: dict[str, object]) -> None:
    with pytest.raises(RequestError, match="needs a directory there"):
        image_of(STATIC, "/app", **config)


# The user


@pytest.mark.parametrize(
    "user", ["", "0", "4711", "4711:4712", "app", "root", "app:staff", "app:50", "4711:staff"]
)
def test_user(user: str) -> None:
    plan = plan_of(WITH, "/app", added=FILES, config=ImageConfig(user=user))
    assert container(plan).get("User", "") == user


@pytest.mark.parametrize(
    ("user", "lacking", "hint"),
    [
        ("staff", "/etc/passwd", "--with users=staff:UID:GID"),
        ("+nis", "/etc/passwd", None),
        ("broken", "/etc/passwd", None),
        ("ap", "/etc/passwd", None),
        ("app:app", "/etc/group", "--user app:GID"),
        ("0:wheel", "/etc/group", None),
        ("-1", "/etc/passwd", None),
    ],
)
def test_no_such_user(user: str, lacking: str, hint: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        plan_of(WITH, "/app", added=FILES, config=ImageConfig(user=user))
    assert lacking in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")


def test_no_accounts_at_all() -> None:
    with pytest.raises(RequestError) as caught:
        image_of(STATIC, "/app", user="root")
    assert caught.value.hint == "--with users, or --user UID"


# What is started


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, None),
        ({"entrypoint": ["/app", "x"]}, None),
        ({"entrypoint": ["app"], "env": {"PATH": "/bin:/"}}, None),
        ({"entrypoint": ["./app"]}, None),
        ({"entrypoint": ["../app"], "workdir": "/srv"}, None),
        ({"entrypoint": [], "cmd": ["/app"]}, None),
        ({"entrypoint": []}, None),
        ({"cmd": ["/nope"]}, None),
        ({"entrypoint": ["/nope"]}, "/nope"),
        ({"entrypoint": ["app"]}, "app"),
        ({"entrypoint": ["./app"], "workdir": "/srv"}, "./app"),
        ({"entrypoint": ["/srv"], "workdir": "/srv"}, "/srv"),
        ({"entrypoint": [], "cmd": ["sh"]}, "sh"),
        ({"entrypoint": ["/app x"]}, "/app x"),
    ],
)
def test_entrypoint_that_is_not_there_is_told(config: dict[str, object], told: str | None) -> None:
    plan = image_of(STATIC, "/app", **config)
    assert [f.path for f in plan.findings] == ([told] if told else [])
    assert [f.code for f in plan.findings] == (["no-entrypoint"] if told else [])


def test_library_path_of_the_image_counts() -> None:
    world = {**GLIBC, "/app": "exe needs=libx.so", "/opt/lib/libx.so": "lib"}
    config = ImageConfig(env={"LD_LIBRARY_PATH": "/opt/lib"})
    plain = plan_of(world, "/app", library_path="/opt/lib")
    given = plan_of(world, "/app", library_path="/opt/lib", config=config)
    assert "/etc/ld.so.cache" in {e.path for e in plain.entries}
    assert "/etc/ld.so.cache" not in {e.path for e in given.entries}
    assert "/opt/lib/libx.so" in {e.path for e in given.entries}


def test_working_directory_of_the_image_counts() -> None:
    world = {**GLIBC, "/app": "exe needs=libx.so", "/srv/lib/libx.so": "lib"}
    config = ImageConfig(env={"LD_LIBRARY_PATH": "lib"}, workdir="/srv")
    given = plan_of(world, "/app", library_path="/srv/lib", config=config)
    assert "/etc/ld.so.cache" not in {e.path for e in given.entries}


# Platforms


class Runs(NamedTuple):
    name: str
    world: World
    programs: tuple[str, ...]
    platform: str


X32, I386, S390X = "static machine=x32", "static machine=i386", "static machine=s390x"
ARM5, ARM7 = (f"static machine=arm e_flags={flags}" for flags in (0x5000200, 0x5000400))
SCRIPT = {**GLIBC, "/s": "script #!/bin/b\\n", "/bin/b": "exe"}
RUNS = [
    Runs("static", STATIC, ("/app",), "linux/amd64"),
    Runs("script", SCRIPT, ("/s",), "linux/amd64"),
    Runs("script and program", {**SCRIPT, "/app": "static"}, ("/s", "/app"), "linux/amd64"),
    Runs("two of one machine", {"/a": X32, "/b": "static"}, ("/a", "/b"), "linux/amd64"),
    Runs("the newer variant", {"/a": ARM5, "/b": ARM7}, ("/a", "/b"), "linux/arm/v7"),
    Runs("the newer variant first", {"/a": ARM7, "/b": ARM5}, ("/a", "/b"), "linux/arm/v7"),
]


@pytest.mark.parametrize("case", RUNS, ids=lambda r: r.name)
def test_platform(case: Runs) -> None:
    assert str(platform(image_of(case.world, *case.programs))) == case.platform


@pytest.mark.parametrize(
    ("world", "programs"),
    [
        ({"/a": "static", "/b": I386}, ("/a", "/b")),
        ({"/a": S390X, "/b": I386}, ("/a", "/b")),
        ({**SCRIPT, "/b": I386}, ("/s", "/b")),
        ({"/a": "static", "/b": "static osabi=9"}, ("/a", "/b")),
    ],
)
def test_two_machines(world: World, programs: tuple[str, ...]) -> None:
    plan = image_of(world, *programs)
    with pytest.raises(RequestError) as caught:
        platform(plan)
    assert caught.value.path == programs[1]
    assert programs[0] in caught.value.message


def test_data_of_another_machine_is_data() -> None:
    plan = plan_of({"/a": "static", "/d/b": I386}, "/a", added=("/d",))
    assert str(platform(plan)) == "linux/amd64"


def test_a_plan_without_a_program_has_no_platform() -> None:
    with pytest.raises(RequestError, match="what machine"):
        platform(Plan(entries=(), programs=()))


# Documents

LAYER = Descriptor(oci.LAYER, "sha256:" + 64 * "1", 1024)


def image(*tags: str, **more: object) -> oci.Image:
    given = {"epoch": 0, "created_by": "elfpack image /app", **more}
    names = tuple(map(parse, tags))
    return oci.image(LAYER, Platform("linux", "amd64"), {}, names, **given)  # type: ignore[arg-type]


def text(made: oci.Image, path: str) -> str:
    return dict(made.files)[path].decode()


def test_documents() -> None:
    made = image("hello:1")
    digits = 64 * "1"
    assert text(made, made.config.path) == (
        '{"architecture":"amd64","config":{},"created":"1970-01-01T00:00:00Z",'
        '"history":[{"created":"1970-01-01T00:00:00Z","created_by":"elfpack image /app"}],'
        f'"os":"linux","rootfs":{{"diff_ids":["sha256:{digits}"],"type":"layers"}}}}'
    )
    assert text(made, "oci-layout") == '{"imageLayoutVersion":"1.0.0"}'
    assert text(made, "manifest.json") == (
        f'[{{"Config":"{made.config.path}","Layers":["blobs/sha256/{digits}"],'
        '"RepoTags":["hello:1"]}]'
    )
    assert [file.path for file in made.files] == sorted(file.path for file in made.files)


@pytest.mark.parametrize(
    ("epoch", "shown"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1700000000, "2023-11-14T22:13:20Z"),
        (2**31, "2038-01-19T03:14:08Z"),
        (2**33 - 1, "2242-03-16T12:56:31Z"),
    ],
)
def test_time(epoch: int, shown: str) -> None:
    made = image("a", epoch=epoch)
    assert f'"created":"{shown}"' in text(made, made.config.path)


def test_each_tag_is_found_once() -> None:
    """Readers that know a layout by its tags alone refuse a tag that two descriptors have."""
    index = text(image("a:1", "b:1", "a:2"), "index.json")
    assert index.count('"org.opencontainers.image.ref.name":"1"') == 1
    assert index.count('"org.opencontainers.image.ref.name":"2"') == 1
    for name in ("a:1", "b:1", "a:2"):
        assert f'"io.containerd.image.name":"docker.io/library/{name}"' in index


def test_text_is_utf8() -> None:
    assert oci.dump({"b": 1, "a": "\u00e9\n"}) == '{"a":"\u00e9\\n","b":1}'.encode()


def test_history_names_paths_of_the_image_only() -> None:
    world = {**GLIBC, "/home/me/a": "exe", "/home/me/b": "exe"}
    plan = image_of(world, "/home/me/a:/bin/a", "/home/me/b:/b \x1b")
    assert made_by(plan) == r"elfpack image /bin/a /b \x1b"


@pytest.mark.parametrize("size", [0, 512, 2**33 - 512, 2**33, 10 * 2**33])
@pytest.mark.parametrize("epoch", [0, 2**33 - 1])
def test_what_stands_before_a_layer_has_one_length(size: int, epoch: int) -> None:
    """It is written before the digest is known, and then again."""
    layers = [Descriptor(oci.LAYER, f"sha256:{64 * digit}", size) for digit in "0f"]
    heads = [before(layer, epoch) for layer in layers]
    assert len(heads[0]) == len(heads[1])
    with tarfile.open(fileobj=io.BytesIO(heads[1]), ignore_zeros=True) as tar:
        members = [tar.next() for _ in range(3)]
    found = members[-1]
    assert found is not None
    assert (found.name, found.size, found.mtime) == (layers[1].path, size, epoch)
