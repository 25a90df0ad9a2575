"""``elfpack image``: what its outputs hold, and what it refuses."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import elfpack as package
from tests.cli import Ran, elfpack, environment, one_error, well_spoken
from tests.contract.tree import (
    described,
    library,
    members,
    obey_permissions,
    plant,
    program,
    rows,
    static,
    system,
    tar,
)
from tests.elfbuild import elf
from tests.ocilayout import Read, of_archive, of_directory

TAG = ("-t", "hello:1")
PASSWD = "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    return plant(
        tmp_path,
        {
            "app": static(),
            "other": static() + b"x",
            "i386": elf(type=2, machine=3, bits=32),
            "etc/passwd": PASSWD,
            "etc/group": "staff:x:50:\n",
        },
    )


def image(cwd: Path, *arguments: str, out: str = "out.tar", **variables: str) -> tuple[Read, Ran]:
    """The image of ``./app`` with these arguments."""
    env = environment(**variables)
    ran = elfpack("image", "./app", *TAG, *arguments, "-o", out, cwd=cwd, env=env)
    well_spoken(ran)
    assert ran.status == 0, ran.err
    assert ran.stdout == b""
    if out.endswith("/"):
        return of_directory(cwd / out), ran
    return of_archive((cwd / out).read_bytes()), ran


def test_archive(here: Path) -> None:
    read, ran = image(here)
    assert read.repo_tags == ["hello:1"]
    assert read.names == [
        {
            "io.containerd.image.name": "docker.io/library/hello:1",
            "org.opencontainers.image.ref.name": "1",
        }
    ]
    assert read.container == {"Entrypoint": ["/app"]}
    assert (read.config["os"], read.config["architecture"]) == ("linux", "amd64")
    assert read.config["history"][0]["created_by"] == "elfpack image /app"
    assert read.layer == tar("./app", cwd=here), "the layer is what elfpack layer writes"
    size = (here / "out.tar").stat().st_size
    assert ran.said("note")[-2:] == [
        f"out.tar: 1 entries, {size} bytes",
        "docker load -i out.tar && docker run --rm hello:1",
    ]
    assert size % 10240 == 0, "whole records, as tar writes them"


def test_directory(here: Path) -> None:
    read, ran = image(here, out="out/")
    archive, _ = image(here)
    assert read == archive
    assert ran.said("note")[-1] == "skopeo copy oci:out:1 docker-daemon:hello:1"
    size = sum(p.stat().st_size for p in (here / "out").rglob("*") if p.is_file())
    assert f"{size} bytes" in ran.said("note")[-2]


def test_standard_output(here: Path) -> None:
    _, _ = image(here)
    ran = elfpack("image", "./app", *TAG, "-o", "-", cwd=here)
    assert ran.status == 0
    assert ran.stdout == (here / "out.tar").read_bytes()
    assert ran.said("note")[-1] == "docker load && docker run --rm hello:1"


def test_several_names(here: Path) -> None:
    read, ran = image(here, "-t", "host:5000/a/b", "--tag", "hello:2", "-t", "hello:1")
    assert read.repo_tags == ["hello:1", "host:5000/a/b:latest", "hello:2"]
    assert [n["io.containerd.image.name"] for n in read.names] == [
        "docker.io/library/hello:1",
        "host:5000/a/b:latest",
        "docker.io/library/hello:2",
    ]
    assert ran.said("note")[-1].endswith("--rm hello:1")


class Option(NamedTuple):
    name: str
    arguments: list[str]
    expected: dict[str, Any]
    """Of the container's configuration; a None is what must not be there."""


