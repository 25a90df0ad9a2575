"""``elfpack check``: what it prints of directories, tars and images, and how it ends."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import elfpack as package
from elfpack.checking import RULES
from tests.cli import Ran, elfpack, environment, one_error, well_spoken
from tests.contract.test_schema import closed, jsonschema, schema
from tests.contract.tree import (
    LIBC,
    LOADER,
    library,
    obey_permissions,
    plant,
    program,
    static,
    system,
)
from tests.nothreads import limited_threads

ENV = "/usr/bin/env"
GONE = "error while loading shared libraries: {}: cannot open shared object file: "
GONE += "No such file or directory"


def check(rootfs: str | Path, *options: str, **more: Any) -> Ran:
    ran = elfpack("check", rootfs, *options, **more)
    well_spoken(ran)
    return ran


def found(ran: Ran) -> list[str]:
    """The findings' lines, after a look at the status."""
    assert ran.status == (1 if ran.out else 0), ran
    return ran.out


def gnu_tar(*arguments: str | Path, cwd: Path) -> None:
    if shutil.which("tar") is None:
        pytest.skip("tar is not installed")
    subprocess.run(["tar", *arguments], cwd=cwd, check=True, capture_output=True)


def layer(output: Path, *arguments: str) -> Path:
    """What elfpack packs of this machine."""
    ran = elfpack("layer", "-q", *arguments, "-o", output)
    assert ran.status == 0, ran.err
    return output


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    """A root in which nothing is missing."""
    return system(
        tmp_path / "root",
        {
            "/bin/app": program("liba.so.1", LIBC),
            "/bin/run": "#!/bin/app\n",
            "/lib/liba.so.1": library("liba.so.1", LIBC),
            "/bin/alias": "-> app",
        },
    )


def test_complete_directory(root: Path) -> None:
    ran = check(root)
    assert found(ran) == []
    assert ran.err == [
        f"elfpack: note: {root}: 1 program, 3 libraries, 1 script: nothing is missing"
    ]
    assert check(root, "-q").err == []


def test_one_line_for_each_finding(root: Path) -> None:
    (root / "lib/liba.so.1").unlink()
    plant(root, {"/opt/a": program(interpreter="/lib/ld-none.so.1"), "/opt/b": "#!/bin/none\n"})
    ran = check(root)
    assert found(ran) == [
        f'/bin/app: liba.so.1 is missing ("{GONE.format("liba.so.1")}")',
        '/opt/a: interpreter /lib/ld-none.so.1 is missing ("no such file or directory")',
        '/opt/b: interpreter /bin/none is missing ("no such file or directory")',
    ]
    assert ran.said("note") == [f"{root}: 2 programs, 2 libraries, 2 scripts: 3 findings"]


def test_verbose_tells_where_it_was_looked_for(root: Path) -> None:
    (root / "lib/liba.so.1").unlink()
    ran = check(root, "-v")
    assert any("liba.so.1" in line and "looked for in /" in line for line in ran.said("note"))


def test_names_stay_in_their_line(root: Path) -> None:
    name = os.fsdecode(b"/bin/a\nb\x1b[2J\xff")
    plant(root, {name: "#!/bin/none\n"})
    assert [line.partition(":")[0] for line in found(check(root))] == [r"/bin/a\x0ab\x1b[2J\xff"]
    document = json.loads(check(root, "--format=json").stdout)
    assert [f["path"] for f in document["findings"]] == [name]


def test_json(root: Path) -> None:
    plant(root, {"/opt/a": program("libgone.so")})
    ran = check(root, "--format", "json")
    document = json.loads(ran.stdout)
    jsonschema.Draft202012Validator(closed(schema("check-1.json"))).validate(document)
    assert ran.status == 1
    assert document["path"] == str(root)
    assert document["checked"] == [
        {"image": None, "programs": 2, "libraries": 3, "scripts": 1, "findings": 1, "unread": []}
    ]
    (finding,) = document["findings"]
    assert (finding["code"], finding["path"]) == ("missing-library", "/opt/a")
    assert finding["quote"] == GONE.format("libgone.so")
    assert "/lib" in finding["hint"]


def test_json_of_what_is_complete(root: Path) -> None:
    ran = check(root, "--format", "json")
    document = json.loads(ran.stdout)
    jsonschema.Draft202012Validator(closed(schema("check-1.json"))).validate(document)
    assert (ran.status, document["findings"]) == (0, [])


