"""The files that jobs leave in ``$NEMORUN_OUTPUT_DIR``: listed and pulled from where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy

if TYPE_CHECKING:
    from .listing import Artifact, listed
    from .offered import Artifacts
    from .pulling import Pulled, pull

_HOMES = {
    "Artifact": "listing",
    "Artifacts": "offered",
    "Pulled": "pulling",
    "listed": "listing",
    "pull": "pulling",
}

__all__ = ["Artifact", "Artifacts", "Pulled", "listed", "pull"]

__getattr__, __dir__ = lazy.names(__name__, _HOMES)
