"""What a module needs of ``typing`` while it runs, without the import of ``typing``, which with all
that it imports takes longer than most commands of elfpack take to start.

To a type checker these are typing's own, and ``TYPE_CHECKING`` is true.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False

if TYPE_CHECKING or sys.version_info >= (3, 14):  # whose typing imports little, and whose classes
    from typing import NamedTuple as NamedTuple  # keep their annotations elsewhere
    from typing import Protocol as Protocol
else:
    from _collections import _tuplegetter

    Protocol = object
    _tuple = tuple.__new__

    class _Fields(type):
        """Makes a class with annotated fields into a tuple that has them. Nothing is compiled for
        it, which takes ten times as long as all the rest."""

        def __new__(cls, name, bases, body):
            if bases:
                fields = tuple(body.get("__annotations__", ()))
                body["_field_defaults"] = {f: body.pop(f) for f in fields if f in body}
                body["_defaults"] = tuple(body["_field_defaults"].values())
                body["_fields"] = body["__match_args__"] = fields
                body["_count"] = len(fields)
                for number, field in enumerate(fields):
                    body[field] = _tuplegetter(number, "")
            body["__slots__"] = ()
            return super().__new__(cls, name, bases or (tuple,), body)

    class NamedTuple(metaclass=_Fields):
        """As ``typing.NamedTuple``."""

        def __new__(cls, /, *values, **named):
            if named or len(values) != cls._count:
                values = cls._complete(values, named)
            return _tuple(cls, values)

        @classmethod
        def _complete(cls, values, named):
            """All values, with those that are named, and the defaults of those that are not."""
            lacking = cls._count - len(values)
            if not named and 0 < lacking <= len(cls._defaults):
                return values + cls._defaults[-lacking:]
            given = {**dict(zip(cls._fields, values, strict=False)), **named}
            complete = {**cls._field_defaults, **given}
            if lacking < 0 or len(given) < len(values) + len(named) or len(complete) != cls._count:
                raise TypeError(f"{cls.__name__} takes {', '.join(cls._fields)}, each once")
            # A list tells its length: a tuple that is cut to its own stays in Python's store.
            return [complete[field] for field in cls._fields]

        @classmethod
        def _make(cls, values):
            return cls(*values)

        def _replace(self, /, **changes):
            made = _tuple(type(self), list(map(changes.pop, self._fields, self)))
            if changes:
                raise ValueError(f"{type(self).__name__} has no {', '.join(changes)}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            told = ", ".join(f"{field}={value!r}" for field, value in self._asdict().items())
            return f"{type(self).__name__}({told})"

        def __getnewargs__(self):
            return tuple(self)
