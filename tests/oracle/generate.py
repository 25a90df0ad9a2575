"""Random small worlds, each from a seed: objects that need each other, in directories that search
paths name in all the ways there are.

The same seed makes the same world. What a loader would wait for (a FIFO) is left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.worlds import LOADER, MUSL_LOADER

HWCAPS = True
"""Whether worlds have subdirectories for CPU features, glibc-hwcaps and the older ones."""
PRELOAD = True
"""Whether worlds set LD_PRELOAD."""

LEVELS = ("glibc-hwcaps/x86-64-v2", "glibc-hwcaps/x86-64-v3", "glibc-hwcaps/x86-64-v4")
LEGACY = ("tls", "x86_64", "tls/x86_64", "haswell", "x86_64/x86_64")
FORMATS = ("new", "compat", "old")
FATAL = ("dir", "text hello", "empty", "exe", "exec", "lib nodynamic", "lib osabi=9", "rel")


@dataclass(frozen=True, kw_only=True)
class Made:
    """A world, and how its program is started."""

    world: dict[str, str]
    """In the words of ``tests/worlds.py``, without the loader."""
    program: str = "/bin/exe"
    library_path: str = ""
    preload: str = ""
    cwd: str = "/"
    by_kernel: bool = False
    """Else the program is given to the loader, which does not resolve its links."""
    cache: str = ""
    """The format that ldconfig is to write ``/etc/ld.so.cache`` in; empty: no cache."""
    stale: dict[str, str] = field(default_factory=dict)
    """What replaces these files when the cache is written; an empty text: nothing."""


class Maker:
    """Makes one world for glibc."""

    interpreter = LOADER
    separators = ":;"
    library_words = ""
    fatal: tuple[str, ...] = FATAL

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.names = self._names()
        self.merged = self.chance(0.6)
        self.directories = self._directories()
        self.bin = self.pick("/bin" if not self.merged else "/usr/bin", "/usr/bin", "/opt/app/bin")
        self.cwd = self.pick("/", "/", "/opt", self.pick(*self.directories))
        self.harsh = self.chance(0.2)
        self.world: dict[str, str] = {}

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, *choices: str) -> str:
        return choices[self.random.randrange(len(choices))]

    def some(self, choices: Sequence[str], low: int, high: int) -> list[str]:
        """Between ``low`` and ``high`` of the choices, now and then one twice."""
        return [self.pick(*choices) for _ in range(self.random.randint(low, high))]

    def _names(self) -> list[str]:
        ends = [".so", ".so.1", ".so.2", ".so.01", ".so.10"]
        count = self.random.randint(2, 9)
        return [f"lib{letter}{self.pick(*ends)}" for letter in "abcdefghi"[:count]]

    def _directories(self) -> list[str]:
        found = ["/opt/a", "/opt/b", "/opt/a/deep", "/opt/lib/x86_64-linux-gnu", "/opt/app/bin"]
        found += self.system_directories()
        if HWCAPS:
            tops = list(found)
            found += [f"{self.pick(*tops)}/{self.pick(*LEVELS)}" for _ in range(3)]
            found += [f"{self.pick(*tops)}/{self.pick(*LEGACY)}" for _ in range(2)]
        return found

    def system_directories(self) -> list[str]:
        found = ["/usr/lib", "/usr/lib/x86_64-linux-gnu"]
        return found if self.merged else [*found, "/lib", "/lib/x86_64-linux-gnu"]

    # Search paths

    def element(self, at: str) -> str:
        """An element of a search path that an object in the directory ``at`` has."""
        directory = self.pick(*self.directories)
        relative = os.path.relpath(directory, at)
        rest = directory.lstrip("/")
        usual = [directory] * 8 + [f"$ORIGIN/{relative}"] * 3 + [f"${{ORIGIN}}/{relative}"] * 2
        return self.pick(
            *usual,
            *("$ORIGIN", "${ORIGIN}/", "$ORIGIN/deep", "/opt/$LIB", "/opt/${LIB}/", "$LIB", ""),
            *(rest, os.path.relpath(directory, self.cwd), ".", "deep", "..", "./a"),
            *(f"{directory}/", f"{directory}///", f"//{rest}", directory.replace("/", "//")),
            *(f"{directory}/../{os.path.basename(directory)}", f"{directory}/.", "/"),
            *("/opt/link", "/opt/absolute", "/opt/loop", "/opt/loop/x", "/opt/gone", "/opt/file"),
            *("/opt/file/x", "/opt/$ORIGINx", "/$FOO", "${ORIGIN", "/opt/a;/opt/b", "/none"),
            *(["/opt/$PLATFORM", "$PLATFORM"] if HWCAPS else []),
        )

    def path(self, at: str, separators: str = ":") -> str:
        parts = [self.element(at) for _ in range(self.random.randint(1, 4))]
        text = parts[0]
        for part in parts[1:]:
            text += self.pick(*separators) + part
        return text

    # Objects

    def needs(self, at: str, low: int, high: int) -> list[str]:
        found = self.some(self.names, low, high)
        if self.chance(0.2):
            name, directory = self.pick(*self.names), self.pick(*self.directories)
            special = self.pick(
                *("libnone.so", os.path.basename(self.interpreter), self.interpreter),
                *(f"{directory}/{name}", f"{directory.lstrip('/')}/{name}", f"./{name}"),
                *(f"$ORIGIN/{name}", f"${{ORIGIN}}/../{name}", f"/opt/$LIB/{name}", "$FOO.so"),
                *("libodd.so", "libc.so.6", f"/opt/link/{name}", f"/opt/{name}"),
            )
            found.insert(self.random.randint(0, len(found)), special)
        return found

    def words(self, at: str, needs: list[str], paths: float) -> str:
        """The options that programs and libraries have in common."""
        text = f" needs={','.join(needs)}" if needs else ""
        if self.chance(paths):
            text += f" rpath={self.path(at)}"
        if self.chance(paths):
            text += f" runpath={self.path(at)}"
        return text + (" nodeflib" if self.chance(0.06) else "")

    def library(self, name: str, at: str) -> str:
        text = "lib" + self.words(at, self.needs(at, 0, 3), 0.25) + self.library_words
        if self.chance(0.6):
            own = name if self.chance(0.75) else self.pick(*self.names, "libodd.so", "/opt/a/x.so")
            text += f" soname={own}"
        if self.chance(0.06):
            text += f" {self.pick('filter', 'auxiliary')}={self.needs(at, 1, 1)[0]}"
        return text

    def copy(self, name: str, at: str) -> str:
        """What stands under a library's name in a directory."""
        if self.harsh and self.chance(0.15):
            return self.pick(*self.fatal)
        others = [path for path, spec in self.world.items() if spec.startswith("lib")]
        odd: list[Callable[[], str]] = [
            lambda: "lib machine=i386",
            lambda: "lib machine=aarch64",
            lambda: self.pick("-> none", "-> ../file/x", f"-> {name}", "-> /opt/gone/x"),
            lambda: f"-> {self.pick(*others)}",
            lambda: f"-> {os.path.relpath(self.pick(*others), at)}",
            lambda: f"= {self.pick(*others)}",
        ]
        if others and self.chance(0.2):
            return odd[self.random.randrange(len(odd))]()
        return self.library(name, at)

    def objects(self) -> None:
        for name in self.names:
            for directory in dict.fromkeys(self.some(self.directories, 0, 3)):
                path = f"{directory}/{name}"
                self.world.setdefault(path, self.copy(name, directory))

    def start(self) -> str:
        """The program, perhaps behind links; its path."""
        kind = "exec" if self.chance(0.2) else "exe"
        spec = kind + self.words(self.bin, self.needs(self.bin, 1, 4), 0.5)
        real = f"{self.bin}/exe"
        self.world[real] = spec + self.program_words(spec)
        if not self.chance(0.2):
            return real
        self.world["/opt/start"] = f"-> {self.pick(real, 'second')}"
        self.world["/opt/second"] = f"-> {os.path.relpath(real, '/opt')}"
        return self.pick("/opt/start", "/opt/second")

    def program_words(self, spec: str) -> str:
        return f" filter={self.needs(self.bin, 1, 1)[0]}" if self.chance(0.02) else ""

    def links(self) -> None:
        self.world |= {
            "/opt/link": "-> a",
            "/opt/absolute": "-> /opt/b",
            "/opt/loop": "-> loop",
            "/opt/gone": "-> nowhere",
            "/opt/file": "text x",
        }
        if self.merged:
            self.world |= {f"/{name}": f"-> usr/{name}" for name in ("bin", "lib", "lib64")}

    # The whole

    def make(self) -> Made:
        self.links()
        for directory in self.directories:
            self.world[directory] = "dir"
        self.objects()
        program = self.start()
        # Those of other machines are for other loaders.
        odd = ("machine=", "nodynamic", "osabi=")
        libraries = [
            path
            for path, spec in self.world.items()
            if spec[:4] == "lib " and not any(word in spec for word in odd)
        ]
        real = not program.startswith("/opt/s")
        if real and libraries and self.chance(0.05):
            program = self.pick(*libraries)
        cache = self.pick(*FORMATS) if self.chance(0.6) else ""
        conf = "\\n".join(self.some(self.directories, 0, 4))
        return Made(
            world=self.world | ({"/etc/ld.so.conf": f"text {conf}\\n"} if cache else {}),
            program=program,
            library_path=self.path(self.bin, self.separators) if self.chance(0.4) else "",
            preload=self.preload() if PRELOAD and self.chance(0.3) else "",
            cwd=self.cwd,
            by_kernel=not real or (self.chance(0.3) and program.endswith("/exe")),
            cache=cache,
            stale=self.stale(libraries, program) if cache and self.chance(0.3) else {},
        )

    def stale(self, libraries: Sequence[str], program: str) -> dict[str, str]:
        gone = self.some(libraries, 1, 2) if libraries else []
        kinds = ("", "lib machine=i386", "lib")
        return {path: self.pick(*kinds) for path in gone if path != program}

    def preload(self) -> str:
        names = self.some([*self.names, "libnone.so", *self.needs("/", 1, 1)], 1, 3)
        return names[0] + "".join(self.pick(":", " ") + name for name in names[1:])


