"""The same tricks as tars and images: names, links and digests that lead out."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from elfpack.paths import decode
from tests.worlds import content_of


class Member(NamedTuple):
    """A member of a tar."""

    name: str
    kind: bytes = tarfile.REGTYPE
    link: str = ""
    content: bytes = b""


_GONE = Member("dir/.wh.lib")
"""Takes away what a link of the layer below leads to."""


def write_archives(out: Path) -> None:
    """``OUT/archives``: tars, docker-archives and OCI image layouts, each also as a directory."""
    top = out / "archives"
    top.mkdir()
    outside = decode(os.fsencode(out.resolve() / "outside"))
    layer = tar_of(members(outside))
    (top / "tree.tar").write_bytes(layer)
    for name, member in refused(outside).items():
        (top / f"member-{name}.tar").write_bytes(tar_of([*members(outside), member]))
    for name, files in _images(layer, outside).items():
        (top / f"{name}.tar").write_bytes(tar_of([Member(n, content=c) for n, c in files.items()]))
        _unpack(files, top / name)
    _linked(top, layer, outside)


def members(outside: str) -> Sequence[Member]:
    """A root file system whose members try to get out."""
    up = "../" * 12 + outside[1:]
    evil = f"{outside}/lib/libevil.so"
    elf = {
        "usr/bin/app": "exe needs=libc.so.6,libout.so,libup.so,libhard.so,libdir.so",
        "lib64/ld-linux-x86-64.so.2": "glibc version=2.36 dirs=/lib64:/lib",
        "lib/libc.so.6": "lib soname=libc.so.6",
        "bin/script": f"script #!{outside}/bin/sh\\n",
        "bin/interp": f"exe needs=libc.so.6 interp={outside}/ld.so",
        "bin/rpath": f"exe needs=libevil.so rpath={outside}/lib:$ORIGIN/{up}/lib",
        "etc/ld.so.cache": f"cache libcached.so={evil}",
        "etc/ld.so.preload": f"text {evil}\\n",
    }
    return (
        *(Member(name, content=content_of(spec)[0]) for name, spec in elf.items()),
        Member("/absolute/name", content=b"stays inside"),
        Member("lib/libout.so", tarfile.SYMTYPE, evil),
        Member("lib/libup.so", tarfile.SYMTYPE, f"{up}/lib/libevil.so"),
        Member("lib/libhard.so", tarfile.LNKTYPE, "lib/libc.so.6"),
        Member(outside[1:], tarfile.DIRTYPE),
        Member("dir", tarfile.SYMTYPE, outside),
        Member("dir/through", content=b"x"),
        Member("dir/lib/libdir.so", content=content_of("lib")[0]),
        Member("loop", tarfile.SYMTYPE, "loop"),
        Member("lib/libdir.so", tarfile.SYMTYPE, "../dir/lib/libevil.so"),
        Member("dev/zero", tarfile.CHRTYPE),
        Member("dev/disk", tarfile.BLKTYPE),
        Member("lib/libfifo.so", tarfile.FIFOTYPE),
        Member("lib/.wh.libgone.so"),
        Member(".wh..wh..opq", content=b""),
        Member("n" * 300 + "/" + "m" * 300, content=b"x"),
        Member("d/" * 2500 + "deep", content=b"x"),
        Member("lib/\x1b[2J\n\udcff.so", content=content_of("lib")[0]),
    )


def refused(outside: str) -> dict[str, Member]:
    """Members that spoil a whole tar, or may."""
    up = "../" * 12 + outside[1:]
    return {
        "up": Member(f"{up}/written", content=b"out"),
        "up-inside": Member("./a/../../../../b/../c", content=b"x"),
        "up-link": Member(f"{up}/link", tarfile.SYMTYPE, "/etc/passwd"),
        "up-directory": Member("usr/../../..", tarfile.DIRTYPE),
        "whiteout-up": Member("a/.wh.../b"),
        "whiteout-dots": Member(".wh..."),
        "hard-link": Member("lib/hard.so", tarfile.LNKTYPE, f"{outside}/lib/libevil.so"),
        "hard-link-itself": Member("lib/libitself.so", tarfile.LNKTYPE, "lib/libitself.so"),
        "hard-link-to-link": Member("lib/hard.so", tarfile.LNKTYPE, "dir/passwd"),
        "hard-link-up": Member("lib/hard.so", tarfile.LNKTYPE, f"{up}/lib/libevil.so"),
        "below-a-loop": Member("loop/below", content=b"x"),
        "below-a-link": Member("lib/libout.so/below", content=b"x"),
        "below-a-link-up": Member("lib/libup.so/below", content=b"x"),
        "below-a-file": Member("usr/bin/app/below/a/file", content=b"x"),
        "nul": Member("a\0b/../../c"),
    }


def tar_of(rows: Sequence[Member]) -> bytes:
    """A tar of these members, in pax form where a name needs it."""
    held = io.BytesIO()
    form = {"format": tarfile.GNU_FORMAT, "encoding": "utf-8", "errors": "surrogateescape"}
    with tarfile.open(fileobj=held, mode="w", **form) as tar:  # type: ignore[call-overload]
        for row in rows:
            info = tarfile.TarInfo(row.name)
            info.type, info.linkname, info.size = row.kind, row.link, len(row.content)
            info.mode, info.devmajor, info.devminor = 0o755, 1, 5
            tar.addfile(info, io.BytesIO(row.content))
    return held.getvalue()


def _images(layer: bytes, outside: str) -> dict[str, dict[str, bytes]]:
    """Images by name, each as its files."""
    up = "../" * 12 + outside[1:]
    found: dict[str, dict[str, bytes]] = {}
    for name, path in {
        "docker-up": f"{up}/passwd",
        "docker-absolute": f"{outside}/passwd",
        "docker-dots": "a/../../layer.tar",
        "docker-empty": "",
        "docker-number": 7,
        "docker": "layer.tar",
    }.items():
        found[name] = {
            "manifest.json": _json([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": [path]}]),
            "c.json": _json(_config(layer)),
            "layer.tar": layer,
        }
    found["docker-whiteouts"] = {
        "manifest.json": _json(
            [{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["layer.tar", "second.tar"]}]
        ),
        "c.json": _json(_config(layer)),
        "layer.tar": layer,
        "second.tar": tar_of([Member("a/.wh..."), Member(".wh..."), Member(".wh.."), _GONE]),
    }
    for name, digest in {
        "oci-up": f"sha256:../../{up}/passwd",
        "oci-absolute": f"sha256:{outside}/passwd",
        "oci-algorithm": f"../../{up}:passwd",
        "oci-short": "sha256:00",
        "oci-nul": "sha256:a\0b",
        "oci": None,
    }.items():
        found[name] = _layout(layer, digest)
    for path in (f"{up}/passwd", f"{outside}/passwd"):
        kind = "absolute" if path.startswith("/") else "up"
        files = {"manifest.json": _json([{"Config": path, "RepoTags": None, "Layers": []}])}
        found[f"docker-config-{kind}"] = files
    return found


def _layout(layer: bytes, digest: str | None) -> dict[str, bytes]:
    """An OCI image layout; ``digest`` stands in place of its layer's."""
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"})}

    def blob(raw: bytes, kind: str) -> dict[str, Any]:
        known = hashlib.sha256(raw).hexdigest()
        files[f"blobs/sha256/{known}"] = raw
        media = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media, "digest": f"sha256:{known}", "size": len(raw)}

    lowest = blob(layer, "layer.v1.tar")
    if digest is not None:
        lowest["digest"] = digest
    config = blob(_json(_config(layer)), "config.v1+json")
    manifest = _json({"schemaVersion": 2, "config": config, "layers": [lowest]})
    described = blob(manifest, "manifest.v1+json")
    files["index.json"] = _json({"schemaVersion": 2, "manifests": [described]})
    return files


