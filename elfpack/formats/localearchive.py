"""``locale-archive``: compiled locales in one file, in the byte order of the machine.

A table of names leads to records, a record to the content of each category, which is what stands
in ``LC_CTYPE`` and its like in a directory.

Source: glibc locale/locarchive.h; locale/loadarchive.c, _nl_load_locale_from_archive(); for the
categories locale/categories.def and locale/bits/locale.h; for the content of one
locale/loadlocale.c, _nl_intern_locale_data(); for names locale/findlocale.c and intl/l10nflist.c,
_nl_normalize_codeset(), _nl_make_l10nflist(); intl/localealias.c, read_alias_file().
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from elfpack import late
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import decode

if TYPE_CHECKING:
    from typing import Final

CATEGORIES: Final = (
    *("LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES", ""),
    *("LC_PAPER", "LC_NAME", "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION"),
)
"""By their numbers; that of LC_ALL has no name."""
_MAGIC = 0xDE020109
_HEADER = 14 * 4
_NAME = 3 * 4
_RECORD = 4 + len(CATEGORIES) * 8
_MOST_NAMES = 1 << 20
_MOST_TEXT = 16 << 20
LONGEST = 16 << 20
"""Bytes of a category; the largest of glibc's own has three million."""
_CODESET = 14
"""The number of CODESET among the items of LC_CTYPE. Source: glibc locale/langinfo.h."""

Read = Callable[[int, int], bytes]
"""Up to so many bytes (first) from an offset (second) on; fewer where the file ends."""


class ArchiveFault(ValueError):
    """The archive is broken; the message says where."""


class Archive(NamedTuple):
    """The names in an archive."""

    order: str
    """Of the bytes, as struct has it."""
    names: dict[str, int]
    """Normal name, and the offset of its record. An alias has that of another name."""


_LONGEST_NAME = 256
"""Bytes of the name of a locale: it is also that of a directory."""


def read_archive(read: Read) -> Archive:
    """
    Raises:
        ArchiveFault: it is none, or broken.
    """
    head = read(_HEADER, 0)
    if len(head) < _HEADER:
        raise ArchiveFault("has no header")
    order = next((o for o in "<>" if struct.unpack_from(f"{o}I", head)[0] == _MAGIC), None)
    if order is None:
        raise ArchiveFault("is no locale archive")
    words = struct.unpack(f"{order}14I", head)
    table = _exactly(read, words[2], words[4], _NAME, _MOST_NAMES, "the table of names")
    texts = _exactly(read, words[5], words[6], 1, _MOST_TEXT, "the names")
    names: dict[str, int] = {}
    for _, name, record in struct.iter_unpack(f"{order}III", table):
        start = name - words[5]
        end = (
            texts.find(b"\0", start, start + _LONGEST_NAME)
            if name and 0 <= start < len(texts)
            else -1
        )
        if record and end > start:
            names[decode(texts[start:end])] = record
    return Archive(order, names)


def read_locale(read: Read, archive: Archive, name: str) -> dict[str, bytes]:
    """The content of each category of a locale that the archive has.

    Raises:
        ArchiveFault: its record, or what that leads to, is outside the file.
    """
    record = _exactly(read, archive.names[name], 1, _RECORD, 1, f"the record of {name}")
    places = struct.iter_unpack(f"{archive.order}II", record[4:])
    return {
        category: _exactly(read, offset, length, 1, LONGEST, f"{category} of {name}")
        for category, (offset, length) in zip(CATEGORIES, places, strict=True)
        if category and length
    }


def _exactly(read: Read, offset: int, count: int, size: int, most: int, what: str) -> bytes:
    raw = read(count * size, offset) if count <= most else b""
    if len(raw) != count * size:
        raise ArchiveFault(f"{what} should be at {offset}, and is not")
    return raw


def charset(ctype: bytes) -> str | None:
    """The character set that an LC_CTYPE names; None if it is none.

    Either byte order: the number of items tells.
    """
    for order in "<>":
        count = struct.unpack_from(f"{order}I", ctype, 4)[0] if len(ctype) >= 8 else 0
        if _CODESET < count < 1 << 16 and len(ctype) > 8 + 4 * count:
            start = struct.unpack_from(f"{order}I", ctype, 8 + 4 * _CODESET)[0]
            end = ctype.find(b"\0", start)
            text = ctype[start:end] if end > start else b""
            return text.decode("ascii") if text.isascii() and 0 < len(text) < 100 else None
    return None


# Names


class Name(NamedTuple):
    """A locale's name in its parts: ``de_AT.UTF-8@euro``."""

    language: str
    territory: str
    codeset: str
    modifier: str

    def __str__(self) -> str:
        signs = zip(("", "_", ".", "@"), self, strict=True)
        return "".join(sign + part for sign, part in signs if part)


_PARTS = late.pattern(r"(?s)([^_.@]*)(?:_([^.@]*))?(?:\.([^@]*))?(?:@(.*))?\Z")


def split(name: str) -> Name:
    """Source: glibc intl/explodename.c, _nl_explode_name()."""
    found = _PARTS.match(name)
    return Name(*(part or "" for part in found.groups())) if found else Name(name, "", "", "")


def normal_codeset(codeset: str) -> str:
    """``utf8`` for ``UTF-8``, ``iso88591`` for ``8859-1``."""
    kept = "".join(char for char in codeset if char.isascii() and char.isalnum()).lower()
    return f"iso{kept}" if kept.isdigit() else kept


def same_codeset(one: str, other: str) -> bool:
    """Whether two names of a character set differ in their spelling alone."""
    return normal_codeset(one) == normal_codeset(other)


def normal(name: str) -> str:
    """The name that an archive has, and that a directory should have."""
    parts = split(name)
    return str(parts._replace(codeset=normal_codeset(parts.codeset)))


def candidates(name: str) -> Iterator[str]:
    """The directories that glibc looks into for a name, in its order: as it is written, with its
    character set in its normal form, without; then without the territory, without the modifier."""
    parts = split(name)
    found: dict[str, None] = {}
    for modifier in (parts.modifier, ""):
        for territory in (parts.territory, ""):
            for codeset in (parts.codeset, normal_codeset(parts.codeset), ""):
                found[str(Name(parts.language, territory, codeset, modifier))] = None
    yield from found


def expand(aliases: bytes, name: str) -> str | None:
    """What a ``locale.alias`` calls a name; None if it does not have it."""
    for line in aliases.split(b"\n"):
        fields = line.split()
        if len(fields) > 1 and not fields[0].startswith(b"#"):
            alias, target = decode(fields[0]), decode(fields[1])
            if alias.lower() == name.lower():
                return target
    return None
