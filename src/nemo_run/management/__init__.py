"""Remember, watch, repeat: experiments, from their first moment to their results."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .describe.jobs import Job, JobGroup
    from .describe.plugin import Plugin
    from .experiment import Experiment
    from .run_task import direct_run_fn, dryrun_fn, run

_HOMES = {
    "direct_run_fn": "run_task",
    "dryrun_fn": "run_task",
    "Experiment": "experiment",
    "Job": "describe.jobs",
    "JobGroup": "describe.jobs",
    "Plugin": "describe.plugin",
    # Not in a module called "run": importing that would put the module where the function is.
    "run": "run_task",
}

__all__ = ["Experiment", "Job", "JobGroup", "Plugin", "direct_run_fn", "dryrun_fn", "run"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
