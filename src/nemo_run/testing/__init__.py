"""For tests of programs and of backends: an engine that is not there, and what every one must do.

Public. ``BackendContract`` needs pytest; the rest needs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nemo_run.testing.contract import BackendContract
    from nemo_run.testing.fake import FakeBackend, FakeClock, FakeEngine, Outcome

_HOMES = {
    "BackendContract": "contract",
    "FakeBackend": "fake",
    "FakeClock": "fake",
    "FakeEngine": "fake",
    "Outcome": "fake",
}

__all__ = ["BackendContract", "FakeBackend", "FakeClock", "FakeEngine", "Outcome"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
