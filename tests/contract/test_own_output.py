"""An output that was there before: what is elfpack's own is replaced, and nothing else is lost."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import resource
import signal
import subprocess
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from elfpack.errors import OutputError
from elfpack.pack import exchange, leftover, marker
from elfpack.pack.atomic import check_tree, new_tree
from tests.cli import COMMAND, PATIENCE, Ran, elfpack, environment, one_error
from tests.contract.tree import Content, described_tree, members, plant, rows, static, tar

MARKER = ".out.elfpack"


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    """A directory with a program, and a tree that elfpack wrote."""
    plant(tmp_path, {"app": static(), "data/a": "a", "data/b": "b"})
    assert _layer(tmp_path, "--add", "data").status == 0
    return tmp_path


def _layer(here: Path, *more: str, output: str = "out/", cwd: Path | None = None) -> Ran:
    return elfpack("layer", "-q", f"{here}/app:/app", *more, "-o", output, cwd=cwd or here)


def _paths(top: Path) -> set[str]:
    return set(described_tree(top))


BOTH = {"/app", "/data", "/data/a", "/data/b"}


def test_own_tree_is_replaced(here: Path) -> None:
    assert _paths(here / "out") == BOTH
    (here / "out").chmod(0o750)
    assert _layer(here).status == 0
    assert _paths(here / "out") == {"/app"}
    assert (here / "out").stat().st_mode & 0o7777 == 0o750, "as it was"
    assert _layer(here, "--add", "data").status == 0, "and once more"
    assert _paths(here / "out") == BOTH
    assert sorted(os.listdir(here)) == [MARKER, "app", "data", "out"]


def _touch_what_is_ours(out: Path) -> None:
    """A file that is gone is no loss, and a directory's time says nothing."""
    (out / "data/a").unlink()


def _nothing(out: Path) -> None:
    pass


@pytest.mark.parametrize("change", [_nothing, _touch_what_is_ours])
def test_own_tree_is_known(change: Callable[[Path], None], here: Path) -> None:
    change(here / "out")
    assert _layer(here).status == 0


class Strange(NamedTuple):
    name: str
    change: Callable[[Path], object]
    told: str


def _replaced(out: Path) -> None:
    (out / "data/a").unlink()
    (out / "data/a").mkdir()


STRANGE = [
    Strange("a file", lambda out: (out / "data/mine").write_text(""), "data/mine"),
    Strange("a directory", lambda out: (out / "mine").mkdir(), "mine"),
    Strange("a link", lambda out: (out / "mine").symlink_to("app"), "mine"),
    Strange("longer", lambda out: (out / "data/a").write_text("aa"), "data/a"),
    Strange("rewritten", lambda out: (out / "data/a").write_text("x"), "data/a"),
    Strange("another kind", _replaced, "data/a"),
]


@pytest.mark.parametrize("case", rows(STRANGE))
def test_what_elfpack_did_not_write_stays(case: Strange, here: Path) -> None:
    case.change(here / "out")
    before = described_tree(here)
    fact = one_error(_layer(here), 2, "out/")
    assert fact == f"holds {case.told}, which elfpack did not write like that (move it away)"
    assert described_tree(here) == before


def _directory(marker: Path) -> None:
    marker.unlink()
    marker.mkdir()


def _fifo(marker: Path) -> None:
    marker.unlink()
    os.mkfifo(marker)


def _link(marker: Path) -> None:
    marker.rename(marker.with_name("list"))
    marker.symlink_to("list")


NO_MARKERS: list[tuple[str, Callable[[Path], object]]] = [
    ("none", Path.unlink),
    ("empty", lambda marker: marker.write_bytes(b"")),
    ("of another version", lambda marker: marker.write_bytes(b"elfpack tree 2\n\0")),
    ("cut", lambda marker: os.truncate(marker, 90)),
    ("garbage", lambda marker: marker.write_bytes(bytes(range(256)) * 99)),
    ("a directory", _directory),
    ("a FIFO", _fifo),
    ("a link", _link),
]


@pytest.mark.parametrize(("name", "change"), NO_MARKERS, ids=[name for name, _ in NO_MARKERS])
def test_without_its_marker_a_tree_is_not_known(
    name: str, change: Callable[[Path], object], here: Path
) -> None:
    change(here / MARKER)
    before = described_tree(here / "out")
    fact = one_error(_layer(here), 2, "out/")
    assert fact.startswith(("is not empty", "holds "))
    assert described_tree(here / "out") == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_marker_of_another_user_counts_for_nothing(here: Path) -> None:
    os.chown(here / MARKER, 12345, 12345)
    assert one_error(_layer(here), 2, "out/").startswith("is not empty")


