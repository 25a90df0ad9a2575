"""What the kernel makes of a program: scripts, their interpreters, and what is none."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from elfpack.errors import InputError
from elfpack.loader.closure import Closure
from elfpack.loader.resolve import Options, Resolver
from elfpack.report import ldd
from tests.worlds import GLIBC, World, tree


def resolve(world: World, name: str, cwd: str = "/") -> Closure:
    return Resolver(tree({**GLIBC, **world})).resolve(name, Options(cwd=cwd))


PROGRAMS: World = {
    "/bin/sh": "exe needs=liba.so rpath=/lib",
    "/lib/liba.so": "lib",
    "/usr/bin/env": "exe",
    "/usr/bin/python3": "exe needs=libb.so",
    "/usr/local/bin/tool": "script #!/bin/sh\\n",
}


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    program: str
    """What runs in the end."""
    scripts: tuple[tuple[str, str | None], ...]
    """Interpreter and wanted command of each script on the way."""


CASES = [
    Case("plain", "#!/bin/sh\\necho", "/bin/sh", (("/bin/sh", None),)),
    Case("blanks before it", "#! \t /bin/sh\\n", "/bin/sh", (("/bin/sh", None),)),
    Case("blanks behind it", "#!/bin/sh  \\n", "/bin/sh", (("/bin/sh", None),)),
    Case("an argument", "#!/bin/sh -e\\n", "/bin/sh", (("/bin/sh", None),)),
    Case("no newline", "#!/bin/sh", "/bin/sh", (("/bin/sh", None),)),
    Case("env", "#!/usr/bin/env python3\\n", "/usr/bin/python3", (("/usr/bin/env", "python3"),)),
    Case(
        "env -S",
        "#!/usr/bin/env -S python3 -u\\n",
        "/usr/bin/python3",
        (("/usr/bin/env", "python3"),),
    ),
    Case(
        "env -S with no blank",
        "#!/usr/bin/env -Spython3\\n",
        "/usr/bin/python3",
        (("/usr/bin/env", "python3"),),
    ),
    Case(
        "env -S with assignments",
        "#!/usr/bin/env -S -i A=1 python3 -u\\n",
        "/usr/bin/python3",
        (("/usr/bin/env", "python3"),),
    ),
    Case(
        "env --split-string",
        "#!/usr/bin/env --split-string=python3 -u\\n",
        "/usr/bin/python3",
        (("/usr/bin/env", "python3"),),
    ),
    Case("env without a command", "#!/usr/bin/env\\n", "/usr/bin/env", (("/usr/bin/env", None),)),
    Case(
        "env that finds a script",
        "#!/usr/bin/env tool\\n",
        "/bin/sh",
        (("/usr/bin/env", "tool"), ("/bin/sh", None)),
    ),
    Case(
        "a script as interpreter",
        "#!/usr/local/bin/tool\\n",
        "/bin/sh",
        (("/usr/local/bin/tool", None), ("/bin/sh", None)),
    ),
    Case("a relative interpreter", "#!bin/sh\\n", "/bin/sh", (("bin/sh", None),)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_script(case: Case) -> None:
    closure = resolve({**PROGRAMS, "/s": f"script {case.text}"}, "/s")
    assert closure.kind == "script"
    assert closure.hits[0].path == case.program
    assert tuple((s.interpreter, s.wanted) for s in closure.scripts) == case.scripts


@pytest.mark.parametrize("options", ["-S -u NAME", "-S -C /tmp", "-S --unset NAME", "-vS", "-iS"])
def test_options_of_env(options: str) -> None:
    text = f"script #!/usr/bin/env {options} python3\\n"
    assert resolve({**PROGRAMS, "/s": text}, "/s").hits[0].path == "/usr/bin/python3"


def test_libraries_of_a_script_are_its_interpreters() -> None:
    closure = resolve({**PROGRAMS, "/s": "script #!/bin/sh\\n"}, "/s")
    assert list(ldd.lines(closure)) == ["\tliba.so => /lib/liba.so"]


@pytest.mark.parametrize(("depth", "fails"), [(5, False), (6, True)])
def test_depth(depth: int, fails: bool) -> None:
    world = {**PROGRAMS, "/0": "script #!/bin/sh\\n"}
    world.update({f"/{n}": f"script #!/{n - 1}\\n" for n in range(1, depth)})
    if fails:
        with pytest.raises(InputError, match="more than 5 deep"):
            resolve(world, f"/{depth - 1}")
    else:
        assert len(resolve(world, f"/{depth - 1}").scripts) == depth


def test_a_script_that_runs_itself() -> None:
    with pytest.raises(InputError, match="deep"):
        resolve({"/s": "script #!/s\\n"}, "/s")


@pytest.mark.parametrize("text", ["#!/none/sh\\n", "#!/bin/sh/x\\n"])
def test_missing_interpreter(text: str) -> None:
    closure = resolve({**PROGRAMS, "/s": f"script {text}"}, "/s")
    assert closure.missing_interpreter == text[2:-2]
    assert list(ldd.lines(closure)) == [f"\t{text[2:-2]} => not found"]


def test_env_that_finds_nothing() -> None:
    closure = resolve({**PROGRAMS, "/s": "script #!/usr/bin/env ruby\\n"}, "/s")
    script = closure.scripts[0]
    assert (script.wanted, script.command) == ("ruby", None)
    assert closure.hits[0].path == "/usr/bin/env"


@pytest.mark.parametrize(
    "text", ["#!\\n", "#!   \\n", "#!" + " " * 300 + "/bin/sh\\n", "#!/" + "x" * 300]
)
def test_a_first_line_that_names_nothing(text: str) -> None:
    with pytest.raises(InputError, match="names no interpreter"):
        resolve({**PROGRAMS, "/s": f"script {text}"}, "/s")


def test_a_line_cut_behind_the_interpreter_is_read() -> None:
    """The kernel takes a line without an end if the interpreter's name has ended."""
    closure = resolve({**PROGRAMS, "/s": f"script #!/bin/sh {'x' * 300}\\n"}, "/s")
    assert closure.hits[0].path == "/bin/sh"


FAULTS = [
    ("/none", "no such file"),
    ("/bin/sh/x", "not a directory"),
    ("/bin", "is a directory"),
    ("/bin/", "is a directory"),
    ("/fifo", "not a regular file"),
    ("/text", "a text file"),
    ("/empty", "empty file"),
    ("/rel", "an object file"),
    ("/loop", "too many levels of symbolic links"),
    ("/dangling", "no such file"),
]


@pytest.mark.parametrize(("name", "message"), FAULTS)
def test_what_is_no_program(name: str, message: str) -> None:
    world = {
        **PROGRAMS,
        "/fifo": "fifo",
        "/text": "text hello there",
        "/empty": "empty",
        "/rel": "rel",
        "/loop": "-> loop",
        "/dangling": "-> none",
    }
    with pytest.raises(InputError) as caught:
        resolve(world, name)
    assert message in caught.value.message
    assert caught.value.path == name
    assert caught.value.hint


def test_a_relative_name() -> None:
    closure = resolve({**PROGRAMS, "/home/p": "-> ../bin/sh"}, "./p", cwd="/home")
    assert closure.name == "./p"
    assert (closure.hits[0].path, closure.hits[0].real_path) == ("/home/p", "/bin/sh")
