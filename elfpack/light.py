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
    from elfpack.records import Fields

    Protocol = object

    class NamedTuple(metaclass=Fields):
        """As ``typing.NamedTuple``."""
