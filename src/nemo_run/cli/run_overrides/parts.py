"""What the executor and the plugins of ``run.…`` are read with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import target_of
from nemo_run.config.graph.signature import display_name
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import Override, parse_key
from nemo_run.config.values.reading import NONE_WORDS
from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.config.values.syntax import Call


def is_none(text: str) -> bool:
    """Tell whether a text says that there is to be none."""
    return text.strip() in NONE_WORDS


def own_part(run_overrides: Sequence[Override], place: str) -> list[Override]:
    """Return the overrides of ``run.executor`` or ``run.plugins``, with their full keys."""
    found = []
    for override in run_overrides:
        if override.steps[:1] == ("run",):
            override = replace(override, steps=override.steps[1:])  # noqa: PLW2901
        elif not override.key.startswith("run."):
            override = replace(override, key=f"run.{override.key}")  # noqa: PLW2901
        if override.steps[:1] == (place,):
            found.append(override)
    return found


def called(config: Any, call: Call) -> Any:
    """Return a configuration with the arguments of a call set.

    Args:
        config: The configuration of an executor or a plugin; it is not changed.
        call: The call as it was written, such as ``slurm(nodes=2)``.

    Raises:
        OverrideError: An argument has no name, or cannot be used.
    """
    changes = []
    for key, text in call.arguments:
        if key is None:
            raise OverrideError(
                f"{call.name}({text}): {display_name(target_of(config))} takes its fields by "
                f"name. Write FIELD={text}."
            )
        changes.append(Override(key, parse_key(key), "=", text, inside_call=True))
    try:
        return apply(config, changes)
    except OverrideError as error:
        raise OverrideError(f"{call.name}(...): {error}") from error.__cause__
