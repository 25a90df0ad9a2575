"""The module certs by a view that is a plain small class, and certificates in PEM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from elfpack.elf.golang import GoProgram, Names
from elfpack.errors import RequestError
from elfpack.formats import pem
from elfpack.runtime.certs import Certs
from elfpack.runtime.module import AddBytes, Hint, Lacking
from tests.smallview import SmallView, Thing, shown


def _der(number: int) -> bytes:
    """One DER SEQUENCE; nobody here looks into it."""
    return b"\x30\x82\x01\x00" + bytes([number]) * 256


ROOT, OTHER, COMPANY = (pem.dump(_der(number)).decode() for number in (1, 2, 3))
KEY = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
DEBIAN = "/etc/ssl/certs/ca-certificates.crt"
BUNDLE = f"file {DEBIAN}"


def _library(name: str, content: bytes = b"", needed: tuple[str, ...] = (), **more: str) -> Thing:
    return Thing(f"/lib64/{name}", role="library", content=content, needed=needed, **more)  # type: ignore[arg-type]


def _openssl(directory: str) -> tuple[Thing, ...]:
    return (
        Thing("/exe", needed=("libssl.so.3",)),
        _library("libssl.so.3", needed=("libcrypto.so.3",)),
        _library("libcrypto.so.3", f'\0OPENSSLDIR: "{directory}"\0'.encode()),
    )


OPENSSL = _openssl("/usr/lib/ssl")
GNUTLS = (
    Thing("/exe", needed=("libgnutls.so.30",)),
    _library("libgnutls.so.30", f"\0pkcs11:\0/etc/gnutls/config\0{DEBIAN}\0".encode()),
)
CURL = (*OPENSSL, _library("libcurl.so.4", f"\0/etc/ssl/certs\0{DEBIAN}\0".encode()))
GIT = (
    *GNUTLS,
    _library("libcurl-gnutls.so.4", b"\0/etc/ssl/certs\0", ("libgnutls.so.30",)),
)
GO = (Thing("/exe", go=GoProgram("go1.19.8", (), Names(("crypto/x509.loadSystemRoots",)))),)
LINKED = b"\0SSL_CERT_FILE\0/usr/local/ssl\0/usr/local/ssl/cert.pem\0/usr/local/ssl/certs\0"
LIBSSL = b"\0SSL_CTX_new_ex\0"
RUST = f"SSL_CERT_DIRSSL_CERT_FILE/etc/ssl/cert.pem{DEBIAN}/etc/pki".encode()
CERT_PEM = {"/usr/lib/ssl/cert.pem": f"-> {DEBIAN}", DEBIAN: ROOT}
HASHED: Mapping[str, str | bytes] = {
    "/usr/lib/ssl/certs": "-> /etc/ssl/certs",
    "/etc/ssl/certs/0a775a30.0": "-> Some_Root.pem",
    "/etc/ssl/certs/Some_Root.pem": "-> /usr/share/ca-certificates/Some_Root.crt",
    "/usr/share/ca-certificates/Some_Root.crt": ROOT,
    "/etc/ssl/certs/1a2b3c4d.0": OTHER,
    "/etc/ssl/certs/README": "nothing",
    "/etc/ssl/certs/ffffffff.0": "-> gone.pem",
}
HASHED_ADDED = ["file /usr/lib/ssl/certs/0a775a30.0", "file /usr/lib/ssl/certs/1a2b3c4d.0"]


UNREAD = f"hint certs-unread {DEBIAN}"


@dataclass(frozen=True)
class Case:
    name: str
    things: tuple[Thing, ...]
    files: Mapping[str, str | bytes]
    additions: list[str]
    chosen: tuple[str, ...] | None = None
    """Values of ``--with``; an empty tuple for none."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """Of the files that elfpack makes."""


COMPANYS = {"/work/ca.pem": COMPANY}
CASES = [
    Case("no TLS library", (Thing("/exe"),), CERT_PEM, []),
    Case("libcrypto alone is none", (Thing("/exe"), OPENSSL[2]), CERT_PEM, []),
    Case("OpenSSL by cert.pem", OPENSSL, CERT_PEM, ["file /usr/lib/ssl/cert.pem"]),
    Case(
        "OpenSSL's directory is that of its bytes",
        _openssl("/etc/pki/tls"),
        {"/etc/pki/tls/cert.pem": ROOT, **CERT_PEM},
        ["file /etc/pki/tls/cert.pem"],
    ),
    Case("OpenSSL by the hashed directory", OPENSSL, HASHED, HASHED_ADDED),
    Case(
        "an empty bundle is none",
        OPENSSL,
        {**HASHED, "/usr/lib/ssl/cert.pem": ""},
        HASHED_ADDED,
    ),
    Case(
        "libcrypto is that of libssl",
        (
            *(OPENSSL[0], OPENSSL[1]),
            _library("libcrypto.so.1.1", b'OPENSSLDIR: "/opt/ssl"\0', ()),
            OPENSSL[2],
        ),
        {**CERT_PEM, "/opt/ssl/cert.pem": ROOT},
        ["file /usr/lib/ssl/cert.pem"],
    ),
    Case(
        "a libssl without a libcrypto is silent",
        OPENSSL[:2],
        CERT_PEM,
        [],
    ),
    Case("GnuTLS", GNUTLS, CERT_PEM, [BUNDLE]),
    Case(
        "GnuTLS with p11-kit",
        (Thing("/exe"), _library("libgnutls.so.30", b"\0pkcs11:\0")),
        {**CERT_PEM, "/lib64/pkcs11/p11-kit-trust.so": ""},
        ["hint certs-pkcs11 /lib64/libgnutls.so.30"],
    ),
    Case(
        "GnuTLS by directory, as in openSUSE",
        (Thing("/exe"), _library("libgnutls.so.30", b"\0pkcs11:\0/var/lib/ca/pem\0")),
        {"/var/lib/ca/pem/x.pem": ROOT},
        ["file /var/lib/ca/pem/x.pem"],
    ),
    Case(
        "a company's own in GnuTLS's directory",
        (Thing("/exe"), _library("libgnutls.so.30", b"\0/var/lib/ca/pem/\0")),
        {"/var/lib/ca/pem/x.pem": ROOT, **COMPANYS},
        ["file /var/lib/ca/pem/x.pem", "bytes /var/lib/ca/pem/ca-certificates.crt"],
        ("ca.pem",),
    ),
    Case(
        "a company's own where links go in a circle",
        OPENSSL,
        {"/usr/lib/ssl/cert.pem": "-> cert.pem", **COMPANYS},
        ["bytes /usr/lib/ssl/cert.pem"],
        ("ca.pem",),
    ),
    Case("libcurl has a path of its own", CURL, CERT_PEM, ["file /usr/lib/ssl/cert.pem", BUNDLE]),
    Case(
        "libcurl without the bundle",
        CURL,
        HASHED,
        [*HASHED_ADDED, *("file /etc/ssl/certs/0a775a30.0", "file /etc/ssl/certs/1a2b3c4d.0")],
    ),
    Case("libcurl with GnuTLS reads a directory's bundle", GIT, CERT_PEM, [BUNDLE]),
    Case(
        "libcurl with GnuTLS reads each file of a directory",
        GIT,
        {"/etc/ssl/certs/a.pem": ROOT, "/etc/ssl/certs/b.txt": "b"},
        ["file /etc/ssl/certs/a.pem"],
    ),
    Case(
        "mbedTLS by convention", (Thing("/exe"), _library("libmbedtls.so.14")), CERT_PEM, [BUNDLE]
    ),
    Case("Go", GO, CERT_PEM, [BUNDLE]),
    Case(
        "Go's list, in its order",
        GO,
        {"/etc/ssl/cert.pem": ROOT, "/etc/ssl/ca-bundle.pem": ROOT},
        ["file /etc/ssl/ca-bundle.pem"],
    ),
    Case("Go by directory", GO, {"/etc/pki/tls/certs/x": ROOT}, ["file /etc/pki/tls/certs/x"]),
    Case(
        "Go without the system's certificates",
        (
            Thing(
                "/exe",
                go=GoProgram("go1.19.8", (), Names(("crypto/x509.ParseCertificate",))),
            ),
        ),
        CERT_PEM,
        [],
    ),
    Case(
        "linked in, OpenSSL's directory",
        (Thing("/exe", content=LINKED + LIBSSL),),
        {"/usr/local/ssl/cert.pem": ROOT},
        ["file /usr/local/ssl/cert.pem"],
    ),
    Case(
        "linked in, OpenSSL's hashed directory",
        (Thing("/exe", content=LINKED + LIBSSL),),
        {"/usr/local/ssl/certs/1a2b3c4d.0": ROOT},
        ["file /usr/local/ssl/certs/1a2b3c4d.0"],
    ),
    Case(
        "linked in, libcrypto alone",
        (Thing("/exe", content=LINKED),),
        {"/usr/local/ssl/cert.pem": ROOT},
        [],
    ),
    Case("linked in, Rust's", (Thing("/exe", content=RUST),), CERT_PEM, [BUNDLE]),
    Case(
        "linked in, with certificates of its own",
        (Thing("/exe", content=LINKED + LIBSSL + ROOT.encode()),),
        {"/usr/local/ssl/cert.pem": ROOT},
        [],
    ),
    Case("a program that names a path", (Thing("/exe", content=DEBIAN.encode()),), CERT_PEM, []),
    Case("none in the root", OPENSSL, {}, ["warning /usr/lib/ssl/cert.pem"]),
    Case("none in the root, asked for", OPENSSL, {}, ["fault /usr/lib/ssl/cert.pem"], ()),
    Case("asked for, with no TLS library", (Thing("/exe"),), CERT_PEM, [UNREAD, BUNDLE], ()),
    Case("asked for in vain", (Thing("/exe"),), {}, [UNREAD, f"fault {DEBIAN}"], ()),
    Case(
        "one library of two finds none",
        (*OPENSSL, *GNUTLS),
        {"/usr/lib/ssl/cert.pem": ROOT},
        ["file /usr/lib/ssl/cert.pem"],
    ),
    Case(
        "a private key in the bundle",
        OPENSSL,
        {"/usr/lib/ssl/cert.pem": ROOT + KEY},
        ["hint private-key /usr/lib/ssl/cert.pem"],
    ),
    Case(
        "a private key in the hashed directory",
        OPENSSL,
        {**HASHED, "/etc/ssl/certs/1a2b3c4d.0": KEY + OTHER},
        [HASHED_ADDED[0], "hint private-key /usr/lib/ssl/certs/1a2b3c4d.0"],
    ),
    Case(
        "a bundle that is too large",
        GNUTLS,
        {DEBIAN: b"\0" * (16 * 1024 * 1024 + 1)},
        [f"hint certs-left-out {DEBIAN}"],
    ),
    Case("a bundle that is damaged", GNUTLS, {DEBIAN: ROOT[:99]}, [BUNDLE]),
    Case(
        "a company's own, with the root's",
        OPENSSL,
        {**CERT_PEM, **COMPANYS},
        [f"link /usr/lib/ssl/cert.pem -> {DEBIAN}", f"bytes {DEBIAN}"],
        ("ca.pem",),
        {DEBIAN: ROOT + COMPANY},
    ),
    Case(
        "a company's own, and the libraries share a bundle",
        (*CURL, *GNUTLS[1:]),
        {**CERT_PEM, **COMPANYS},
        [f"link /usr/lib/ssl/cert.pem -> {DEBIAN}", f"bytes {DEBIAN}"],
        ("ca.pem",),
    ),
    Case(
        "relative links on the way",
        OPENSSL,
        {
            "/usr/lib/ssl": "-> ../../etc/ssl",
            "/etc/ssl/cert.pem": "-> certs/all.crt",
            "/etc/ssl/certs/all.crt": ROOT,
            **COMPANYS,
        },
        ["link /usr/lib/ssl/cert.pem -> certs/all.crt", "bytes /usr/lib/ssl/certs/all.crt"],
        ("ca.pem",),
    ),
    Case(
        "a company's own that the root trusts already",
        GNUTLS,
        {**CERT_PEM, "/work/ca.pem": ROOT},
        [BUNDLE],
        ("ca.pem",),
    ),
    Case(
        "only the certificates of the file",
        GNUTLS,
        {DEBIAN: ROOT.rstrip("\n"), "/work/ca.pem": f"Subject: x\n{COMPANY}\n# end\n{OTHER}x"},
        [f"bytes {DEBIAN}"],
        ("ca.pem",),
        {DEBIAN: ROOT + COMPANY + OTHER},
    ),
    Case(
        "two files",
        GNUTLS,
        {DEBIAN: ROOT, "/work/ca.pem": COMPANY, "/srv/b.pem": OTHER + COMPANY},
        [f"bytes {DEBIAN}"],
        ("ca.pem", "/srv/b.pem"),
        {DEBIAN: ROOT + COMPANY + OTHER},
    ),
    Case(
        "a company's own beside a hashed directory",
        OPENSSL,
        {**HASHED, **COMPANYS},
        [*HASHED_ADDED, "bytes /usr/lib/ssl/cert.pem"],
        ("ca.pem",),
        {"/usr/lib/ssl/cert.pem": COMPANY},
    ),
    Case(
        "a company's own where the root's link leads nowhere",
        OPENSSL,
        {"/usr/lib/ssl/cert.pem": f"-> {DEBIAN}", **COMPANYS},
        [f"link /usr/lib/ssl/cert.pem -> {DEBIAN}", f"bytes {DEBIAN}"],
        ("ca.pem",),
        {DEBIAN: COMPANY},
    ),
    Case(
        "a company's own where the root has none",
        (*OPENSSL, *GNUTLS, *GO),
        COMPANYS,
        ["bytes /usr/lib/ssl/cert.pem", f"bytes {DEBIAN}"],
        ("ca.pem",),
        {"/usr/lib/ssl/cert.pem": COMPANY, DEBIAN: COMPANY},
    ),
    Case(
        "a company's own with no TLS library",
        (Thing("/exe"),),
        COMPANYS,
        [UNREAD, f"bytes {DEBIAN}"],
        ("ca.pem",),
    ),
    Case(
        "a company's own and a bundle with a key",
        GNUTLS,
        {DEBIAN: ROOT + KEY, **COMPANYS},
        [f"hint private-key {DEBIAN}", f"bytes {DEBIAN}"],
        ("ca.pem",),
        {DEBIAN: COMPANY},
    ),
    Case(
        "a company's own where only hashes are read",
        (Thing("/exe"), _library("libcurl.so.4", b"\0/etc/ssl/certs/\0")),
        {"/etc/ssl/certs/1a2b3c4d.0": OTHER, **COMPANYS},
        ["file /etc/ssl/certs/1a2b3c4d.0", "hint certs-not-read /etc/ssl/certs"],
        ("ca.pem",),
    ),
    Case(
        "a file that the root lacks",
        OPENSSL,
        CERT_PEM,
        ["fault ca.pem", "file /usr/lib/ssl/cert.pem"],
        ("ca.pem",),
    ),
    Case(
        "NSS opens a library",
        (
            Thing("/exe", needed=("libnss3.so",)),
            Thing("/lib64/libnss3.so", role="library", opens=("libnssckbi.so",)),
        ),
        {},
        ["object libnssckbi.so"],
    ),
    Case(
        "NSS has a library beside it",
        (Thing("/exe"), _library("libnss3.so")),
        {"/lib64/nss/libnssckbi.so": ""},
        ["program /lib64/nss/libnssckbi.so"],
    ),
    Case(
        "NSS lacks its library",
        (Thing("/exe"), _library("libnss3.so")),
        {},
        ["warning libnssckbi.so"],
    ),
    Case(
        "NSS trusts no file",
        (Thing("/exe"), Thing("/lib64/libnss3.so", role="library", opens=("libnssckbi.so",))),
        COMPANYS,
        ["object libnssckbi.so", "hint certs-not-read /lib64/libnss3.so"],
        ("ca.pem",),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_certs(case: Case) -> None:
    view = SmallView(case.things, files=case.files)
    certs = Certs()
    chosen = None if case.chosen is None else tuple(certs.parse(value) for value in case.chosen)
    found = list(certs.propose(view, chosen))
    assert shown(found) == case.additions
    made = {a.path: a.content.decode() for a in found if isinstance(a, AddBytes)}
    assert {path: made.get(path) for path in case.contents} == case.contents
    for addition in found:
        _stands_there(case.things, addition)


def _stands_there(things: tuple[Thing, ...], addition: object) -> None:
    """The evidence of an addition is in the bytes, the names or the functions of its object."""
    evidence = getattr(addition, "evidence", None)
    if evidence is None:
        return
    label = evidence.object
    thing = next(t for t in things if label in (t.path, t.path.rpartition("/")[2]))
    functions = thing.go.functions if thing.go is not None else ()
    names = (*thing.needed, *functions, thing.path.rpartition("/")[2])
    assert evidence.symbol.encode() in thing.content or evidence.symbol in names


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (COMPANY + KEY, "has a private key in it.*certificate alone"),
        (KEY, "has a private key in it.*name the certificate"),
        ("nothing", "no certificate in PEM.*BEGIN CERTIFICATE"),
        ("", "no certificate in PEM"),
        (_der(1), "no certificate in PEM.*-inform DER"),
        ("-----BEGIN TRUSTED CERTIFICATE-----\n", "no certificate in PEM.*openssl x509 -in"),
        (COMPANY[:99], "certificate number 1 is damaged"),
        (ROOT + COMPANY.replace("wMD", "!MD"), "certificate number 2 is damaged"),
        ("-----BEGIN CERTIFICATE-----\nMAA\n-----END CERTIFICATE-----\n", "number 1 is damaged"),
        ("-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", "number 1 is damaged"),
        (b"\0" * (16 * 1024 * 1024 + 1), "at most 16 MiB"),
    ],
)
def test_a_file_that_is_of_no_use(content: str | bytes, said: str) -> None:
    view = SmallView(OPENSSL, files={"/work/ca.pem": content})
    with pytest.raises(RequestError, match=rf"^ca\.pem: .*{said}") as caught:
        list(Certs().propose(view, ("ca.pem",)))
    assert "\n" not in str(caught.value)


def test_a_private_key_is_a_warning() -> None:
    found = Certs().propose(SmallView(GNUTLS, files={DEBIAN: KEY + ROOT}), None)
    assert [a.warning for a in found if isinstance(a, Hint)] == [True]


def test_what_the_root_lacks_comes_with_advice() -> None:
    (lacking,) = Certs().propose(SmallView(OPENSSL), None)
    assert isinstance(lacking, Lacking)
    assert "ca-certificates" in lacking.advice
    assert str(lacking.evidence) == "/usr/lib/ssl, compiled into libcrypto.so.3"


def test_certificates_of_either_label() -> None:
    other = OTHER.replace("CERTIFICATE", "X509 CERTIFICATE")
    text = ("Comment\r\n" + ROOT.replace("\n", "\r\n") + other).encode()
    assert pem.certificates(text) == (_der(1), _der(2))


def test_many_beginnings_take_no_longer() -> None:
    assert len(pem.certificates(b"-----BEGIN CERTIFICATE-----" * 100_000)) == 100_000


@pytest.mark.parametrize(
    "raw", [b"", b"0", b"0\x80", b"0\x84\xff\xff\xff\xff", b"0\xff" + b"0" * 9]
)
def test_what_is_no_whole_sequence(raw: bytes) -> None:
    assert not pem.is_whole(raw)
