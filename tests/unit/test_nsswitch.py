from __future__ import annotations

import pytest

from elfpack.formats import nsswitch


@pytest.mark.parametrize(
    ("text", "databases"),
    [
        ("", {}),
        ("hosts: files dns\n", {"hosts": ("files", "dns")}),
        ("  hosts :\tfiles   dns", {"hosts": ("files", "dns")}),
        ("# hosts: files\npasswd: files # sss\n", {"passwd": ("files",)}),
        ("hosts: files [NOTFOUND=return] dns", {"hosts": ("files", "dns")}),
        ("hosts: files [!UNAVAIL=return success=merge]dns", {"hosts": ("files", "dns")}),
        ("hosts: files [open", {"hosts": ("files",)}),
        ("hosts: files dns files", {"hosts": ("files", "dns")}),
        ("hosts: dns\nhosts: files\n", {"hosts": ("files",)}),
        ("hosts:\n", {"hosts": ()}),
        ("no colon\n: no name\ntwo words: files\n", {}),
    ],
)
def test_parse(text: str, databases: dict[str, tuple[str, ...]]) -> None:
    assert nsswitch.parse(text) == databases


def test_dump() -> None:
    databases = {"passwd": ("files",), "hosts": ("files", "dns")}
    text = nsswitch.dump(databases)
    assert text == "passwd: files\nhosts:  files dns\n"
    assert nsswitch.parse(text) == databases


def test_dump_of_nothing() -> None:
    assert nsswitch.dump({}) == ""
