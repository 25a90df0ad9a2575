"""Changes of tars, of what compresses them, and of images made of them.

Source: POSIX pax, "ustar Interchange Format"; GNU tar, "Basic Tar Format"; OCI image-spec.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple

from tools.fuzz import plain, values

_BLOCK = 512
_LONGEST = 4 << 20
"""Bytes that a member takes in all, however often it comes."""
_SUM = slice(148, 156)
_TEXTS = ((0, 100), (157, 100), (257, 8), (265, 32), (345, 155))
"""name, linkname, magic with version, uname, prefix: offset and length."""
_NUMBERS = (
    (100, 8),
    (108, 8),
    (116, 8),
    (124, 12),
    (136, 12),
    (329, 8),
    (386, 12),
    (398, 12),
    (483, 12),
)
"""mode, uid, gid, size, mtime, devmajor; of old GNU sparse files offset, size, real size."""
_TYPES = b"0123456789\0gxKLSDMNVX\xff"
_MEMBERS = (b"./", b".wh.a", b"dir/.wh..wh..opq", b"bin/app", b"../out", b"/abs", b"lib/../lib/x")
# POSIX.1-2001 allows any of them in any place; GNU tar writes those of sparse files.
_KEYS = (
    *(b"path", b"linkpath", b"size", b"uid", b"mtime", b"hdrcharset", b"GNU.sparse.major"),
    *(b"GNU.sparse.map", b"GNU.sparse.numblocks", b"GNU.sparse.realsize", b"GNU.sparse.name"),
    *(b"SCHILY.xattr.security.capability", b"GNU.sparse.size", b"GNU.sparse.offset", b"charset"),
)


class Member(NamedTuple):
    header: bytes
    content: bytes
    """With what fills its last block."""


def members(raw: bytes) -> list[Member]:
    """The headers of a tar, each with the blocks behind it; what is none ends the list."""
    found: list[Member] = []
    at = 0
    while at + _BLOCK <= len(raw) and raw[at : at + _BLOCK].strip(b"\0"):
        header = raw[at : at + _BLOCK]
        try:
            size = int(header[124:135].strip(b" \0") or b"0", 8)
        except ValueError:
            size = 0
        end = at + _BLOCK + (size + _BLOCK - 1) // _BLOCK * _BLOCK
        found.append(Member(header, raw[at + _BLOCK : end]))
        at = max(end, at + _BLOCK)
    return found


def summed(header: bytes) -> bytes:
    """With the checksum that it has to have."""
    spaces = header[:148] + b" " * 8 + header[156:]
    return header[:148] + b"%06o\0 " % sum(spaces) + header[156:]


def tar(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A tar with some fields, members or contents changed; what it says of itself mostly agrees."""
    if random.random() < 0.1:
        return plain.raw_bytes(raw, random, others)
    rows = members(raw)
    for _ in plain.times(random):
        if rows:
            random.choice(_ROWS)(rows, random, others)
    end = bytes(_BLOCK * random.choice((2, 2, 2, 1, 0, 20)))
    return b"".join(header + content for header, content in rows) + end


def _field(rows: list[Member], random: Random, others: Sequence[bytes]) -> None:
    at = random.randrange(len(rows))
    header = bytearray(rows[at].header)
    kind = random.random()
    if kind < 0.4:
        start, length = random.choice(_TEXTS)
        text = values.word(random) if random.random() < 0.6 else random.choice(_MEMBERS)
        header[start : start + length] = text[:length].ljust(length, b"\0")
    elif kind < 0.8:
        start, length = random.choice(_NUMBERS)
        header[start : start + length] = _number(random, length)
    else:
        header[156] = random.choice(_TYPES)
    whole = bytes(header) if random.random() < 0.05 else summed(bytes(header))
    rows[at] = rows[at]._replace(header=whole)


def _number(random: Random, length: int) -> bytes:
    """A number as tars have it, octal or binary, or nearly so."""
    number = values.number(random, 512, 4096, [])
    binary = number.to_bytes(16, "big", signed=True)[-length + 1 :]
    octal = b"%o" % abs(number)
    return random.choice(
        (
            *(octal.rjust(length - 1, b"0")[-length + 1 :] + b"\0", octal[-length:].rjust(length)),
            *(
                b"\x80" + binary,
                b"\xff" + binary,
                values.word(random)[:length].ljust(length, b"\0"),
            ),
        )
    )


