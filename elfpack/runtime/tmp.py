"""A directory for temporary files, which an image from scratch has not.

Source: P_tmpdir of glibc stdio-common/stdio_lim.h and of musl include/stdio.h; Go os.TempDir().
"""

from __future__ import annotations

from collections.abc import Iterator

from elfpack.light import TYPE_CHECKING
from elfpack.runtime.module import AddDirectory, Addition, View

if TYPE_CHECKING:
    from typing import ClassVar

_SYMBOLS = (
    *("mkstemp", "mkostemp", "mkstemps", "mkostemps"),
    *("mkstemp64", "mkostemp64", "mkstemps64", "mkostemps64"),
    *("mkdtemp", "mktemp", "tmpfile", "tmpfile64", "tempnam", "tmpnam", "tmpnam_r"),
    *("os.CreateTemp", "os.MkdirTemp", "io/ioutil.TempFile", "io/ioutil.TempDir"),
)


class Tmp:
    """``/tmp``, empty, in which anybody may make files."""

    name: ClassVar[str] = "tmp"
    summary: ClassVar[str] = "/tmp, empty, mode 1777"
    when: ClassVar[str] = (
        "a function that makes temporary files (mkstemp, tmpfile, ...) is imported"
    )
    value: ClassVar[str | None] = None
    needs_value: ClassVar[bool] = False
    sees_own: ClassVar[bool] = False

    def parse(self, value: str) -> object:
        raise ValueError("it takes no value")

    def propose(self, view: View, chosen: tuple[object, ...] | None) -> Iterator[Addition]:
        found = view.importers(_SYMBOLS)
        if found or chosen is not None:
            yield AddDirectory("/tmp", 0o1777, (0, 0), found[0] if found else None)
