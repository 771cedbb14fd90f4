"""Which code travels.

Each public name is loaded on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy

if TYPE_CHECKING:
    from nemo_run.packaging.launching_script import LaunchingScript, capture
    from nemo_run.packaging.packager import Packager

_HOMES = {
    "LaunchingScript": "launching_script",
    "Packager": "packager",
    "capture": "launching_script",
}

__all__ = ["LaunchingScript", "Packager", "capture"]


__getattr__, __dir__ = lazy.names(__name__, _HOMES)
