"""A session: many calls, from many threads, closed afterwards."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

import elfpack
from elfpack import Closure, Failure, RequestError, Session
from elfpack.api import request
from elfpack.errors import SeveralErrors
from elfpack.planning.request import Request
from elfpack.root.directory import _DESCRIPTORS
from tests.contract.tree import LIBC, library, program, static, system

T = TypeVar("T")
THREADS = 8
FIXTURES = Path(__file__).parents[1] / "fixtures"
PLACES = 200
"""Directories of programs: more than a root keeps open."""


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(name="world", scope="module")
def _world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each program has a library of its own, one that all have, and some lack one."""
    top = system(tmp_path_factory.mktemp("session") / "root")
    files: dict[str, bytes | str | None] = {"/lib/libshared.so.1": library("libshared.so.1", LIBC)}
    for n in range(PLACES):
        lost = (f"libgone{n}.so",) if n % 5 == 0 else ()
        needed = ("libown.so", "libshared.so.1", *lost, LIBC)
        files[f"/opt/{n}/bin/app"] = program(*needed, runpath=f"/opt/{n}/lib")
        files[f"/opt/{n}/lib/libown.so"] = library("libown.so", f"libdeep{n % 7}.so")
        files[f"/lib/libdeep{n % 7}.so"] = library(f"libdeep{n % 7}.so", LIBC)
    return system(top, {**files, "/bin/text": "text\n", "/bin/static": static()})


def _of_world() -> list[str]:
    return [f"/opt/{n}/bin/app" for n in range(PLACES)] + ["/bin/text", "/bin/static", "/none"]


def _of_machine() -> list[str]:
    """Programs of this machine, and the fixtures, of all architectures."""
    names = sorted(os.listdir("/usr/bin"))[:300]
    below = sorted(str(path) for path in FIXTURES.rglob("*") if path.is_file())
    return [f"/usr/bin/{name}" for name in names] + below


def _plain(result: Closure | Failure) -> object:
    """What can be compared: an error is equal to itself alone."""
    if isinstance(result, Failure):
        return result.path, type(result.error), str(result.error)
    return result


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def _in_threads(call: Callable[[int], T]) -> list[T]:
    """What each thread's call gives; all begin at once."""
    begin = threading.Barrier(THREADS)

    def one(number: int) -> T:
        begin.wait()
        return call(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(one, range(THREADS)))


@pytest.mark.parametrize("where", ["world", "machine"])
def test_threads_get_what_one_gets(where: str, world: Path) -> None:
    root, names = (world, _of_world()) if where == "world" else (Path("/"), _of_machine())
    with Session(root) as alone:
        expected = {name: _plain(alone.resolve_many([name]).__next__()) for name in names}
    before, highest = _descriptors(), [0] * THREADS

    def work(number: int) -> list[bool]:
        own = names[number * 37 % len(names) :] + names[: number * 37 % len(names)]
        found = []
        for result in session.resolve_many(own[::-1] if number % 2 else own):
            found.append(_plain(result) == expected[_name(result)])
            highest[number] = max(highest[number], _descriptors())
        return found

    with Session(root) as session:
        for found in _in_threads(work):
            assert len(found) == len(names)
            assert all(found)
    # Each thread: the directory that it has at hand, a step of its walk, a file, /proc itself.
    assert max(highest) <= before + _DESCRIPTORS + 4 * THREADS + THREADS
    assert _descriptors() == before


def _name(result: Closure | Failure) -> str:
    return result.path if isinstance(result, Failure) else result.name


def test_all_that_is_told_is_the_same_in_threads(world: Path) -> None:
    names = _of_world()[:60]

    def told(session: Session, closure: Closure) -> object:
        binding, newest = session.symbols(closure), session.newest_versions(closure)
        return session.borrowed(closure), binding, newest

    with Session(world) as alone:
        expected = [told(alone, alone.resolve(name)) for name in names]
    with Session(world) as session:
        work = lambda _: [told(session, session.resolve(name)) for name in names]  # noqa: E731
        assert _in_threads(work) == [expected] * THREADS


def test_plans_in_threads(world: Path) -> None:
    names = [name for n, name in enumerate(_of_world()[:40]) if n % 5]
    with Session(world) as alone:
        expected = [alone.plan([name]).record.entries for name in names]
    with Session(world) as session:
        work = lambda _: [session.plan([name]).record.entries for name in names]  # noqa: E731
        for found in _in_threads(work):
            for mine, right in zip(found, expected, strict=True):
                assert [(e.path, e.reason) for e in mine] == [(e.path, e.reason) for e in right]


