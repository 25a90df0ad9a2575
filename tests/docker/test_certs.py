"""Programs that speak TLS, from scratch, with a server whose CA nobody else knows.

Each trusts the server with that CA added, refuses it without, and says something else again when
it has no certificates at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docker.conftest import Line, Report
from tests.docker.engine import Engine, Outcome, on_host, run
from tests.docker.packing import build, elfpack, layer, need, regular_files, words
from tests.docker.tlsserver import make_ca, serving

_SAID = "over TLS\n"
_PYTHON = Path("/usr/bin/python3").resolve()
"""Debian's, which has what it needs in one directory that is called as it is."""
_FETCH = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1]).read().decode())"


class Site(NamedTuple):
    address: str
    ca: Path
    other: Path
    """A CA that has nothing to do with the server."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    top = tmp_path_factory.mktemp("site")
    files = top / "files"
    files.mkdir()
    (files / "said.txt").write_text(_SAID)
    identity = "-c user.name=n -c user.email=n@localhost"
    build(
        (
            "git init -q tree",
            f"git -C tree {identity} commit -q --allow-empty -m first",
            "git clone -q --bare tree files/repository.git",
            "git -C files/repository.git update-server-info",
        ),
        top,
    )
    ca, other = (make_ca(name, top) for name in ("company", "other"))
    with serving(files, ca) as address:
        yield Site(address, ca, other)


@dataclass(frozen=True)
class Row:
    """A program and how it is asked; ``{site}`` is the server's address, ``{ca}`` its CA."""

    name: str
    layer: str
    args: str
    trusting: dict[str, str] = field(default_factory=dict)
    """What makes the host's program trust the CA: variables of its environment."""
    trusting_args: str = ""
    """The same, as arguments before the others."""
    says: str = _SAID
    unknown: tuple[int, str] = (1, "")
    """Status and words where the server's CA is not among the certificates."""
    without: tuple[int, str] = (1, "")
    """The same where there are no certificates."""
    build: tuple[str, ...] = ()
    """Commands that make it; ``{src}`` has the sources."""
    needs: str = ""
    """What the machine has to have; if it is not there, the program itself."""


ROWS = (
    Row(
        "curl (OpenSSL)",
        "/usr/bin/curl",
        "-sS https://{site}/said.txt",
        {"CURL_CA_BUNDLE": "{ca}"},
        unknown=(60, "unable to get local issuer certificate"),
        without=(77, "error setting certificate file"),
    ),
    Row(
        "git (GnuTLS)",
        "/usr/bin/git --add /usr/lib/git-core/git-remote-https "
        "--add /usr/lib/git-core/git-http-fetch --add /usr/share/git-core/templates",
        "ls-remote https://{site}/repository.git",
        {"GIT_SSL_CAINFO": "{ca}"},
        says="refs/heads/",
        unknown=(128, "server certificate verification failed"),
        without=(128, "server certificate verification failed"),
    ),
    Row(
        "wget (GnuTLS)",
        "/usr/bin/wget",
        "-qO- https://{site}/said.txt",
        trusting_args="--ca-certificate={ca}",
        unknown=(5, ""),
        without=(5, ""),
    ),
    Row(
        "python3 (OpenSSL)",
        f"{_PYTHON} --add /usr/lib/{_PYTHON.name} --exclude '*/test/*' --exclude '*/__pycache__/*'",
        f'-c "{_FETCH}" https://{{site}}/said.txt',
        {"SSL_CERT_FILE": "{ca}"},
        unknown=(1, "unable to get local issuer certificate"),
        without=(1, "unable to get local issuer certificate"),
    ),
    Row(
        "OpenSSL linked into a static program",
        "./fetch",
        "{site} /said.txt",
        {"SSL_CERT_FILE": "{ca}"},
        unknown=(1, "certificate verify failed"),
        without=(1, "certificate verify failed"),
        needs="gcc",
        build=("gcc -static -o fetch {src}/fetch.c -lssl -lcrypto", "strip fetch"),
    ),
    Row(
        "pure Go",
        "./fetch",
        "https://{site}/said.txt",
        {"SSL_CERT_FILE": "{ca}"},
        unknown=(1, "certificate signed by unknown authority"),
        without=(1, "certificate signed by unknown authority"),
        needs="go",
        build=(
            "env CGO_ENABLED=0 GO111MODULE=off GOCACHE={here}/cache go build -ldflags=-s "
            "-o fetch {src}/fetch.go",
        ),
    ),
)


