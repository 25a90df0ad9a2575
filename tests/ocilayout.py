"""Images read back with tarfile, json and hashlib alone, each rule of OCI's image-spec held
against them on the way."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Read(NamedTuple):
    """An image and what names it."""

    config: dict[str, Any]
    manifest: dict[str, Any]
    described: dict[str, Any]
    """The manifest's descriptor in the index, the first of them."""
    names: list[dict[str, str]]
    """The annotations of each descriptor of the index."""
    repo_tags: list[str]
    layer: bytes

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.config["config"]
        return found


def of_archive(raw: bytes) -> Read:
    """A docker-archive that has to be an OCI image layout at once."""
    with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
        members = tar.getmembers()
        assert all(m.isfile() or m.isdir() for m in members)
        assert len({m.name for m in members}) == len(members)
        for m in members:
            assert (m.uid, m.gid, m.uname, m.gname) == (0, 0, "", "")
            assert m.mode == (0o755 if m.isdir() else 0o644)
        assert len({m.mtime for m in members}) == 1
        files = {m.name: _content(tar, m) for m in members if m.isfile()}
    return _read(files)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


def of_directory(top: Path) -> Read:
    """An OCI image layout."""
    return _read({str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()})


def _read(files: Mapping[str, bytes]) -> Read:
    left = set(files)
    assert _json(files, "oci-layout", left) == {"imageLayoutVersion": "1.0.0"}
    index = _json(files, "index.json", left)
    assert index["schemaVersion"] == 2
    assert index["mediaType"] == "application/vnd.oci.image.index.v1+json"
    assert len({d["digest"] for d in index["manifests"]}) == 1, "one image"
    first = index["manifests"][0]
    assert first["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    manifest = json.loads(_blob(files, first, left))
    assert (manifest["schemaVersion"], manifest["mediaType"]) == (2, first["mediaType"])
    assert manifest["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    config = json.loads(_blob(files, manifest["config"], left))
    (described,) = manifest["layers"]
    assert described["mediaType"] == "application/vnd.oci.image.layer.v1.tar"
    layer = _blob(files, described, left)
    _judge_config(config, described["digest"])
    for descriptor in index["manifests"]:
        assert descriptor["size"] == first["size"]
        platform = {k: v for k, v in config.items() if k in ("os", "architecture", "variant")}
        assert descriptor["platform"] == platform
    (docker,) = _json(files, "manifest.json", left)
    assert docker["Config"] == _path(manifest["config"]["digest"])
    assert docker["Layers"] == [_path(described["digest"])]
    assert not left, "nothing that is not pointed to"
    names = [descriptor["annotations"] for descriptor in index["manifests"]]
    return Read(config, manifest, first, names, docker["RepoTags"], layer)


def _judge_config(config: dict[str, Any], layer: str) -> None:
    assert config["rootfs"] == {"type": "layers", "diff_ids": [layer]}
    assert _TIME.fullmatch(config["created"])
    (entry,) = config["history"]
    assert entry["created"] == config["created"]
    assert entry["created_by"].startswith("elfpack image")
    assert config["os"]
    assert config["architecture"]


def _json(files: Mapping[str, bytes], path: str, left: set[str]) -> Any:
    left.discard(path)
    document = json.loads(files[path])
    canonical = json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()
    assert files[path] == canonical
    return document


def _blob(files: Mapping[str, bytes], descriptor: dict[str, Any], left: set[str]) -> bytes:
    path = _path(descriptor["digest"])
    left.discard(path)
    raw = files[path]
    assert hashlib.sha256(raw).hexdigest() == path.rpartition("/")[2]
    assert len(raw) == descriptor["size"]
    return raw


def _path(digest: str) -> str:
    assert _DIGEST.fullmatch(digest)
    return f"blobs/{digest.replace(':', '/')}"
