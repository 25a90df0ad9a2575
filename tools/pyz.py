"""Builds elfpack.pyz: elfpack and what it cannot do without, in one file that python3 runs.

    python tools/pyz.py OUT

The packages are those of the interpreter that runs this. The same packages give the same bytes.
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

PACKAGES = {"elfpack": "elfpack", "click": "click", "elftools": "pyelftools"}
"""Each package, and the distribution that it is from. lief and zstandard are no Python: elfpack
says so when it is asked for what needs them."""
KEPT = (".py", ".json", ".typed")
MAIN = """\
import sys

if sys.version_info < (3, 10):
    version = "%d.%d" % sys.version_info[:2]
    sys.stderr.write(
        "elfpack: error: python3: is Python %s (run elfpack with 3.10 or later)\\n" % version
    )
    sys.exit(2)

try:
    import click
except ImportError as e:  # a python3 cut down to less than its library, as python3-minimal is
    sys.stderr.write(
        "elfpack: error: python3: lacks its module %s (install the whole python3)\\n" % e.name
    )
    sys.exit(2)

from elfpack.cli import script

sys.exit(script())
"""


def files() -> Iterator[tuple[str, bytes]]:
    """The name of each file in the archive, and its content."""
    yield "__main__.py", MAIN.encode()
    for package, project in PACKAGES.items():
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise SystemExit(f"pyz: {package} is not installed")
        top = Path(spec.submodule_search_locations[0])
        for path in top.rglob("*"):
            if path.suffix in KEPT and "__pycache__" not in path.parts:
                yield f"{package}/{path.relative_to(top).as_posix()}", path.read_bytes()
        for listed in distribution(project).files or ():
            if listed.name.startswith("LICENSE"):
                yield f"licenses/{package}/{listed.name}", Path(str(listed.locate())).read_bytes()


def write(out: Path) -> None:
    """The archive, with a first line that makes it a program."""
    with out.open("wb") as stream:
        stream.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, content in sorted(dict(files()).items()):
                info = zipfile.ZipInfo(name)  # dated 1980: the oldest that a zip can tell
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = 0o644 << 16
                archive.writestr(info, content)
    out.chmod(0o755)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