def test_schema_knows_every_code() -> None:
    """The codes that the rules write are those that the schema lists."""
    codes = set(
        schema("check-1.json")["properties"]["findings"]["items"]["properties"]["code"]["enum"]
    )
    sources = [Path(package.__file__).parent / "checking" / f for f in ("explain.py",)]
    sources += [Path(str(rule.__code__.co_filename)) for rule in RULES]
    text = "".join(source.read_text() for source in sources)
    for code in codes - {"missing-user", "missing-group", "wrong-libc"}:
        assert f'"{code}"' in text, code


def test_python(root: Path) -> None:
    report = package.check(root)
    assert (report.findings, report.trees[0].counts) == ((), (1, 3, 1))
    with pytest.raises(package.InputError):
        package.check(root / "none")


# Tars


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax", "posix", "ustar", "v7"])
@pytest.mark.parametrize("top", [".", "*"])
def test_tar_of_gnu(form: str, top: str, root: Path, tmp_path: Path) -> None:
    names = ["."] if top == "." else sorted(os.listdir(root))
    gnu_tar(f"--format={form}", "-C", root, "-cf", tmp_path / "x.tar", *names, cwd=tmp_path)
    ran = check(tmp_path / "x.tar")
    assert found(ran) == []
    assert "1 program, 3 libraries, 1 script" in ran.err[0]


@pytest.mark.parametrize("option", ["-z", "--zstd", "-J"])
def test_compressed_tar_under_any_name(option: str, root: Path, tmp_path: Path) -> None:
    helper = {"-z": "gzip", "--zstd": "zstd", "-J": "xz"}[option]
    if shutil.which(helper) is None:
        pytest.skip(f"{helper} is not installed")
    plant(root, {"/opt/a": program("libgone.so")})
    gnu_tar(option, "-C", root, "-cf", tmp_path / "x", ".", cwd=tmp_path)
    assert found(check(tmp_path / "x")) == [
        f'/opt/a: libgone.so is missing ("{GONE.format("libgone.so")}")'
    ]


def test_sparse_tar_of_gnu(root: Path, tmp_path: Path) -> None:
    for path in (root / "bin/app", root / "lib/liba.so.1"):
        os.truncate(path, 1 << 20)
    for version in ("0.0", "0.1", "1.0"):
        form = ["--format=posix", f"--sparse-version={version}"]
        gnu_tar("-S", *form, "-C", root, "-cf", tmp_path / "x.tar", ".", cwd=tmp_path)
        assert (tmp_path / "x.tar").stat().st_size < 1 << 20
        assert found(check(tmp_path / "x.tar")) == []
    gnu_tar("-S", "--format=gnu", "-C", root, "-cf", tmp_path / "x.tar", ".", cwd=tmp_path)
    assert found(check(tmp_path / "x.tar")) == []


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_standard_input(kind: str, root: Path, tmp_path: Path) -> None:
    gnu_tar("-a", "-C", root, "-cf", tmp_path / f"x.{kind}", ".", cwd=tmp_path)
    for before in (["cat"], []):
        with open(tmp_path / f"x.{kind}", "rb") as file:
            if before:
                with subprocess.Popen(before, stdin=file, stdout=subprocess.PIPE) as cat:
                    assert cat.stdout is not None
                    ran = check("-", stdin=cat.stdout.fileno())
            else:
                ran = check("-", stdin=file.fileno())
        assert ran.status == 0, ran
        assert ran.said("note")[0].startswith("standard input: 1 program")


def test_library_that_was_deleted(tmp_path: Path) -> None:
    """A layer of elfpack, and what is left of it."""
    path = layer(tmp_path / "x.tar", ENV)
    assert found(check(path)) == []
    with tarfile.open(path) as tar:
        names = [name for name in tar.getnames() if "/libc" in name]
    gnu_tar("--delete", "-f", path, *names, cwd=tmp_path)
    (line,) = found(check(path))
    assert line.startswith(f"{_real(ENV)}: libc.so.6 is missing")
    assert line.endswith(f'("{GONE.format("libc.so.6")}")')


def test_interpreter_that_was_deleted(tmp_path: Path) -> None:
    path = layer(tmp_path / "x.tar", ENV)
    with tarfile.open(path) as tar:
        names = [m.name for m in tar if "/ld-" in m.name or "/ld64" in m.name]
    gnu_tar("--delete", "-f", path, names[-1], cwd=tmp_path)
    (line,) = found(check(path))
    assert ": interpreter /l" in line
    assert line.endswith('("no such file or directory")')


def _real(path: str) -> str:
    """As a layer has it: links on the way are kept."""
    return os.path.realpath(path)


