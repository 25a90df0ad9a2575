"""A session: one root, and all that was read in it."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Any

from elfpack.errors import InputError
from elfpack.loader.closure import Closure
from elfpack.loader.resolve import Options, Resolver
from elfpack.paths import decode
from elfpack.root.directory import DirectoryRoot, is_top

if TYPE_CHECKING:
    from elfpack.api.planning import Plan


def working_directory() -> str:
    """The process's working directory.

    Raises:
        InputError: it was deleted.
    """
    try:
        return decode(os.getcwdb())
    except OSError as e:
        raise InputError(
            "the working directory is gone", path=".", hint="change to one that exists"
        ) from e


class Session:
    """Keeps what it has read for many calls of :meth:`resolve` and :meth:`plan`.

    Threads may share one. It sees each file as first read; make a new one to look again.
    """

    def __init__(self, root: str = "/", *, cwd: str | None = None, library_path: str = "") -> None:
        """
        Args:
            root: the directory that names are looked up in.
            cwd: the working directory, a path inside the root; by default the process's if the
                root is ``/``, else ``/``.
            library_path: LD_LIBRARY_PATH of the programs. The environment is not read.

        Raises:
            InputError: the root is no directory, or the working directory is gone.
        """
        self.root = root
        self._tree = DirectoryRoot(root)
        self.resolver = Resolver(self._tree)
        if cwd is None:
            cwd = working_directory() if is_top(root) else "/"
        self.options = Options(library_path, cwd)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of open directories. Closures and plans made before stay usable as records."""
        self._tree.close()

    def resolve(self, program: str, *, exclude: tuple[str, ...] = ()) -> Closure:
        """What the loader would load for a program, a library or a script.

        Raises:
            InputError: it cannot be read, or is no program.
        """
        return self.resolver.resolve(program, self.options._replace(exclude=exclude))

    def plan(self, programs: Any, **request: Any) -> Plan:
        """See :func:`elfpack.plan`."""
        from elfpack.api.planning import make_plan

        return make_plan(self, programs, **request)
