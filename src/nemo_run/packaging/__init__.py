"""Which code travels.

Each public name is loaded on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy

if TYPE_CHECKING:
    from nemo_run.packaging.git_archive import GitArchivePackager
    from nemo_run.packaging.hybrid import HybridPackager
    from nemo_run.packaging.launching_script import LaunchingScript, capture
    from nemo_run.packaging.packager import Packager
    from nemo_run.packaging.pattern import PatternPackager
    from nemo_run.packaging.snapshot import CodePlace, Snapshot
    from nemo_run.packaging.store import CodeStore

_HOMES = {
    "CodePlace": "snapshot",
    "CodeStore": "store",
    "GitArchivePackager": "git_archive",
    "HybridPackager": "hybrid",
    "LaunchingScript": "launching_script",
    "Packager": "packager",
    "PatternPackager": "pattern",
    "Snapshot": "snapshot",
    "capture": "launching_script",
}

__all__ = [
    "CodePlace",
    "CodeStore",
    "GitArchivePackager",
    "HybridPackager",
    "LaunchingScript",
    "Packager",
    "PatternPackager",
    "Snapshot",
    "capture",
]


__getattr__, __dir__ = lazy.names(__name__, _HOMES)
