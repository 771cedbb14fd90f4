"""A Slurm for tests: small real programs on ``PATH`` that run the very script that is sent.

No root, no daemon of the system, nothing shared between two of them.
"""

from __future__ import annotations

# Not from ``typing``: to import it costs more than all else a program does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .cluster import FakeSlurm, SlurmJob, Step

__all__ = ["FakeSlurm", "SlurmJob", "Step"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Loaded on first use: the programs import this package, and must start in a blink.
    from . import cluster

    return getattr(cluster, name)
