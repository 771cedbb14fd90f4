"""Which backends there are: one entry point of the group ``nemo_run.backends`` each."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from nemo_run.exceptions import PlanError, nearest

if TYPE_CHECKING:
    from .backend import Backend

GROUP = "nemo_run.backends"

# Our own are named here too: the package's metadata is not there when it runs from a source tree
# or inside a zip.
_BUILT_IN = {"local": "nemo_run.execution.local.client:LocalBackend"}


@cache
def get_backend(name: str) -> Backend:
    """Return the backend called ``name``; made on first use, one a process.

    Raises:
        PlanError: No installed package offers a backend of that name.
    """
    target = _BUILT_IN.get(name) or _installed(name)
    module, _, attribute = target.partition(":")
    made: Backend = getattr(import_module(module), attribute)()
    return made


def _installed(name: str) -> str:
    # Imported here: it is slow, and our own backends do without.
    from importlib import metadata

    found = {point.name: point.value for point in metadata.entry_points(group=GROUP)}
    if name not in found:
        names = sorted({*found, *_BUILT_IN})
        raise PlanError(
            f"No backend is called {name!r}.{nearest(name, names)} Installed: {', '.join(names)}. "
            f"A package offers one through the entry-point group {GROUP!r}."
        )
    return found[name]
