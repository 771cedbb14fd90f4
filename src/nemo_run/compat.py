"""The module paths of the reference implementation, as one table.

Programs import ``nemo_run.core.execution.local``, ``nemo_run.run.experiment`` and so on. Each
path below is a module made on first import whose names are the very objects of the rooms.
``nemo_run.run`` is both a function and a package there, so here it is a module that can be
called.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# Path of the reference → where its names live here. ``names`` maps a name to ``module:attribute``;
# names that are not listed are looked up in the modules of ``rooms``, in order.
TABLE: dict[str, tuple[str, ...]] = {
    "nemo_run.api": ("nemo_run.config.autoconvert", "nemo_run.management"),
    "nemo_run.core": (),
    "nemo_run.core.execution": ("nemo_run.execution",),
    "nemo_run.core.execution.base": ("nemo_run.execution.executor", "nemo_run.execution"),
    "nemo_run.core.execution.launcher": ("nemo_run.execution.launcher",),
    "nemo_run.core.execution.local": ("nemo_run.execution",),
    "nemo_run.core.packaging": ("nemo_run.packaging",),
    "nemo_run.core.packaging.base": ("nemo_run.packaging",),
    "nemo_run.core.serialization": (),
    "nemo_run.core.serialization.yaml": ("nemo_run.config.serializers",),
    "nemo_run.core.serialization.zlib_json": ("nemo_run.config.serializers",),
    "nemo_run.run": ("nemo_run.management",),
    "nemo_run.run.api": ("nemo_run.management",),
    "nemo_run.run.experiment": ("nemo_run.management.experiment", "nemo_run.management"),
    "nemo_run.run.job": ("nemo_run.management",),
    "nemo_run.run.plugin": ("nemo_run.management.plugin",),
    "nemo_run.run.task": ("nemo_run.management",),
}

# The names of the reference that are called differently here.
RENAMED: dict[str, dict[str, str]] = {
    "nemo_run.run.plugin": {"ExperimentPlugin": "nemo_run.management.plugin:Plugin"},
    "nemo_run.run.job": {"AppState": "nemo_run.execution.observation:State"},
}

MODULES_OF_ROOT = frozenset(path.split(".")[1] for path in TABLE)


class _Alias(ModuleType):
    """A module whose names live elsewhere."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        renamed = RENAMED.get(self.__name__, {}).get(name)
        if renamed:
            module, _, attribute = renamed.partition(":")
            return getattr(import_module(module), attribute)
        for room in TABLE[self.__name__]:
            found = getattr(import_module(room), name, self)
            if found is not self:
                return found
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")


class _CallableAlias(_Alias):
    """``nemo_run.run``: the function, and the package."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from nemo_run.management.run_task import run

        return run(*args, **kwargs)

    @property
    def __signature__(self) -> Any:
        import inspect

        from nemo_run.management.run_task import run

        return inspect.signature(run)

    @property
    def __wrapped__(self) -> Any:
        from nemo_run.management.run_task import run

        return run


class _Finder:
    """Makes the modules of :data:`TABLE`; nobody else's."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None, _target: Any = None) -> ModuleSpec | None:
        if name not in TABLE:
            return None
        # Every one is a package, so that longer paths can follow.
        return ModuleSpec(name, _Loader(), origin=__name__, is_package=True)


class _Loader:
    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        kind = _CallableAlias if spec.name == "nemo_run.run" else _Alias
        return kind(spec.name, f"Names of {', '.join(TABLE[spec.name]) or 'the rooms'}.")

    @staticmethod
    def exec_module(_module: ModuleType) -> None:
        """Nothing to run: names are looked up when they are used."""


def install() -> None:
    """Make the reference's paths importable; harmless when done already."""
    if not any(isinstance(finder, type) and finder is _Finder for finder in sys.meta_path):
        sys.meta_path.append(_Finder)