def _filled(text: str, site: Site) -> str:
    return text.replace("{site}", site.address).replace("{ca}", str(site.ca))


def _arguments(row: Row, site: Site, directory: Path, before: str = "") -> list[str]:
    return [_filled(word, site) for word in words(f"{before} {row.args}", directory)]


def _inside(row: Row, site: Site, engine: Engine, directory: Path, more: str) -> Outcome:
    """What the program says in a container, packed with these options."""
    need(row.needs or row.layer.split()[0])
    build(row.build, directory)
    told, _ = layer(f"{row.layer} {more}", "x.tar", directory)
    with engine.imported(told, directory) as image:
        return image.run(_arguments(row, site, directory), "--network", "host")


each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


@each_row
def test_with_a_companys_ca(
    row: Row, site: Site, engine: Engine, tmp_path: Path, report: Report
) -> None:
    inside = _inside(row, site, engine, tmp_path, f"--with certs={site.ca}")
    variables = {key: _filled(value, site) for key, value in row.trusting.items()}
    arguments = _arguments(row, site, tmp_path, row.trusting_args)
    outside = on_host([row.layer.split()[0], *arguments], tmp_path, variables)
    equal = inside[:2] == outside[:2]
    size = (tmp_path / "x.tar").stat().st_size
    report(Line(f"{row.name}, own CA", outside.status, inside.status, equal, size))
    assert outside.status == 0, outside
    assert row.says.encode() in outside.stdout
    assert equal, f"on the host: {outside}\nin the container: {inside}"


@each_row
def test_with_the_roots_certificates(
    row: Row, site: Site, engine: Engine, tmp_path: Path, report: Report
) -> None:
    """They are there, and they do not vouch for the server: as on the host."""
    inside = _inside(row, site, engine, tmp_path, "")
    outside = on_host([row.layer.split()[0], *_arguments(row, site, tmp_path)], tmp_path)
    equal = inside.status == outside.status
    size = (tmp_path / "x.tar").stat().st_size
    report(Line(f"{row.name}, unknown CA", outside.status, inside.status, equal, size))
    assert equal, f"on the host: {outside}\nin the container: {inside}"
    _refused(inside, row.unknown)


@each_row
def test_without_certificates(
    row: Row, site: Site, engine: Engine, tmp_path: Path, report: Report
) -> None:
    inside = _inside(row, site, engine, tmp_path, "--without certs")
    size = (tmp_path / "x.tar").stat().st_size
    equal = inside.status == row.without[0]
    report(Line(f"{row.name} --without certs", "-", inside.status, equal, size))
    _refused(inside, row.without)


def _refused(inside: Outcome, wanted: tuple[int, str]) -> None:
    status, said = wanted
    assert inside.status == status, inside
    assert said.encode() in inside.stderr, inside


def test_git_clones(site: Site, engine: Engine, tmp_path: Path) -> None:
    row = next(row for row in ROWS if row.name.startswith("git"))
    told, _ = layer(f"{row.layer} --with certs={site.ca}", "x.tar", tmp_path)
    with engine.imported(told, tmp_path) as image:
        address = f"https://{site.address}/repository.git"
        inside = image.run(["clone", address, "/out"], "--network", "host")
    assert inside.status == 0, inside


# OpenSSL's two ways, in roots made for it


@pytest.fixture
def openssl_root(tmp_path: Path) -> Path:
    """A root with the openssl command and no certificates."""
    need("/usr/bin/openssl")
    done = elfpack(["layer", "/usr/bin/openssl", "--without", "certs", "-o", "root/"], tmp_path)
    assert done.status == 0, done
    root = tmp_path / "root"
    (root / "etc/ssl/certs").mkdir(parents=True)
    (root / "usr/lib/ssl").mkdir(parents=True)
    (root / "usr/lib/ssl/certs").symlink_to("/etc/ssl/certs")
    (root / "usr/share/ca").mkdir(parents=True)
    return root


def _hashed(ca: Path, root: Path, number: int = 0) -> str:
    """Puts a certificate into the hashed directory of a root, as c_rehash does."""
    done = run(["openssl", "x509", "-hash", "-noout", "-in", str(ca)], root)
    assert done.status == 0, done
    name = f"{done.stdout.decode().strip()}.{number}"
    shutil.copy(ca, root / "usr/share/ca" / ca.name)
    (root / "etc/ssl/certs" / ca.name).symlink_to(f"/usr/share/ca/{ca.name}")
    (root / "etc/ssl/certs" / name).symlink_to(ca.name)
    return name


