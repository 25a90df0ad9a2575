"""The index of a tar says what ``tarfile`` says, and of a damaged one where it is damaged."""

from __future__ import annotations

import stat
import tarfile
from collections.abc import Callable
from io import BytesIO
from typing import NamedTuple

import pytest

from elfpack.blob import BytesSource
from elfpack.formats.tar import CAPABILITY, Member, TarFault, is_tar, members
from elfpack.paths import decode

BLOCK = 512


def index(raw: bytes) -> list[Member]:
    return list(members(BytesSource(raw).pread))


def info(name: str, **fields: object) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def tar(
    *files: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT
) -> bytes:
    """A tar of these members."""
    out = BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape"
    ) as made:
        for file in files:
            if isinstance(file, tuple):
                file[0].size = len(file[1])
                made.addfile(file[0], BytesIO(file[1]))
            else:
                made.addfile(file)
    return out.getvalue()


def header(name: bytes, size: bytes = b"0" * 11 + b"\0", kind: bytes = b"0", **at: bytes) -> bytes:
    """A header of a member with its checksum; ``at`` are further fields, ``x345=...``."""
    raw = bytearray(BLOCK)
    raw[: len(name)] = name
    raw[100:108] = b"0000644\0"
    raw[124 : 124 + len(size)] = size
    raw[156:157] = kind
    raw[257:265] = b"ustar\x0000"
    for place, value in at.items():
        start = int(place[1:])
        raw[start : start + len(value)] = value
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


