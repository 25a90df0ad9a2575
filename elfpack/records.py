"""Records: tuples whose fields have names, as ``typing.NamedTuple`` makes them, in a tenth of the
time and without the import of ``typing``. Nothing is compiled for a class."""

from __future__ import annotations

from collections.abc import Iterable

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

try:  # as collections.namedtuple() does it
    from _collections import _tuplegetter as _getter  # type: ignore[import-not-found]
except ImportError:
    from operator import itemgetter

    def _getter(number: int, doc: str) -> Any:
        return property(itemgetter(number), doc=doc)


_made = tuple.__new__


class Record(tuple["Any", ...]):
    """What all records have."""

    __slots__ = ()
    if TYPE_CHECKING:  # at run time each class has its own
        _fields: tuple[str, ...]
        _field_defaults: dict[str, Any]
        _defaults: tuple[Any, ...]
        _count: int

    def __new__(cls, /, *values: Any, **named: Any) -> Record:
        if named or len(values) != cls._count:
            values = cls._complete(values, named)
        return _made(cls, values)

    @classmethod
    def _complete(cls, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """All values, with those that are named, and the defaults of those that are not."""
        lacking = cls._count - len(values)
        if not named and 0 < lacking <= len(cls._defaults):
            return values + cls._defaults[-lacking:]
        if lacking < 0:
            raise TypeError(f"{cls.__name__} takes {cls._count} values, not {len(values)}")
        given = {**cls._field_defaults, **dict(zip(cls._fields, values, strict=False)), **named}
        wrong = [name for name in named if name in cls._fields[: len(values)]]
        wrong += [
            name for name in (*given, *cls._fields) if (name in given) > (name in cls._fields)
        ]
        if wrong:
            raise TypeError(f"{cls.__name__} does not take {', '.join(wrong)}, or has it already")
        missing = [name for name in cls._fields if name not in given]
        if missing:
            raise TypeError(f"{cls.__name__} lacks {', '.join(missing)}")
        return tuple([given[name] for name in cls._fields])

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Record:
        made = _made(cls, values)
        if len(made) != cls._count:
            raise TypeError(f"{cls.__name__} takes {cls._count} values, not {len(made)}")
        return made

    def _replace(self, /, **changes: Any) -> Record:
        # A list tells its length: a tuple that is cut to its own stays in Python's store.
        made = _made(type(self), list(map(changes.pop, self._fields, self)))
        if changes:
            raise ValueError(f"{type(self).__name__} has no {', '.join(changes)}")
        return made

    __replace__ = _replace

    def _asdict(self) -> dict[str, Any]:
        return dict(zip(self._fields, self, strict=True))

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self._asdict().items())
        return f"{type(self).__name__}({told})"

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self)


class Fields(type):
    """Makes a class with annotated fields a :class:`Record`, which is a class like any other."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
        if not bases:  # the name that records are derived from
            return super().__new__(cls, name, bases, body)
        fields = tuple(body.get("__annotations__", ()))
        body["_field_defaults"] = {f: body.pop(f) for f in fields if f in body}
        body["_defaults"] = tuple(body["_field_defaults"].values())
        body["_fields"] = body["__match_args__"] = fields
        body["_count"] = len(fields)
        for number, field in enumerate(fields):
            body[field] = _getter(number, f"Field number {number}")
        body["__slots__"] = ()
        return type(name, (Record,), body)
