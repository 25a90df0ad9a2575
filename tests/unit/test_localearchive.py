"""locale-archive and the names of locales."""

from __future__ import annotations

import random

import pytest

from elfpack.formats import localearchive
from elfpack.formats.localearchive import ArchiveFault, Read
from tests.localebuild import archive, ctype

CONTENT = {
    "en_US.utf8": {"LC_CTYPE": ctype("UTF-8"), "LC_TIME": b"time", "LC_MESSAGES": b"yes"},
    "de_DE": {"LC_CTYPE": ctype("ISO-8859-1"), "LC_COLLATE": b"order" * 100},
}


def _read(raw: bytes) -> Read:
    return lambda size, offset: raw[offset : offset + size]


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_is_in_an_archive(order: str) -> None:
    read = _read(archive(CONTENT, {"german": "de_DE"}, order))
    found = localearchive.read_archive(read)
    assert set(found.names) == {"en_US.utf8", "de_DE", "german"}
    for name, content in CONTENT.items():
        assert localearchive.read_locale(read, found, name) == content
    assert localearchive.read_locale(read, found, "german") == CONTENT["de_DE"]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "has no header"),
        (archive(CONTENT)[:55], "has no header"),
        (b"x" * 100, "is no locale archive"),
        (archive(CONTENT)[:60], "the table of names should be at 56, and is not"),
        (archive(CONTENT)[:90] + b"", "the table of names"),
    ],
)
def test_a_broken_archive(raw: bytes, told: str) -> None:
    with pytest.raises(ArchiveFault, match=told):
        localearchive.read_archive(_read(raw))


def test_counts_that_no_file_can_hold() -> None:
    for at in (16, 24):  # of the table of names, of the text
        raw = bytearray(archive(CONTENT))
        raw[at : at + 4] = b"\xff\xff\xff\xff"
        with pytest.raises(ArchiveFault):
            localearchive.read_archive(_read(bytes(raw)))


def test_content_outside_the_file() -> None:
    raw = archive(CONTENT)
    read = _read(raw[:-100])
    found = localearchive.read_archive(read)
    assert localearchive.read_locale(read, found, "en_US.utf8") == CONTENT["en_US.utf8"]
    with pytest.raises(ArchiveFault, match="LC_COLLATE of de_DE should be at"):
        localearchive.read_locale(read, found, "de_DE")


def test_any_archive_is_read_or_refused() -> None:
    pick = random.Random(7)
    good = archive(CONTENT, {"german": "de_DE"})
    outcomes = set()
    for _ in range(2000):
        raw = bytearray(good)
        for _ in range(pick.randrange(1, 6)):
            raw[pick.randrange(min(len(raw), 500))] = pick.randrange(256)
        read = _read(bytes(raw[: pick.randrange(len(raw) // 2, len(raw))]))
        try:
            found = localearchive.read_archive(read)
            for name in found.names:
                content = localearchive.read_locale(read, found, name)
                localearchive.charset(content.get("LC_CTYPE", b""))
            outcomes.add("read")
        except ArchiveFault as e:
            assert str(e)
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_charset() -> None:
    for order in "<>":
        assert localearchive.charset(ctype("UTF-8", order)) == "UTF-8"
    for raw in (b"", b"x" * 7, b"x" * 300, ctype("UTF-8")[:-1], ctype("")[:20], ctype("\xe9")):
        assert localearchive.charset(raw) is None
    pick = random.Random(3)
    for _ in range(1000):
        broken = bytearray(ctype("ISO-8859-1"))
        broken[pick.randrange(len(broken))] = pick.randrange(256)
        localearchive.charset(bytes(broken))


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("en_US.UTF-8", "en_US.utf8"),
        ("en_US.utf8", "en_US.utf8"),
        ("en_US", "en_US"),
        ("C.UTF-8", "C.utf8"),
        ("de_DE@euro", "de_DE@euro"),
        ("de_DE.ISO-8859-15@euro", "de_DE.iso885915@euro"),
        ("de_DE.8859-15@euro", "de_DE.iso885915@euro"),
        ("ja_JP.eucJP", "ja_JP.eucjp"),
        ("german", "german"),
        ("aa_ER.UTF-8@saaho", "aa_ER.utf8@saaho"),
        (".UTF-8", ".utf8"),
        ("@", ""),
    ],
)
def test_normal(name: str, normal: str) -> None:
    assert localearchive.normal(name) == normal


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("german", "german"),
        ("en_US", "en_US en"),
        ("C.UTF-8", "C.UTF-8 C.utf8 C"),
        ("en_US.UTF-8", "en_US.UTF-8 en_US.utf8 en_US en.UTF-8 en.utf8 en"),
        ("de_DE@euro", "de_DE@euro de@euro de_DE de"),
        (
            "de_DE.UTF-8@euro",
            "de_DE.UTF-8@euro de_DE.utf8@euro de_DE@euro de.UTF-8@euro de.utf8@euro de@euro "
            "de_DE.UTF-8 de_DE.utf8 de_DE de.UTF-8 de.utf8 de",
        ),
    ],
)
def test_candidates(name: str, candidates: str) -> None:
    assert list(localearchive.candidates(name)) == candidates.split()


def test_aliases() -> None:
    text = b"# german no\n\n french\tfr_FR.ISO-8859-1\nalone\nGerman de_DE.ISO-8859-1 # more\n"
    assert localearchive.expand(text, "french") == "fr_FR.ISO-8859-1"
    assert localearchive.expand(text, "german") == "de_DE.ISO-8859-1"
    assert localearchive.expand(text, "alone") is None
    assert localearchive.expand(b"", "french") is None
