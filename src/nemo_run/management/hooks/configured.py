"""Hooks of configuration files: ``[[hooks]]`` of a site, a user, a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.exceptions import ArgumentError, OverrideError

from .hook import Hook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution.profiles import Layer

KEY = "hooks"


def configured(layers: Sequence[Layer] | None = None) -> list[Hook]:
    """Return the hooks of all configuration files, in the order of the files.

    Args:
        layers: The files; by default those that :mod:`nemo_run.execution.profile_files` finds.

    Raises:
        OverrideError: One of them is none; the message names file and line.
    """
    if layers is None:
        from nemo_run.execution.profile_files import read_layers

        layers = read_layers()
    return [hook for layer in layers for hook in _of(layer)]


def _of(layer: Layer) -> list[Hook]:
    tables = layer.data.get(KEY, [])
    line = layer.line((KEY,))
    where = f"{layer.file}:{line}" if line else layer.file
    if not isinstance(tables, list):
        raise OverrideError(f"{where}: {KEY} is {tables!r:.60}; write each as a table [[{KEY}]].")
    try:
        return [Hook.from_json(one, f"{where}: hook {at}") for at, one in enumerate(tables, 1)]
    except ArgumentError as error:
        raise OverrideError(str(error)) from None
