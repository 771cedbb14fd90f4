"""Where and how tasks run.

Each public name is loaded on first use (PEP 562).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run import lazy

if TYPE_CHECKING:
    from nemo_run.execution.executor import Executor, ExecutorMacros, import_executor
    from nemo_run.execution.launcher import (
        LAUNCHER_MAP,
        FaultTolerance,
        Launcher,
        SlurmTemplate,
        Torchrun,
    )
    from nemo_run.execution.local.executor import LocalExecutor
    from nemo_run.execution.profile_config import executor_profile
    from nemo_run.execution.resume import Resume
    from nemo_run.execution.slurm.executor import SlurmExecutor

_HOMES = {
    "Executor": "executor",
    "ExecutorMacros": "executor",
    "FaultTolerance": "launcher",
    "LAUNCHER_MAP": "launcher",
    "Launcher": "launcher",
    "LocalExecutor": "local.executor",
    "Resume": "resume",
    "SlurmExecutor": "slurm.executor",
    "SlurmTemplate": "launcher",
    "Torchrun": "launcher",
    "executor_profile": "profile_config",
    "import_executor": "executor",
}

__all__ = [
    "LAUNCHER_MAP",
    "Executor",
    "ExecutorMacros",
    "FaultTolerance",
    "Launcher",
    "LocalExecutor",
    "Resume",
    "SlurmExecutor",
    "SlurmTemplate",
    "Torchrun",
    "executor_profile",
    "import_executor",
]


__getattr__, __dir__ = lazy.names(__name__, _HOMES)
