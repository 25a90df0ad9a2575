"""What is measured, against what, and what ratio it may have at most."""

from __future__ import annotations

from typing import NamedTuple


class Goal(NamedTuple):
    """A row of the tables. ``most`` of None: measured to be known, no goal."""

    key: str
    what: str
    against: str
    """Empty for a row of peak memory, whose bound is in MB."""
    most: float | None = None
    aim: float | None = None
    """What would be better still."""


GOALS = (
    Goal("many-ldd", "`deps` on all ELF programs of /usr/bin in one call",
         "`ldd` on them in one call", 1 / 40, 1 / 60),
    Goal("many-libtree", "the same", "a loop over `libtree -pvv`", 1 / 10),
    Goal("start", "`deps ./hello`, whole process", '`python -c "import click"`', 1.4),
    Goal("largest", "`deps` of the largest closure here", "`ldd`", 3),
    Goal("tar", "`layer` of a 300 MB closure, `.tar`", "`tar -cf` of the same files", 1.2, 1),
    Goal("gz", "the same, `.tar.gz`", "`gzip -6` of that tar", 0.6),
    Goal("zst", "the same, `.tar.zst`", "`zstd -T0 -3` of that tar", 1.3),
    Goal("image", "`image` of it, with digests", "`tar -cf` of the same files", 2),
    Goal("check-image", "`check` of that image",
         "`tar -tf`, and `deps` of its programs", 1.5),
    Goal("check-archive", "`check` of its docker-archive alone",
         "`tar -tf`, and `deps` of its programs", 1.5),
    Goal("root", "`deps --root COPY-OF-/` of all programs", "`deps` on `/`, for the same CPU", 2),
    Goal("ten-deps", "`deps` on 1,200 programs", "on 120", 11),
    Goal("ten-layer", "`layer` of 300 MB", "of 30 MB", 11),
    Goal("ten-check", "`check` of a layer of 300 MB", "of 30 MB", 11),
)  # fmt: skip

INFORMATION = (
    Goal("many-ldso", "`deps` on all ELF programs of /usr/bin", "a loop over `ld.so --list`"),
    Goal("largest-lddtree", "`deps` of the largest closure here", "`lddtree` of pax-utils"),
    Goal("many-plan", "`layer --dry-run` of them all", "`deps` on them"),
    Goal("start-layer", "`layer ./hello`, whole process", '`python -c "import click"`'),
    Goal("start-pyz", "`elfpack.pyz deps ./hello`", '`python -c "import click"`'),
    Goal("tar-quiet", "`layer -q` of a 300 MB closure, `.tar`", "`tar -cf` of the same files"),
    Goal(
        "check-oci",
        "`check` of the image as an OCI layout, whose digests it computes",
        "`tar -tf` of its layer, and `deps` of its programs",
    ),
    Goal("check-layer", "`check` of the layer", "`tar -tf`, and `deps` of its programs"),
)

MEMORY = (
    Goal("memory-deps", "`deps` on 1,200 programs", "", 80),
    Goal("memory-deps-all", "`deps` on all ELF programs of /usr/bin", "", 80),
    Goal("memory-tar", "`layer` of 300 MB, `.tar`", "", 100),
    Goal("memory-gz", "`layer` of 300 MB, `.tar.gz`", "", 100),
    Goal("memory-zst", "`layer` of 300 MB, `.tar.zst`", "", 100),
    Goal("memory-image", "`image` of 300 MB", "", 100),
    Goal("memory-everything", "`layer` of all ELF programs of /usr/bin", "", 100),
    Goal("memory-files", "`layer` with 20,000 files added", "", 100),
    Goal("memory-check", "`check` of the docker-archive", ""),
)  # fmt: skip

ALL = (*GOALS, *INFORMATION, *MEMORY)