def test_a_marker_takes_its_own_size_of_memory(here: Path) -> None:
    tracemalloc.start()
    try:
        assert marker.known(os.fsencode(here / "out"))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_marker_alone_does_no_harm(here: Path) -> None:
    """The user removed the tree and made one of the same name."""
    (here / "out").rename(here / "elsewhere")
    plant(here, {"out/mine": "mine"})
    assert one_error(_layer(here), 2, "out/").startswith("holds mine")
    (here / "out/mine").unlink()
    assert _layer(here).status == 0, "an empty directory"
    assert _layer(here).status == 0, "now our own"


def test_an_output_inside_what_is_added(here: Path) -> None:
    """The tree, its marker, an earlier tar, and what killed runs left of them."""
    plant(here, {"x.tar": "old", ".x.tar.elfpack-999999999": ""})
    plant(_work(here / ".out.elfpack-999999999"), {"new/x": ""})
    found = members(tar("./app", "--add", ".:/all", cwd=here))
    assert "/all/out/app" in found, "no output of this run"
    for output in ("out/", "x.tar"):
        ran = elfpack("layer", "-q", "./app", "--add", ".:/all", "-o", output, cwd=here)
        assert ran.status == 0
    inside = _paths(here / "out")
    assert {"/all/x.tar", "/all/data/a"} <= inside
    assert not any(path.startswith("/all/out") or "out.elfpack" in path for path in inside)
    last = members((here / "x.tar").read_bytes())
    assert "/all/out/app" in last
    assert not any(path.startswith(("/all/x.tar", "/all/.x.tar")) for path in last)


def test_the_working_directory(here: Path) -> None:
    """It stays the directory that it is: a shell stands in it."""
    inode = (here / "out").stat().st_ino
    for more in ((), ("--add", "../data:/data")):
        assert _layer(here, *more, output="./", cwd=here / "out").status == 0
        assert (here / "out").stat().st_ino == inode
    assert _paths(here / "out") == BOTH


def test_a_link_to_a_directory(here: Path) -> None:
    plant(here, {"elsewhere/full": None, "link": "-> elsewhere/full"})
    for more in ((), ("--add", "data")):
        assert _layer(here, *more, output="link/").status == 0
    assert (here / "link").is_symlink()
    assert _paths(here / "elsewhere/full") == BOTH
    assert sorted(os.listdir(here / "elsewhere")) == [".full.elfpack", "full"]


@pytest.fixture(name="mounted", params=["tmpfs", "bind"])
def _mounted(request: pytest.FixtureRequest, here: Path) -> Iterator[Path]:
    """A directory that something is mounted on, which nothing can rename."""
    place = here / "a mount"
    plant(here, {"a mount": None, "source": None})
    words = (
        ["-t", "tmpfs", "tmpfs"] if request.param == "tmpfs" else ["--bind", str(here / "source")]
    )
    done = subprocess.run(["mount", *words, str(place)], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"nothing can be mounted here: {done.stderr!r}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_mount_point(mounted: Path, here: Path) -> None:
    for more in ((), ("--add", "data"), ()):
        ran = _layer(here, *more, output="a mount/")
        assert ran.status == 0, ran.err
    assert _paths(mounted) == {"/app"}
    (mounted / "mine").touch()
    assert one_error(_layer(here, output="a mount/"), 2, "a mount/").startswith("holds mine")
    assert (mounted / "app").exists()


# What killed runs left


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (50000, 50000))