END = bytes(2 * BLOCK)
LONG = "d/" * 120 + "name"
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_members(form: int) -> None:
    raw = tar(
        info("./", type=tarfile.DIRTYPE, mode=0o755),
        info("./dir", type=tarfile.DIRTYPE, mode=0o1777),
        (info("./dir/file", mode=0o4755), b"\x7fELF and more"),
        (info("x" * 100), b"ab"),
        (info("d/" * 70 + "y" * 90), b"a" * 513),
        info("link", type=tarfile.SYMTYPE, linkname="z" * 100),
        info("hard", type=tarfile.LNKTYPE, linkname="dir/file"),
        info("fifo", type=tarfile.FIFOTYPE),
        info("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        info("disk", type=tarfile.BLKTYPE, devmajor=8),
        (info("ä"), b""),
        form=form,
    )
    found = index(raw)
    with tarfile.open(fileobj=BytesIO(raw)) as read:
        wanted = read.getmembers()
    assert [m.name.rstrip("/") for m in found] == [m.name for m in wanted]
    assert [m.mode for m in found] == [m.mode for m in wanted]
    assert [m.link for m in found] == [m.linkname for m in wanted]
    files = [(m.size, m.offset) for m in found if stat.S_ISREG(m.type)]
    assert files == [(m.size, m.offset_data) for m in wanted if m.isreg()]
    assert [stat.S_IFMT(m.type) >> 12 for m in found] == [4, 4, 8, 8, 8, 10, 0, 1, 2, 6, 8]
    assert [m.magic for m in found if m.size] == [b"\x7fELF", b"ab", b"aaaa"]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names(form: int) -> None:
    raw = tar((info(LONG), b"x"), info("l", type=tarfile.SYMTYPE, linkname=LONG), form=form)
    assert [(m.name, m.link) for m in index(raw)] == [(LONG, ""), ("l", LONG)]


def test_name_that_is_not_utf8() -> None:
    name = decode(b"caf\xe9")
    found = index(tar((info(name), b""), form=tarfile.GNU_FORMAT))
    assert [m.name for m in found] == [name]


def test_capability() -> None:
    wanted = b"\1\0\0\2\0\x20\0\0"
    text = wanted.decode("latin-1")
    found = index(tar((info("ping", pax_headers={CAPABILITY: text}), b"x"), info("no")))
    assert [m.capability for m in found] == [wanted, b""]


def test_global_header_counts_until_the_next() -> None:
    def told(name: str) -> bytes:
        return _pax(("linkpath", name), kind=b"g")

    link = header(b"l", kind=b"2", x157=b"own")
    raw = told("first") + link + link + told("second") + link + END
    assert [m.link for m in index(raw)] == ["first", "first", "second"]


def test_size_in_base_256() -> None:
    size = b"\x80" + (700).to_bytes(11, "big")
    raw = header(b"big", size) + bytes(1024) + header(b"next") + END
    assert [(m.name, m.size) for m in index(raw)] == [("big", 700), ("next", 0)]


def test_size_of_a_pax_record() -> None:
    raw = tar((info("a", pax_headers={"size": "3"}), b"abc"), info("b"))
    assert [(m.name, m.size) for m in index(raw)] == [("a", 3), ("b", 0)]


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_size_of_what_has_no_content(kind: bytes) -> None:
    """A size there counts no blocks. Source: GNU tar, read_header()."""
    raw = header(b"x", b"00000001000\0", kind, x157=b"y") + header(b"next") + END
    assert [m.name for m in index(raw)] == ["x", "next"]


@pytest.mark.parametrize("kind", [b"\0", b"0"])
def test_slash_makes_a_directory(kind: bytes) -> None:
    assert [m.type for m in index(header(b"d/", kind=kind) + END)] == [stat.S_IFDIR]


def test_signed_checksum() -> None:
    raw = bytearray(header(b"caf\xe9"))
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(b - 256 if b > 127 else b for b in raw)
    assert [m.name for m in index(bytes(raw) + END)] == [decode(b"caf\xe9")]


def test_label_is_no_member() -> None:
    assert [m.name for m in index(header(b"label", kind=b"V") + header(b"x") + END)] == ["x"]


def test_one_block_of_zeros_at_the_end() -> None:
    assert len(index(header(b"x") + bytes(BLOCK))) == 1


def test_what_stands_behind_the_end() -> None:
    assert len(index(header(b"x") + END + b"anything")) == 1


# Files with holes


def _pax(*records: tuple[str, str], kind: bytes = b"x") -> bytes:
    text = b""
    for key, value in records:
        body = f" {key}={value}\n".encode()
        size = len(body) + 2
        while len(str(size)) + len(body) != size:
            size = len(str(size)) + len(body)
        text += str(size).encode() + body
    return header(b"pax", b"%011o\0" % len(text), kind) + text.ljust(
        -(-len(text) // 512) * 512, b"\0"
    )


_DATA = b"abc".ljust(BLOCK, b"\0")
_OLD = b"".join(b"%011o\0%011o\0" % pair for pair in ((1024, 3), (4096, 0)))
SPARSE = {
    "old GNU": header(b"hole", b"%011o\0" % 3, b"S", x386=_OLD, x483=b"%011o\0" % 4096) + _DATA,
    "old GNU with more": header(
        b"hole", b"%011o\0" % 3, b"S", x386=_OLD[:24], x482=b"\1", x483=b"%011o\0" % 4096
    )
    + (_OLD[24:]).ljust(BLOCK, b"\0")
    + _DATA,
    "0.0": _pax(
        ("GNU.sparse.size", "4096"),
        ("GNU.sparse.numblocks", "1"),
        ("GNU.sparse.offset", "1024"),
        ("GNU.sparse.numbytes", "3"),
    )
    + header(b"hole", b"%011o\0" % 3)
    + _DATA,
    "0.1": _pax(
        ("GNU.sparse.size", "4096"), ("GNU.sparse.map", "1024,3"), ("GNU.sparse.name", "hole")
    )
    + header(b"other", b"%011o\0" % 3)
    + _DATA,
    "1.0": _pax(
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.minor", "0"),
        ("GNU.sparse.name", "hole"),
        ("GNU.sparse.realsize", "4096"),
    )
    + header(b"other", b"%011o\0" % (BLOCK + 3))
    + b"1\n1024\n3\n".ljust(BLOCK, b"\0")
    + _DATA,
}


@pytest.mark.parametrize("raw", SPARSE.values(), ids=SPARSE)
def test_sparse(raw: bytes) -> None:
    found = index(raw + header(b"next") + END)
    assert [(m.name, m.size, m.segments) for m in found] == [
        ("hole", 4096, ((1024, 3),)),
        ("next", 0, None),
    ]
    assert raw[found[0].offset :][:3] == b"abc"


# Damaged


class Bad(NamedTuple):
    name: str
    raw: bytes
    told: str


GOOD = tar((info("a"), b"x" * 600), (info("b"), b"y"))
_HOLES = _pax(("GNU.sparse.size", "8"), ("GNU.sparse.map", "6,4"))
BAD = [
    Bad("empty", b"", "cut short"),
    Bad("half a header", GOOD[:300], "cut short"),
    Bad("within content", GOOD[:800], "cut short: it ends at"),
    Bad("at a header", GOOD[: 3 * BLOCK], "cut short: it ends at 1536, behind or within a"),
    Bad("no end", GOOD[: 5 * BLOCK], "cut short"),
    Bad("checksum", b"\x01" + GOOD[1:], "damaged header at 0"),
    Bad("checksum later", GOOD[:1536] + b"\x01" + GOOD[1537:], "damaged header at 1536"),
    Bad("no tar", b"hello, world\n" * 100, "damaged header"),
    Bad("zeros before the end", header(b"a") + bytes(BLOCK) + header(b"b"), "block of zeros"),
    Bad("size of letters", header(b"a", b"zzzzzzzzzzz\0"), "size that is none"),
    Bad("negative size", header(b"a", b"-0000000010\0"), "size that is none"),
    Bad("negative size in base 256", header(b"a", b"\xff" * 12), "size that is none"),
    Bad("huge size", header(b"a", b"\x80" + b"\x7f" * 11), "size that is none"),
    Bad("past the end of all files", header(b"a", b"\x80\0\0\0" + b"\x7f" + b"\xff" * 7), "member"),
    Bad("huge long name", header(b"a", b"77777777777\0", b"L"), "header of"),
    Bad("cut long name", header(b"a", b"00000000600\0", b"L") + b"name", "cut short"),
    Bad(
        "pax without a length",
        header(b"a", b"%011o\0" % 4, b"x") + b"path".ljust(512),
        "pax header",
    ),
    Bad(
        "pax with a wrong length",
        header(b"a", b"%011o\0" % 9, b"x") + b"99 path=a".ljust(512, b"\0"),
        "pax header",
    ),
    Bad("NUL in a name", _pax(("path", "a\0b")) + header(b"a") + END, "NUL"),
    Bad("next volume", header(b"a", kind=b"M") + END, "volume"),
    Bad("holes outside", _HOLES + header(b"a", b"%011o\0" % 4) + bytes(512) + END, "holes"),
    Bad(
        "map of holes without end",
        _pax(("GNU.sparse.major", "1"), ("GNU.sparse.realsize", "9"))
        + header(b"a", b"%011o\0" % 512)
        + b"999\n" * 128
        + END,
        "does not end",
    ),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda b: b.name)
def test_damaged(bad: Bad) -> None:
    with pytest.raises(TarFault) as caught:
        index(bad.raw)
    assert bad.told in caught.value.message


def test_bytes_changed_anywhere() -> None:
    """Right or refused, never another error."""
    for place in range(0, len(GOOD), 3):
        for value in (b"\xff", b"\0", b"9"):
            try:
                index(GOOD[:place] + value + GOOD[place + 1 :])
            except TarFault as e:
                assert "\n" not in e.message


def test_what_a_tar_is() -> None:
    assert is_tar(GOOD)
    assert is_tar(bytes(1024))
    assert not is_tar(b"\x7fELF".ljust(1024, b"\0"))
    assert not is_tar(b"x" * 100)
    assert not is_tar(b"")


def test_reads_grow_with_members() -> None:
    """A window is read for many small members, and content is never read."""
    reads: list[int] = []
    raw = tar(*[(info(f"f{n}"), b"x" * 100) for n in range(1000)], (info("big"), bytes(1 << 20)))
    source = BytesSource(raw)

    def read(size: int, offset: int) -> bytes:
        reads.append(size)
        return source.pread(size, offset)

    keep: Callable[[int, int], bytes] = read
    assert len(list(members(keep))) == 1001
    assert len(reads) < 25
