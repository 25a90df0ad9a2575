"""What is made when it is first used: a program that starts should not pay for what it may need."""

from __future__ import annotations

from elfpack.light import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from typing import Any, AnyStr


class _Late:
    """A pattern that is not compiled yet. Its methods are found once, then they are its own."""

    def __init__(self, text: Any) -> None:
        self._text = text

    def __getattr__(self, name: str) -> Any:
        import re  # most commands need it for nothing else

        value = getattr(re.compile(self._text), name)
        setattr(self, name, value)
        return value


def pattern(text: AnyStr) -> re.Pattern[AnyStr]:
    """As :func:`re.compile`, when it is first used. Most of some hundred patterns never are, and
    each takes as long to compile as a small library takes to be read. Flags stand in the text."""
    late: re.Pattern[AnyStr] = _Late(text)  # type: ignore[assignment]
    return late
