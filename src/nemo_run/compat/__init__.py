"""Makes the module paths of the reference implementation importable.

The table is in :mod:`nemo_run.compat.table`. Each path is a module made when it is imported first;
its names are looked up when they are used, so nothing is loaded that the program does not touch.
``nemo_run.run`` is a function as well as a package, so that module can be called.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from nemo_run.compat.table import LATER, NEVER, PATHS

if TYPE_CHECKING:
    import inspect
    from collections.abc import Iterator, Sequence

# What ``nemo_run.<name>`` may load because it is a module.
MODULES_OF_ROOT = frozenset(
    {"cli", "config", "exceptions", *(path.split(".")[1] for path in PATHS)}
)


def absence(path: str) -> str:
    """Return the sentence for a module or name of the reference that is not here, or ``""``.

    Args:
        path: As a program writes it: ``nemo_run.core.execution.slurm.SlurmExecutor``.
    """
    from nemo_run import __version__

    for feature, paths in LATER.items():
        if any(_covers(one, path) for one in paths):
            return (
                f"{path} is not in this version of NeMo Run ({__version__}): {feature} comes later."
            )
    for reason, paths in NEVER.items():
        if path not in PATHS and any(_covers(one, path) for one in paths):
            return f"NeMo Run has no {path}: {reason}."
    return ""


def _covers(absent: str, path: str) -> bool:
    return path == absent or path.startswith(f"{absent}.")


def missing(module: str, name: str) -> AttributeError:
    """Return the error for ``module.name`` that does not exist; for a module's ``__getattr__``."""
    sentence = absence(f"{module}.{name}") or f"module {module!r} has no attribute {name!r}"
    return AttributeError(sentence, name=name, obj=sys.modules.get(module))


class _Alias(ModuleType):
    """A module whose names live elsewhere."""

    def __getattr__(self, name: str) -> Any:
        names = PATHS[self.__name__]
        if name == "__all__":
            return [name for name in names if name != "*" and not name.startswith("_")]
        if name.startswith("__") and name not in names:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        for module, attribute in _homes(self.__name__, name):
            found = getattr(import_module(module), attribute, self)
            if found is not self:
                return found
        raise missing(self.__name__, name)

    # Setting a name reaches the module that owns it, so that a program which replaces
    # ``nemo_run.run.experiment.X`` gets the effect it expects.
    def __setattr__(self, name: str, value: Any) -> None:
        owner = self._owner(name)
        if owner is None:
            super().__setattr__(name, value)
        else:
            setattr(*owner, value)

    def __delattr__(self, name: str) -> None:
        owner = self._owner(name)
        if owner is None:
            super().__delattr__(name)
        else:
            delattr(*owner)
            _deleted[self.__name__, name] = owner

    def _owner(self, name: str) -> tuple[ModuleType, str] | None:
        if name.startswith("__") or name in self.__dict__:
            return None
        for module, attribute in _homes(self.__name__, name):
            home = import_module(module)
            if hasattr(home, attribute):
                return home, attribute
        return _deleted.pop((self.__name__, name), None)

    def __dir__(self) -> list[str]:
        return sorted({*self.__dict__, *PATHS[self.__name__]} - {"*"})


# Where a name was that somebody deleted: mock.patch deletes before it puts the original back.
_deleted: dict[tuple[str, str], tuple[ModuleType, str]] = {}


def _homes(path: str, name: str) -> Iterator[tuple[str, str]]:
    """Where ``path.name`` may live here: the module and its name there."""
    for key in (name, "*"):
        if key in PATHS[path]:
            module, _, attribute = PATHS[path][key].partition(":")
            yield module, attribute or name


class _CallableAlias(_Alias):
    """``nemo_run.run``: the function, and the package."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._function(*args, **kwargs)

    @property
    def _function(self) -> Any:
        return import_module("nemo_run.management.run_task").run

    @property
    def __signature__(self) -> inspect.Signature:
        import inspect

        return inspect.signature(self._function)

    @property
    def __doc__(self) -> str:  # type: ignore[override]
        import inspect

        return f"nemo_run.run{self.__signature__}\n\n{inspect.getdoc(self._function)}"

    # A module cannot be pickled, the function that programs take this for can.
    def __reduce__(self) -> tuple[Any, ...]:
        return import_module, (self.__name__,)


class _Finder:
    """Makes the modules of the table; nobody else's."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None, _target: Any = None) -> ModuleSpec | None:
        if not name.startswith("nemo_run."):
            return None
        if name in PATHS:
            # Every one is a package, so that longer paths can follow.
            loader: Any = _Loader()
            return ModuleSpec(name, loader, origin=__name__, is_package=True)
        # ``from nemo_run import SlurmExecutor`` drops the AttributeError that says why there is
        # none, and comes here to look for a module of that name.
        sentence = absence(name)
        if sentence:
            raise ModuleNotFoundError(sentence, path=__file__)
        return None


# importlib.abc.Loader as a base would cost a third of the import budget.
class _Loader:
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        kind = _CallableAlias if spec.name == "nemo_run.run" else _Alias
        homes = sorted({home.partition(":")[0] for home in PATHS[spec.name].values()})
        return kind(spec.name, f"Names of {', '.join(homes) or 'longer paths'}.")

    def exec_module(self, _module: ModuleType) -> None:
        """Nothing to run: names are looked up when they are used."""


def install() -> None:
    """Make the reference's paths importable; harmless when done already."""
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)
