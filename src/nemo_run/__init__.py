"""Configure, execute and manage machine-learning experiments.

Each public name is loaded on first use (PEP 562), so that importing this package costs little
and loads no backend.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nemo_run import compat as _compat
from nemo_run import lazy as _lazy

if TYPE_CHECKING:
    from nemo_run.exceptions import JobFailedError, NemoRunError
    from nemo_run.execution import (
        Executor,
        ExecutorMacros,
        FaultTolerance,
        LocalExecutor,
        Resume,
        SlurmExecutor,
        SlurmTemplate,
        Torchrun,
        executor_profile,
        import_executor,
    )
    from nemo_run.management import Experiment, Hook, Plugin, dryrun_fn, run
    from nemo_run.packaging import (
        GitArchivePackager,
        HybridPackager,
        Packager,
        PatternPackager,
    )
    from nemo_run.remote import LocalTunnel, SSHTunnel

    from .cli.help import help  # noqa: A004 - the reference's name
    from .cli.lazy import LazyEntrypoint, LazyModule, LazyTarget, lazy_imports
    from .config import Config, ConfigurableMixin, Partial, Script, Secret
    from .config.convert import autoconvert
    from .config.sweeps.sweep import Sweep, sweep
    from .worker.inside import log_metrics

__version__ = "1.0.0.dev0"
__package_name__ = "nemo_run"

_HOMES = {
    "autoconvert": "config",
    "Config": "config",
    "ConfigurableMixin": "config",
    "Partial": "config",
    "Script": "config",
    "Secret": "config",
    "Sweep": "config.sweeps.sweep",
    "sweep": "config.sweeps.sweep",
    "Executor": "execution",
    "ExecutorMacros": "execution",
    "FaultTolerance": "execution",
    "LocalExecutor": "execution",
    "SlurmExecutor": "execution",
    "SlurmTemplate": "execution",
    "Resume": "execution",
    "Torchrun": "execution",
    "executor_profile": "execution",
    "import_executor": "execution",
    "JobFailedError": "exceptions",
    "NemoRunError": "exceptions",
    "Experiment": "management",
    "Hook": "management",
    "Plugin": "management",
    "dryrun_fn": "management",
    "GitArchivePackager": "packaging",
    "HybridPackager": "packaging",
    "Packager": "packaging",
    "LocalTunnel": "remote.local",
    "SSHTunnel": "remote.ssh",
    "PatternPackager": "packaging",
    "log_metrics": "worker.inside",
    "help": "cli.help",
    "LazyEntrypoint": "cli.lazy",
    "LazyModule": "cli.lazy",
    "LazyTarget": "cli.lazy",
    "lazy_imports": "cli.lazy",
}

__all__ = [
    "Config",
    "ConfigurableMixin",
    "Executor",
    "ExecutorMacros",
    "Experiment",
    "FaultTolerance",
    "GitArchivePackager",
    "Hook",
    "HybridPackager",
    "JobFailedError",
    "LazyEntrypoint",
    "LazyModule",
    "LazyTarget",
    "LocalExecutor",
    "LocalTunnel",
    "NemoRunError",
    "Packager",
    "Partial",
    "PatternPackager",
    "Plugin",
    "Resume",
    "SSHTunnel",
    "Script",
    "Secret",
    "SlurmExecutor",
    "SlurmTemplate",
    "Sweep",
    "Torchrun",
    "autoconvert",
    "dryrun_fn",
    "executor_profile",
    "help",
    "import_executor",
    "lazy_imports",
    "log_metrics",
    "run",
    "sweep",
]


def _other(name: str) -> Any:
    if name in _compat.MODULES_OF_ROOT:
        return import_module(f"{__name__}.{name}")
    raise _compat.missing(__name__, name)


__getattr__, __dir__ = _lazy.names(__name__, _HOMES, _other)

_compat.install()
