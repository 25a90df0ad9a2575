"""Random small worlds of symbols and versions, each from a seed. The same seed makes the same.

Versions of a library that is missing are left out: glibc reads them from behind the end of a table,
where anything may be.
"""

from __future__ import annotations

from random import Random

SYMBOLS = ("f", "g", "h")
VERSIONS = ("V1", "V2", "V3", "V4")
LISTS = (("weak", 0.25), ("hidden", 0.15), ("protected", 0.1), ("local", 0.08), ("canonical", 0.15))
"""Properties of a symbol, and how often an object has one that has it."""


class Maker:
    """Makes one world, for the glibc of this machine or for another interpreter."""

    def __init__(self, seed: int, interpreter: str = "") -> None:
        self.random = Random(seed)
        self.names = [f"lib{letter}" for letter in "abcd"[: self.random.randint(1, 4)]]
        self.versions = {name: self._some(VERSIONS, 1, 3) for name in self.names}
        self.head = f"exe rpath=$ORIGIN interp={interpreter}" if interpreter else ""
        self.head = self.head or "exe rpath=$ORIGIN"

    def world(self) -> dict[str, str]:
        """``/w/exe`` and what it may need beside it."""
        world = {"/w/exe": f"{self.head} {self._object('')}"}
        for name in self.names:
            world[f"/w/{name}.so"] = f"lib soname={name}.so rpath=$ORIGIN {self._object(name)}"
        return world

    def _some(self, what: tuple[str, ...], least: int, most: int) -> list[str]:
        return self.random.sample(what, self.random.randint(least, most)) * self._chance(0.7)

    def _chance(self, share: float) -> bool:
        return self.random.random() < share

    def _object(self, name: str) -> str:
        others = [other for other in self.names if other != name]
        least = 0 if name else 1
        needed = self.random.sample(others, self.random.randint(least, len(others)))
        mine = self.versions.get(name, [])
        symbols, needs = self._symbols(needed, mine)
        imports, exports = symbols
        names = [text.partition("@")[0] for text in imports + exports]
        libraries = [f"{one}.so" for one in needed] + ["libgone.so"] * self._chance(0.1)
        wanted = [version for versions in needs.values() for version in versions]
        words = {
            "needs": libraries,
            "imports": imports,
            "exports": exports,
            "defines": mine,
            "versions": [f"{file}.so:{'+'.join(v)}" for file, v in needs.items()],
            "relocations": self._relocations(names, copies=not name),
            "weak_versions": self._one(wanted, 0.2),
            "strict_versions": self._one(wanted, 0.2),
            **{key: self._one(names, share) for key, share in LISTS},
            "types": [f"{one}:{self._type()}" for one in self._one(names, 0.15)],
            "values": [f"{one}:0" for one in self._one(names, 0.1)],
            "hash": [self.random.choice(("gnu", "gnu", "sysv"))],
        }
        flags = ["symbolic"] * self._chance(0.15)
        return " ".join([f"{k}={','.join(v)}" for k, v in words.items() if v] + flags)

    def _symbols(
        self, needed: list[str], mine: list[str]
    ) -> tuple[tuple[list[str], list[str]], dict[str, list[str]]]:
        """What an object imports and exports, and the versions that it wants of others."""
        imports: dict[str, None] = {}
        exports: dict[str, str] = {}
        needs: dict[str, list[str]] = {}
        for name in SYMBOLS:
            for _ in range(self.random.choice((0, 1, 1, 2))):
                if self._chance(0.5):
                    version = self.random.choice(mine) if mine and self._chance(0.7) else ""
                    default = self.random.choice(("@", "@@")) if version else ""
                    exports.setdefault(name + "@" + version, name + default + version)
                else:
                    imports[name + self._wanted(needed, mine, needs)] = None
        texts = [text for key, text in exports.items() if key.rstrip("@") not in imports]
        if not imports and not texts:
            texts = ["z"]
        return (list(imports), texts), needs

    def _wanted(self, needed: list[str], mine: list[str], needs: dict[str, list[str]]) -> str:
        if not needed or not self._chance(0.7):
            return ""
        file = self.random.choice(needed)
        there = self.versions[file] if self._chance(0.8) else []
        version = self.random.choice(there or VERSIONS)
        elsewhere = [v for other, versions in needs.items() if other != file for v in versions]
        if version in elsewhere or version in mine:  # one name has one number in a file
            return ""
        if version not in needs.setdefault(file, []):
            needs[file].append(version)
        return f"@{version}"

    def _relocations(self, names: list[str], copies: bool) -> list[str]:
        kinds = ("got", "plt", "got", "plt", "copy")[: 5 if copies else 4]
        count = self.random.randint(0, 6)
        return [f"{self.random.choice(kinds)}:{self.random.choice(names)}" for _ in range(count)]

    def _one(self, of: list[str], share: float) -> list[str]:
        return [self.random.choice(of)] if of and self._chance(share) else []

    def _type(self) -> str:
        return self.random.choice(("object", "tls", "ifunc", "section"))