OPTIONS = [
    Option("entrypoint", ["--entrypoint", "/app"], {"Entrypoint": ["/app"]}),
    Option(
        "entrypoint array", ["--entrypoint", '["/app", "a b"]'], {"Entrypoint": ["/app", "a b"]}
    ),
    Option("no entrypoint", ["--entrypoint", "[]", "--cmd", "/app"], {"Entrypoint": None}),
    Option("cmd", ["--cmd", "two words"], {"Cmd": ["two words"], "Entrypoint": ["/app"]}),
    Option("cmd array", ["--cmd", '["-v", ""]'], {"Cmd": ["-v", ""]}),
    Option("env", ["--env", "B=1", "--env", "A=", "--env", "B=2=3"], {"Env": ["B=2=3", "A="]}),
    Option("user", ["--user", "1000:50"], {"User": "1000:50"}),
    Option("user of users", ["--user", "app", "--with", "users=app:1:2"], {"User": "app"}),
    Option(
        "root of users", ["--user", "root:nogroup", "--with", "users"], {"User": "root:nogroup"}
    ),
    Option(
        "user of an added file",
        ["--user", "app:staff", "--add", "etc/passwd", "--add", "etc/group"],
        {"User": "app:staff"},
    ),
    Option("workdir", ["--workdir", "/srv//app/"], {"WorkingDir": "/srv/app"}),
    Option("workdir /", ["--workdir", "/"], {"WorkingDir": None}),
    Option(
        "expose",
        ["--expose", "80", "--expose", "53/udp", "--expose", "80/tcp"],
        {"ExposedPorts": {"53/udp": {}, "80/tcp": {}}},
    ),
    Option("expose a range", ["--expose", "8-9"], {"ExposedPorts": {"8/tcp": {}, "9/tcp": {}}}),
    Option("label", ["--label", "b=1", "--label", "a=x=y"], {"Labels": {"a": "x=y", "b": "1"}}),
    Option("volume", ["--volume", "/b", "--volume", "/a"], {"Volumes": {"/a": {}, "/b": {}}}),
    Option("stop signal", ["--stop-signal", "quit"], {"StopSignal": "SIGQUIT"}),
    Option("stop number", ["--stop-signal", "3"], {"StopSignal": "3"}),
    Option("text that is not ASCII", ["--label", "a=\u00e9"], {"Labels": {"a": "\u00e9"}}),
]


@pytest.mark.parametrize("case", rows(OPTIONS))
def test_option(case: Option, here: Path) -> None:
    read, ran = image(here, *case.arguments, LC_ALL="C")
    assert {key: read.container.get(key) for key in case.expected} == case.expected
    assert not ran.said("warning")


def test_directories_of_the_configuration(here: Path) -> None:
    read, _ = image(here, "--workdir", "/w", "--volume", "/v", "--mkdir", "/v:0700:5:6")
    found = members(read.layer)
    assert (found["/w"].mode, found["/w"].uid) == (0o755, 0)
    assert (found["/v"].mode, found["/v"].uid, found["/v"].gid) == (0o700, 5, 6)


def test_entrypoint_that_is_not_there(here: Path) -> None:
    _, ran = image(here, "--entrypoint", "/app --verbose")
    (line,) = ran.said("warning")
    assert line.startswith("/app --verbose: ")
    assert "JSON array" in line


@pytest.mark.parametrize("epoch", ["", "1700000000", str(2**33 - 1)])
def test_source_date_epoch(epoch: str, here: Path) -> None:
    read, _ = image(here, SOURCE_DATE_EPOCH=epoch)
    with_epoch = {m.mtime for m in members((here / "out.tar").read_bytes()).values()}
    assert with_epoch == {m.mtime for m in members(read.layer).values()} == {int(epoch or 0)}
    assert read.config["created"].startswith(("1970", "2023-11-14T22:13:20Z", "2242"))


def test_library_path_of_the_image(tmp_path: Path) -> None:
    """A library that the image's own environment leads to needs no cache."""
    root = system(
        tmp_path / "root",
        {"/app": program("libx.so"), "/opt/lib/libx.so": library("libx.so")},
    )
    common = ("/app", "--root", root, "--library-path", "/opt/lib")
    env = ("--env", "LD_LIBRARY_PATH=/opt/lib")
    plain = elfpack("image", *common, *TAG, "-o", "a.tar", cwd=tmp_path)
    given = elfpack("image", *common, *TAG, *env, "-o", "b.tar", cwd=tmp_path)
    assert (plain.status, given.status) == (0, 0)
    assert "/etc/ld.so.cache" in members(of_archive((tmp_path / "a.tar").read_bytes()).layer)
    assert "/etc/ld.so.cache" not in members(of_archive((tmp_path / "b.tar").read_bytes()).layer)


# Other machines