def _dead() -> int:
    """The number of a process that ended."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def _work(place: Path) -> Path:
    """A directory that a run worked in."""
    place.mkdir()
    leftover.sign(os.fsencode(place))
    return place


def test_what_a_killed_run_left_is_removed(here: Path) -> None:
    number = _dead()
    plant(here, {f".x.tar.elfpack-{number}": "half", f"..out.elfpack.elfpack-{number}": "half"})
    plant(_work(here / f".out.elfpack-{number}"), {"new/x/y": ""})
    (here / f".out.elfpack-{number}/new/x").chmod(0)
    (here / ".out.elfpack-999999998").mkdir()  # killed before the sign
    assert _layer(here).status == 0
    assert _layer(here, output="x.tar").status == 0
    assert sorted(os.listdir(here)) == [MARKER, "app", "data", "out", "x.tar"]


def test_a_tree_that_was_out_of_its_place_goes_back(here: Path) -> None:
    """Killed between two renames. The next run fails, and the tree is there again."""
    work = _work(here / f".out.elfpack-{_dead()}")
    (here / "out").rename(work / "old")
    plant(work, {"new/app": "new"})
    plant(here, {"big": bytes(99999)})
    arguments = ("layer", "-q", "./app", "--add", "big", "-o", "out/")
    assert elfpack(*arguments, cwd=here, preexec=_small_files).status == 2
    assert _paths(here / "out") == BOTH
    assert not work.exists()
    assert _layer(here).status == 0


@pytest.mark.parametrize("made", ["", "no list of elfpack's"], ids=["replaced", "filled in place"])
def test_what_a_stranger_had_in_a_tree_that_cannot_go_back_stays(made: str, here: Path) -> None:
    """Killed before the old tree was looked through; then somebody else made one in its place."""
    work = _work(here / f".out.elfpack-{_dead()}")
    (here / "out").rename(work / "old")
    plant(work, {"new/app": "new", "old/data/mine": "mine", **({"made": made} if made else {})})
    plant(here, {"out/data/theirs": "theirs"})
    out = os.fsencode(here / "out")
    for _ in range(2):
        exchange.clear(out)
        assert _paths(here / "out") == {"/data", "/data/theirs"} | ({"/app"} if made else set())
        assert _paths(work / "old") == {"/data", "/data/mine"}
    (work / "old/data/mine").unlink()
    exchange.clear(out)
    assert not work.exists()


class Stranger(NamedTuple):
    """What has the name of something that a killed run has left, and is none."""

    name: str
    files: dict[str, Content]
    """``NUMBER`` stands for that of a process that ended."""


STRANGERS = [
    Stranger("a directory", {".out.elfpack-NUMBER/mine": "mine"}),
    Stranger("a directory inside", {"out/.elfpack-NUMBER/mine": "mine"}),
    Stranger("a forged sign", {".out.elfpack-NUMBER/elfpack": "-> mine"}),
    Stranger("a sign that is a file", {".out.elfpack-NUMBER/elfpack": "a run of elfpack"}),
    Stranger("a link to a directory", {"mine/x": "x", ".out.elfpack-NUMBER": "-> mine"}),
    Stranger("a link to a file", {"mine": "x", ".x.tar.elfpack-NUMBER": "-> mine"}),
    Stranger("a directory for a tar", {".x.tar.elfpack-NUMBER/mine": "x"}),
]


@pytest.mark.parametrize("case", rows(STRANGERS))
def test_a_name_alone_is_no_sign_of_a_killed_run(case: Stranger, here: Path) -> None:
    number = str(_dead())
    names = [name.replace("NUMBER", number) for name in case.files]
    plant(here, dict(zip(names, case.files.values(), strict=True)))
    before = described_tree(here)
    for output in ("out/", "x.tar"):
        ran = _layer(here, "--add", "data", output=output)
        assert ran.status == (2 if "inside" in case.name and output == "out/" else 0), ran.err
    after = described_tree(here)
    assert [after[f"/{name}"] for name in names] == [before[f"/{name}"] for name in names]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_another_user_left_is_not_followed(here: Path) -> None:
    """In a directory that all may write, others can plant any name."""
    work = _work(here / f".out.elfpack-{_dead()}")
    plant(work, {"old/theirs": "theirs", "new/x": "x", "made": "list"})
    os.chown(work, 12345, 12345)
    before = described_tree(work)
    assert _layer(here, "--add", "data").status == 0
    assert described_tree(work) == before


def _tree(out: Path) -> None:
    """Write one without a process."""
    with new_tree(f"{out}/") as top:
        plant(Path(os.fsdecode(top)), {"app": "old", "data/a": "a", "data/b": "b"})


def _killed(output: str, call: str, turn: int) -> bool:
    """Let a run that writes a tree end, as by SIGKILL, at one of its last calls; whether it came to
    that call."""
    turns = iter(range(1, 1000))
    real = getattr(os, call)

    def ending(*given: Any, **more: Any) -> Any:
        if next(turns) == turn:
            os._exit(9)
        return real(*given, **more)

    pid = os.fork()
    if not pid:
        try:
            with new_tree(output) as top:
                plant(Path(os.fsdecode(top)), {"app": "new", "new/x": "new", "data/a": "other"})
                setattr(os, call, ending)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.parametrize("call", ["rename", "link", "unlink", "mkdir", "rmdir", "listdir", "open"])
@pytest.mark.parametrize("way", ["replaced", "filled in place"])
def test_killed_while_trees_change_places(
    way: str, call: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every call in turn: the next run, which fails, finds all of the old tree or all of the new
    one, and one more puts its own there."""
    output = "../out/"
    new = {"/app", "/new", "/new/x", "/data", "/data/a"}
    out = here / "out"
    old, turn = described_tree(out), 0
    monkeypatch.chdir(out if way == "filled in place" else here / "data")
    while _killed(output, call, turn := turn + 1):
        with pytest.raises(ZeroDivisionError), new_tree(output):
            raise ZeroDivisionError
        assert _paths(out) == new or described_tree(out) == old
        _tree(out)
        old = described_tree(out)
        assert _paths(out) == BOTH
        assert sorted(os.listdir(here)) == [MARKER, "app", "data", "out"]
    assert turn > 1 or (way, call) in (("replaced", "link"), ("replaced", "mkdir"))


