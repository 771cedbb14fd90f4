"""Where and how tasks run.

Each public name is loaded on first use (PEP 562).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nemo_run.execution.executor import Executor, ExecutorMacros, import_executor
    from nemo_run.execution.launcher import LAUNCHER_MAP, FaultTolerance, Launcher, Torchrun
    from nemo_run.execution.local.executor import LocalExecutor

_HOMES = {
    "Executor": "executor",
    "ExecutorMacros": "executor",
    "FaultTolerance": "launcher",
    "LAUNCHER_MAP": "launcher",
    "Launcher": "launcher",
    "LocalExecutor": "local.executor",
    "Torchrun": "launcher",
    "import_executor": "executor",
}

__all__ = [
    "LAUNCHER_MAP",
    "Executor",
    "ExecutorMacros",
    "FaultTolerance",
    "Launcher",
    "LocalExecutor",
    "Torchrun",
    "import_executor",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
