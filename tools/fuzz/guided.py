"""The process of a format that coverage guides: ``guided FORMAT CORPUS OPTIONS...``, the last two
for libFuzzer. What is imported before atheris has looked at it is not counted."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from random import Random

import atheris

_PACKAGE = Path(__file__).resolve().parents[2] / "elfpack"
_OWN = 0.3
"""How often a change is one of libFuzzer's own."""


def main(argv: list[str]) -> None:
    """Does not return: libFuzzer ends the process."""
    with atheris.instrument_imports(include=["elfpack"]):
        for module in walk_packages([str(_PACKAGE)], "elfpack."):
            if not module.name.endswith("__main__"):
                import_module(module.name)
    from tools.fuzz.formats import FORMATS, seeds
    from tools.fuzz.parsers import parse

    form = argv[0]
    mutate, known = FORMATS[form].mutate, [seed.raw for seed in seeds(form)]

    def one(raw: bytes) -> None:
        parse(form, raw)

    def change(raw: bytes, longest: int, number: int) -> bytes:
        random = Random(number)
        if random.random() < _OWN:
            return bytes(atheris.Mutate(raw, longest))
        return mutate(bytes(raw), random, known)[:longest]

    atheris.Setup([sys.argv[0], *argv[1:]], one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
