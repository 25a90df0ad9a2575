"""Certificates in PEM, and whether a private key is among them.

Source: RFC 7468; OpenSSL crypto/pem/pem_lib.c, PEM_read_bio_ex().
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from elfpack import late

_BEGIN = b"-----BEGIN "
_MARK = b"CERTIFICATE-----"
_KEYS = (b"PRIVATE KEY", b"PuTTY-User-Key-File")
"""Part of each label of a private key (``RSA PRIVATE KEY``, ``PGP PRIVATE KEY BLOCK``, ...), and
the first word of another form."""
_WIDE = b"P\0R\0I\0V\0A\0T\0E"
_MARKED = late.pattern(
    rb"-{2,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{2,5}|PuTTY-User-Key-File-[0-9]"
)
_ALONE = late.pattern(
    rb"(?m)^(?:\xef\xbb\xbf)?[ \t]*"
    rb"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}[ \t\r]*$",
)
_HEADER = late.pattern(rb"(?:Proc-Type|DEK-Info|Comment|Version|Subject|Charset|Hash):[^\n\\]*")
_BETWEEN = late.pattern(rb"\\[nrt]|[\s\"',|>]+")
_BODY = late.pattern(rb"[A-Za-z0-9+/]{32}")
_BEHIND = 1024
"""Bytes behind a mark that are looked at, and kept of the piece before."""
_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")
_SEQUENCE = 0x30
_LINE = 64


def has_certificate(raw: bytes) -> bool:
    """Whether a file has a certificate in it, of any label that a TLS library reads."""
    return _BEGIN in raw and _MARK in raw


def has_private_key(raw: bytes) -> bool:
    """Whether a file that is to hold certificates has the words of a private key in it."""
    plain = raw.replace(b"\0", b"")
    return any(key in plain for key in _KEYS)


def has_key(pieces: Iterable[bytes]) -> bool:
    """Whether a file of any kind has a private key in it, on lines of its own or in a string: the
    words, and what looks like a key behind them. A program that knows the words has none."""
    before = b""
    for piece in pieces:
        raw = before + piece
        if _has_key(raw) or (_WIDE in raw and _has_key(raw.replace(b"\0", b""))):
            return True
        before = raw[-_BEHIND:]
    return False


def _has_key(raw: bytes) -> bool:
    if not any(key in raw for key in _KEYS):
        return False
    if _ALONE.search(raw):
        return True
    marks = [*_MARKED.finditer(raw)]
    for match, following in zip_longest(marks, marks[1:]):
        if match[0].startswith(b"PuTTY"):
            return True
        # No key goes on behind the next mark: each byte is looked at once.
        end = match.end() + _BEHIND
        behind = raw[match.end() : end if following is None else min(end, following.start())]
        behind = _HEADER.sub(b"", behind)
        if _BODY.match(_BETWEEN.sub(b"", behind)):
            return True
    return False


def certificates(raw: bytes) -> tuple[bytes | None, ...]:
    """The certificates of a file in DER, in file order; None for one that is damaged.

    Those of OpenSSL's label ``TRUSTED CERTIFICATE`` are not among them: other libraries read none.
    """
    found: list[bytes | None] = []
    at = raw.find(_BEGIN)
    while at >= 0:
        following = raw.find(_BEGIN, at + 1)
        block = raw[at:following] if following >= 0 else raw[at:]
        for label in _LABELS:
            begin, end = (f"-----{word} {label}-----".encode() for word in ("BEGIN", "END"))
            if block.startswith(begin):
                body, closed, _ = block[len(begin) :].partition(end)
                found.append(_decoded(body) if closed else None)
        at = following
    return tuple(found)


def _decoded(body: bytes) -> bytes | None:
    import binascii  # late: most programs need no certificate

    text = b"".join(body.split())
    try:
        content = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    # Lenient decoders skip what is no base64; a library would stop reading the bundle there.
    whole = binascii.b2a_base64(content, newline=False) == text and is_whole(content)
    return content if whole else None


def is_whole(content: bytes) -> bool:
    """Whether bytes are one DER SEQUENCE and nothing else. Source: X.690, 8.1.3."""
    if len(content) < 2 or content[0] != _SEQUENCE:
        return False
    size, start = content[1], 2
    if size == 0x80:  # of indefinite length, which DER has not
        return False
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(content[2:start], "big")
    return len(content) == start + size


def dump(certificate: bytes) -> bytes:
    """A certificate, given in DER, as one block."""
    import binascii

    text = binascii.b2a_base64(certificate, newline=False)
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----\n"))