MACHINES = {
    "aarch64": ("arm64", "v8", "linux/arm64"),
    "armhf": ("arm", "v7", "linux/arm/v7"),
    "i686": ("386", None, "linux/386"),
    "ppc64le": ("ppc64le", None, "linux/ppc64le"),
    "riscv64": ("riscv64", None, "linux/riscv64"),
    "s390x": ("s390x", None, "linux/s390x"),
}
FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.mark.parametrize("machine", MACHINES)
def test_machine(machine: str, tmp_path: Path) -> None:
    file = FIXTURES / machine / "libanswer.so.1"
    ran = elfpack("image", f"{file}:/lib/x.so", *TAG, "-o", "a.tar", cwd=tmp_path)
    assert ran.status == 0, ran.err
    config = of_archive((tmp_path / "a.tar").read_bytes()).config
    architecture, variant, platform = MACHINES[machine]
    assert (config["architecture"], config.get("variant")) == (architecture, variant)
    if os.uname().machine == "x86_64":
        assert f"docker run --rm --platform {platform} hello:1" in ran.said("note")[-1]


# What is refused


class Wrong(NamedTuple):
    name: str
    arguments: list[str]
    subject: str
    fact: str = ""


WRONG = [
    Wrong("upper-case name", ["-t", "Hello"], "Hello", "did you mean hello?"),
    Wrong("no name", ["-t", ""], "''"),
    Wrong("digest", ["-t", "a@sha256:" + 64 * "0"], "a@sha256:" + 64 * "0", "digest"),
    Wrong("variable without value", ["--env", "HOME"], "HOME", "NAME=VALUE"),
    Wrong("variable without name", ["--env", "=x"], "=x", "NAME=VALUE"),
    Wrong("label without value", ["--label", "a"], "a", "NAME=VALUE"),
    Wrong("port", ["--expose", "http"], "http", "53/udp"),
    Wrong("two ports", ["--expose", "80 81"], "80 81"),
    Wrong("signal", ["--stop-signal", "SIGNOPE"], "SIGNOPE", "SIGTERM"),
    Wrong("relative workdir", ["--workdir", "srv"], "srv", "write /srv"),
    Wrong("relative volume", ["--volume", "data"], "data", "write /data"),
    Wrong("whole volume", ["--volume", "/"], "/"),
    Wrong("broken array", ["--cmd", '["a"'], '["a"', "double quotes"),
    Wrong("array of numbers", ["--entrypoint", "[1]"], "[1]"),
    Wrong("empty entrypoint", ["--entrypoint", ""], "''"),
    Wrong("empty user", ["--user", ""], "--user", "leave it out"),
    Wrong("user of two colons", ["--user", "a:b:c"], "a:b:c"),
    Wrong("value that is not UTF-8", ["--env", "A=\udcff"], r"\xff", "UTF-8"),
    Wrong("id too large", ["--user", "2147483648"], "2147483648"),
]


@pytest.mark.parametrize("case", rows(WRONG))
def test_bad_usage_is_told_before_the_work(case: Wrong, tmp_path: Path) -> None:
    arguments = ("./nope", *TAG, *case.arguments, "-o", "out.tar")
    fact = one_error(elfpack("image", *arguments, cwd=tmp_path), 2, case.subject)
    assert case.fact in fact
    assert not list(tmp_path.iterdir())


LATER = [
    Wrong("unknown user", ["./app", "--user", "app"], "app", "--with users=app:UID:GID"),
    Wrong("root without accounts", ["./app", "--user", "root"], "root", "--with users"),
    Wrong("unknown group", ["./app", "--user", "0:staff"], "staff", "/etc/group"),
    Wrong("two machines", ["./app", "./i386"], "./i386", "linux/386"),
    Wrong("workdir that is a file", ["./app", "--workdir", "/app"], "/app", "no directory"),
    Wrong("volume below a file", ["./app", "--volume", "/app/x"], "/app"),
    Wrong("name that is not UTF-8", ["./app:/\udcff"], r"/\xff", "UTF-8"),
]


@pytest.mark.parametrize("how", [("-o", "out.tar"), ("-o", "out/"), ("--dry-run",)], ids=str)
@pytest.mark.parametrize("case", rows(LATER))
def test_what_the_files_refuse(case: Wrong, how: tuple[str, ...], here: Path) -> None:
    before = set(here.iterdir())
    ran = elfpack("image", *case.arguments, *TAG, *how, cwd=here)
    errors = ran.said("error")
    assert (ran.status, len(errors), ran.stdout) == (2, 1, b"")
    assert errors[0].startswith(f"{case.subject}: ")
    assert case.fact in errors[0]
    assert set(here.iterdir()) == before


