"""The configuration of an image: each value is of its kind, and in one form."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

from elfpack.errors import RequestError
from elfpack.planning.config import PLAIN, ImageConfig, pair, words

NOT_UTF8 = "\udcff"


@pytest.mark.parametrize(
    ("field", "value", "made"),
    [
        ("entrypoint", ["/a", ""], ("/a", "")),
        ("entrypoint", [], ()),
        ("entrypoint", None, None),
        ("cmd", ["", "x"], ("", "x")),
        ("env", {"A": "", "B": "x=y"}, {"A": "", "B": "x=y"}),
        ("user", "app", "app"),
        ("user", "0", "0"),
        ("user", "1000:app", "1000:app"),
        ("user", "app:2147483647", "app:2147483647"),
        ("workdir", "/a//b/./c/", "/a/b/c"),
        ("workdir", "/", "/"),
        ("exposed_ports", ["80"], ("80/tcp",)),
        ("exposed_ports", ["80/tcp", "53/udp", "80"], ("80/tcp", "53/udp")),
        ("exposed_ports", ["8000-8002/UDP"], ("8000/udp", "8001/udp", "8002/udp")),
        ("exposed_ports", ["9/sctp", "7-7", "080"], ("9/sctp", "7/tcp", "80/tcp")),
        ("exposed_ports", ["65535"], ("65535/tcp",)),
        ("labels", {"org.example.a": "\u00e9 \n"}, {"org.example.a": "\u00e9 \n"}),
        ("volumes", ["/data/", "/data", "/x"], ("/data", "/x")),
        ("stop_signal", "SIGTERM", "SIGTERM"),
        ("stop_signal", "term", "SIGTERM"),
        ("stop_signal", "SIGRTMIN+3", "SIGRTMIN+3"),
        ("stop_signal", "09", "9"),
        ("stop_signal", "", ""),
    ],
)
def test_value(field: str, value: Any, made: object) -> None:
    config = ImageConfig(**{field: value})
    assert getattr(config, field) == made
    assert ImageConfig(**{field: made}) == config, "what was made is taken again"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("entrypoint", "/a"),
        ("entrypoint", [""]),
        ("entrypoint", ["/a", "b\0c"]),
        ("entrypoint", [NOT_UTF8]),
        ("cmd", "x"),
        ("cmd", [NOT_UTF8]),
        ("env", {"": "x"}),
        ("env", {"A=B": "x"}),
        ("env", {"A": NOT_UTF8}),
        ("env", {"A": "x\0"}),
        ("user", ":0"),
        ("user", "app:"),
        ("user", "a:b:c"),
        ("user", "2147483648"),
        ("user", "0:2147483648"),
        ("user", "9" * 5000),
        ("user", NOT_UTF8),
        ("workdir", ""),
        ("workdir", "srv"),
        ("workdir", "/a/../b"),
        ("workdir", f"/{NOT_UTF8}"),
        ("exposed_ports", ["0"]),
        ("exposed_ports", ["65536"]),
        ("exposed_ports", ["9-8"]),
        ("exposed_ports", ["80/icmp"]),
        ("exposed_ports", ["8080:80"]),
        ("exposed_ports", ["80 81"]),
        ("exposed_ports", ["http"]),
        ("exposed_ports", [""]),
        ("exposed_ports", ["\u0668\u0660"]),
        ("exposed_ports", ["80\n"]),
        ("exposed_ports", "80"),
        ("labels", {"": "x"}),
        ("volumes", ["data"]),
        ("volumes", ["/"]),
        ("volumes", ["/a/.."]),
        ("volumes", "/data"),
        ("stop_signal", "SIGNOPE"),
        ("stop_signal", "0"),
        ("stop_signal", "65"),
        ("stop_signal", "-9"),
        ("stop_signal", "9" * 5000),
        ("stop_signal", "RTMIN+16"),
        ("entrypoint", 5),
        ("cmd", 5),
        ("cmd", [5]),
        ("cmd", b"x"),
        ("env", ["A=B"]),
        ("env", "A=B"),
        ("env", {5: "x"}),
        ("env", {"A": 5}),
        ("user", 5),
        ("user", None),
        ("workdir", 5),
        ("workdir", Path("/a")),
        ("exposed_ports", 80),
        ("exposed_ports", [80]),
        ("labels", {"a": None}),
        ("volumes", [Path("/a")]),
        ("stop_signal", 9),
    ],
)
def test_no_value(field: str, value: Any) -> None:
    with pytest.raises(RequestError) as caught:
        ImageConfig(**{field: value})
    assert caught.value.path
    assert caught.value.hint


def test_it_is_a_record() -> None:
    env = {"A": "1"}
    config = ImageConfig(env=env)
    env["A"] = "2"
    assert (config.variable("A"), config.variable("B")) == ("1", "")
    assert ImageConfig() == PLAIN
    with pytest.raises(AttributeError):
        config.user = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del config.user
    with pytest.raises(AttributeError):
        config.nothing = "x"
    assert config.user == ""


def test_it_is_made_by_names_alone() -> None:
    with pytest.raises(TypeError):
        ImageConfig("/a")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        ImageConfig(nothing="x")  # type: ignore[call-arg]


def test_it_is_equal_to_what_has_the_same_values_and_to_nothing_else() -> None:
    config = ImageConfig(env={"A": "1"}, cmd=["x"])
    assert config == ImageConfig(cmd=("x",), env={"A": "1"})
    assert config != ImageConfig(cmd=("x",))
    assert config != (None, ("x",), {"A": "1"}, "", "/", (), {}, (), "")


def test_it_goes_through_pickle_and_copies() -> None:
    config = ImageConfig(entrypoint=["/a"], env={"A": "1"}, exposed_ports=["80-81"])
    for again in (pickle.loads(pickle.dumps(config)), copy.copy(config), copy.deepcopy(config)):
        assert again == config
        assert type(again) is ImageConfig
        with pytest.raises(AttributeError):
            again.user = "x"  # type: ignore[misc]


def test_it_tells_of_itself() -> None:
    assert repr(ImageConfig(user="app", cmd=["x"])) == (
        "ImageConfig(entrypoint=None, cmd=('x',), env={}, user='app', workdir='/', "
        "exposed_ports=(), labels={}, volumes=(), stop_signal='')"
    )


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("/hello", ("/hello",)),
        ("two words", ("two words",)),
        ('["/hello", "a b"]', ("/hello", "a b")),
        ("[]", ()),
        ('"x"', ('"x"',)),
        ("{}", ("{}",)),
        (" [", (" [",)),
        (r'["\u00e9"]', ("\u00e9",)),
    ],
)
def test_words(text: str, made: tuple[str, ...]) -> None:
    assert words(text) == made


@pytest.mark.parametrize(
    "text", ["", "[", "['a']", '["a",]', '["a"] x', "[1]", "[null]", '[["a"]]', "[" * 100_000]
)
def test_no_words(text: str) -> None:
    with pytest.raises(RequestError):
        words(text)


def test_pair() -> None:
    assert pair("A=b=c") == ("A", "b=c")
    assert pair("A=") == ("A", "")
    for text in ("A", "", "=x"):
        with pytest.raises(RequestError):
            pair(text)
