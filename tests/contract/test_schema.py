"""The JSON documents are what their schemas say, and the package holds the schemas."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from elfpack.loader.records import Kind
from tests.cli import Ran, elfpack
from tests.contract.tree import LIBC, LOADER, library, plant, program, static, system

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")

SCHEMAS = ("check-1.json", "deps-1.json", "image-1.json", "layer-1.json")
NOT_UTF8 = os.fsdecode(b"/bin/\xff name")


def schema(name: str) -> dict[str, Any]:
    """A schema as the installed package has it."""
    text = (resources.files("elfpack") / "schema" / name).read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def closed(part: Any) -> Any:
    """A schema that knows every property. The schemas themselves do not say so, for a later version
    may add some; this one may add none that they do not have."""
    if isinstance(part, list):
        return [closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {key: value if key == "oneOf" else closed(value) for key, value in part.items()}
    if part.get("type") == "object" and "properties" in part:
        made["unevaluatedProperties"] = False  # with those of the one that fits
    return made


def valid(ran: Ran, name: str) -> dict[str, Any]:
    """The document on standard output, held against its schema."""
    document: dict[str, Any] = json.loads(ran.stdout)
    jsonschema.Draft202012Validator(closed(schema(name))).validate(document)
    return document


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_one(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$id"] == schema(name)["properties"]["schema"]["const"]


def test_package_says_that_it_is_typed() -> None:
    assert resources.files("elfpack").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_strict(name: str) -> None:
    validator = jsonschema.Draft202012Validator(schema(name))
    assert not validator.is_valid({})
    assert not validator.is_valid([])
    assert not validator.is_valid({"schema": "elfpack.other/1", "programs": [], "errors": []})


def test_schema_knows_every_way_to_find() -> None:
    words = schema("deps-1.json")["$defs"]["library"]["properties"]["found_by"]["enum"]
    assert set(words) >= {kind.value for kind in Kind} - {Kind.PROGRAM.value}


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    return system(
        tmp_path / "root",
        {
            "/bin/good": program("liba.so.1", LIBC),
            "/bin/lacks": program("libgone.so.1", "liba.so.1"),
            "/bin/orphan": program(LIBC, interpreter="/lib/ld-none.so.1"),
            "/bin/empty": program("", LIBC),
            "/bin/static": static(),
            "/bin/text": "just text\n",
            "/bin/script": "#!/bin/good\n",
            "/bin/by-env": "#!/usr/bin/env good\n",
            "/usr/bin/env": program(LIBC),
            "/bin/lost": "#!/bin/none\n",
            "/bin/stopped": program("libtext.so"),
            "/bin/musl": program("libc.so", interpreter="/lib/ld-musl-x86_64.so.1"),
            "/bin/foreign": program(
                "libx.so", machine=8, bits=32, little=False, interpreter="/lib/ld.so.1"
            ),
            "/lib/ld-musl-x86_64.so.1": library("libc.so", content=b"musl libc\0"),
            "/lib/liba.so.1": library("liba.so.1", LIBC),
            "/lib/libtext.so": "text",
            NOT_UTF8: program(os.fsdecode(b"lib\xff.so")),
        },
    )


class Row(NamedTuple):
    name: str
    program: str
    expected: dict[str, object]


ROWS = [
    Row("dynamic", "/bin/good", {"kind": "pie", "machine": "x86_64", "libc": "glibc", "bits": 64}),
    Row("empty name", "/bin/empty", {"kind": "pie"}),
    Row("static", "/bin/static", {"kind": "static", "libc": None, "libraries": []}),
    Row("library", "/lib/liba.so.1", {"kind": "library", "interpreter": None, "missing": []}),
    Row("script", "/bin/script", {"kind": "script", "interpreter": LOADER}),
    Row("script by env", "/bin/by-env", {"kind": "script"}),
    Row("script without interpreter", "/bin/lost", {"kind": "script", "machine": None}),
    Row("musl", "/bin/musl", {"libc": "musl"}),
    Row("other machine", "/bin/foreign", {"bits": 32, "endian": "big", "machine": "mips"}),
    Row("not UTF-8", NOT_UTF8, {"path": NOT_UTF8}),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_deps(row: Row, root: Path) -> None:
    ran = elfpack("deps", "--format", "json", "--root", root, row.program)
    document = valid(ran, "deps-1.json")
    found = document["programs"][0]
    assert document["errors"] == []
    assert {key: found[key] for key in row.expected} == row.expected


def test_deps_tells_who_needs_a_library(root: Path) -> None:
    ran = elfpack("deps", "--format", "json", "--root", root, "/bin/good")
    found = valid(ran, "deps-1.json")["programs"][0]["libraries"]
    assert [(x["name"], x["found_by"], x["needed_by"]) for x in found] == [
        ("liba.so.1", "default path", ["/bin/good"]),
        (LIBC, "default path", ["/bin/good", "/lib/liba.so.1"]),
        ("ld-linux-x86-64.so.2", "interpreter", [f"/lib/{LIBC}"]),
    ]


def test_deps_tells_what_is_missing(root: Path) -> None:
    ran = elfpack("deps", "--format", "json", "--root", root, "/bin/lacks", "/bin/orphan")
    programs = valid(ran, "deps-1.json")["programs"]
    assert ran.status == 1
    lacking = programs[0]["missing"]
    assert [(x["name"], x["needed_by"]) for x in lacking] == [("libgone.so.1", ["/bin/lacks"])]
    assert "/lib" in lacking[0]["searched"]
    assert [x["name"] for x in programs[1]["missing"]] == ["/lib/ld-none.so.1"]


def test_deps_tells_what_is_excluded(root: Path) -> None:
    ran = elfpack("deps", "--format=json", "--exclude=libgone*", "--root", root, "/bin/lacks")
    found = valid(ran, "deps-1.json")["programs"][0]
    assert ran.status == 0
    assert (found["excluded"], found["missing"]) == (["libgone.so.1"], [])


def test_deps_tells_of_errors(root: Path) -> None:
    names = ["/bin/text", "/bin/good", "/bin/nope", "/bin/stopped"]
    ran = elfpack("deps", "--format", "json", "--root", root, *names)
    document = valid(ran, "deps-1.json")
    assert ran.status == 2
    assert [e["path"] for e in document["errors"]] == ["/bin/text", "/bin/nope", "/bin/stopped"]
    assert [p["path"] for p in document["programs"]] == ["/bin/good", "/bin/stopped"]
    assert "/lib/libtext.so" in document["errors"][2]["message"]


REAL = ["/bin/sh", "/usr/bin/env", "/sbin/ldconfig", "/usr/bin/ldd", "/lib/ld-musl-x86_64.so.1"]


def test_deps_of_programs_of_this_machine() -> None:
    present = [path for path in REAL if os.path.exists(path)]
    document = valid(elfpack("deps", "--format", "json", *present), "deps-1.json")
    assert [p["path"] for p in document["programs"]] == present
    assert document["errors"] == []


def test_layer(root: Path, tmp_path: Path) -> None:
    plant(root, {"/data/a": "a", "/data/b": "-> a"})
    os.link(root / "data/a", root / "data/c")
    common: list[str | Path] = [
        "--root",
        root,
        "--add",
        "/data",
        "--mkdir",
        "/tmp:1777:5:6",
        "--format",
        "json",
    ]
    out = tmp_path / "a.tar"
    dry = valid(elfpack("layer", "/bin/good", *common, "--dry-run"), "layer-1.json")
    written = valid(elfpack("layer", "/bin/good", *common, "-o", out), "layer-1.json")
    assert {e["type"] for e in dry["entries"]} == {"file", "directory", "symlink", "hardlink"}
    assert written["output"] == str(out)
    assert written["output_size"] == out.stat().st_size
    assert str(out) in written["use"]
    unlike = ("output", "output_size", "use")
    assert {k: dry[k] for k in unlike} == dict.fromkeys(unlike)
    assert {k: v for k, v in dry.items() if k not in unlike} == {
        k: v for k, v in written.items() if k not in unlike
    }


class Layer(NamedTuple):
    name: str
    arguments: list[str]
    expected: dict[str, object]


LAYERS = [
    Layer("static", ["/bin/static"], {"entrypoint": "/bin/static", "missing": []}),
    Layer("script", ["/bin/script"], {"entrypoint": "/bin/script", "machine": "x86_64"}),
    Layer("allowed", ["/bin/lacks", "--allow-missing=libgone*"], {"missing": ["libgone.so.1"]}),
    Layer("excluded", ["/bin/lacks", "--exclude=libgone*"], {"missing": []}),
    Layer("library", ["/lib/liba.so.1"], {"entrypoint": "/lib/liba.so.1"}),
    Layer("not UTF-8", [NOT_UTF8, "--exclude=lib*.so"], {"entrypoint": NOT_UTF8}),
]


@pytest.mark.parametrize("row", LAYERS, ids=lambda r: r.name)
def test_layer_of(row: Layer, root: Path) -> None:
    ran = elfpack("layer", "--root", root, "--dry-run", "--format", "json", *row.arguments)
    assert ran.status == 0, ran.err
    document = valid(ran, "layer-1.json")
    assert {key: document[key] for key in row.expected} == row.expected


@pytest.mark.parametrize("program", ["/usr/bin/env", "/usr/bin/getent", "/bin/sh"])
def test_layer_of_a_program_of_this_machine(program: str) -> None:
    document = valid(elfpack("layer", program, "--dry-run", "--format", "json"), "layer-1.json")
    assert program in (document["entrypoint"], *[p["name"] for p in document["programs"]])


def test_image_is_a_layer_and_more() -> None:
    layer, image = schema("layer-1.json"), schema("image-1.json")
    own = {"schema", "use", "image"}
    assert set(image["required"]) == {*layer["required"], "image"}
    assert set(image["properties"]) == {*layer["properties"], "image"}
    for name in set(image["properties"]) - own:
        assert image["properties"][name] == layer["properties"][name]
    assert {n: image["$defs"][n] for n in layer["$defs"]} == layer["$defs"]


def test_image(root: Path, tmp_path: Path) -> None:
    given = (
        *("--root", root, "--format", "json", "-t", "hello:1", "-t", "localhost:5000/hello"),
        *("--env", "A=b", "--cmd", "x", "--user", "5", "--workdir", "/w", "--expose", "80"),
        *("--label", "k=v", "--volume", "/data", "--stop-signal", "INT"),
    )
    out = tmp_path / "a.tar"
    dry = valid(elfpack("image", "/bin/good", *given, "--dry-run"), "image-1.json")
    written = valid(elfpack("image", "/bin/good", *given, "-o", out), "image-1.json")
    config = {
        "Entrypoint": ["/bin/good"],
        "Cmd": ["x"],
        "Env": ["A=b"],
        "User": "5",
        "WorkingDir": "/w",
        "ExposedPorts": {"80/tcp": {}},
        "Labels": {"k": "v"},
        "Volumes": {"/data": {}},
        "StopSignal": "SIGINT",
    }
    assert dry["image"] == {
        "tags": ["hello:1", "localhost:5000/hello:latest"],
        "platform": "linux/amd64",
        "config": config,
        **dict.fromkeys(("config_digest", "manifest_digest", "diff_id")),
    }
    assert written["image"]["config"] == config
    assert written["output_size"] == out.stat().st_size
    assert str(out) in written["use"]
    reasons = {e["path"]: e["reason"]["text"] for e in written["entries"]}
    assert reasons["/w"] == "working directory"
    assert reasons["/data"] == "mount point of a volume"
