"""A plan, as build scripts see and write it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from elfpack.api.names import Name, name, texts
from elfpack.errors import Finding, RequestError
from elfpack.pack.output import Written, write
from elfpack.planning.entry import Entry
from elfpack.planning.entry import Plan as Record

if TYPE_CHECKING:
    from elfpack.pack.oci import WrittenImage


class Plan:
    """All that will be in an image, each entry with its reason. Nothing is written yet.

    Holds the session that it was made in: contents are read when the plan is written, and a file
    that changed meanwhile is refused.
    """

    def __init__(self, record: Record, session: object) -> None:
        self.record = record
        self._session = session

    def __reduce__(self) -> str:
        raise TypeError(
            "a Plan cannot be pickled: it holds its session (write it where it was made)"
        )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Sorted by path."""
        return self.record.entries

    @property
    def entrypoint(self) -> str | None:
        """The path of the first program in the image."""
        return self.record.entrypoint

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the user should know."""
        return self.record.all_findings()

    @property
    def size(self) -> int:
        """Bytes of file content."""
        return self.record.size

    def write_tar(self, path: Name) -> Written:
        """Write a layer: ``*.tar``, ``*.tar.gz``, ``*.tgz`` or ``*.tar.zst``. It appears whole or
        not at all.

        Raises:
            RequestError: the ending says nothing, or zstandard is not installed.
            OutputError: it cannot be written.
            InputError: a source changed since the plan was made.
        """
        text = name(path)
        if text.endswith("/") or text == "-":
            raise RequestError("not the path of a tar file", path=text, hint="use write_tree()")
        return write(self.record, text)

    def write_tree(self, path: Name) -> Written:
        """Write an unpacked tree to a directory that is empty or does not exist, or was written by
        this before: a file beside it, ``.NAME.elfpack``, tells.

        Raises:
            OutputError: it cannot be written, or holds something else.
            InputError: a source changed since the plan was made.
        """
        return write(self.record, name(path).rstrip("/") + "/")

    def write_image(self, path: Name, tags: str | Iterable[str]) -> WrittenImage:
        """Write an image with its configuration: ``*.tar``, a docker-archive that is an OCI image
        layout at once, or a path ending in ``/``, that layout as a directory.

        Args:
            path: where to; it appears whole or not at all.
            tags: its name, or names: ``[HOST[:PORT]/]NAME[:TAG]``.

        Raises:
            RequestError: the ending says nothing, a tag is none, the programs need two machines.
            OutputError: it cannot be written.
            InputError: a source changed since the plan was made.
        """
        from elfpack.pack import oci

        names = (tags,) if isinstance(tags, str) else texts(tags, "tags")
        return oci.write(self.record, name(path), oci.parse_tags(names))