LAYERS = [
    [ENV],
    ["/bin/sh", "/usr/bin/ldd"],
    ["/usr/bin/getent", "--with", "nss=host"],
    ["/usr/bin/id", "--with", "users=app:1:1"],
    ["/usr/bin/perl"],
    ["/sbin/ldconfig"],
    ["/usr/bin/python3", "--with", "libgcc"],
]


@pytest.mark.parametrize("arguments", LAYERS, ids=lambda a: Path(a[0]).name)
@pytest.mark.parametrize("output", ["x.tar", "x.tar.gz", "tree/"])
def test_layers_of_elfpack(arguments: list[str], output: str, tmp_path: Path) -> None:
    if not all(Path(a).exists() for a in arguments if a.startswith("/")):
        pytest.skip(f"this machine has no {arguments[0]}")
    ran = elfpack("layer", "-q", *arguments, "-o", output, cwd=tmp_path)
    assert ran.status == 0, ran.err
    assert found(check(output, cwd=tmp_path)) == []


# Images


def _layer(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, raw in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(raw), 0o755
            tar.addfile(info, io.BytesIO(raw))
    return out.getvalue()


def _lower(tmp_path: Path) -> bytes:
    top = system(tmp_path / "lower", {"/lib/liba.so.1": library("liba.so.1")})
    return _layer({str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()})


UPPER = {"app": program("liba.so.1", LIBC)}
ENTRY = {"Entrypoint": ["/app"], "Env": ["PATH=/bin"]}


class Lay(NamedTuple):
    name: str
    layers: tuple[dict[str, bytes], ...]
    config: Mapping[str, object]
    expected: list[str]


LAYS = [
    Lay("complete", (UPPER,), ENTRY, []),
    Lay(
        "library whited out",
        (UPPER, {"lib/.wh.liba.so.1": b""}),
        ENTRY,
        [f'/app: liba.so.1 is missing ("{GONE.format("liba.so.1")}")'],
    ),
    Lay(
        "opaque directory",
        (UPPER, {"lib64/.wh..wh..opq": b""}),
        ENTRY,
        [f'/app: interpreter {LOADER} is missing ("no such file or directory")'],
    ),
    Lay(
        "put back",
        (UPPER, {"lib/.wh.liba.so.1": b""}, {"lib/liba.so.1": library("liba.so.1")}),
        ENTRY,
        [],
    ),
    Lay(
        "no entrypoint, no user",
        ({},),
        {"Cmd": ["/app"], "User": "me"},
        [
            '/app: is what the image starts, and is missing ("exec: "/app": stat /app: no such '
            'file or directory")',
            "/etc/passwd: has no user me, which the image is to run as "
            '("unable to find user me: no matching entries in passwd file")',
        ],
    ),
]


def _oci_files(layers: list[bytes], config: Mapping[str, object]) -> dict[str, bytes]:
    from hashlib import sha256

    files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def add(raw: bytes) -> dict[str, object]:
        digest = sha256(raw).hexdigest()
        files[f"blobs/sha256/{digest}"] = raw
        return {"digest": f"sha256:{digest}", "size": len(raw)}

    described = add(json.dumps({"architecture": "amd64", "config": config}).encode())
    rows = [add(raw) for raw in layers]
    manifest = add(json.dumps({"config": described, "layers": rows}).encode())
    files["index.json"] = json.dumps({"manifests": [manifest]}).encode()
    return files


def _docker_files(layers: list[bytes], config: Mapping[str, object]) -> dict[str, bytes]:
    files = {f"{number}/layer.tar": raw for number, raw in enumerate(layers)}
    row = {"Config": "config.json", "RepoTags": ["app:1"], "Layers": [*files]}
    files["config.json"] = json.dumps({"architecture": "amd64", "config": config}).encode()
    files["manifest.json"] = json.dumps([row]).encode()
    return files


@pytest.mark.parametrize("lay", LAYS, ids=lambda lay: lay.name)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("form", ["docker", "oci", "oci directory"])
def test_image(lay: Lay, packed: bool, form: str, tmp_path: Path) -> None:
    layers = [_lower(tmp_path), *map(_layer, lay.layers)]
    if packed:
        layers = [gzip.compress(raw) for raw in layers]
    files = (_docker_files if form == "docker" else _oci_files)(layers, lay.config)
    path = tmp_path / "image"
    if form == "oci directory":
        for name, raw in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(raw)
    else:
        path.write_bytes(_layer(files))
    assert found(check(path)) == lay.expected


def test_several_images(tmp_path: Path) -> None:
    good = _docker_files([_lower(tmp_path), _layer(UPPER)], ENTRY)
    rows = json.loads(good["manifest.json"])
    rows.append({**rows[0], "RepoTags": ["app:2", "app:new"], "Layers": ["1/layer.tar"]})
    rows.append({**rows[0], "RepoTags": None})
    good["manifest.json"] = json.dumps(rows).encode()
    (tmp_path / "x.tar").write_bytes(_layer(good))
    ran = check(tmp_path / "x.tar")
    lines = found(ran)
    assert {line.partition(": /app: ")[0] for line in lines} == {"app:2, app:new"}
    assert [note.split(": ")[1] for note in ran.said("note")] == [
        "app:1",
        "app:2, app:new",
        "image 3",
    ]
    document = json.loads(check(tmp_path / "x.tar", "--format=json").stdout)
    assert [c["image"] for c in document["checked"]] == ["app:1", "app:2, app:new", "image 3"]


# What cannot be read


def _tar(*members: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for member in members:
            tar.addfile(member)
    return out.getvalue()


def _info(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


GOOD = _layer({"bin/app": program(), "data": bytes(20_000)})
NONE = {
    "empty": b"",
    "text": b"hello\n" * 1000,
    "garbage": bytes(range(256)) * 40,
    "cut in a header": GOOD[:700],
    "cut in content": GOOD[:9_000],
    "cut compressed": gzip.compress(os.urandom(30_000) + GOOD)[:15_000],
    "garbage compressed": gzip.compress(bytes(range(256)) * 40),
    "damaged compressed": gzip.compress(GOOD)[:40] + b"\xff" * 40,
    "garbage behind compressed": gzip.compress(GOOD) + b"garbage",
    "outside": _tar(_info("../x")),
    "hard link to nothing": _tar(_info("x", tarfile.LNKTYPE, "y")),
    "hard link to outside": _tar(_info("x", tarfile.LNKTYPE, "../../etc/passwd")),
    "checksum": GOOD[:100] + b"1" + GOOD[101:],
    "docker without manifest": _layer({"a" * 64 + "/layer.tar": GOOD, "repositories": b"{}"}),
    "bomb": gzip.compress(bytes(200 << 20)),
}


@pytest.mark.parametrize("raw", NONE.values(), ids=NONE)
def test_what_cannot_be_read(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(raw)
    one_error(check("x.tar", cwd=tmp_path), 2, "x.tar")
    assert os.listdir(tmp_path) == ["x.tar"]


def test_wrong_digest(tmp_path: Path) -> None:
    files = _oci_files([_lower(tmp_path)], {})
    name = max(files, key=lambda n: len(files[n]))
    files[name] = files[name][:600] + b"\1" + files[name][601:]
    (tmp_path / "x.tar").write_bytes(_layer(files))
    assert "digest" in one_error(check("x.tar", cwd=tmp_path), 2, "x.tar")


@pytest.mark.parametrize("name", ["./nope", "/dev/null", "socket", "file/x", ""])
def test_what_is_no_rootfs(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "socket"))
        ran = check(name, cwd=tmp_path)
    assert (ran.status, len(ran.err), ran.out) == (2, 1, [])


def test_unreadable(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(GOOD)
    (tmp_path / "x.tar").chmod(0)
    ran = check("x.tar", cwd=tmp_path, preexec=obey_permissions)
    assert "permission denied" in one_error(ran, 2, "x.tar")


def test_file_that_may_not_be_read(root: Path) -> None:
    (root / "bin/app").chmod(0o111)
    ran = check(root, preexec=obey_permissions)
    assert "/bin/app may not be read, and is not judged" in ran.said("warning")[0]
    assert ran.status == 1
    for name in ("a", "b"):
        plant(root, {f"bin/{name}": static()})
        (root / "bin" / name).chmod(0o111)
    ran = check(root, preexec=obey_permissions)
    assert "/bin/a and 2 more may not be read, and are not judged" in ran.said("warning")[0]


def test_nothing_of_it_may_be_read(root: Path) -> None:
    """Nobody knows whether it is complete: that is no success."""
    for name in os.listdir(root):
        (root / name).chmod(0)
    ran = check(root, preexec=obey_permissions)
    assert ran.status == 1
    assert ran.said("note")[0].endswith("nothing is missing in what may be read")


def test_closed_and_terminal_standard_input() -> None:
    one_error(check("-", stdin=subprocess.DEVNULL), 2, "standard input")
    closed = check("-", stdin=None, preexec=partial(os.close, 0))
    assert one_error(closed, 2, "standard input").startswith("is closed (pipe a tar")
    import pty

    above, below = pty.openpty()
    try:
        assert "a terminal" in one_error(check("-", stdin=below), 2, "standard input")
    finally:
        os.close(above)
        os.close(below)


def test_an_image_where_no_thread_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digests are held against its layers all the same."""
    plant(tmp_path, {"app": static()})
    command = ("image", "-q", "./app", "-t", "a:1", "-o")
    assert elfpack(*command, "x/", cwd=tmp_path).status == 0
    layout = tmp_path / "x"
    with limited_threads(0, monkeypatch):
        assert package.check(layout).trees
    layer = max((layout / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    layer.write_bytes(layer.read_bytes()[:-1] + b"x")
    with limited_threads(0, monkeypatch), pytest.raises(package.InputError, match="digest"):
        package.check(layout)


def test_image_through_a_pipe(tmp_path: Path) -> None:
    files = _docker_files([_lower(tmp_path), _layer({**UPPER, "big": bytes(4 << 20)})], ENTRY)
    (tmp_path / "x.tar").write_bytes(_layer(files))
    with subprocess.Popen(["cat", tmp_path / "x.tar"], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        assert "file" in one_error(check("-", stdin=cat.stdout.fileno()), 2, "standard input")


def test_a_layout_through_a_pipe(tmp_path: Path) -> None:
    """Its digests are looked at in a thread: that must not fail in words of its own."""
    files = _oci_files([_lower(tmp_path), _layer({**UPPER, "big": bytes(4 << 20)})], ENTRY)
    (tmp_path / "x.tar").write_bytes(_layer(files))
    with subprocess.Popen(["cat", tmp_path / "x.tar"], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        assert "twice" in one_error(check("-", stdin=cat.stdout.fileno()), 2, "standard input")


def test_an_image_of_ours_through_a_pipe(tmp_path: Path) -> None:
    files = {"/app": program(LIBC), "/z/big": os.urandom(8 << 20)}
    root = system(tmp_path / "root", files)
    asked = ("--root", root, "/app", "--add", "/z", "-t", "a", "-o", tmp_path / "x.tar")
    ran = elfpack("image", *asked)
    assert ran.status == 0, ran.err
    with subprocess.Popen(["cat", tmp_path / "x.tar"], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        assert "twice" in one_error(check("-", stdin=cat.stdout.fileno()), 2, "standard input")


# What is harmless


def test_members_as_they_come(tmp_path: Path) -> None:
    """Devices, absolute names, and links that lead outside."""
    raw = _tar(
        _info("dev/null", tarfile.CHRTYPE),
        _info("dev/sda", tarfile.BLKTYPE),
        _info("fifo", tarfile.FIFOTYPE),
        _info("/etc/x"),
        _info("out", tarfile.SYMTYPE, "../../../.."),
        _info("etc/y", tarfile.SYMTYPE, "/etc/shadow"),
        _info("out/etc/z"),
    )
    (tmp_path / "x.tar").write_bytes(raw)
    assert found(check(tmp_path / "x.tar")) == []


def test_broken_elf_is_a_finding(root: Path) -> None:
    (root / "bin/app").write_bytes((root / "bin/app").read_bytes()[:100])
    lines = found(check(root))
    assert lines[0].startswith("/bin/app: ELF file cut short")


def test_many_members(tmp_path: Path) -> None:
    """Time and memory grow with their number alone."""
    block = bytearray(_tar(_info("d/00000000"))[:512])
    end = bytes(1024)
    blank = sum(block) - sum(block[148:156]) + 8 * 32 - sum(block[2:10])
    with open(tmp_path / "x.tar", "wb") as out:
        for number in range(200_000):
            name = b"%08d" % number
            block[2:10] = name
            block[148:156] = b"%06o\0 " % (blank + sum(name))
            out.write(block)
        out.write(end)
    start = time.monotonic()
    ran = elfpack(
        "check", tmp_path / "x.tar", before=["sh", "-c", 'ulimit -v 700000; exec "$@"', "x"]
    )
    assert ran.status == 0, ran
    assert time.monotonic() - start < 20


def test_reads_no_environment(root: Path) -> None:
    (root / "lib/liba.so.1").rename(root / "lib64/gone")
    plant(root, {"/opt/liba.so.1": library("liba.so.1")})
    ran = check(root, env=environment(LD_LIBRARY_PATH="/opt"))
    assert ran.status == 1
