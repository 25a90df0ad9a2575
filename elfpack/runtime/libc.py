"""What the C libraries among the objects have compiled in."""

from __future__ import annotations

import re

from elfpack import late
from elfpack.paths import decode
from elfpack.runtime.module import View


def directories(view: View, pattern: re.Pattern[bytes], *, static: bool = True) -> tuple[str, ...]:
    """The directories that match in each libc.so.6, and in programs that are ``static``."""
    found: dict[str, None] = {}
    for this in view.objects():
        dynamic = this.libc == "glibc" and this.soname == "libc.so.6"
        if dynamic or (static and this.libc is None and this.role != "library"):
            found.update(dict.fromkeys(map(decode, view.strings(this, pattern))))
    return tuple(found)


def compiled(last: str) -> re.Pattern[bytes]:
    """The pattern for a path that ends so: its group is what stands before. An array of
    characters, as these often are, need not follow a NUL."""
    return late.pattern(rb"(?<![!-~])(/[!-~]*?)" + re.escape(last.encode()) + rb"\0")
