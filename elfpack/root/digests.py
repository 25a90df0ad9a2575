"""Blobs held against their digests, beside the other work: hashing takes longer than all of it."""

from __future__ import annotations

from collections.abc import Sequence

from elfpack.blob import Source, chunks
from elfpack.errors import InputError
from elfpack.formats.manifests import Digest
from elfpack.light import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import threading


class Promised(NamedTuple):
    """A blob and what it is said to be."""

    source: Source
    digest: Digest
    path: str
    label: str
    """Of the archive."""

    def verify(self, stopped: Sequence[object] = ()) -> InputError | None:
        """What is wrong with it; None if that is nothing, or somebody put a stop to it."""
        import hashlib  # most trees are no images

        found = hashlib.new(self.digest.algorithm)
        try:
            for piece in chunks(self.source):
                if stopped:
                    return None
                found.update(piece)
        except OSError as e:
            reason = (e.strerror or str(e)).lower()
            return self._fault(f"cannot be read: {reason}")
        if found.hexdigest() == self.digest.value:
            return None
        return self._fault(f"its digest is {self.digest.algorithm}:{found.hexdigest()}")

    def _fault(self, what: str) -> InputError:
        return InputError(f"{self.path}: {what}", path=self.label, hint="save the image again")


class Verification:
    """Several blobs, one after the other in a thread."""

    def __init__(self, blobs: list[Promised]) -> None:
        self._blobs = blobs
        self._stopped: list[object] = []
        self._wrong: InputError | None = None
        self._thread: threading.Thread | None = None
        if blobs:
            from threading import Thread

            thread = Thread(target=self._run, daemon=True)
            try:
                thread.start()
                self._thread = thread
            except RuntimeError:  # a limit of processes or of memory
                self._run()

    def _run(self) -> None:
        for blob in self._blobs:
            try:
                self._wrong = blob.verify(self._stopped)
            except InputError as e:  # a stream that cannot be begun again
                self._wrong = e
            if self._wrong is not None or self._stopped:
                return

    def finish(self) -> None:
        """Wait for the end.

        Raises:
            InputError: a blob is another one than it is said to be.
        """
        if self._thread is not None:
            self._thread.join()
        if self._wrong is not None:
            raise self._wrong

    def stop(self) -> None:
        """Nobody wants to know any more. Afterwards nothing is read."""
        self._stopped.append(None)
        if self._thread is not None:
            self._thread.join()
