"""Dynamic string tokens and search path lists. Source: glibc elf/dl-load.c."""

from __future__ import annotations

import pytest

from elfpack.loader.tokens import Tokens, expand, split_path

TOKENS = Tokens("/o", "lib64", "x86_64")


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("/plain", "/plain"),
        ("$ORIGIN/../lib", "/o/../lib"),
        ("${ORIGIN}/../lib", "/o/../lib"),
        ("$ORIGIN", "/o"),
        ("/usr/$LIB/$PLATFORM", "/usr/lib64/x86_64"),
        ("${LIB}x", "lib64x"),
        ("$ORIGIN$LIB", "/olib64"),
        ("$ORIGIN:$ORIGIN", "/o:/o"),
        ("$ORIGINx", "$ORIGINx"),
        ("$ORIGIN_", "$ORIGIN_"),
        ("$LIB64", "$LIB64"),
        ("${ORIGIN", "${ORIGIN"),
        ("${ORIGINx}", "${ORIGINx}"),
        ("$origin", "$origin"),
        ("$FOO/$", "$FOO/$"),
        ("$$ORIGIN", "$/o"),
        ("$ORIGIN.d", "/o.d"),
        ("$ORIGIN-x", "/o-x"),
    ],
)
def test_expand(text: str, expanded: str) -> None:
    assert expand(text, TOKENS) == expanded


def test_a_token_without_a_value_drops_the_element() -> None:
    tokens = Tokens(None, "lib64", None)
    assert expand("$ORIGIN/lib", tokens) is None
    assert expand("/$PLATFORM", tokens) is None
    elements = split_path("$ORIGIN:/a:/$PLATFORM:/b", ":", tokens)
    assert [e.directory for e in elements] == ["/a/", "/b/"]


@pytest.mark.parametrize(
    ("text", "separators", "directories"),
    [
        ("", ":", []),
        ("/a", ":", ["/a/"]),
        ("/a:/b", ":", ["/a/", "/b/"]),
        ("/a::/b", ":", ["/a/", "", "/b/"]),
        (":/a", ":", ["", "/a/"]),
        ("/a:", ":", ["/a/", ""]),
        (":", ":", [""]),
        ("/a//:/a/:/a", ":", ["/a/"]),
        ("/", ":", ["/"]),
        ("//", ":", ["/"]),
        ("rel:./rel", ":", ["rel/", "./rel/"]),
        ("/a;/b", ":", ["/a;/b/"]),
        ("/a;/b:/c", ":;", ["/a/", "/b/", "/c/"]),
        ("$ORIGIN:/o", ":", ["/o/"]),
        (".", ":", ["./"]),
    ],
)
def test_split_path(text: str, separators: str, directories: list[str]) -> None:
    assert [e.directory for e in split_path(text, separators, TOKENS)] == directories


def test_elements_keep_what_is_written() -> None:
    assert [e.written for e in split_path("$ORIGIN/../lib/:", ":", TOKENS)] == [
        "$ORIGIN/../lib/",
        "",
    ]