class MuslMaker(Maker):
    """Makes one world for musl.

    A library of another machine is left out: musl maps it and dies in it, elfpack tells of it.
    """

    interpreter = MUSL_LOADER
    separators = ":\n"
    # Without a hash table musl dies when it looks whether the library is another libc.
    library_words = " exports=f"
    fatal = tuple(f"{spec} exports=f" if spec.startswith("ex") else spec for spec in FATAL)

    def system_directories(self) -> list[str]:
        found = ["/usr/lib", "/usr/local/lib"]
        return found if self.merged else [*found, "/lib"]

    def element(self, at: str) -> str:
        text = super().element(at)
        return text if not text.startswith("/$FOO") or self.chance(0.3) else "/opt/a"

    def needs(self, at: str, low: int, high: int) -> list[str]:
        found = super().needs(at, low, high)
        if self.chance(0.3):
            reserved = ("libc.so", "libm.so.6", "libpthread.so.0", "libxnet.x", "librt.so.1")
            close = ("libmx.so", "libdl", "libc.musl-x86_64.so.1", "libresolv.so.2")
            found.insert(0, self.pick(*reserved, *close))
        return found

    def copy(self, name: str, at: str) -> str:
        spec = super().copy(name, at)
        return "lib machine=i386" if "aarch64" in spec else spec

    def program_words(self, spec: str) -> str:
        # The same for the program itself.
        return f" interp={self.interpreter}{self.library_words}"

    def make(self) -> Made:
        made = super().make()
        world = {path: spec for path, spec in made.world.items() if path != "/etc/ld.so.conf"}
        if self.chance(0.4):
            lines = self.some(self.directories, 0, 3)
            world["/etc/ld-musl-x86_64.path"] = f"text {self.pick(':', chr(92) + 'n').join(lines)}"
        # Given to the loader, a program's links are not resolved: with $ORIGIN that would show.
        spec = world[f"{self.bin}/exe"]
        keeps = made.program.startswith("/opt/s") and "$" in spec
        return Made(
            world=world,
            program=f"{self.bin}/exe" if keeps else made.program,
            library_path=made.library_path,
            preload=made.preload,
            cwd=made.cwd,
        )
