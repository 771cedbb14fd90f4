"""Which code travels.

Each public name is loaded on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nemo_run.packaging.launching_script import LaunchingScript, capture
    from nemo_run.packaging.packager import Packager

_HOMES = {
    "LaunchingScript": "launching_script",
    "Packager": "packager",
    "capture": "launching_script",
}

__all__ = ["LaunchingScript", "Packager", "capture"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
