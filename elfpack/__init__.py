"""elfpack: what an ELF program needs to run, found by reading it, packed into a minimal layer."""

from __future__ import annotations

TYPE_CHECKING = False  # typing, of which a start needs nothing else, takes longer than all of it

__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

    from elfpack.api.check import check as check
    from elfpack.api.images import Image as Image
    from elfpack.api.images import images as images
    from elfpack.api.planning import Plan as Plan
    from elfpack.api.resolve import resolve as resolve
    from elfpack.api.session import Session as Session
    from elfpack.api.session import plan as plan
    from elfpack.checking.report import Report as Report
    from elfpack.errors import ElfpackError as ElfpackError
    from elfpack.errors import Failure as Failure
    from elfpack.errors import Finding as Finding
    from elfpack.errors import IncompleteError as IncompleteError
    from elfpack.errors import InputError as InputError
    from elfpack.errors import OutputError as OutputError
    from elfpack.errors import RequestError as RequestError
    from elfpack.loader.closure import Closure as Closure
    from elfpack.loader.closure import Library as Library
    from elfpack.planning.config import ImageConfig as ImageConfig

_HOMES = {
    "Closure": "loader.closure",
    "ElfpackError": "errors",
    "Failure": "errors",
    "Finding": "errors",
    "Image": "api.images",
    "ImageConfig": "planning.config",
    "IncompleteError": "errors",
    "InputError": "errors",
    "Library": "loader.closure",
    "OutputError": "errors",
    "Plan": "api.planning",
    "Report": "checking.report",
    "RequestError": "errors",
    "Session": "api.session",
    "check": "api.check",
    "images": "api.images",
    "plan": "api.session",
    "resolve": "api.resolve",
}
"""Where each public name lives."""

__all__ = [
    "Closure",
    "ElfpackError",
    "Failure",
    "Finding",
    "Image",
    "ImageConfig",
    "IncompleteError",
    "InputError",
    "Library",
    "OutputError",
    "Plan",
    "Report",
    "RequestError",
    "Session",
    "__version__",
    "check",
    "images",
    "plan",
    "resolve",
]


def __getattr__(name: str) -> Any:
    # PEP 562: a name is loaded when somebody asks for it, so that commands start fast.
    if name not in _HOMES:
        raise AttributeError(f"module 'elfpack' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"elfpack.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
