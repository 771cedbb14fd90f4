"""Tasks and names that are imported when they are needed, mostly in the job.

Each name is loaded on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run import lazy

if TYPE_CHECKING:
    from .entrypoint import LazyEntrypoint, call_lazily
    from .imports import lazy_imports
    from .names import LazyModule, LazyTarget

_HOMES = {
    "LazyEntrypoint": "entrypoint",
    "LazyModule": "names",
    "LazyTarget": "names",
    "call_lazily": "entrypoint",
    "lazy_imports": "imports",
}

__all__ = ["LazyEntrypoint", "LazyModule", "LazyTarget", "call_lazily", "lazy_imports"]


def _other(name: str) -> Any:
    from nemo_run.compat import missing

    raise missing(__name__, name)


__getattr__, __dir__ = lazy.names(__name__, _HOMES, _other)
