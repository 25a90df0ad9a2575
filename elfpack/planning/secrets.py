"""What no module may put into an image, wherever a link in the root leads: passwords of accounts,
private keys."""

from __future__ import annotations

from elfpack import late
from elfpack.blob import chunks
from elfpack.errors import Finding
from elfpack.formats import pem
from elfpack.loader.files import Files
from elfpack.paths import basename
from elfpack.root.walk import Place

_NAMED = late.pattern(r"(?:g?shadow|opasswd)(?:[.~-].*)?\Z|.*\.keytab\Z")
"""The same, and copies of it, wherever it is."""
_NAMES = tuple(f"{name}{copy}" for name in ("shadow", "gshadow") for copy in ("", "-"))
_ACCOUNTS = (*(f"/etc/{name}" for name in _NAMES), "/etc/security/opasswd")


class Secrets:
    """Looks at files, each once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[tuple[int, int], str] = {}
        self._accounts: frozenset[tuple[int, int]] | None = None

    def finding(self, path: str) -> Finding | None:
        """Why a file is left out; None if it has no secret."""
        place = self._files.find(path)
        if isinstance(place, int) or not place.node.is_regular:
            return None
        identity = place.node.identity
        if identity not in self._known:
            self._known[identity] = self._look(place)
        what = self._known[identity]
        if not what:
            return None
        where = "" if place.path == path else f", for it leads to {place.path}"
        advice = f"--add {path}, if the image must have it"
        return Finding("secret", path, f"left out: {what}{where}", advice)

    def _look(self, place: Place) -> str:
        if place.node.identity in self._of_accounts() or _NAMED.match(basename(place.path)):
            return "it has passwords or keys of accounts"
        try:
            source = self._files.open(place)
        except OSError:
            return ""
        try:
            return "there is a private key in it" if pem.has_key(chunks(source)) else ""
        finally:
            source.close()

    def _of_accounts(self) -> frozenset[tuple[int, int]]:
        if self._accounts is None:
            places = map(self._files.find, _ACCOUNTS)
            self._accounts = frozenset(p.node.identity for p in places if not isinstance(p, int))
        return self._accounts
