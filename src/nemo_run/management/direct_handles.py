"""Handles of jobs that run inside the process that launched them, which no engine knows."""

from __future__ import annotations

import os
import platform

from nemo_run.execution.observation import Observation, Reason, State

DIRECT = "direct://"


def own_handle() -> str:
    """Return the handle of jobs that run in this process."""
    return f"{DIRECT}{platform.node()}/{os.getpid()}"


def process_gone() -> Observation:
    """Return what is known of a job whose launching process, which ran it, has gone."""
    return Observation(
        State.LOST, Reason.PROCESS_LOST, message="the process that ran it directly is gone"
    )
