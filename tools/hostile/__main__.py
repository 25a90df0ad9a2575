"""``python -m tools.hostile OUT``: writes the corpus to a new directory."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.hostile.archives import write_archives
from tools.hostile.tree import write_tree


def main(out: Path) -> None:
    """``OUT/root`` is a tree, ``OUT/outside`` what no way may lead to, and ``OUT/archives`` has the
    like as tars and images."""
    out.mkdir(parents=True)
    write_tree(out)
    write_archives(out)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tools.hostile OUT")
    main(Path(sys.argv[1]))