def _content(rows: list[Member], random: Random, others: Sequence[bytes]) -> None:
    at = random.randrange(len(rows))
    how = random.choice((plain.raw_bytes, plain.lines, plain.numbers))
    content = how(rows[at].content, random, others)
    header = bytearray(rows[at].header)
    if random.random() < 0.7:
        header[124:136] = b"%011o\0" % len(content)
    filled = content + bytes(-len(content) % _BLOCK)
    rows[at] = Member(summed(bytes(header)), filled)


def _records(rows: list[Member], random: Random, others: Sequence[bytes]) -> None:
    """Records of pax before a member: of its own, or global."""
    content = b""
    for _ in plain.times(random):
        text = b" %s=%s\n" % (random.choice(_KEYS), values.word(random))
        length = len(text) + len(str(len(text)))
        length += len(str(length)) > len(str(len(text)))
        content += b"%d%s" % (random.choice((length, length, length, 0, 10**18)), text)
    header = bytearray(rows[0].header)
    header[124:136], header[156:157] = b"%011o\0" % len(content), random.choice((b"x", b"x", b"g"))
    filled = content + bytes(-len(content) % _BLOCK)
    rows.insert(random.randrange(len(rows) + 1), Member(summed(bytes(header)), filled))


def _order(rows: list[Member], random: Random, others: Sequence[bytes]) -> None:
    row = rows.pop(random.randrange(len(rows)))
    at = random.randrange(len(rows) + 1)
    most = _LONGEST // (len(row.header) + len(row.content))
    rows[at:at] = [row] * random.choice((0, 1, min(most, values.often(random))))


def _foreign(rows: list[Member], random: Random, others: Sequence[bytes]) -> None:
    found = members(random.choice(others)) if others else []
    if found:
        rows.insert(random.randrange(len(rows) + 1), random.choice(found))


_ROWS: tuple[Callable[[list[Member], Random, Sequence[bytes]], None], ...] = (
    *(_field, _field, _field, _content, _records, _order, _foreign),
)


def zstd(raw: bytes) -> bytes:
    """Compressed by zstandard, which is installed wherever elfpack is."""
    import zstandard

    return zstandard.ZstdCompressor(level=1).compress(raw)


PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    lambda raw: gzip.compress(raw, 1, mtime=0),
    zstd,
    lambda raw: lzma.compress(raw, preset=0),
    lambda raw: bz2.compress(raw, 1),
)


def compressed(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A tar, changed and compressed, or changed once more afterwards."""
    packed = random.choice(PACKERS)(tar(raw, random, others))
    if random.random() < 0.4:
        return plain.raw_bytes(packed, random, others)
    return packed + packed if random.random() < 0.1 else packed


Files = dict[str, bytes]
_DEPTH = 20
"""Blobs that are named anew because of one: a layer, its configuration, manifest and index."""


def files(raw: bytes) -> Files:
    """The regular files of a tar that is right."""
    with tarfile.open(fileobj=io.BytesIO(raw)) as read:
        found = [(m.name, read.extractfile(m)) for m in read if m.isfile()]
    return {name: file.read() for name, file in found if file is not None}


def pack(content: Files) -> bytes:
    """A tar of these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as made:
        for name, raw in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            made.addfile(info, io.BytesIO(raw))
    return out.getvalue()


def image(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """An image with a document or a layer changed; digests mostly follow."""
    if random.random() < 0.15:
        return tar(raw, random, others)
    content = files(raw)
    name = random.choice(list(content))
    old = content[name]
    if old[:1] in (b"{", b"["):
        new = plain.document(old, random, [])
    else:
        new = (compressed if random.random() < 0.2 else tar)(old, random, [])
    if random.random() < 0.1:
        content.pop(name)
    elif random.random() < 0.2:
        content[name] = new
    else:
        _follow(content, name, new)
    return pack(content)


def _follow(content: Files, name: str, new: bytes) -> None:
    """Put another content; blobs are named by their digests, wherever those stand, to the top."""
    sizes = b'"size":%d' % len(content[name]), b'"size":%d' % len(new)
    content[name] = new
    for _ in range(_DEPTH):
        for name, raw in content.items():
            before, after = name.rpartition("/")[2], hashlib.sha256(raw).hexdigest()
            if len(before) == len(after) and before != after:
                break
        else:
            return
        content[name.replace(before, after)] = content.pop(name)
        for other, text in content.items():
            if text[:1] in (b"{", b"["):
                changed = text.replace(before.encode(), after.encode())
                content[other] = changed.replace(*sizes) if changed != text else text
