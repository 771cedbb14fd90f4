"""Remember, watch, repeat: experiments, from their first moment to their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy

if TYPE_CHECKING:
    from .describe.jobs import Job, JobGroup
    from .describe.plugin import Plugin
    from .experiment import Experiment
    from .hooks import Hook
    from .run_task import direct_run_fn, dryrun_fn, run

_HOMES = {
    "direct_run_fn": "run_task",
    "dryrun_fn": "run_task",
    "Experiment": "experiment",
    "Hook": "hooks",
    "Job": "describe.jobs",
    "JobGroup": "describe.jobs",
    "Plugin": "describe.plugin",
    # Not in a module called "run": importing that would put the module where the function is.
    "run": "run_task",
}

__all__ = ["Experiment", "Hook", "Job", "JobGroup", "Plugin", "direct_run_fn", "dryrun_fn", "run"]


__getattr__, __dir__ = lazy.names(__name__, _HOMES)
