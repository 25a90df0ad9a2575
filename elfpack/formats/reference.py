"""Names of images: ``[HOST[:PORT]/]NAME[:TAG]``.

Source: github.com/distribution/reference, regexp.go (the grammar) and normalize.go,
ParseNormalizedNamed() (what a name without a host stands for).
"""

from elfpack import late
from elfpack.errors import RequestError
from elfpack.light import NamedTuple

_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = late.pattern(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = late.pattern(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = late.pattern(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IDENTIFIER = late.pattern(r"[a-f0-9]{64}")
_MOST = 255
"""Characters of a name without its tag."""

_HUB, _HUB_BEFORE, _OFFICIAL = "docker.io", "index.docker.io", "library/"


class Reference(NamedTuple):
    """A name in full."""

    host: str
    path: str
    tag: str

    @property
    def full(self) -> str:
        """``docker.io/library/hello:1``."""
        return f"{self.host}/{self.path}:{self.tag}"

    @property
    def familiar(self) -> str:
        """``hello:1``: without what engines leave out when they show a name."""
        if self.host != _HUB:
            return self.full
        return f"{self.path.removeprefix(_OFFICIAL)}:{self.tag}"


def parse(text: str) -> Reference:
    """A name in full; without a tag it is ``latest``.

    Raises:
        RequestError: it is none.
    """
    if "@" in text:
        raise _fault(text, "a digest is not chosen but follows from the content", "leave it out")
    before, colon, tag = text.rpartition(":")
    if not colon or "/" in tag:  # the colon is a port's, or there is none
        before, tag = text, "latest"
    elif not _TAG.fullmatch(tag):
        raise _fault(
            text, f"{tag!r} is no tag", "up to 128 letters, digits, '_', '.' and '-'; '_' may begin"
        )
    if _IDENTIFIER.fullmatch(before):
        raise _fault(text, "64 hexadecimal digits are taken for an image's ID", "name it otherwise")
    host, path = _split(before)
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path) or len(f"{host}/{path}") > _MOST:
        hint = f"did you mean {text.lower()}? " if _PATH.fullmatch(path.lower()) else ""
        raise _fault(
            text, "no name for an image", hint + "lower-case letters, digits, '.', '_', '-'"
        )
    return Reference(host, path, tag)


def _split(name: str) -> tuple[str, str]:
    """Host and path. A first component is a host if no path's could look so."""
    first, slash, rest = name.partition("/")
    named = first == "localhost" or "." in first or ":" in first or first != first.lower()
    host, path = (first, rest) if slash and named else (_HUB, name)
    if host == _HUB_BEFORE:
        host = _HUB
    if host == _HUB and "/" not in path:
        path = _OFFICIAL + path
    return host, path


def _fault(text: str, message: str, hint: str) -> RequestError:
    return RequestError(message, path=text or "''", hint=hint)
