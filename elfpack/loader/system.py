"""One loader at work in one root: what its rules read besides the objects themselves."""

from __future__ import annotations

from elfpack.elf.file import Abi
from elfpack.light import NamedTuple
from elfpack.loader.files import Files
from elfpack.loader.hwcaps import Cpu
from elfpack.loader.identify import Loader
from elfpack.loader.records import Hit
from elfpack.paths import join, parent


class System(NamedTuple):
    files: Files
    loader: Loader
    abi: Abi
    """What an object must be to be loaded."""
    library_path: str = ""
    """LD_LIBRARY_PATH as it is written; empty for none."""
    origin: str = "/"
    """Of the program: tokens in LD_LIBRARY_PATH stand for its values."""
    cwd: str = "/"
    """The working directory, for relative elements and names with a slash."""
    cpu: Cpu = Cpu()
    secure: bool = False
    """AT_SECURE: a set-id program, whose loader trusts neither environment nor $ORIGIN."""

    def absolute(self, path: str) -> str:
        """A path as the loader opens it, made absolute by the working directory."""
        return path if path.startswith("/") else join(self.cwd, path)

    def origin_of(self, hit: Hit) -> str:
        """What $ORIGIN stands for in an object's tags."""
        return parent(self.absolute(hit.opened_as))
