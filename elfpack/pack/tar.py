"""A plan as a tar stream.

Source: POSIX pax, "ustar Interchange Format" and "pax Header Block"; the fields that a container
layer may carry: OCI image-spec, layer.md. A sparse file is written in full, as it says.
"""

import zlib
from collections.abc import Iterator
from functools import lru_cache

from elfpack.blob import Blob
from elfpack.light import NamedTuple
from elfpack.paths import encode
from elfpack.planning.entry import Directory, Entry, HardLink, Plan, Regular, Symlink

_BLOCK = 512
_RECORD = 20 * _BLOCK
_NAME = 100
_PREFIX = 155
_MAGIC = b"ustar\x0000" + bytes(64) + b"0000000\0" * 2
"""And no names of user and group, and no device."""
_CAPABILITY = b"SCHILY.xattr.security.capability"
"""Source: star(5), SCHILY.xattr.attr; what GNU tar and Go's archive/tar write and read."""


class _Member(NamedTuple):
    """What one header tells."""

    type: bytes
    name: bytes
    link: bytes = b""
    mode: int = 0o777
    owner: tuple[int, int] = (0, 0)
    size: int = 0
    capability: bytes = b""


def members(plan: Plan) -> Iterator[bytes | Blob]:
    """The stream in pieces: headers and padding as bytes, file contents as blobs."""
    size = 0
    for entry in plan.entries:
        header = _header(_member(entry), plan.epoch)
        yield header
        size += len(header)
        if isinstance(entry, Regular) and entry.blob.size:
            yield plan.content(entry)
            padding = padding_of(entry.blob.size)
            if padding:
                yield padding
            size += entry.blob.size + len(padding)
    yield end_of(size)


def directory_header(path: str, epoch: int) -> bytes:
    """The header of a directory that anybody may read."""
    return _header(_Member(b"5", encode(path) + b"/", mode=0o755), epoch)


def file_header(path: str, size: int, epoch: int) -> bytes:
    """The header of a file of that size that anybody may read."""
    return _header(_Member(b"0", encode(path), mode=0o644, size=size), epoch)


def padding_of(size: int) -> bytes:
    """What follows content of that size."""
    return bytes(-size % _BLOCK)


def end_of(size: int) -> bytes:
    """What ends a stream that has that many bytes: two empty blocks, and up to a whole record."""
    end = 2 * _BLOCK
    return bytes(end + -(size + end) % _RECORD)


def _member(entry: Entry) -> _Member:
    name = encode(entry.path[1:])
    match entry:
        case Directory():
            return _Member(b"5", name + b"/", b"", entry.mode, entry.owner, 0, b"")
        case Symlink():
            return _Member(b"2", name, encode(entry.target), 0o777, (0, 0), 0, b"")
        case HardLink():
            # Who unpacks it may set owner, mode and capability once more by this name.
            link, given = encode(entry.target[1:]), (entry.mode, entry.owner, 0, entry.capability)
            return _Member(b"1", name, link, *given)
        case Regular():
            given = (entry.mode, entry.owner, entry.blob.size, entry.capability)
            return _Member(b"0", name, b"", *given)
    raise AssertionError(f"no entry: {entry}")


def _header(member: _Member, epoch: int) -> bytes:
    """All blocks before a member's content. They name no user and no time but the epoch.

    What has no room in the header itself, and names that are not ASCII, are in a pax header before
    it. That holds UTF-8 only: a long name that is not gets the GNU form, whose bytes are free.
    """
    before, records = b"", b""
    prefix, name = _split(member.name)
    for key, gnu, text, room in (
        (b"path", b"L", member.name, bool(name)),
        (b"linkpath", b"K", member.link, len(member.link) <= _NAME),
    ):
        if room and text.isascii():
            continue
        if _is_utf8(text):
            records += _record(key, text)
        elif not room:
            before += _extension(gnu, b"././@LongLink", text + b"\0")
    records += _numbers(member, epoch)
    if member.capability:
        records += _record(_CAPABILITY, member.capability)
    if records:
        before += _extension(b"x", b"././@PaxHeader", records)
    return before + _block(member, name or member.name[:_NAME], prefix, epoch)


def _numbers(member: _Member, epoch: int) -> bytes:
    """Records of the numbers that have no room in octal."""
    user, group = member.owner
    rows = (
        (b"size", member.size, 12),
        (b"mtime", epoch, 12),
        (b"uid", user, 8),
        (b"gid", group, 8),
    )
    return b"".join(_record(k, b"%d" % n) for k, n, width in rows if not _is_octal(n, width))


def _block(member: _Member, name: bytes, prefix: bytes, epoch: int) -> bytes:
    """The header block. Source: POSIX pax, "ustar Interchange Format"."""
    fields = (
        name.ljust(_NAME, b"\0")
        + _rights(member.mode, *member.owner)
        + _number(member.size, 12)
        + _time(epoch)
    )
    rest = (
        member.type
        + member.link[:_NAME].ljust(_NAME, b"\0")
        + _MAGIC
        + prefix.ljust(_PREFIX, b"\0")
        + bytes(12)
    )
    checksum = _sum(fields) + _sum(rest) + 8 * ord(" ")
    return b"%b%06o\0 %b" % (fields, checksum, rest)


@lru_cache(maxsize=64)
def _rights(mode: int, user: int, group: int) -> bytes:
    """Those of most files are alike."""
    return _number(mode, 8) + _number(user, 8) + _number(group, 8)


@lru_cache(maxsize=4)
def _time(epoch: int) -> bytes:
    return _number(epoch, 12)


def _sum(raw: bytes) -> int:
    """Of all bytes, by way of Adler-32: its lower half is that of so few bytes, and one. Source:
    RFC 1950."""
    return sum((zlib.adler32(raw[at : at + 256]) & 0xFFFF) - 1 for at in range(0, len(raw), 256))


def _extension(kind: bytes, name: bytes, content: bytes) -> bytes:
    """A member that tells of the next one."""
    block = _block(_Member(kind, name, mode=0o644, size=len(content)), name, b"", 0)
    return block + content + bytes(-len(content) % _BLOCK)


def _split(name: bytes) -> tuple[bytes, bytes]:
    """A name as prefix and name of a header; empty ones if it has no room there."""
    if len(name) <= _NAME:
        return b"", name
    # The slash at the end of a directory's name does not part it.
    slash = name.find(b"/", len(name) - _NAME - 1, len(name) - 1)
    return (name[:slash], name[slash + 1 :]) if 0 < slash <= _PREFIX else (b"", b"")


def _is_octal(number: int, width: int) -> bool:
    return 0 <= number < 1 << 3 * (width - 1)


def _number(number: int, width: int) -> bytes:
    """Octal if it has room, else base-256, which every reader of today knows, and without which
    one that skips pax headers would lose its way. Source: GNU tar manual, "Basic Tar Format"."""
    if _is_octal(number, width):
        return b"%0*o\0" % (width - 1, number)
    raw = number.to_bytes(width, "big", signed=True)
    return bytes([raw[0] | 0x80]) + raw[1:]


def _record(key: bytes, value: bytes) -> bytes:
    """A record of a pax header; its length counts the digits of the length as well."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
