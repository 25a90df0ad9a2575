"""musl's rules for symbols. Versions that an object wants are not looked at.

Source: musl ldso/dynlink.c: do_relocs(), find_sym2(), gnu_lookup(), sysv_lookup().
"""

from __future__ import annotations

from elfpack.elf import constants as c
from elfpack.elf.linking import Row
from elfpack.elf.relocations import musl_order
from elfpack.loader.linkage import (
    MIPS_PLT,
    UNDEFINED,
    UNUSABLE,
    Candidates,
    Reference,
    Rules,
    Versioned,
)
from elfpack.loader.relocations import PLT

_TYPES = frozenset((c.STT_NOTYPE, c.STT_OBJECT, c.STT_FUNC, c.STT_COMMON, c.STT_TLS))
_BINDINGS = frozenset((c.STB_GLOBAL, c.STB_WEAK, c.STB_GNU_UNIQUE))


def _refer(row: Row, name: bytes, kind: int) -> Reference | None:
    if row.binding == c.STB_LOCAL:
        return None
    optional = row.section == c.SHN_UNDEF and row.binding == c.STB_WEAK
    return Reference(0, name, kind, optional)


def _exported(info: int, other: int, section: int, value: int, mips: bool) -> int:
    kind = info & 0xF
    bits = 0
    if section == c.SHN_UNDEF:
        if kind == c.STT_TLS or (mips and not other & MIPS_PLT):
            return UNUSABLE
        bits = UNDEFINED
    if kind not in _TYPES or (not value and kind != c.STT_TLS):
        return UNUSABLE
    return bits if info >> 4 in _BINDINGS else UNUSABLE


def _finds(wanted: Reference, candidates: Candidates, versions: Versioned) -> bool:
    """The first of a name that is not hidden decides."""
    for candidate in candidates:
        if not candidate & c.VERSYM_HIDDEN:
            plain = not candidate & UNDEFINED or not wanted.kind & PLT
            return plain and not candidate & UNUSABLE
    return False


MUSL_RULES = Rules(musl_order, _refer, _exported, _finds, repeats=True)