def test_what_a_running_one_works_at_stays(here: Path) -> None:
    """Its process may have a number in another container: the lock tells."""
    name = f".x.tar.elfpack-{_dead()}"
    others = (".x.tar.elfpack-1", ".x.tar.elfpack-", ".x.tar.elfpack-a")
    plant(here, {name: "half", **dict.fromkeys(others, "")})
    with (here / name).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert _layer(here, output="x.tar").status == 0
    assert {n for n in os.listdir(here) if "x.tar.elfpack" in n} == {name, *others}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_two_at_once(number: signal.Signals, here: Path) -> None:
    """The second does not touch what the first is at; the first is ended, the second stays."""
    with (here / "big").open("wb") as big:
        big.truncate(1 << 34)  # seconds of work
    command = [*COMMAND, "layer", "-q", "./app", "--add", "big", "-o", "x.tar"]
    with subprocess.Popen(command, cwd=here, env=environment()) as process:
        work = here / f".x.tar.elfpack-{process.pid}"
        try:
            while not (work.exists() and work.stat().st_size):
                assert process.poll() is None
            process.send_signal(signal.SIGSTOP)  # or it fills the disk where the second is slow
            assert _layer(here, output="x.tar").status == 0
            assert work.exists()
        finally:
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)
            process.wait(PATIENCE)
    assert list(members((here / "x.tar").read_bytes())) == ["/app"]
    assert work.exists() == (number == signal.SIGKILL)


@pytest.mark.parametrize("output", ["x.tar", "new/", "out/", "image/"])
def test_several_at_once(output: str, here: Path) -> None:
    """Whoever is last, it is whole, and the next run knows it as elfpack's own."""
    words = ["image", "-t", "a:1"] if output == "image/" else ["layer"]
    command = [*COMMAND, *words, "-q", "./app", "-o", output]
    processes = [
        subprocess.Popen(command, cwd=here, env=environment(), stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=PATIENCE)[1] for process in processes]
    assert {process.returncode for process in processes} == {0}, said
    assert elfpack(*words, "-q", "./app", "-o", output, cwd=here).status == 0
    assert not [name for name in os.listdir(here) if re.search(r"elfpack-\d", name)]


def test_nobody_looks_while_trees_change_places(here: Path) -> None:
    """What is there for a moment only, or not for one, is no answer."""
    _tree(here / "out")
    above = os.open(here, os.O_RDONLY)
    looking = threading.Thread(target=check_tree, args=(str(here / "out"),))
    try:
        fcntl.flock(above, fcntl.LOCK_EX)
        looking.start()
        looking.join(0.1)
        assert looking.is_alive()
    finally:
        os.close(above)
    looking.join(PATIENCE)
    assert not looking.is_alive()


