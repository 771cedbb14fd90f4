"""For tests of programs and of backends: an engine that is not there, and what every one must do.

Public. ``BackendContract`` needs pytest; the rest needs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy

if TYPE_CHECKING:
    from nemo_run.testing.contract import BackendContract
    from nemo_run.testing.fake import FakeBackend, FakeClock, FakeEngine, Outcome
    from nemo_run.testing.slurm import FakeSlurm

_HOMES = {
    "BackendContract": "contract",
    "FakeBackend": "fake",
    "FakeClock": "fake",
    "FakeEngine": "fake",
    "FakeSlurm": "slurm",
    "Outcome": "fake",
}

__all__ = ["BackendContract", "FakeBackend", "FakeClock", "FakeEngine", "FakeSlurm", "Outcome"]


__getattr__, __dir__ = lazy.names(__name__, _HOMES)
