"""The house's walls: imports point down only, and a command loads no more than it needs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import click
import pytest

import elfpack
from tests.contract.tree import program

ROOT = Path(elfpack.__file__).parent
FLOORS = (
    ("cli",),
    ("api",),
    ("pack", "report"),
    ("planning",),
    ("checking",),
    ("runtime",),
    ("loader",),
    ("elf", "root"),
    ("formats",),
    ("blob", "paths", "errors", "late", "light", "records", "processors", "threads"),
)
"""From the top. A room may import itself and the floors below; the ground floor is one room."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
GROUND = len(FLOORS) - 1
OWNER = {"elftools": "elf", "lief": "elf", "click": "cli", "zstandard": "formats"}
"""Each third-party package, and the one room that may import it."""
FILES = sorted(ROOT.rglob("*.py"))
IN_ROOMS = [path for path in FILES if path.parent != ROOT or path.stem in FLOOR]


def _name(path: Path) -> str:
    parts = ("elfpack", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILE_NAMES = {_name(path) for path in FILES}


def _imports(tree: ast.AST) -> Iterator[str]:
    """The full names that a tree imports; of ``from a import b`` it is ``a.b``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _at_import(path: Path) -> Iterator[str]:
    """What a module imports while it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _imports(node)


def _may(me: str, room: str) -> bool:
    return me == room or FLOOR[room] > FLOOR[me] or FLOOR[me] == FLOOR[room] == GROUND


@pytest.mark.parametrize("path", IN_ROOMS, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path: Path) -> None:
    me = path.relative_to(ROOT).with_suffix("").parts[0]
    assert me in FLOOR, f"elfpack.{me} is a room that the plan of the house does not have"
    for target in _imports(ast.parse(path.read_text())):
        top, _, rest = target.partition(".")
        if top in OWNER:
            assert me == OWNER[top], f"only elfpack.{OWNER[top]} may import {top}"
        elif top == "elfpack":
            room = rest.split(".")[0]
            assert room == "__version__" or _may(me, room), f"elfpack.{me} must not import {target}"
        else:
            assert top in sys.stdlib_module_names, f"{top} has no home in elfpack"


def test_no_cycle() -> None:
    names = {_name(path) for path in FILES}
    graph = {}
    for path in FILES:
        found = {t if t in names else t.rpartition(".")[0] for t in _at_import(path)}
        graph[_name(path)] = (found & names) - {"elfpack"}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError


_LOADED = """
import sys
sys.path[:0] = sys.argv[1:3]
from elfpack.cli import main
status = main(sys.argv[3:])
sys.stderr.write("\\0" + "\\n".join(sorted(sys.modules)))
sys.exit(status)
"""


def _loaded(*arguments: str) -> set[str]:
    """The modules that a command loads; without site, which loads some by itself."""
    homes = (str(ROOT.parent), str(Path(click.__file__).parent.parent))
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", _LOADED, *homes, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stderr.rpartition("\0")[2].split())


NEVER = ("json", "hashlib", "tarfile", "pathlib", "lief", "elftools", "subprocess")
PLAIN_LOADS = {
    "elfpack": ("blob", "errors", "light", "paths", "records"),
    "elfpack.api": ("host", "names", "resolve", "session"),
    "elfpack.cli": ("deps_run", "ending", "plain", "surroundings", "ui"),
    "elfpack.elf": ("constants", "file", "layout", "notes", "reader", "strings"),
    "elfpack.formats": ("ldcache",),
    "elfpack.loader": (
        *("closure", "common", "files", "glibc", "hwcaps", "identify", "machine", "program"),
        *(
            "records",
            "remarks",
            "resolve",
            "search",
            "starting",
            "system",
            "tokens",
            "walk",
            "walked",
        ),
    ),
    "elfpack.report": ("ldd",),
    "elfpack.root": ("directory", "node", "walk"),
}
"""All that ``deps PROGRAM`` loads of ours for a program of glibc: by package its modules."""
PLAIN_STDLIB = {
    *("abc", "builtins", "codecs", "collections", "encodings", "enum", "errno", "functools", "gc"),
    *("genericpath", "io", "itertools", "keyword", "marshal", "operator", "os", "posix"),
    *("posixpath", "reprlib", "stat", "struct", "sys", "time", "types", "zipimport"),
}
"""The same of the standard library, without modules whose name begins with an underscore."""
FORMS_MAY = ("elfpack.loader", "elfpack.elf", "elfpack.root", "elfpack.formats", "elfpack.report")
FORMS_LOAD = {"deps", "deps_forms", "main", "options"}


def test_plain_deps_loads_a_written_list() -> None:
    loaded = _loaded("deps", "/usr/bin/env")
    listed = {f"{package}.{name}" for package, names in PLAIN_LOADS.items() for name in names}
    ours = {name for name in loaded if name.partition(".")[0] == "elfpack"}
    assert ours == listed | set(PLAIN_LOADS)
    others = {name.partition(".")[0] for name in loaded - ours}
    assert {name for name in others if not name.startswith("_")} <= PLAIN_STDLIB


def test_deps_of_a_set_id_program_with_an_origin_loads_no_more(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.write_bytes(program("libc.so.6", runpath="$ORIGIN/lib:${ORIGIN}"))
    app.chmod(0o4755)
    link = tmp_path / "other" / "link"
    link.parent.mkdir()
    link.symlink_to(app)
    others = {name.partition(".")[0] for name in _loaded("deps", str(app), str(link))}
    assert not others & {"re", "typing", "contextlib"}


@pytest.mark.parametrize("form", ["ldd", "tree", "paths"])
def test_deps_with_options_loads_little_more(form: str) -> None:
    loaded = _loaded("deps", "--format", form, "/usr/bin/env")
    assert "elfpack.cli.deps" in loaded
    assert not loaded.intersection(NEVER)
    plain = {f"{package}.{name}" for package, names in PLAIN_LOADS.items() for name in names}
    ours = {name for name in loaded if name.partition(".")[0] == "elfpack"}
    more = ours - plain - set(PLAIN_LOADS) - {f"elfpack.cli.{name}" for name in FORMS_LOAD}
    assert not {name for name in more if not name.startswith(FORMS_MAY)}


def test_records_that_plain_deps_loads_have_no_text_annotations() -> None:
    """typing.NamedTuple compiles each annotation that is a text: some twenty of them cost a
    millisecond, which is what ``from __future__ import annotations`` makes of all."""
    plain = {f"{package}.{name}" for package, names in PLAIN_LOADS.items() for name in names}
    assert not _with_text_annotations(plain)


def _with_text_annotations(names: set[str]) -> list[Path]:
    texts = {path: path.read_text() for path in FILES if _name(path) in names}
    return [path for path, text in texts.items() if _compiles_texts(text)]


def _compiles_texts(text: str) -> bool:
    named = re.search("^from typing import .*NamedTuple", text, re.MULTILINE)
    return named is not None and "from __future__" in text


SYMBOLS = {"binding", "linkage", "linkages", "newest", "order", "relocations"}
"""Modules of ``loader`` that only symbols need."""


def test_deps_loads_what_binds_symbols_only_for_them() -> None:
    names = {f"elfpack.loader.{name}" for name in SYMBOLS}
    assert names <= FILE_NAMES
    assert not names & _loaded("deps", "/usr/bin/env")
    assert "elfpack.loader.binding" in _loaded("deps", "--symbols", "/usr/bin/env")


CHECK_NEVER = {
    *("elfpack.planning", "elfpack.pack", "elfpack.runtime", "lief", "elftools", "tarfile"),
    *("dataclasses", "hashlib", "json", "threading", "elfpack.elf.symbols"),
    *("elfpack.root.image", "elfpack.root.digests", "elfpack.formats.manifests"),
}
"""What only images, compressed archives and what is lacking need, too."""


@pytest.fixture
def checked(tmp_path: Path) -> set[str]:
    """The modules that a check of a root file system loads."""
    (tmp_path / "usr").mkdir()
    return _loaded("check", str(tmp_path))


def test_check_loads_little(checked: set[str]) -> None:
    assert "elfpack.checking" in checked
    strange = {n for n in checked if any(n == m or n.startswith(f"{m}.") for m in CHECK_NEVER)}
    assert not strange


def test_records_that_check_loads_have_no_text_annotations(checked: set[str]) -> None:
    """As those of deps."""
    ours = [path for path in FILES if _name(path) in checked and path.parent != ROOT]
    assert len(ours) > len(PLAIN_LOADS)
    for path in ours:
        assert not _compiles_texts(path.read_text()), path


LAYER_NEVER = {"lief", "elftools", "json", "hashlib", "tarfile", "pathlib", "shutil", "subprocess"}


def test_layer_loads_little() -> None:
    loaded = _loaded("layer", "-q", "--dry-run", "/usr/bin/env")
    assert "elfpack.planning.make" in loaded
    assert not loaded & LAYER_NEVER
    assert not _with_text_annotations(loaded)


LAYER_STDLIB = PLAIN_STDLIB | {
    *("bisect", "contextlib", "fcntl", "signal", "zlib"),
}
"""All that ``layer PROGRAM -o OUT`` loads of the standard library for a program that asks for
little: neither typing nor re, nor what takes long because it loads those."""


LAYER_LATE = {
    *("elfpack.formats.compression", "elfpack.formats.strace", "elfpack.runtime.traced"),
    *("elfpack.planning.finish", "elfpack.pack.oci", "elfpack.cli.packing", "elfpack.loader.musl"),
    *("elfpack.elf.sections", "elfpack.report.plandoc"),
}
"""What only other outputs, options, commands and kinds of program need."""


def test_plain_layer_loads_a_written_list_of_others(tmp_path: Path) -> None:
    loaded = _loaded("layer", "/usr/bin/env", "-o", f"{tmp_path}/out.tar")
    assert (tmp_path / "out.tar").exists()
    assert {"elfpack.cli.layer_run", "elfpack.pack.tar"} <= loaded
    others = {name.partition(".")[0] for name in loaded} - {"elfpack"}
    assert {name for name in others if not name.startswith("_")} <= LAYER_STDLIB
    assert LAYER_LATE <= FILE_NAMES
    assert not loaded & LAYER_LATE


def test_who_is_told_no_hints_looks_for_none() -> None:
    assert "elfpack.planning.hints" not in _loaded("layer", "-q", "--dry-run", "/usr/bin/env")
    for options in (("--dry-run",), ("-q", "--dry-run", "--format", "json")):
        assert "elfpack.planning.hints" in _loaded("layer", *options, "/usr/bin/env")


_COMPILED = """
import re, sys
sys.path[:0] = sys.argv[1:3]
import click
made = []
compile = re.compile
re.compile = lambda *given: made.append(given) or compile(*given)
import elfpack.api.planning, elfpack.cli.layer, elfpack.planning.make
print(len(made))
"""


def test_layer_compiles_no_pattern_before_it_is_needed() -> None:
    homes = (str(ROOT.parent), str(Path(click.__file__).parent.parent))
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", _COMPILED, *homes],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) == 0


def test_help_loads_no_command() -> None:
    assert not {"elfpack.cli.deps", "elfpack.cli.layer", "elfpack.cli.check"} & _loaded("--version")


def test_import_of_the_package_loads_nothing() -> None:
    code = "import sys; sys.path[:0] = [sys.argv[1]]; import elfpack; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code, str(ROOT.parent)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert {m for m in done.stdout.split() if m.startswith("elfpack")} == {"elfpack"}


PUBLIC = {
    *("Closure", "Library", "Plan", "Report", "Session", "check", "plan", "resolve"),
    *("Failure", "Image", "ImageConfig", "__version__", "images"),
    *("ElfpackError", "Finding", "IncompleteError", "InputError", "OutputError", "RequestError"),
}
"""What build scripts may import."""


def test_public_names() -> None:
    assert set(elfpack.__all__) == PUBLIC
    assert elfpack.__all__ == sorted(elfpack.__all__)
    assert set(dir(elfpack)) >= PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_resolves(name: str) -> None:
    value = getattr(elfpack, name)
    assert value is getattr(elfpack, name)
    assert name == "__version__" or value.__doc__, "a public name says what it is"


def test_other_names_do_not_resolve() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = elfpack.nothing_of_the_kind


def test_errors_are_elfpack_errors() -> None:
    for name in PUBLIC:
        if name.endswith("Error"):
            assert issubclass(getattr(elfpack, name), elfpack.ElfpackError)
