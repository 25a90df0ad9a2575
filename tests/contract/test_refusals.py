"""What the Python API is given and cannot take: a RequestError that names it, never a traceback of
another kind, and never an answer to another question."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import elfpack
from elfpack import ImageConfig, RequestError, Session
from tests.contract.tree import library, program, rows, system

APP = "/bin/app"
FIVE: Any = 5


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = system(tmp_path_factory.mktemp("refusals") / "root")
    return system(top, {APP: program("libown.so"), "/lib/libown.so": library("libown.so")})


@pytest.fixture(name="session", scope="module")
def _session(world: Path) -> Iterator[Session]:
    with Session(world) as session:
        yield session


class Refused(NamedTuple):
    name: str
    call: Callable[[Any], object]
    """Gets a session, typed so that it may do anything with it."""
    said: str
    """What the error begins with."""


def _made(**given: Any) -> Callable[[Any], object]:
    return lambda _: Session(**given)


def _planned(**given: Any) -> Callable[[Any], object]:
    return lambda session: session.plan(**{"programs": [APP], **given})


def _image(session: Any, tags: object) -> object:
    return session.plan([APP]).write_image("/nonexistent/out.tar", tags)


REFUSED = [
    # Paths
    Refused("a program that is no path", lambda s: s.resolve(5), "5 is no path"),
    Refused("no program", lambda s: s.resolve(None), "None is no path"),
    Refused("an empty name", lambda s: s.resolve(""), "'': names no file"),
    Refused("a NUL in a name", lambda s: s.resolve("a\0b"), "a\0b: names no file"),
    Refused("a lone surrogate", lambda s: s.resolve("a\ud800"), "a\ud800: names no file"),
    Refused("one of many", lambda s: list(s.resolve_many([APP, 5])), "5 is no path"),
    Refused("many that are one", lambda s: list(s.resolve_many(APP)), f"{APP}: programs is one"),
    Refused("many that are none", lambda s: list(s.resolve_many(5)), "programs: cannot be 5"),
    Refused("a root that is none", _made(root=5), "root: cannot be 5"),
    Refused("no root", _made(root=None), "root: cannot be None"),
    Refused("an empty root", _made(root=""), "'': names no file"),
    Refused("what is checked", lambda _: elfpack.check(FIVE), "5 is no path"),
    Refused("images of nothing", lambda _: list(elfpack.images(FIVE)), "5 is no path"),
    # How a session looks
    Refused("a relative cwd", _made(cwd="bin"), "bin: is not absolute"),
    Refused("a relative Path as cwd", _made(cwd=Path("bin")), "bin: is not absolute"),
    Refused("an empty cwd", _made(cwd=""), "'': names no file"),
    Refused("a cwd that is none", _made(cwd=5), "5 is no path"),
    Refused("a CPU", _made(cpu="8086"), "8086: no CPU level"),
    Refused("a CPU that is none", _made(cpu=5), "5: no CPU level"),
    *(
        Refused(f"{what} {value!r}", _made(**{what: value}), f"{what}: cannot be")
        for what in ("library_path", "preload")
        for value in (None, b"/lib", ["/lib"], Path("/lib"))
    ),
    # What a plan is made of
    *(
        Refused(f"epoch {value!r}", _planned(epoch=value), "epoch: cannot be")
        for value in (-1, 2**33, 1.5, "0", None)
    ),
    *(
        Refused(f"{what} {value!r}", _planned(**{what: value}), said)
        for what in ("exclude", "allow_missing")
        for value, said in (
            ("libc*", f"libc*: {what} is one name"),
            (5, f"{what}: cannot be 5"),
            (None, f"{what}: cannot be None"),
            ([5], f"{what}: cannot hold 5"),
            ([b"x"], f"{what}: cannot hold b'x'"),
        )
    ),
    Refused("patterns of resolve", lambda s: s.resolve(APP, exclude=[5]), "exclude: cannot hold 5"),
    Refused("one program", _planned(programs=APP), f"{APP}: programs is one name"),
    Refused("no program to pack", _planned(programs=[]), "programs: there is nothing to pack"),
    Refused("programs of no kind", _planned(programs=[5]), "5 is no path"),
    Refused("what is added", _planned(add="x"), "x: add is one name"),
    Refused("directories", _planned(mkdir=[5]), "5 is no path"),
    Refused("an output", _planned(output=5), "5 is no path"),
    Refused("modules as a list", _planned(modules=["nss"]), "modules: cannot be"),
    Refused("modules as a text", _planned(modules="nss"), "modules: cannot be"),
    Refused("a module", _planned(modules={5: True}), "no runtime module is called"),
    Refused("a module's value", _planned(modules={"nss": 5}), "nss: cannot be 5"),
    Refused("a dict as config", _planned(config={}), "config: cannot be {}"),
    Refused("False as config", _planned(config=False), "config: cannot be False"),
    # What is written, or asked about a closure
    Refused("no tags", lambda s: _image(s, None), "tags: cannot be None"),
    Refused("an empty list of tags", lambda s: _image(s, []), "tags: an image needs a name"),
    Refused("a tag that is no text", lambda s: _image(s, [5]), "tags: cannot hold 5"),
    Refused("a tag in bytes", lambda s: _image(s, b"x"), "b'x': tags is one name"),
    Refused("an output of no kind", lambda s: s.plan([APP]).write_tar(None), "None is no path"),
    Refused("symbols of a path", lambda s: s.symbols(APP), f"closure: cannot be '{APP}'"),
    Refused("versions of nothing", lambda s: s.newest_versions(None), "closure: cannot be None"),
]


@pytest.mark.parametrize("refused", rows(REFUSED))
def test_refused(refused: Refused, session: Session) -> None:
    with pytest.raises(RequestError) as caught:
        refused.call(session)
    assert str(caught.value).startswith(refused.said)
    assert caught.value.hint


def test_taken(world: Path) -> None:
    """The kinds in which a path may come give one answer."""
    whole = str(world)
    roots: list[Any] = [whole, os.fsencode(whole), world]
    directories: list[Any] = ["/bin", b"/bin", Path("/bin")]
    for root, cwd in product(roots, directories):
        for asked in ("app", Path("app")):
            with Session(root, cwd=cwd) as session:
                closure = session.resolve(asked)
                assert [found.path for found in closure.libraries][:1] == ["/lib/libown.so"]
                assert session.plan([asked], config=ImageConfig()).entries


@pytest.mark.parametrize("make", [lambda s: s, lambda s: s.plan([APP])], ids=["Session", "Plan"])
def test_what_cannot_be_pickled_says_so(
    make: Callable[[Session], object], session: Session
) -> None:
    made = make(session)
    with pytest.raises(TypeError, match=f"a {type(made).__name__} cannot be pickled"):
        pickle.dumps(made)
