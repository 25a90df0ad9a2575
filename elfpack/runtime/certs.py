"""CA certificates, where the TLS library of a program looks for them."""

from __future__ import annotations

from collections.abc import Iterator

from elfpack import late
from elfpack.errors import RequestError
from elfpack.formats import pem
from elfpack.light import TYPE_CHECKING
from elfpack.paths import join, parent
from elfpack.root.walk import LINK_LIMIT
from elfpack.runtime.module import (
    AddBytes,
    AddFile,
    Addition,
    AddLink,
    AddObject,
    AddProgram,
    Evidence,
    Hint,
    Lacking,
    Object,
    View,
)
from elfpack.runtime.truststores import CONVENTIONAL, Store, nss, pkcs11, stores

if TYPE_CHECKING:
    from typing import ClassVar

_MOST = 16 << 20
"""Bytes of a bundle; a large one has 300,000."""
# Source: openssl crypto/x509/by_dir.c, get_cert_by_subject_ex().
_HASHED = late.pattern(r"[0-9a-f]{8}\.[0-9]+\Z")
_MOZILLA = "libnssckbi.so"
_P11_KIT = (
    "/usr/share/p11-kit/modules",
    "/usr/share/pki/ca-trust-source",
    "/etc/pki/ca-trust/source",
)
_INSTALL = "install CA certificates (Debian: ca-certificates), or name yours: --with certs=FILE"


class Certs:
    """What https needs to trust a server."""

    name: ClassVar[str] = "certs"
    summary: ClassVar[str] = "CA certificates, where the TLS library and libcurl look for them"
    when: ClassVar[str] = "a TLS library is in the closure, or Go's crypto/x509 in a program"
    value: ClassVar[str | None] = "FILE"
    needs_value: ClassVar[bool] = False
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        if not value or "\0" in value:
            raise ValueError("write the path of a file with certificates, in PEM")
        return value

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        own, lacking = _own(view, chosen)
        yield from lacking
        found = list(stores(view))
        others = list(_others(view, own=bool(own), asked=chosen is not None))
        if chosen is not None and not found and not others:
            found = [CONVENTIONAL]
            yield Hint(
                "certs-unread",
                CONVENTIONAL.files[0],
                "nothing that is packed is known to read it",
                "node and java have certificates of their own: NODE_EXTRA_CA_CERTS, a keystore",
            )
        once: dict[tuple[object, ...], Addition] = {}
        for store in found:
            for addition in _trusted(view, store, own):
                once.setdefault(_key(addition), addition)
        for addition in others:
            once.setdefault(_key(addition), addition)
        yield from once.values()
        there = lacking or others or any(not isinstance(a, Hint) for a in once.values())
        if not there and (chosen is not None or (found and not once)):
            first = found[0]
            what = (*first.files, *first.directories)[0]
            told = [f"{a.path}: {a.message}" for a in once.values() if isinstance(a, Hint)]
            state = f"the root has none that can be packed ({'; '.join(told[:2])})"
            state = state if told else "the root has none"
            yield Lacking(what, chosen is not None, _INSTALL, first.evidence, state)


def _key(addition: Addition) -> tuple[object, ...]:
    """What is added once: a path or a name, whatever libraries have to do with it."""
    return type(addition), addition[1] if isinstance(addition, Hint) else addition[0]


# A company's own


def _own(
    view: View, chosen: tuple[object, ...] | None
) -> tuple[tuple[bytes, ...], tuple[Lacking, ...]]:
    """The certificates of the files that the user named, each once, in DER; and the files that
    the root has not.

    Raises:
        RequestError: a file has a private key, or no certificate.
    """
    found: dict[bytes, None] = {}
    lacking = []
    for name in chosen or ():
        assert isinstance(name, str)
        path = view.absolute(name)
        if view.real(path) is None:
            advice = "give the path of a file with certificates; with --root, one inside it"
            lacking.append(Lacking(name, True, advice))
            continue
        raw = view.read(path, _MOST)
        if raw is None:
            message = f"is no file that can be read, of at most {_MOST >> 20} MiB"
            raise RequestError(message, path=name, hint="name one with certificates, in PEM")
        found.update(dict.fromkeys(_certificates(raw, name)))
    return tuple(found), tuple(lacking)


def _certificates(raw: bytes, name: str) -> Iterator[bytes]:
    found = pem.certificates(raw)
    convert = f"openssl x509 -in {name} -out ca.pem"
    if pem.has_private_key(raw):
        raise RequestError(
            "has a private key in it, which no image may carry",
            path=name,
            hint=f"take the certificate alone: {convert}" if found else "name the certificate",
        )
    if not found:
        if raw[:1] == b"\x30":
            hint = convert.replace("-in", "-inform DER -in", 1)
        else:
            hint = convert if pem.has_certificate(raw) else "it begins with BEGIN CERTIFICATE"
        raise RequestError("has no certificate in PEM", path=name, hint=hint)
    for number, certificate in enumerate(found, start=1):
        if certificate is None:
            raise RequestError(
                f"its certificate number {number} is damaged", path=name, hint="get a whole copy"
            )
        yield certificate


# Where they go


