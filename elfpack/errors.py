"""What elfpack raises when it cannot answer, and what it returns when the input is at fault."""

from __future__ import annotations

import os

from elfpack.light import NamedTuple


class ElfpackError(Exception):
    """A request that cannot be served.

    The message is one sentence without a full stop; ``path`` is the file it is about and
    ``hint`` says what to do. ``exit_code`` is the status a command ends with.
    """

    exit_code = 2

    def __init__(self, message: str, *, path: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Pickled by its fields: a subclass makes the message from other arguments.
        return _again, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        subject = f"{self.path}: " if self.path is not None else ""
        advice = f" ({self.hint})" if self.hint is not None else ""
        return f"{subject}{self.message}{advice}"


def _again(kind: type[ElfpackError], args: tuple[str], fields: dict[str, object]) -> ElfpackError:
    """An error out of its pickle."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


class InputError(ElfpackError):
    """A file that was named cannot be read, or is not what it has to be."""


class TroubleError(InputError):
    """The disk, the memory or a limit of the process failed while something was read. No answer
    may rest on it."""


def unreadable(path: str, number: int) -> InputError:
    """The error for a file that the user may not, or the system cannot, read."""
    return InputError(
        f"cannot be read: {os.strerror(number).lower()}",
        path=path,
        hint="run as a user who may read it",
    )


class RequestError(ElfpackError):
    """The request contradicts itself or names something that does not exist."""


class OutputError(ElfpackError):
    """The output cannot be written. Nothing of it was left behind."""


class IncompleteError(ElfpackError):
    """Something that the program needs is missing. ``findings`` lists all of it."""

    exit_code = 1

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(
            findings[0].message if findings else "incomplete",
            path=findings[0].path if findings else None,
            hint=findings[0].hint if findings else None,
        )
        self.findings = findings
        self.closures: tuple[object, ...] = ()
        """What was resolved all the same, for who wants to see how it was looked for."""


class SeveralErrors(ElfpackError):
    """More than one thing is wrong with a request. ``errors`` are all of them."""

    def __init__(self, errors: tuple[ElfpackError, ...]) -> None:
        first = errors[0]
        super().__init__(first.message, path=first.path, hint=first.hint)
        self.errors = errors
        self.exit_code = max(error.exit_code for error in errors)


class Failure(NamedTuple):
    """What stands for an answer, in a call for many, where there is none."""

    path: str
    """As it was named."""
    error: ElfpackError


class Finding(NamedTuple):
    """A fault in the input that the user should know of; not a failure of the request."""

    code: str
    """A stable word for scripts: ``missing-library``, ``loader-refuses``, ..."""
    path: str
    """The file that the finding is about."""
    message: str
    hint: str | None = None
    note: bool = False
    """Good to know, no fault: told as a note instead of a warning."""
    quote: str | None = None
    """What the kernel or a loader would say of it."""

    def __str__(self) -> str:
        said = f' ("{self.quote}")' if self.quote else ""
        return f"{self.path}: {self.message}{said}" + (f" ({self.hint})" if self.hint else "")
