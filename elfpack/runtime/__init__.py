"""What the loader does not show ("runtime" as in run time). One file a module, one line here."""

from __future__ import annotations

from elfpack.light import TYPE_CHECKING
from elfpack.runtime.certs import Certs
from elfpack.runtime.dlopen import Dlopen
from elfpack.runtime.gconv import Gconv
from elfpack.runtime.libgcc import Libgcc
from elfpack.runtime.locales import Locale
from elfpack.runtime.module import RuntimeModule
from elfpack.runtime.nss import Nss
from elfpack.runtime.shell import Shell
from elfpack.runtime.strace import Strace
from elfpack.runtime.timezone import Tz
from elfpack.runtime.tmp import Tmp
from elfpack.runtime.users import Users

if TYPE_CHECKING:
    from typing import Final

MODULES: Final[tuple[RuntimeModule, ...]] = (
    Nss(),
    Users(),
    Libgcc(),
    Dlopen(),
    Certs(),
    Tz(),
    Gconv(),
    Locale(),
    Tmp(),
    Shell(),
    Strace(),
)
"""All modules, in the order in which they are asked."""


def module(name: str) -> RuntimeModule | None:
    """The module of a name."""
    return next((m for m in MODULES if m.name == name), None)