def test_each_file_is_opened_once(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one thread; of several, two may come to a file at once, and read the same."""
    opened: list[object] = []
    real = os.open

    def counting(path: object, flags: int, *args: int, **more: int) -> int:
        if flags & os.O_ACCMODE == os.O_RDONLY and not flags & os.O_PATH:
            opened.append((path, more.get("dir_fd")))
        return real(path, flags, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", counting)
    with Session(world) as session:
        results = list(session.resolve_many(_of_world()))
    files = {hit.real_path for c in results if isinstance(c, Closure) for hit in c.hits}
    loaders = 1  # whose bytes are looked at besides
    assert len(opened) <= len(files) + loaders + len(["/bin/text", "ld.so.cache"])


def test_order_is_that_of_the_names(world: Path) -> None:
    names = ["/bin/text", "/opt/3/bin/app", "/none", "/opt/1/bin/app", "/opt/3/bin/app"]
    with Session(world) as session:
        results = list(session.resolve_many(names))
    assert [_name(result) for result in results] == names
    assert [isinstance(result, Failure) for result in results] == [True, False, True, False, False]
    assert isinstance(results[0], Failure)
    assert isinstance(results[0].error, elfpack.InputError)


def test_results_come_one_by_one(world: Path) -> None:
    def names() -> Iterator[str | Path]:
        yield world / "../nothing"
        yield "/bin/static"
        raise AssertionError("nobody asked for the third")

    with Session(world) as session:
        results = session.resolve_many(names())
        assert isinstance(next(results), Failure)
        assert isinstance(next(results), Closure)


# Closed


CALLS: Sequence[Callable[[Session, Closure], object]] = (
    lambda session, _: session.resolve("/bin/static"),
    lambda session, _: next(session.resolve_many(["/bin/static"])),
    lambda session, _: session.plan(["/bin/static"]),
    lambda session, _: session.programs(),
    lambda session, closure: session.borrowed(closure),
    lambda session, closure: session.symbols(closure),
    lambda session, closure: session.newest_versions(closure),
)


def test_closed(world: Path) -> None:
    before = _descriptors()
    with Session(world) as session:
        closure = session.resolve("/opt/1/bin/app")
        plan = session.plan(["/opt/1/bin/app"])
    assert _descriptors() == before
    assert isinstance(plan.findings, tuple)  # hints were looked for while there was a root
    session.close()
    for call in CALLS:
        with pytest.raises(RequestError, match="its session is closed"):
            call(session, closure)
    with pytest.raises(elfpack.InputError, match="its session is closed"):
        plan.write_tar(world.parent / "late.tar")
    assert [library.name for library in closure.libraries][:1] == ["libown.so"]
    assert not (world.parent / "late.tar").exists()


def test_closed_while_threads_work(world: Path) -> None:
    """A call that runs ends as if nothing were; the next is refused; nothing stays open."""
    names = _of_world()[:PLACES]
    with Session(world) as alone:
        expected = {name: alone.resolve(name) for name in names}
    before = _descriptors()
    for after in range(0, 120, 8):
        session = Session(world)
        count = [0] * THREADS

        def work(
            number: int,
            session: Session = session,
            count: list[int] = count,
            after: int = after,
        ) -> None:
            with pytest.raises(RequestError, match="its session is closed"):
                for result in session.resolve_many(names[number:] + names[:number]):
                    assert isinstance(result, Closure), result
                    assert result == expected[result.name]
                    count[number] += 1
                    if sum(count) > after:
                        session.close()
                session.resolve("/bin/static")

        _in_threads(work)
    assert _descriptors() == before


def test_closure_goes_through_pickle(world: Path) -> None:
    with Session(world) as session:
        for name in ("/opt/0/bin/app", "/bin/static"):
            closure = session.resolve(name)
            again = pickle.loads(pickle.dumps(closure))
            assert again == closure
            assert again.libraries == closure.libraries
            assert again.missing == closure.missing


def test_errors_go_through_pickle(world: Path) -> None:
    errors: list[elfpack.ElfpackError] = [SeveralErrors((RequestError("a", path="b", hint="c"),))]
    with Session(world) as session:
        for call in (lambda: session.plan(["/opt/0/bin/app"]), lambda: session.resolve("/none")):
            with pytest.raises(elfpack.ElfpackError) as caught:
                call()
            errors.append(caught.value)
    for error in errors:
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert getattr(again, "findings", ()) == getattr(error, "findings", ())
        assert again.exit_code == error.exit_code


def test_programs(world: Path) -> None:
    script = system(world.parent / "other", {"/bin/run": "#!/bin/sh\n", "/bin/static": static()})
    with Session(script) as session:
        assert session.programs() == ("/bin/run", "/bin/static")
    with Session(world) as session:
        assert len(session.programs()) == PLACES + 1


# Archives


def test_images_of_an_archive(world: Path, tmp_path: Path) -> None:
    config = elfpack.ImageConfig(env={"LD_LIBRARY_PATH": "/other"})
    with Session(world) as session:
        plan = session.plan(["/opt/1/bin/app"], config=config)
        plan.write_image(tmp_path / "a.tar", "app:1")
        plan.write_tar(tmp_path / "b.tar")
        plan.write_tree(tmp_path / "tree")
    before = _descriptors()
    for name, tag in (("a.tar", "app:1"), ("b.tar", None), ("tree", None)):
        for image in elfpack.images(tmp_path / name):
            assert image.name == tag or (image.name or "").endswith(f"/{tag}")
            assert image.session.programs() == ("/opt/1/bin/app",)
            closure = image.session.resolve("/opt/1/bin/app")
            assert [one.name for one in closure.libraries][:2] == ["libown.so", "libshared.so.1"]
            assert not closure.missing
            assert image.session.options.library_path == ("/other" if tag else "")
        with pytest.raises(RequestError, match="its session is closed"):
            image.session.resolve("/opt/1/bin/app")
        assert _descriptors() == before
    assert pickle.loads(pickle.dumps(closure)) == closure


def test_images_that_are_let_go(world: Path, tmp_path: Path) -> None:
    with Session(world) as session:
        session.plan(["/bin/static"]).write_image(tmp_path / "a.tar", ["a:1", "a:2"])
    before = _descriptors()
    found = elfpack.images(tmp_path / "a.tar")
    assert isinstance(next(found), elfpack.Image)
    del found
    assert _descriptors() == before
    with pytest.raises(elfpack.InputError):
        next(elfpack.images(tmp_path / "none.tar"))


def test_closed_while_a_plan_is_made(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call comes to its end."""
    session = Session(world)
    make = request.make_request

    def closing(*given: Any, **named: Any) -> Request:
        session.close()
        return make(*given, **named)

    monkeypatch.setattr(request, "make_request", closing)
    assert session.plan(["/bin/static"]).entries
    with pytest.raises(RequestError, match="closed"):
        session.plan(["/bin/static"])
