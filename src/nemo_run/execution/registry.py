"""Which backends there are: one entry point of the group ``nemo_run.backends`` each.

A backend says by its attribute ``executor`` which executor describes jobs for it, so that the
name of a backend also names a kind of executor.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PlanError, nearest

if TYPE_CHECKING:
    from .backend import Backend
    from .executor import Executor

GROUP = "nemo_run.backends"

# Our own are named here too: the package's metadata is not there when it runs from a source tree
# or inside a zip.
_BUILT_IN = {
    "local": "nemo_run.execution.local.client:LocalBackend",
    "slurm": "nemo_run.execution.slurm.client:SlurmBackend",
}


@cache
def get_backend(name: str) -> Backend:
    """Return the backend called ``name``; made on first use, one a process.

    Raises:
        PlanError: No installed package offers a backend of that name.
    """
    made: Backend = _loaded(name)()
    return made


def backend_names() -> list[str]:
    """Return the names of the backends that are installed; imports none of them."""
    return sorted({*_BUILT_IN, *_installed()})


def is_backend(name: str) -> bool:
    """Whether a backend of that name is installed; imports none."""
    return name in _BUILT_IN or name in _installed()


def executor_kind(name: str) -> type[Executor]:
    """Return the executor class whose jobs the backend called ``name`` runs.

    Raises:
        PlanError: There is no such backend, or it does not say which class.
    """
    said = str(getattr(_loaded(name), "executor", ""))
    if ":" not in said:
        raise PlanError(
            f"The backend {name!r} does not say which executor it runs. Its class needs the "
            "attribute executor = 'package.module:MyExecutor'."
        )
    kind: type[Executor] = _at(name, said)
    return kind


def _loaded(name: str) -> Any:
    target = _BUILT_IN.get(name) or _installed().get(name)
    if target is None:
        names = backend_names()
        raise PlanError(
            f"No backend is called {name!r}.{nearest(name, names)} Installed: {', '.join(names)}. "
            f"A package offers one through the entry-point group {GROUP!r}."
        )
    return _at(name, target)


def _at(name: str, place: str) -> Any:
    module, _, attribute = place.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise PlanError(
            f"The backend {name!r} cannot be loaded from {place}: {type(error).__name__}: {error}. "
            "Install what it needs, or remove the package that offers it."
        ) from error


def _installed() -> dict[str, str]:
    # Imported here: it is slow, and our own backends do without.
    from importlib import metadata

    return {point.name: point.value for point in metadata.entry_points(group=GROUP)}
