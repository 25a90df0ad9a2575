"""elfpack's own NamedTuple is typing's in all that is asked of one."""

from __future__ import annotations

import abc
import pickle
import typing
from collections.abc import Callable

import pytest

from elfpack.light import NamedTuple


class Light(NamedTuple):
    """A record."""

    name: str
    number: int = 3
    other: Light | None = None
    """A field with words."""

    @property
    def twice(self) -> int:
        return 2 * self.number

    def named(self, name: str) -> Light:
        return self._replace(name=name)

    @classmethod
    def make(cls) -> Light:
        return cls("made")


class Typed(typing.NamedTuple):
    name: str
    number: int = 3
    other: Light | None = None


def test_a_tuple_with_names() -> None:
    record = Light("x", other=Light.make())
    name, number, other = record
    assert (name, number, other) == ("x", 3, ("made", 3, None))
    assert record.twice == 6
    assert record.named("y") == ("y", 3, other)
    assert hash(record) == hash(("x", 3, ("made", 3, None)))


def test_tells_of_itself_as_typings_does() -> None:
    assert Light._fields == Typed._fields
    assert Light._field_defaults == Typed._field_defaults
    assert repr(Light("x")) == repr(Typed("x")).replace("Typed", "Light")
    assert Light.__doc__ == "A record."
    assert (Light.__name__, Light.__module__) == ("Light", __name__)
    assert typing.get_type_hints(Light) == typing.get_type_hints(Typed)


def test_goes_through_pickle() -> None:
    record = Light("x", 1, Light("y"))
    again = pickle.loads(pickle.dumps(record))
    assert again == record
    assert type(again.other) is Light


def test_has_what_it_is_given_and_no_more() -> None:
    wrong: list[Callable[[], object]] = [
        lambda: Light(),  # type: ignore[call-arg]
        lambda: Light("x", 1, None, 2),  # type: ignore[call-arg]
        lambda: Light("x", nothing=1),  # type: ignore[call-arg]
    ]
    for make in wrong:
        with pytest.raises(TypeError):
            make()
    with pytest.raises(AttributeError):
        Light("x").nothing = 1  # type: ignore[attr-defined]


def test_wrong_fields_are_named() -> None:
    wrong: dict[str, Callable[[], object]] = {
        "lacks name": lambda: Light(),  # type: ignore[call-arg]
        "takes 3 values, not 4": lambda: Light("x", 1, None, 2),  # type: ignore[call-arg]
        "not take nothing": lambda: Light("x", nothing=1),  # type: ignore[call-arg]
        "not take name": lambda: Light("x", name="y"),  # type: ignore[misc]
        "takes 3 values, not 2": lambda: Light._make(("x", 2)),
    }
    for message, make in wrong.items():
        with pytest.raises(TypeError, match=message):
            make()
    with pytest.raises(ValueError, match="has no nothing"):
        Light("x")._replace(nothing=1)  # type: ignore[call-arg]


def test_a_class_may_be_derived_from_one() -> None:
    class Mixin(abc.ABC):  # noqa: B024
        def shout(self) -> str:
            return str(self).upper()

    class Derived(Light, Mixin):
        more: int = 3

    record = Derived("x", 4)
    record.more = 5
    assert record == Light("x", 4)
    assert record._replace(name="y") == ("y", 4, None)
    assert type(record._replace(name="y")) is Derived
    assert record.shout() == "DERIVED(NAME='X', NUMBER=4, OTHER=NONE)"
