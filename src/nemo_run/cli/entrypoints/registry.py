"""The entrypoints of this process, by namespace and name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .entrypoint import Entrypoint

_entrypoints: dict[str, Entrypoint] = {}


def register_entrypoint(entry: Entrypoint) -> None:
    """Make an entrypoint known; one of the same path is replaced, as in a notebook's cell."""
    _entrypoints.pop(entry.path, None)
    _entrypoints[entry.path] = entry


def entrypoints() -> list[Entrypoint]:
    """Return all of them, in the order in which they came."""
    return list(_entrypoints.values())


def find_entrypoint(path: str) -> Entrypoint | None:
    """Return the entrypoint with this namespace and name."""
    return _entrypoints.get(path)


def list_entrypoints(namespace: str | None = None) -> dict[str, Any]:
    """Return the entrypoints as a tree: a dict for each namespace, an entrypoint for each name.

    Installed packages that bring commands are imported for it; a broken one is a warning.

    Args:
        namespace: Those below it only, with dots.
    """
    from .packages import load_installed

    load_installed()
    tree: dict[str, Any] = {}
    for entry in entrypoints():
        place = tree
        for step in filter(None, entry.namespace.split(".")):
            below = place.setdefault(step, {})
            if not isinstance(below, dict):
                # A command of the same name as a group: the group holds it under its own name.
                below = place[step] = {below.name: below}
            place = below
        if isinstance(place.get(entry.name), dict):
            place[entry.name].setdefault(entry.name, entry)
        else:
            place[entry.name] = entry
    for step in filter(None, (namespace or "").split(".")):
        below = tree.get(step)
        tree = below if isinstance(below, dict) else {}
    return tree