def test_layers_of_two_machines_are_the_users_choice(here: Path) -> None:
    assert elfpack("layer", "./app", "./i386", "--dry-run", cwd=here).status == 0


def test_a_missing_library_is_a_finding(tmp_path: Path) -> None:
    root = system(tmp_path / "root", {"/app": program("libgone.so")})
    ran = elfpack("image", "/app", "--root", root, *TAG, "-o", "a.tar", cwd=tmp_path)
    assert "libgone.so is missing" in one_error(ran, 1, "/app")
    assert not (tmp_path / "a.tar").exists()


def test_tag_is_required(here: Path) -> None:
    ran = elfpack("image", "./app", "-o", "out.tar", cwd=here)
    assert ran.status == 2
    assert "--tag" in ran.said("error")[0]


OUTPUTS = [
    Wrong("no ending", ["out"], "out", ".tar, a path ending in /, or -"),
    Wrong("compressed", ["out.tar.gz"], "out.tar.gz", ".tar"),
    Wrong("nothing but an ending", [".tar"], ".tar"),
    Wrong("directory without a slash", ["etc"], "etc", "etc/"),
    Wrong("directory that is not empty", ["etc/"], "etc/", "not empty"),
    Wrong("directory does not exist", ["no/out.tar"], "no/out.tar", "does not exist"),
    Wrong("directory of a layout does not exist", ["no/out/"], "no/out/", "does not exist"),
    Wrong("locked", ["locked/out.tar"], "locked/out.tar", "permission denied"),
    Wrong("locked layout", ["locked/out/"], "locked/out/", "permission denied"),
]


@pytest.mark.parametrize("case", rows(OUTPUTS))
def test_output(case: Wrong, here: Path) -> None:
    (here / "locked").mkdir(0o555)
    before = sorted(here.rglob("*"))
    arguments = ("./app", *TAG, "-o", *case.arguments)
    ran = elfpack("image", *arguments, cwd=here, preexec=obey_permissions)
    assert case.fact in one_error(ran, 2, case.subject)
    assert sorted(here.rglob("*")) == before


def test_no_image_on_a_terminal(here: Path) -> None:
    master, slave = os.openpty()
    try:
        ran = elfpack("image", "./app", *TAG, "-o", "-", cwd=here, stdout=slave)
    finally:
        os.close(slave)
        os.close(master)
    assert "terminal" in one_error(ran, 2, "-")


# Whole or not at all


def test_an_image_is_replaced_whole(here: Path) -> None:
    (here / "out.tar").write_bytes(b"x" * (1 << 20))
    image(here)
    assert not [name for name in os.listdir(here) if "elfpack" in name]


@pytest.mark.parametrize("out", ["out.tar", "new/", "empty/"])
def test_a_failure_leaves_what_was_there(out: str, here: Path) -> None:
    (here / "empty").mkdir()
    (here / "out.tar").write_bytes(b"before")
    (here / "app").write_bytes(static() + bytes(1 << 20))

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))

    before = sorted(here.rglob("*"))
    ran = elfpack("image", "./app", *TAG, "-o", out, cwd=here, preexec=limited)
    assert "file too large" in one_error(ran, 2, out)
    assert sorted(here.rglob("*")) == before
    assert (here / "out.tar").read_bytes() == b"before"


def test_mode_of_the_output_is_the_umasks(here: Path) -> None:
    def strict() -> None:
        os.umask(0o027)

    for out in ("a.tar", "a/"):
        elfpack("image", "./app", *TAG, "-o", out, cwd=here, preexec=strict)
    assert (here / "a.tar").stat().st_mode & 0o777 == 0o640
    assert (here / "a").stat().st_mode & 0o777 == 0o750
    assert (here / "a/index.json").stat().st_mode & 0o777 == 0o644
    assert (here / "a/blobs/sha256").stat().st_mode & 0o777 == 0o755


def test_dry_run(here: Path) -> None:
    ran = elfpack("image", "./app", "--workdir", "/w", *TAG, "--dry-run", cwd=here)
    assert ran.status == 0
    assert [line.split()[0] for line in ran.out] == ["/app", "/w/"]
    assert ran.out[1].endswith("working directory")
    assert not (here / "out.tar").exists()


# From Python


