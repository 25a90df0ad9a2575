"""Which ARM architecture a file is for, by its build attributes.

Source: ABI for the Arm Architecture, "Addenda to, and Errata in, the ABI" (IHI 0045), "Build
Attributes"; the names of architectures: its table of Tag_CPU_arch.
"""

from __future__ import annotations

from elfpack.blob import Source
from elfpack.elf.sections import section

_NAME = ".ARM.attributes"
_TAG_FILE = 1
_RAW_NAME, _CPU_NAME, _CPU_ARCH, _COMPATIBILITY = 4, 5, 6, 32
_VERSIONS = {3: 5, 4: 5, 5: 5, 6: 6, 7: 6, 8: 6, 9: 6, 10: 7}
"""By Tag_CPU_arch: v5T v5TE v5TEJ, v6 v6KZ v6T2 v6K, v7. Microcontrollers run no Linux."""
_OLDEST, _NEWEST = 5, 7
"""Variants of ``arm`` that images have. An 8 in 32 bits is taken for 7: objects that use its
instructions after a look at the CPU are marked with it as well."""


def version(source: Source) -> int | None:
    """5, 6 or 7; None if the file does not tell."""
    raw = section(source, _NAME)
    little = source.pread(6, 0)[5:] == b"\1"
    found = _cpu_arch(raw, "little" if little else "big") if raw[:1] == b"A" else None
    if found is None:
        return None
    return _VERSIONS.get(found, _OLDEST if found < 3 else _NEWEST)


def _cpu_arch(raw: bytes, order: str) -> int | None:
    """Tag_CPU_arch of the whole file. Each loop goes on by at least one byte, or ends."""
    at = 1
    while at + 4 < len(raw):
        size = _number(raw, at, order)
        vendor, _, rest = raw[at + 4 : at + max(size, 5)].partition(b"\0")
        if vendor == b"aeabi":
            return _of_file(rest, order)
        at += max(size, 5)
    return None


def _of_file(raw: bytes, order: str) -> int | None:
    at = 0
    while at + 5 <= len(raw):
        size = _number(raw, at + 1, order)
        if raw[at] == _TAG_FILE:
            return _of_attributes(raw[at + 5 : at + size])
        at += max(size, 5)
    return None


def _of_attributes(raw: bytes) -> int | None:
    at = 0
    while at < len(raw):
        tag, at = _uleb(raw, at)
        text = tag in (_RAW_NAME, _CPU_NAME) or (tag > _COMPATIBILITY and tag % 2 == 1)
        value = 0
        if not text:
            value, at = _uleb(raw, at)
        if text or tag == _COMPATIBILITY:
            end = raw.find(b"\0", at)
            at = end + 1 if end >= 0 else len(raw)
        if tag == _CPU_ARCH:
            return value
    return None


def _uleb(raw: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, of at most 35 bits, and where it ends."""
    value = 0
    for shift in range(0, 35, 7):
        byte = raw[at] if at < len(raw) else 0
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return value, at


def _number(raw: bytes, at: int, order: str) -> int:
    return int.from_bytes(raw[at : at + 4], "little" if order == "little" else "big")
