"""Where TLS libraries look for CA certificates, read from their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from elfpack import late
from elfpack.light import TYPE_CHECKING, NamedTuple
from elfpack.paths import decode, parent
from elfpack.runtime.module import Evidence, Object, View

if TYPE_CHECKING:
    from typing import Final


class Store(NamedTuple):
    """Where one library looks."""

    files: tuple[str, ...]
    """Bundles; the first that there is counts. Bundles that elfpack makes go to the first."""
    directories: tuple[str, ...]
    """Read where no bundle is; the first that there is counts."""
    hashed: bool
    """Of a directory only ``NNNNNNNN.N`` is read: OpenSSL's form. Else every file."""
    evidence: Evidence | None


CONVENTIONAL: Final = Store(
    (
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/pki/tls/cacert.pem",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ),
    ("/etc/ssl/certs", "/etc/pki/tls/certs"),
    False,
    None,
)
"""What Go looks for. Source: go src/crypto/x509/root_linux.go, certFiles, certDirectories."""
_CERT_PEM = "/cert.pem"
# Rust ends its strings with no NUL.
_CONVENTIONAL = late.pattern(
    "|".join(f for f in CONVENTIONAL.files if not f.endswith(_CERT_PEM))
    .replace(".", r"\.")
    .encode()
)
# What of crypto/x509 is linked in only where certificates are verified by the system's, since
# Go 1.9. Source: go src/crypto/x509/root_unix.go, root.go.
_GO = ("crypto/x509.loadSystemRoots", "crypto/x509.initSystemRoots", "crypto/x509.systemRootsPool")
_OPENSSL = "libssl.so."
_GNUTLS = "libgnutls.so."
_MBEDTLS = "libmbedtls.so."
_CURL = late.pattern(r"libcurl(-[a-z]+)?\.so\.")
_NSS = "libnss3.so"
_HOW = "compiled into"
# Source: openssl crypto/cversion.c or crypto/info.c, OPENSSLDIR; include/internal/cryptlib.h,
# X509_CERT_FILE, X509_CERT_DIR; the same in LibreSSL.
_OPENSSLDIR = late.pattern(rb'OPENSSLDIR: "(/[^"\0\n]{1,1000})"')
# Source: gnutls configure.ac, default-trust-store-file and -dir; curl configure, ca-bundle and
# ca-path.
_BUNDLE = late.pattern(rb"\0(/[!-~]{1,1000}\.(?:crt|pem))(?=\0)")
# openSUSE's are /etc/ssl/certs/ and /var/lib/ca-certificates/pem.
_DIRECTORY = late.pattern(rb"\0(/[!-~]{0,1000}/(?:certs|pem))/?(?=\0)")
_PKCS11 = late.pattern(rb"\0(pkcs11:)(?=\0)")
# The variable that OpenSSL reads where it looks for its default file: what is linked in for that.
# Source: openssl crypto/x509/x509_def.c.
_BY_DEFAULT = b"SSL_CERT_FILE"
# The name of a function of libssl, in what it reports as an error.
_LIBSSL = late.pattern(rb"\0(SSL_CTX_new(?:_ex)?)(?=\0)")
_OWN_BUNDLE = late.pattern(rb"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/]{8}")


def stores(view: View) -> Iterator[Store]:
    """The stores of the TLS libraries of the closures, and of what has one linked into it."""
    objects = view.objects()
    for this in objects:
        soname = this.soname
        if soname.startswith(_OPENSSL):
            yield from _openssl(view, this, objects)
        elif soname.startswith(_GNUTLS):
            yield from _gnutls(view, this)
        elif soname.startswith(_MBEDTLS):
            yield CONVENTIONAL._replace(evidence=needed(this, objects))
        elif soname.startswith("libcurl") and _CURL.match(soname):
            yield from _curl(view, this)
        elif this.role != "library" and view.go(this) is None:
            yield from _linked_in(view, this)
    for _, evidence in view.importing(_GO):
        yield CONVENTIONAL._replace(evidence=evidence)


def nss(view: View) -> Iterator[tuple[Object, Evidence]]:
    """Mozilla's libraries, whose CA certificates are in one of their own."""
    objects = view.objects()
    for this in objects:
        if this.soname == _NSS:
            yield this, needed(this, objects)


def pkcs11(view: View) -> Iterator[tuple[Object, Evidence]]:
    """The GnuTLS libraries that ask p11-kit, as Fedora's: no path of certificates is in them."""
    for this in view.objects():
        if this.soname.startswith(_GNUTLS) and not any(_gnutls(view, this)):
            for text in view.strings(this, _PKCS11):
                yield this, Evidence(decode(text), this.label, _HOW)


def needed(this: Object, objects: Iterable[Object]) -> Evidence:
    """Why a library is there."""
    for other in objects:
        if this.soname in other.hit.elf.needed:
            return Evidence(this.soname, other.label, "needed by")
    return Evidence(this.soname, this.label, "soname of")


def _openssl(view: View, this: Object, objects: tuple[Object, ...]) -> Iterator[Store]:
    """By libcrypto, which has the directory; with libssl of BoringSSL there may be none."""
    libcrypto = _libcrypto(this, objects)
    if libcrypto is not None:
        yield from _openssldir(view, libcrypto)


def _libcrypto(libssl: Object, objects: tuple[Object, ...]) -> Object | None:
    """That which this libssl loads: of those that have the name, one of its closure, or one
    beside it."""
    names = [n for n in libssl.hit.elf.needed if n.startswith("libcrypto.so")]
    found = [o for o in objects if o.soname in names]
    here = libssl.position[0], parent(libssl.hit.path)
    same = [o for o in found if o.position[0] == here[0]]
    beside = [o for o in found if parent(o.hit.path) == here[1]]
    return next(iter((*same, *beside, *found)), None)


def _openssldir(view: View, this: Object) -> Iterator[Store]:
    for raw in view.strings(this, _OPENSSLDIR)[:1]:
        top = decode(raw)
        evidence = Evidence(top, this.label, _HOW)
        yield Store((top + _CERT_PEM,), (f"{top}/certs",), True, evidence)


def _gnutls(view: View, this: Object) -> Iterator[Store]:
    yield from _compiled_in(view, this, hashed=False)


def _curl(view: View, this: Object) -> Iterator[Store]:
    """What libcurl has of its own, and passes to its TLS library. Source: curl lib/vtls/openssl.c
    and gtls.c, CAfile and CApath."""
    hashed = not any(name.startswith(_GNUTLS) for name in this.hit.elf.needed)
    yield from _compiled_in(view, this, hashed=hashed)


def _compiled_in(view: View, this: Object, *, hashed: bool) -> Iterator[Store]:
    """By the paths in a library's bytes. Where each file of a directory is read, as GnuTLS does
    it, a bundle in it is enough. Source: gnutls lib/x509/verify-high2.c, load_dir_certs()."""
    files = tuple(map(decode, view.strings(this, _BUNDLE)))
    directories = tuple(map(decode, view.strings(this, _DIRECTORY)))
    if not files and not directories:
        return
    evidence = Evidence((*files, *directories)[0], this.label, _HOW)
    if not files and not hashed:
        files = tuple(f"{directory}/ca-certificates.crt" for directory in directories)
    yield Store(files, directories, hashed, evidence)


def _linked_in(view: View, this: Object) -> Iterator[Store]:
    """A TLS library that is linked into a program or an added object, unless it brings its own
    certificates, as node does. OpenSSL's file is told from libssl's words, for libcrypto alone is
    no TLS library; the paths of libcurl and of Rust's are conventional."""
    if not view.has(this, _BY_DEFAULT) or view.holds(this, _OWN_BUNDLE):
        return
    if view.holds(this, _LIBSSL):
        for file in map(decode, view.strings(this, _BUNDLE)):
            if file.endswith(_CERT_PEM):
                directory = f"{parent(file)}/certs"
                yield Store((file,), (directory,), True, Evidence(file, this.label, _HOW))
    named = set(map(decode, view.strings(this, _CONVENTIONAL)))
    files = tuple(file for file in CONVENTIONAL.files if file in named)
    if files:
        yield Store(files, (), True, Evidence(files[0], this.label, _HOW))
