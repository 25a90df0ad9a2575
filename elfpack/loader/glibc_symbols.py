"""glibc's rules for symbols.

Source: glibc elf/dl-reloc.c, resolve_map(); elf/dl-lookup.c, check_match() and do_lookup_x().
"""

from __future__ import annotations

from elfpack.elf import constants as c
from elfpack.elf.linking import Row
from elfpack.elf.relocations import glibc_order
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

_TYPES = frozenset(
    (c.STT_NOTYPE, c.STT_OBJECT, c.STT_FUNC, c.STT_COMMON, c.STT_TLS, c.STT_GNU_IFUNC)
)
_BINDINGS = frozenset((c.STB_GLOBAL, c.STB_WEAK, c.STB_GNU_UNIQUE))
_LOCAL = frozenset((c.STV_HIDDEN, c.STV_INTERNAL))


def _refer(row: Row, name: bytes, kind: int) -> Reference | None:
    """Symbols that bind to their own object are not looked up."""
    if row.binding == c.STB_LOCAL or row.visibility in _LOCAL:
        return None
    return Reference(0, name, kind, row.binding == c.STB_WEAK)


def _exported(info: int, other: int, section: int, value: int, mips: bool) -> int | None:
    kind = info & 0xF
    if kind not in _TYPES:
        return None
    if not value and section != c.SHN_ABS and kind != c.STT_TLS:
        return None
    if section == c.SHN_UNDEF and mips and not other & MIPS_PLT:
        return None
    bits = UNDEFINED if section == c.SHN_UNDEF else 0
    usable = info >> 4 in _BINDINGS and other & 3 not in _LOCAL
    return bits if usable else bits | UNUSABLE


def meets(wanted: Reference, candidates: Candidates, versions: Versioned) -> int | None:
    """The definition of a name that the search in one object ends with. Source: check_match().

    Where no version is wanted the base or the first version does, or else the only other one that
    is not hidden.
    """
    others = []
    for candidate in candidates:
        if wanted.kind & PLT and candidate & UNDEFINED:
            continue
        if versions is None:
            return candidate
        number = candidate & ~c.VERSYM_HIDDEN & 0xFFFF
        if wanted.version is not None:
            has = versions.get(number)
            base = not (wanted.hidden or has or candidate & c.VERSYM_HIDDEN)
            if has == wanted.version or base:
                return candidate
        elif number < 3:
            return candidate
        elif not candidate & c.VERSYM_HIDDEN:
            others.append(candidate)
    return others[0] if len(others) == 1 else None


def _finds(wanted: Reference, candidates: Candidates, versions: Versioned) -> bool:
    found = meets(wanted, candidates, versions)
    return found is not None and not found & UNUSABLE


GLIBC_RULES = Rules(glibc_order, _refer, _exported, _finds, repeats=False)
