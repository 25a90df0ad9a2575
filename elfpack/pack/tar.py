"""A plan as a tar stream.

Source: POSIX pax; the header fields that a container layer may carry: OCI image-spec, layer.md.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from elfpack.blob import Blob
from elfpack.paths import is_utf8
from elfpack.planning.entry import Directory, Entry, HardLink, Plan, Regular, Symlink

_BLOCK = 512
_RECORD = 20 * _BLOCK


def members(plan: Plan) -> Iterator[bytes | Blob]:
    """The stream in pieces: headers and padding as bytes, file contents as blobs."""
    size = 0
    for entry in plan.entries:
        header = _header(entry, plan.epoch)
        yield header
        size += len(header)
        if isinstance(entry, Regular) and entry.blob.size:
            yield entry.blob
            padding = -entry.blob.size % _BLOCK
            if padding:
                yield bytes(padding)
            size += entry.blob.size + padding
    end = 2 * _BLOCK
    yield bytes(end + -(size + end) % _RECORD)


def _header(entry: Entry, epoch: int) -> bytes:
    """One member's header. It names no user and no time but the epoch."""
    info = tarfile.TarInfo(entry.path[1:])
    info.mtime = epoch
    match entry:
        case Directory():
            info.type, info.mode = tarfile.DIRTYPE, entry.mode
            info.uid, info.gid = entry.owner
        case Symlink():
            info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.target
        case HardLink():
            info.type, info.mode, info.linkname = tarfile.LNKTYPE, entry.mode, entry.target[1:]
        case Regular():
            info.mode, info.size = entry.mode, entry.blob.size
    # A pax record holds UTF-8 only. Names that are not get the GNU form, whose bytes are free.
    utf8 = is_utf8(info.name) and is_utf8(info.linkname)
    if utf8:
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
