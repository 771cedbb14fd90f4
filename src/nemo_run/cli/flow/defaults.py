"""What the options of a command are where they are not given: ``cmd_defaults``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

# The reference implementation's keys, and ours.
NAMES = frozenset(
    {
        "name", "direct", "dryrun", "factory", "load", "yaml", "config", "repl", "detach",
        "skip_confirmation", "tail_logs", "verbose", "quiet", "json",
        "rich_exceptions", "rich_traceback", "rich_locals", "rich_theme",
    }
)  # fmt: skip


def check_names(defaults: Mapping[str, Any]) -> None:
    """Refuse defaults of options that there are not.

    Raises:
        OverrideError: It names the nearest.
    """
    for name in defaults:
        if name not in NAMES:
            raise OverrideError(
                f"cmd_defaults has {name!r}, and there is no such option.{nearest(name, NAMES)} "
                f"Options: {', '.join(sorted(NAMES))}."
            )


def context_defaults(defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults by field of :class:`RunContext`."""
    values = {name: value for name, value in defaults.items() if value is not None}
    files = [*_list(values.pop("yaml", None)), *_list(values.pop("config", None))]
    return {**values, "yaml": tuple(files)} if files else values


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, (list, tuple)) else [str(value)]
