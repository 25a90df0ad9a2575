"""Names of images, by the grammar of distribution/reference."""

from __future__ import annotations

import pytest

from elfpack.errors import RequestError
from elfpack.formats.reference import Reference, parse

HUB = "docker.io"
LONG = "a" * 128


@pytest.mark.parametrize(
    ("text", "host", "path", "tag", "shown"),
    [
        ("hello", HUB, "library/hello", "latest", "hello:latest"),
        ("hello:1", HUB, "library/hello", "1", "hello:1"),
        ("me/hello:1", HUB, "me/hello", "1", "me/hello:1"),
        ("a/b/c", HUB, "a/b/c", "latest", "a/b/c:latest"),
        ("library/hello:1", HUB, "library/hello", "1", "hello:1"),
        ("docker.io/hello:1", HUB, "library/hello", "1", "hello:1"),
        ("index.docker.io/me/x", HUB, "me/x", "latest", "me/x:latest"),
        ("localhost/x", "localhost", "x", "latest", "localhost/x:latest"),
        ("localhost:5000/x:y", "localhost:5000", "x", "y", "localhost:5000/x:y"),
        ("host:5000/x", "host:5000", "x", "latest", "host:5000/x:latest"),
        ("quay.io/a/b:v1.2", "quay.io", "a/b", "v1.2", "quay.io/a/b:v1.2"),
        ("HOST/x", "HOST", "x", "latest", "HOST/x:latest"),
        ("127.0.0.1/x", "127.0.0.1", "x", "latest", "127.0.0.1/x:latest"),
        ("[::1]:80/x:1", "[::1]:80", "x", "1", "[::1]:80/x:1"),
        ("a.b/c", "a.b", "c", "latest", "a.b/c:latest"),
        ("a-b_c.d__e", HUB, "library/a-b_c.d__e", "latest", "a-b_c.d__e:latest"),
        ("a---b", HUB, "library/a---b", "latest", "a---b:latest"),
        ("x:_A.b-C", HUB, "library/x", "_A.b-C", "x:_A.b-C"),
        (f"x:{LONG}", HUB, "library/x", LONG, f"x:{LONG}"),
        ("0" * 63, HUB, "library/" + "0" * 63, "latest", "0" * 63 + ":latest"),
    ],
)
def test_reference(text: str, host: str, path: str, tag: str, shown: str) -> None:
    found = parse(text)
    assert found == Reference(host, path, tag)
    assert found.familiar == shown
    assert parse(found.familiar) == parse(found.full) == found


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "no name", "lower-case"),
        (":1", "no name", "lower-case"),
        ("Hello:1", "no name", "did you mean hello:1?"),
        ("me/Hello", "no name", "did you mean me/hello?"),
        ("a__b___c", "no name", None),
        ("a..b", "no name", None),
        ("-a", "no name", None),
        ("a-", "no name", None),
        ("a//b", "no name", None),
        ("/a", "no name", None),
        ("a/", "no name", None),
        ("a b", "no name", None),
        ("a:", "'' is no tag", None),
        ("a:.b", "'.b' is no tag", None),
        ("a:-b", "'-b' is no tag", None),
        ("a:b c", "'b c' is no tag", None),
        ("a:b:c", "no name", None),
        (f"a:{LONG}a", "is no tag", "128"),
        ("a:\u00e9", "is no tag", None),
        ("\u00e9", "no name", None),
        ("a:1\n", "is no tag", None),
        ("a\n", "no name", None),
        ("host:port/x", "no name", None),
        ("hello@sha256:" + 64 * "0", "a digest", "leave it out"),
        ("hello:1@sha256:" + 64 * "0", "a digest", "leave it out"),
        (64 * "0", "64 hexadecimal digits", None),
        ("a" * 256, "no name", None),
    ],
)
def test_no_reference(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        parse(text)
    assert message in caught.value.message
    assert hint is None or hint in (caught.value.hint or "")
