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
    from collections import namedtuple

    Protocol = object

    class _Fields(type):
        """Makes a class with annotated fields into a tuple that has them."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body.get("__annotations__", {})
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            for key, value in body.items():
                if key not in _MADE:
                    setattr(made, key, value)
            return made

    _MADE = ("__module__", "__slots__")

    class NamedTuple(metaclass=_Fields):
        """As ``typing.NamedTuple``."""
