"""What fields and words are set to: where arithmetic, sizes and names go wrong."""

from __future__ import annotations

from random import Random

_POWERS = (7, 8, 15, 16, 31, 32, 63, 64)
NAMES = (
    *(b"", b".", b"..", b"/", b"//", b"../../../../etc/passwd", b"/etc/passwd", b"a/../../b"),
    *(
        b"\x1b[2J\x1b]0;x\x07",
        b"a\nb",
        b"a\rb",
        b"\xff\xfe",
        b"\xc2\x9b2J",
        b"\xe2\x80\xae",
        b"\x7f",
    ),
    *(b"$ORIGIN", b"${LIB}/$PLATFORM", b"$ORIGIN/../..", b":", b"::a:", b"%s%n", b"*", b"[a", b" "),
    *(b"a" * 255, b"a" * 256, b"a/" * 2100, b"x" * 5000, b"libc.so.6", b"/bin/app", b"lib9.so"),
    *(
        b"-o",
        b"\\",
        b"\\\\x",
        b'"',
        b"'",
        b"#",
        b"\t",
        b"\0",
        b"=",
        b"@",
        b"(null)",
        b"\xef\xbb\xbf",
    ),
)
"""Names that lead out, steer a terminal, are no UTF-8, too long, or mean something to somebody."""
NUMBERS = (
    *(b"0", b"1", b"-1", b"07", b"0x10", b"1e9", b"1_0", b"9" * 19, b"9" * 30, b"9" * 5000),
    *(b"4294967296", b"18446744073709551616", b"-9223372036854775808", b"1.5", b"nan", b" 1"),
    "\u0663".encode(),
)
"""Numbers in text, and what Python takes for one."""


def number(random: Random, old: int, size: int, others: list[int]) -> int:
    """Another value of a number: ``size`` is the file's, ``others`` are values of other fields."""
    power = 1 << random.choice(_POWERS)
    return random.choice(
        (
            *(0, 1, 2, -1, old - 1, old + 1, old * 2, -old, old ^ (1 << random.randrange(64))),
            *(size, size - 1, size + 1, size // 2, power, power - 1, power - 8),
            *(random.choice(others) if others else 0, random.randrange(size + 1)),
        )
    )


def often(random: Random) -> int:
    """How many times something is repeated: seldom so often that who does more than go through it
    once is slow."""
    return random.choice((1, 1, 2, 30, 500)) if random.random() < 0.97 else 20_000


def word(random: Random) -> bytes:
    """A name or a number to put in a text's place."""
    return random.choice(NAMES if random.random() < 0.6 else NUMBERS)
