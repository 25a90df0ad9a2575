"""``elfpack deps --symbols``: where it tells what, and the status it ends with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import elfpack as package
from elfpack.elf import constants as c
from tests.cli import Ran, elfpack, environment, well_spoken
from tests.contract.test_schema import valid
from tests.contract.tree import LIBC, library, program, static, system

LACKS = "undefined symbol: f, version V2\t(/bin/lacks)"
VERSION = "/bin/lacks: /lib/liba.so: version `V2' not found (required by /bin/lacks)"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    wants = {"imports": ["f@V2"], "needs": {"liba.so": ["V2"]}, "relocations": ["plt:f"]}
    plain = {"imports": ["g"], "relocations": ["plt:g", "got:g"]}
    tags = [(c.DT_PLTREL, c.DT_RELA), (c.DT_PLTRELSZ, 24), (c.DT_JMPREL, 1 << 30)]
    broken = library("libbad.so", exports=["g"], tags=tags)
    return system(
        tmp_path / "root",
        {
            "/bin/good": program("liba.so", LIBC, imports=["e"], relocations=["plt:e"]),
            "/bin/lacks": program("liba.so", LIBC, **wants),
            "/bin/plain": program("libgone.so", LIBC, **plain),
            "/bin/warned": program("liba.so", LIBC, weak_versions=["V2"], needs=wants["needs"]),
            "/bin/lost": program(
                "libbare.so", imports=["g@V2"], needs={"libbare.so": ["V2"]}, relocations=["plt:g"]
            ),
            "/bin/broken": program("libbad.so", LIBC),
            "/bin/static": static(),
            "/lib/liba.so": library("liba.so", LIBC, exports=["e@@V1"], defines=["V1"]),
            "/lib/libbare.so": library("libbare.so", exports=["g"]),
            "/lib/libbad.so": broken,
        },
    )


def _deps(root: Path, *arguments: str) -> Ran:
    ran = elfpack("deps", "--symbols", "--root", root, *arguments, env=environment())
    well_spoken(ran)
    return ran


def test_nothing_is_wrong(root: Path) -> None:
    for name in ("/bin/good", "/bin/static", "/lib/liba.so"):
        plain = elfpack("deps", "--root", root, name, env=environment())
        assert _deps(root, name) == plain
        assert plain.status == 0


def test_as_ldd_tells_it(root: Path) -> None:
    ran = _deps(root, "/bin/lacks")
    assert ran.status == 1
    assert ran.out[0] == VERSION
    assert ran.out[1] == "\tliba.so => /lib/liba.so"
    assert ran.out[-1] == LACKS
    assert ran.err == []


def test_several(root: Path) -> None:
    ran = _deps(root, "/bin/good", "/bin/lacks")
    assert ran.status == 1
    at = ran.out.index("/bin/lacks:")
    assert ran.out[at + 1] == VERSION
    assert not any("undefined" in line for line in ran.out[:at])


def test_tree_tells_it_too(root: Path) -> None:
    ran = _deps(root, "--format", "tree", "/bin/lacks")
    assert (ran.status, ran.out[0], ran.out[-1]) == (1, VERSION, LACKS)


@pytest.mark.parametrize("form", ["paths", "dot"])
def test_where_no_place_is_for_it_it_is_a_warning(root: Path, form: str) -> None:
    ran = _deps(root, "--format", form, "/bin/lacks")
    assert ran.status == 1
    assert ran.said("warning") == [
        f"/bin/lacks: {line.replace(chr(9), ' ')}" for line in (VERSION, LACKS)
    ]
    assert not any("undefined" in line for line in ran.out)


def test_a_warning_of_the_loader_is_no_finding(root: Path) -> None:
    ran = _deps(root, "/bin/warned")
    assert ran.status == 0
    assert "weak version `V2' not found" in ran.out[0]


def test_where_the_loader_stops(root: Path) -> None:
    ran = _deps(root, "/bin/lost")
    assert ran.status == 1
    assert "no version information available" in ran.out[0]
    assert ["the loader stops at /bin/lost" in line for line in ran.said("error")] == [True]


def test_broken_tables(root: Path) -> None:
    ran = _deps(root, "/bin/broken")
    assert ran.status == 2
    assert [line.partition(":")[0] for line in ran.said("error")] == ["/lib/libbad.so"]


@pytest.mark.parametrize("option", ["--allow-missing", "--exclude"])
def test_what_may_be_missing_may_have_the_symbols(root: Path, option: str) -> None:
    assert _deps(root, "/bin/plain").status == 1
    assert _deps(root, f"{option}=libgone*", "/bin/plain").status == 0
    assert _deps(root, f"{option}=liba*", "/bin/plain").status == 1


def _described(ran: Ran) -> dict[str, Any]:
    found: dict[str, Any] = valid(ran, "deps-1.json")["programs"][0]
    return found


def test_json(root: Path) -> None:
    found = _described(_deps(root, "--format", "json", "/bin/lacks"))
    assert found["undefined_symbols"] == [{"name": "f", "version": "V2", "object": "/bin/lacks"}]
    assert found["missing_versions"] == [
        {
            "version": "V2",
            "file": "liba.so",
            "path": "/lib/liba.so",
            "required_by": "/bin/lacks",
        }
    ]
    assert found["newest_versions"] == {}
    found = _described(_deps(root, "--format", "json", "/bin/plain"))
    assert found["undefined_symbols"] == [{"name": "g", "version": None, "object": "/bin/plain"}]
    found = _described(_deps(root, "--format", "json", "/bin/warned"))
    assert found["missing_versions"] == []
    assert [w["message"] for w in found["version_warnings"]] == ["weak version `V2' not found"]


def test_json_tells_why_nothing_is_known(root: Path) -> None:
    for name, words in (("/bin/broken", "relocations"), ("/bin/lost", "no versions")):
        document = valid(_deps(root, "--format", "json", name), "deps-1.json")
        assert [e["path"] for e in document["errors"]] == [name]
        assert words in document["errors"][0]["message"]


def test_json_without_symbols(root: Path) -> None:
    ran = elfpack("deps", "--format", "json", "--root", root, "/bin/lacks", env=environment())
    found = _described(ran)
    assert ran.status == 0
    assert found["newest_versions"] == {}
    assert not {"undefined_symbols", "missing_versions"} & set(found)


def test_newest_versions_of_a_program_of_this_machine() -> None:
    found = _described(elfpack("deps", "--format", "json", "/usr/bin/env", env=environment()))
    assert set(found["newest_versions"]) <= {"GLIBC"}


def test_python(root: Path) -> None:
    with package.Session(root) as session:
        closure = session.resolve("/bin/lacks")
        binding = session.symbols(closure)
        assert [(s.name, s.version, s.object) for s in binding.undefined] == [
            ("f", "V2", "/bin/lacks")
        ]
        assert [(v.version, v.path) for v in binding.missing_versions] == [("V2", "/lib/liba.so")]
        assert session.symbols(session.resolve("/bin/static")) == type(binding)()
        assert session.newest_versions(closure) == {}