def test_api(here: Path) -> None:
    config = package.ImageConfig(env={"A": "b"}, cmd=["x"], user="1000", labels={"k": "v"})
    plan = package.plan([f"{here}/app:/app"], config=config)
    written = plan.write_image(here / "a.tar", "hello:1")
    arguments = ("--env", "A=b", "--cmd", "x", "--user", "1000", "--label", "k=v")
    read, _ = image(here, *arguments)
    assert (here / "a.tar").read_bytes() == (here / "out.tar").read_bytes()
    assert (written.output, written.form) == (f"{here}/a.tar", "docker-archive")
    assert written.size == (here / "a.tar").stat().st_size
    assert written.image.layer.digest == read.config["rootfs"]["diff_ids"][0]
    assert str(written.platform) == "linux/amd64"
    assert described(read.layer) == described(tar("./app", cwd=here))


def test_api_directory_and_names(here: Path) -> None:
    plan = package.plan([f"{here}/app:/app"])
    written = plan.write_image(f"{here}/out/", ["a:1", "b:2"])
    assert written.form == "oci"
    assert of_directory(here / "out").repo_tags == ["a:1", "b:2"]


def test_api_refuses(here: Path) -> None:
    plan = package.plan([f"{here}/app:/app", f"{here}/i386:/i386"])
    for tags in ("a", ["A"], [], ""):
        with pytest.raises(package.RequestError):
            plan.write_image(here / "a.tar", tags)
    with pytest.raises(package.RequestError):
        package.plan([f"{here}/app"], config=package.ImageConfig(user="app"))
    assert not (here / "a.tar").exists()


def test_api_a_source_that_changed(here: Path) -> None:
    plan = package.plan([f"{here}/app:/app"])
    (here / "app").write_bytes(static() + b"changed")
    for out in ("a.tar", "a/"):
        with pytest.raises(package.InputError):
            plan.write_image(f"{here}/{out}", "a")
    assert not {"a.tar", "a"} & set(os.listdir(here))


@pytest.mark.parametrize(
    ("user", "modes", "told"),
    [
        ("1000", {"app": 0o700}, "/app: the image's user 1000 may not use it"),
        (
            "app",
            {"data/a": 0o600, "data": 0o700},
            "/data: the image's user app may not use it and 1",
        ),
        ("1000:0", {"data/a": 0o640}, "/data/a: the image's user 1000 may not use it"),
        ("1000", {"app": 0o755}, ""),
        ("0", {"app": 0o700}, ""),
        ("root", {"app": 0o700}, ""),
        ("", {"app": 0o700}, ""),
    ],
)
def test_what_the_user_may_not_use(
    user: str, modes: dict[str, int], told: str, tmp_path: Path
) -> None:
    plant(tmp_path, {"app": static(), "data/a": "a"})
    (tmp_path / "data").chmod(0o755)
    for name, mode in modes.items():
        (tmp_path / name).chmod(mode)
    asked = ["--user", user] if user else []
    ran = elfpack(
        *("image", f"{tmp_path}/app:/app", "--add", f"{tmp_path}/data:/data", "-t", "a"),
        *("--with", "users=app:1000:1000", *asked, "--dry-run"),
    )
    assert ran.status == 0
    warnings = ran.said("warning")
    assert len(warnings) == bool(told)
    assert all(told in warning for warning in warnings)


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (["TZ=Europe/Nowhere"], "TZ=Europe/Nowhere: names a time zone"),
        (["TZ=:Europe/Nowhere"], "--with tz=Europe/Nowhere"),
        (["TZ=UTC"], ""),
        (["TZ=CET-1CEST"], ""),
        (["LANG=xx_XX.UTF-8"], "--with locale=xx_XX.UTF-8"),
        (["LANG=C", "LC_ALL=xx_XX"], "xx_XX: is named by the image's environment"),
        (["LANG=C"], ""),
        (["LANG=yy.UTF-8"], ""),
    ],
)
def test_variables_that_name_what_is_not_there(
    variables: list[str], told: str, tmp_path: Path
) -> None:
    locale = "/usr/lib/locale/yy.utf8/LC_CTYPE"
    system(tmp_path, {"/app": program("libc.so.6"), locale: "x"})
    given = [word for variable in variables for word in ("--env", variable)]
    asked = ("--root", tmp_path, "/app", "--add", locale, "-t", "a", "--dry-run")
    ran = elfpack("image", *asked, *given)
    assert ran.status == 0, ran.err
    warnings = ran.said("warning")
    assert len(warnings) == bool(told), warnings
    assert all(told in warning for warning in warnings)