def _connect(site: Site, engine: Engine, root: Path, more: str = "") -> tuple[Outcome, Outcome]:
    """What openssl s_client says in a container, and what elfpack said."""
    request = f"--root {root} /usr/bin/openssl {more}"
    told, done = layer(request, "x.tar", root.parent)
    arguments = ["s_client", "-verify_return_error", "-brief", "-connect", site.address]
    with engine.imported(told, root.parent) as image:
        return image.run(arguments, "--network", "host"), done


def test_openssl_by_cert_pem(site: Site, engine: Engine, openssl_root: Path) -> None:
    (openssl_root / "usr/lib/ssl/cert.pem").symlink_to("../../../etc/ssl/certs/all.crt")
    shutil.copy(site.ca, openssl_root / "etc/ssl/certs/all.crt")
    inside, _ = _connect(site, engine, openssl_root)
    assert inside.status == 0, inside
    assert b"Verification: OK" in inside.stderr


def test_openssl_by_the_hashed_directory(site: Site, engine: Engine, openssl_root: Path) -> None:
    name = _hashed(site.ca, openssl_root)
    _hashed(site.other, openssl_root)
    inside, _ = _connect(site, engine, openssl_root)
    assert inside.status == 0, inside
    assert b"Verification: OK" in inside.stderr
    there = regular_files((openssl_root.parent / "x.tar").read_bytes())
    assert [path for path in there if path.endswith(".pem")] == [
        "usr/share/ca/company.pem",
        "usr/share/ca/other.pem",
    ]
    assert name not in "".join(there), "it stays a link"


def test_openssl_with_another_ca_alone(site: Site, engine: Engine, openssl_root: Path) -> None:
    _hashed(site.other, openssl_root)
    inside, _ = _connect(site, engine, openssl_root)
    assert inside.status == 1, inside
    assert b"unable to get local issuer certificate" in inside.stderr


def test_openssl_by_a_companys_ca_beside_the_hashed_directory(
    site: Site, engine: Engine, openssl_root: Path
) -> None:
    _hashed(site.other, openssl_root)
    shutil.copy(site.ca, openssl_root / "ca.pem")
    inside, _ = _connect(site, engine, openssl_root, "--with certs=/ca.pem")
    assert inside.status == 0, inside
    assert b"Verification: OK" in inside.stderr


def test_openssl_where_the_root_has_no_certificates(
    site: Site, engine: Engine, openssl_root: Path
) -> None:
    inside, done = _connect(site, engine, openssl_root)
    assert inside.status == 1, inside
    (told,) = [line for line in done.stderr.decode().splitlines() if "warning" in line]
    assert "/usr/lib/ssl/cert.pem: the root has none" in told
    assert "ca-certificates" in told
    request = f"layer --root {openssl_root} /usr/bin/openssl --with certs --dry-run"
    asked = elfpack(words(request, openssl_root), openssl_root)
    assert asked.status == 1, asked


def test_no_private_key_gets_in(site: Site, openssl_root: Path) -> None:
    """As Debian's ssl-cert might be misused: key and certificate in one file."""
    both = openssl_root.parent / "snakeoil.pem"
    key = site.other.with_suffix(".key")
    both.write_bytes(site.other.read_bytes() + key.read_bytes())
    name = _hashed(both, openssl_root)
    _hashed(site.ca, openssl_root)
    (openssl_root / "etc/ssl/private").mkdir()
    shutil.copy(key, openssl_root / "etc/ssl/private")
    _, done = layer(f"--root {openssl_root} /usr/bin/openssl", "x.tar", openssl_root.parent)
    content = (openssl_root.parent / "x.tar").read_bytes()
    # Programs have the words as a constant, in a line of their own format.
    assert key.read_bytes() not in content
    assert b"\n-----BEGIN PRIVATE KEY-----\n" not in content
    assert site.ca.read_bytes() in content
    assert f"/usr/lib/ssl/certs/{name}: left out: there is a private key" in done.stderr.decode()


def test_a_private_key_is_refused(site: Site, tmp_path: Path) -> None:
    key = site.ca.with_suffix(".key")
    done = elfpack(["layer", "/usr/bin/env", "--with", f"certs={key}", "-o", "x.tar"], tmp_path)
    assert done.status == 2, done
    (line,) = done.stderr.decode().splitlines()
    assert "private key" in line
    assert not (tmp_path / "x.tar").exists()