def _trusted(view: View, store: Store, own: tuple[bytes, ...]) -> Iterator[Addition]:
    """What a store has in the root, and the user's own certificates with it."""
    bundle: tuple[str, bytes] | None = None
    for path in store.files:
        content = _content(view, path, store.evidence)
        if isinstance(content, Hint):
            yield content
        elif content is not None:
            bundle = path, content
            break
    if bundle is None:
        yield from _directory(view, store)
    if own and store.files:
        yield from _with_own(view, store, bundle or (store.files[0], b""), own)
    elif bundle is not None:
        yield AddFile(bundle[0], store.evidence)
    elif own:
        yield Hint(
            "certs-not-read",
            store.directories[0],
            "only this directory is read, so what --with certs=FILE names is not trusted",
            "put it there under its hash, which openssl x509 -hash tells: --add FILE:DIR/HASH.0",
            store.evidence,
            warning=True,
        )


def _content(view: View, path: str, evidence: Evidence | None) -> bytes | Hint | None:
    """A file with certificates; why it has to be left out; or None if it is none."""
    if not view.exists(path):
        return None
    content = view.read(path, _MOST)
    if content is None:
        message = f"left out: it cannot be read, or has more than {_MOST >> 20} MiB"
        advice = "its certificates are missing in the image"
        return Hint("certs-left-out", path, message, advice, evidence, warning=True)
    if pem.has_private_key(content):
        message = "left out: there is a private key in it"
        advice = "keep keys and certificates in files of their own"
        return Hint("private-key", path, message, advice, evidence, warning=True)
    return content if pem.has_certificate(content) else None


def _directory(view: View, store: Store) -> Iterator[Addition]:
    """The certificates of the first directory that has any, with their links."""
    for directory in store.directories:
        found = False
        for name, kind in view.entries(directory):
            if kind != "file" or (store.hashed and not _HASHED.match(name)):
                continue
            content = _content(view, f"{directory}/{name}", store.evidence)
            if isinstance(content, Hint):
                yield content
            elif content is not None:
                found = True
                yield AddFile(f"{directory}/{name}", store.evidence)
        if found:
            return


def _with_own(
    view: View, store: Store, bundle: tuple[str, bytes], own: tuple[bytes, ...]
) -> Iterator[Addition]:
    """A bundle that has the user's certificates as well, where the links of the root lead."""
    path, content = bundle
    known = set(pem.certificates(content))
    new = [pem.dump(certificate) for certificate in own if certificate not in known]
    if not new:
        yield AddFile(path, store.evidence)
        return
    links, path = _way(view, path)
    for link, target in links:
        yield AddLink(link, target, store.evidence)
    if content and not content.endswith(b"\n"):
        content += b"\n"
    yield AddBytes(path, b"".join((content, *new)), store.evidence)


def _way(view: View, path: str) -> tuple[list[tuple[str, str]], str]:
    """The links of the root from a path to the last one, which need not be there; for a loop of
    links none, and the path itself."""
    links: list[tuple[str, str]] = []
    last = path
    while (target := view.link(last)) is not None:
        links.append((last, target))
        last = join(parent(last), target)
        if len(links) > LINK_LIMIT:
            return [], path
    return links, last


# Libraries that read no bundle


def _others(view: View, *, own: bool, asked: bool) -> Iterator[Addition]:
    for this, evidence in nss(view):
        yield from _mozilla(view, this, evidence, asked=asked)
        if own:
            yield Hint(
                "certs-not-read",
                this.hit.path,
                "reads a database of its own, so what --with certs=FILE names is not trusted",
                "import it with certutil, and add the database",
                evidence,
                warning=True,
            )
    for this, evidence in pkcs11(view):
        yield _p11_kit(view, this, evidence)


def _mozilla(view: View, this: Object, evidence: Evidence, *, asked: bool) -> Iterator[Addition]:
    """The library that has Mozilla's certificates, as NSS or its user opens it: by its name, or
    beside libnss3.so. Source: nss lib/pk11wrap/pk11load.c, secmod_LoadPKCS11Module()."""
    found = view.opened_by(this, _MOZILLA)
    if found is not None:
        yield AddObject(_MOZILLA, found, evidence)
        return
    if view.loaded(this, _MOZILLA):
        return
    here = parent(this.hit.path)
    for path in (f"{here}/{_MOZILLA}", f"{here}/nss/{_MOZILLA}"):
        if view.exists(path):
            yield AddProgram(path, evidence)
            return
    yield Lacking(_MOZILLA, asked, "install it (Debian: libnss3)", evidence)


def _p11_kit(view: View, this: Object, evidence: Evidence) -> Hint:
    """p11-kit's module and its sources are the distribution's. Source: p11-kit trust/meson.build,
    trust_paths."""
    places = (f"{parent(this.hit.path)}/pkcs11/p11-kit-trust.so", *_P11_KIT)
    there = " ".join(f"--add {path}" for path in places if view.real(path) is not None)
    return Hint(
        "certs-pkcs11",
        this.hit.path,
        "asks p11-kit for CA certificates, and elfpack cannot tell what that reads",
        f"add what it needs, such as {there or 'p11-kit-trust.so and its sources'}",
        evidence,
    )