def _config(layer: bytes) -> dict[str, Any]:
    diff = f"sha256:{hashlib.sha256(layer).hexdigest()}"
    return {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [diff]},
        "config": {
            "Env": ["LD_LIBRARY_PATH=/../../../dir/lib", "LD_PRELOAD=/dir/lib/libevil.so"],
            "WorkingDir": "/../../dir",
            "Entrypoint": ["/dir/bin/sh"],
        },
    }


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _unpack(files: Mapping[str, bytes], top: Path) -> None:
    for name, raw in files.items():
        place = top / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)


def _linked(top: Path, layer: bytes, outside: str) -> None:
    """Layouts whose files are links that lead out, or nothing that can be read."""
    for name, target in {"linked-blob": f"{outside}/passwd", "linked-up": "../" * 20}.items():
        files = _layout(layer, None)
        _unpack(files, top / name)
        largest = max(files, key=lambda path: len(files[path]))
        (top / name / largest).unlink()
        (top / name / largest).symlink_to(target + f"{outside[1:]}/passwd" * ("up" in name))
    for name in ("linked-blobs", "linked-index", "fifo-index", "fifo-blob"):
        files = _layout(layer, None)
        _unpack(files, top / name)
    (top / "linked-blobs/blobs").rename(top / "linked-blobs-away")
    (top / "linked-blobs/blobs").symlink_to(f"{outside}")
    (top / "linked-index/index.json").unlink()
    (top / "linked-index/index.json").symlink_to(f"{outside}/passwd")
    (top / "fifo-index/index.json").unlink()
    os.mkfifo(top / "fifo-index/index.json")
    blob = max((top / "fifo-blob/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.unlink()
    os.mkfifo(blob)