def test_nobody_is_waited_for_long(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may read a directory can lock it."""
    monkeypatch.setattr(exchange, "_TURNS", 2)
    above = os.open(here, os.O_RDONLY)
    try:
        fcntl.flock(above, fcntl.LOCK_EX)
        _tree(here / "out")
    finally:
        os.close(above)
    assert (here / "out/app").read_text() == "old"


def test_a_list_that_cannot_be_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tree would not be known as elfpack's own: what was there stays."""

    def full(*given: object) -> None:
        raise OSError(errno.ENOSPC, "")

    before = described_tree(here)
    with monkeypatch.context() as context, pytest.raises(OutputError, match="no space left"):
        context.setattr(marker, "put", full)
        _tree(here / "out")
    assert described_tree(here) == before


def test_a_directory_to_work_in_that_cannot_be_made_ours(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone, as all else of a run that fails is."""

    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (here / "empty").mkdir()
    with monkeypatch.context() as context:
        context.setattr(os, "chmod", failing)
        with pytest.raises(OutputError), new_tree(str(here / "empty")):
            raise AssertionError("it could not be worked in")
    assert os.listdir(here / "empty") == []


def test_a_directory_that_is_filled_has_its_time(here: Path) -> None:
    (here / "empty").mkdir()
    assert _layer(here, output="empty/").status == 0
    assert (here / "empty").stat().st_mtime == 0


# Links, FIFOs and devices under an output's name


def _appears(place: Path, call: str, turn: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let a stranger's file appear at one of elfpack's calls, if there is room for it. The turns
    that have been."""
    real = getattr(os, call)
    turns: list[int] = []

    def instead(*given: Any, **more: Any) -> Any:
        turns.append(0)
        if len(turns) == turn and not place.exists() and place.parent.is_dir():
            place.write_text("mine")
            turns.append(turn)
        return real(*given, **more)

    monkeypatch.setattr(os, call, instead)
    return turns


@pytest.mark.parametrize("name", ["app", "other", "data/mine"])
@pytest.mark.parametrize("call", ["rename", "link", "unlink", "rmdir", "mkdir"])
@pytest.mark.parametrize("kind", ["empty", "own", "working directory"])
def test_what_comes_in_the_last_moment_stays(
    kind: str, call: str, name: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn in range(1, 9):
        out = here / f"{kind} {turn}"
        out.mkdir()
        if kind != "empty":
            _tree(out)
        try:
            with monkeypatch.context() as context, new_tree(f"{out}/") as top:
                plant(Path(os.fsdecode(top)), {"app": "new", "data/a": "new"})
                if kind == "working directory":
                    context.setattr(exchange, "_renamed", lambda *given: False)
                seen = _appears(out / name, call, turn, context)
        except OutputError:
            pass
        if turn in seen:
            assert (out / name).read_text() == "mine", f"lost in turn {turn}"
        assert not [n for n in os.listdir(out) if "elfpack" in n], "nothing else is left"


@pytest.mark.parametrize("kind", ["empty", "own", "working directory"])
def test_what_comes_while_elfpack_works_stays(
    kind: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = here / "out"
    if kind == "empty":
        out = here / "empty"
        out.mkdir()
    elif kind == "working directory":
        monkeypatch.chdir(out)
    before = _paths(out)
    with pytest.raises(OutputError, match=r"precious|is not empty"), new_tree(f"{out}/") as top:
        (Path(os.fsdecode(top)) / "app").write_text("new")
        (out / "precious").write_text("mine")
    assert (out / "precious").read_text() == "mine"
    assert _paths(out) == before | {"/precious"}, "nothing half-written is left"


def test_a_fifo_is_written_to(here: Path) -> None:
    os.mkfifo(here / "x.tar")
    with subprocess.Popen(["cat", "x.tar"], cwd=here, stdout=subprocess.PIPE) as cat:
        ran = _layer(here, output="x.tar")
        out, _ = cat.communicate(timeout=PATIENCE)
    assert ran.status == 0
    assert out == tar(f"{here}/app:/app", cwd=here)
    assert (here / "x.tar").is_fifo()


def test_a_fifo_whose_reader_is_gone(here: Path) -> None:
    os.mkfifo(here / "x.tar")
    plant(here, {"big": bytes(1 << 20)})
    with subprocess.Popen(["head", "-c1", "x.tar"], cwd=here, stdout=subprocess.DEVNULL):
        ran = _layer(here, "--add", "big", output="x.tar")
    assert "broken pipe" in one_error(ran, 2, "x.tar")


def test_a_device_is_written_to(here: Path) -> None:
    plant(here, {"null.tar": "-> /dev/null", "full.tar": "-> /dev/full"})
    assert _layer(here, output="null.tar").status == 0
    assert "no space left" in one_error(_layer(here, output="full.tar"), 2, "full.tar")
    assert Path("/dev/full").is_char_device()


def test_a_link_to_itself(here: Path) -> None:
    plant(here, {"x.tar": "-> x.tar"})
    assert "links" in one_error(_layer(here, output="x.tar"), 2, "x.tar")
