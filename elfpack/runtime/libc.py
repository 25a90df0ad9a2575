"""What the C libraries among the objects have compiled in."""

from __future__ import annotations

from functools import lru_cache

from elfpack import late
from elfpack.light import TYPE_CHECKING
from elfpack.paths import decode, encode
from elfpack.runtime.module import View

if TYPE_CHECKING:
    import re

_BREAK = late.pattern(rb"[^!-~]")


def directories(view: View, last: str, *, static: bool = True) -> tuple[str, ...]:
    """What stands before ``last`` in the paths that end so, in each libc.so.6, and in programs that
    are ``static``."""
    found: dict[str, None] = {}
    for this in view.objects():
        dynamic = this.libc == "glibc" and this.soname == "libc.so.6"
        if dynamic or (static and this.libc is None and this.role != "library"):
            for text in view.strings(this, _ending(last), whole=True):
                # An array of characters, as these often are, need not follow a NUL.
                above = _BREAK.split(text[: -len(encode(last))])[-1]
                if above.startswith(b"/"):
                    found[decode(above)] = None
    return tuple(found)


@lru_cache
def _ending(last: str) -> re.Pattern[bytes]:
    import re  # late, as the patterns of elfpack.late

    return re.compile(re.escape(encode(last)) + rb"(?=\0)")
