"""Plans written: the tar, the tree, and what is left when it fails."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from gzip import decompress as gunzip
from pathlib import Path

import pytest
import zstandard

from elfpack.blob import Blob, BytesSource, from_bytes
from elfpack.errors import ElfpackError, InputError, OutputError, RequestError
from elfpack.pack.output import check_output, write
from elfpack.pack.tar import members
from elfpack.planning.assemble import in_order
from elfpack.planning.entry import Directory, Entry, HardLink, Plan, Reason, Regular, Symlink
from tests.worlds import dump_directory, dump_tar

WHY = Reason("added")


def regular(path: str, data: bytes = b"data", mode: int = 0o644) -> Regular:
    return Regular(path=path, reason=WHY, blob=from_bytes(data, path), mode=mode)


def directory(path: str, mode: int = 0o755, owner: tuple[int, int] = (0, 0)) -> Directory:
    return Directory(path=path, reason=WHY, mode=mode, owner=owner)


def link(path: str, target: str) -> Symlink:
    return Symlink(path=path, reason=WHY, target=target)


def hard(path: str, target: str) -> HardLink:
    return HardLink(path=path, reason=WHY, target=target, mode=0o644, identity=(1, 1))


def plan(*entries: Entry, epoch: int = 0) -> Plan:
    return Plan(entries=entries, programs=(), epoch=epoch)


def tar_of(made: Plan) -> bytes:
    pieces = (b"".join(p.chunks()) if isinstance(p, Blob) else p for p in members(made))
    return b"".join(pieces)


ALL = plan(
    directory("/bin"),
    regular("/bin/a", b"x" * 1000, 0o755),
    hard("/bin/b", "/bin/a"),
    directory("/home", 0o750, (1000, 1001)),
    link("/lib", "usr/lib"),
    regular("/zero", b""),
    epoch=1234567890,
)


def test_tar() -> None:
    assert dump_tar(tar_of(ALL)) == {
        "/bin": "dir 0755",
        "/bin/a": "file 0755 1000",
        "/bin/b": "hard /bin/a",
        "/home": "dir 0750 1000:1001",
        "/lib": "link usr/lib",
        "/zero": "file 0644 0",
    }


def test_headers_name_nobody_and_no_other_time() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(ALL))) as tar:
        for member in tar:
            assert (member.uname, member.gname, member.mtime) == ("", "", 1234567890)
            if member.name != "home":
                assert (member.uid, member.gid) == (0, 0)


def test_whole_records() -> None:
    for made in (plan(), ALL, plan(regular("/a", bytes(10240)))):
        assert len(tar_of(made)) % 10240 == 0


LONG = "/" + "/".join(["d" * 200] * 8) + "/" + "f" * 200


@pytest.mark.parametrize(
    "path",
    [
        *("/a", "/" + "n" * 99, "/" + "n" * 100, "/" + "n" * 255, LONG, "/with space"),
        *("/\N{SNOWMAN}" * 60, "/\udcff", "/\udcff" + "n" * 300, "/new\nline", "/-dash", "/a\\b"),
    ],
    ids=lambda path: ascii(path)[:20],
)
def test_any_name(path: str) -> None:
    made = plan(regular(path), link(path + "x", path + "t"), hard(path + "y", path))
    assert dump_tar(tar_of(made)) == {
        path: "file 0644 4",
        path + "x": f"link {path}t",
        path + "y": f"hard {path}",
    }


def test_sizes_and_ids_beyond_octal() -> None:
    made = plan(directory("/home", owner=(2**32 - 2, 2**31)))
    assert dump_tar(tar_of(made)) == {"/home": "dir 0755 4294967294:2147483648"}


@pytest.mark.parametrize("size", [0, 1, 8**11 - 1, 8**11, 5 << 30, 1 << 62])
def test_sizes(size: int) -> None:
    """In octal as long as that has room; then in both other ways, of which a reader knows one."""
    large = Regular(path="/large", reason=WHY, blob=Blob(size, lambda: BytesSource(b""), "x"))
    headers = b"".join(p for p in members(plan(large)) if isinstance(p, bytes))
    with tarfile.open(fileobj=io.BytesIO(headers)) as tar:
        member = tar.next()
    assert member is not None
    assert member.size == size
    assert (member.pax_headers == {"size": str(size)}) == (size >= 8**11)
    last = headers[1024 : 1024 + 512] if size >= 8**11 else headers[:512]
    assert tarfile.TarInfo.frombuf(last, "utf-8", "strict").size == size


def test_epochs_beyond_octal() -> None:
    for epoch in (8**11 - 1, 8**11, -1):
        with tarfile.open(fileobj=io.BytesIO(tar_of(plan(regular("/a"), epoch=epoch)))) as tar:
            assert [member.mtime for member in tar] == [epoch]


@pytest.mark.parametrize("length", range(1, 120))
def test_pax_records_count_their_own_length(length: int) -> None:
    """Every length, so also those at which the number of digits grows."""
    value = bytes(range(255, 255 - length, -1))
    name = "/\N{SNOWMAN}" + "n" * length
    made = Regular(path=name, reason=WHY, blob=from_bytes(b"", "x"), capability=value)
    with tarfile.open(fileobj=io.BytesIO(tar_of(plan(made)))) as tar:
        (member,) = tar.getmembers()
    text = member.pax_headers["SCHILY.xattr.security.capability"]
    assert text.encode("utf-8", "surrogateescape") == value
    assert member.name == name[1:]


SPLITS = [
    ("/" + "d" * 155 + "/" + "f" * 100, 512),
    ("/" + "d" * 156 + "/" + "f" * 100, 512 + 1024),
    ("/" + "d" * 155 + "/" + "f" * 101, 512 + 1024),
    ("/" + "d" * 10 + "/" + "e" * 100 + "/" + "f" * 99, 512),
    ("/" + "d" * 101, 512 + 1024),
]


@pytest.mark.parametrize(("path", "size"), SPLITS)
@pytest.mark.parametrize("kind", [regular, directory])
def test_names_of_255_bytes_need_no_other_header(
    path: str, size: int, kind: Callable[[str], Entry]
) -> None:
    path = path[:-1] if kind is directory else path  # its name has a slash more
    pieces = list(members(plan(kind(path))))
    assert isinstance(pieces[0], bytes)
    assert len(pieces[0]) == size
    assert set(dump_tar(tar_of(plan(kind(path))))) == {path}


def test_a_plan_is_sorted_and_has_each_path_once() -> None:
    for entries in ((regular("/b"), regular("/a")), (regular("/a"), regular("/a"))):
        with pytest.raises(AssertionError):
            in_order(entries)


# Outputs


@pytest.mark.parametrize("name", ["out.tar", "out.tar.gz", "out.tgz", "out.tar.zst"])
def test_files(tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    written = write(ALL, str(output))
    raw = output.read_bytes()
    assert written.size == len(raw)
    if name.endswith("gz"):
        raw = gunzip(raw)
    elif name.endswith("zst"):
        raw = zstandard.ZstdDecompressor().stream_reader(raw).read()
    assert raw == tar_of(ALL)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(output.stat().st_mode) == 0o666 & ~umask
    assert os.listdir(tmp_path) == [name]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    output = tmp_path / "out.tar"
    output.write_text("old")
    write(ALL, str(output))
    assert output.read_bytes() == tar_of(ALL)


@pytest.mark.parametrize("there", [False, True])
def test_tree(tmp_path: Path, there: bool) -> None:
    top = tmp_path / "out"
    if there:
        top.mkdir()
    write(plan(*(e for e in ALL.entries if e.path != "/home"), epoch=99), f"{top}/")
    assert dump_directory(top) == {
        "/bin": "dir 0755",
        "/bin/a": "file 0755 1000",
        "/bin/b": "hard /bin/a",
        "/lib": "link usr/lib",
        "/zero": "file 0644 0",
    }
    assert {os.lstat(top / name).st_mtime for name in ("bin", "lib", "zero")} == {99}


def test_a_tree_without_rights_of_its_own(tmp_path: Path) -> None:
    """Modes are set when the content is there."""
    made = plan(directory("/a", 0o500), directory("/a/b", 0o000), regular("/a/b/c", mode=0o000))
    write(made, f"{tmp_path}/out/")
    assert dump_directory(tmp_path / "out")["/a"] == "dir 0500"


def test_names_that_are_not_utf8_in_a_tree(tmp_path: Path) -> None:
    write(plan(link("/l", "\udcff"), regular("/\udcff")), f"{tmp_path}/out/")
    assert dump_directory(tmp_path / "out") == {"/l": "link \udcff", "/\udcff": "file 0644 4"}


def changing(path: str) -> Regular:
    """A file that ends early."""
    return Regular(path=path, reason=WHY, blob=from_bytes(b"ab", path)._replace(size=5))


@pytest.mark.parametrize("output", ["out.tar", "out.tar.gz", "out.tar.zst", "out/", "empty/"])
def test_failure_leaves_nothing(tmp_path: Path, output: str) -> None:
    (tmp_path / "empty").mkdir()
    made = plan(directory("/a", 0o500), regular("/a/b"), link("/c", "a"), changing("/d"))
    with pytest.raises(InputError, match="changed while it was read"):
        write(made, f"{tmp_path}/{output}")
    assert dump_directory(tmp_path) == {"/empty": "dir 0755"}


def test_failure_keeps_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "out.tar"
    output.write_text("old")
    with pytest.raises(InputError):
        write(plan(changing("/d")), str(output))
    assert output.read_text() == "old"


def test_an_interrupt_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    blob = Blob(5, interrupted, "x")  # type: ignore[arg-type]
    made = plan(Regular(path="/d", reason=WHY, blob=blob))
    for output in ("out.tar", "out/"):
        with pytest.raises(KeyboardInterrupt):
            write(made, f"{tmp_path}/{output}")
    assert os.listdir(tmp_path) == []


def _nothing(tmp_path: Path) -> None:
    pass


def _directory(tmp_path: Path) -> None:
    (tmp_path / "out.tar").mkdir()


def _filled(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").write_text("x")


def _file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")


REFUSED: list[tuple[str, Callable[[Path], None], type[ElfpackError], str]] = [
    ("out", _nothing, RequestError, "its ending says nothing"),
    ("out.zip", _nothing, RequestError, "its ending says nothing"),
    ("out.tar.xz", _nothing, RequestError, "its ending says nothing"),
    ("none/out.tar", _nothing, OutputError, "its directory does not exist"),
    ("none/out/", _nothing, OutputError, "its directory does not exist"),
    ("out.tar", _directory, RequestError, "is a directory"),
    ("out/", _filled, OutputError, "is not empty"),
    ("out/", _file, OutputError, "cannot be written"),
    ("out/x.tar", _file, OutputError, "its directory does not exist"),
]


@pytest.mark.parametrize(("output", "prepare", "kind", "message"), REFUSED)
def test_refused(
    tmp_path: Path,
    output: str,
    prepare: Callable[[Path], None],
    kind: type[ElfpackError],
    message: str,
) -> None:
    prepare(tmp_path)
    before = dump_directory(tmp_path)
    for attempt in (check_output, lambda path: write(ALL, path)):
        with pytest.raises(kind, match=message) as caught:
            attempt(f"{tmp_path}/{output}")
        assert caught.value.hint
    assert dump_directory(tmp_path) == before


def test_a_very_long_name_of_an_output(tmp_path: Path) -> None:
    output = tmp_path / ("n" * 251 + ".tar")
    write(ALL, str(output))
    assert os.listdir(tmp_path) == [output.name]


@pytest.mark.parametrize("there", [True, False])
def test_a_link_as_output_is_followed(tmp_path: Path, there: bool) -> None:
    (tmp_path / "other").mkdir()
    if there:
        (tmp_path / "other/target.tar").write_text("old")
    (tmp_path / "out.tar").symlink_to("other/target.tar")
    write(ALL, str(tmp_path / "out.tar"))
    assert (tmp_path / "out.tar").is_symlink()
    assert (tmp_path / "other/target.tar").read_bytes() == tar_of(ALL)
    assert os.listdir(tmp_path / "other") == ["target.tar"]
