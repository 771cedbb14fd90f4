"""What the options of a command are where they are not given: ``cmd_defaults``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping


class CommandDefaults(TypedDict, total=False):
    """The keys of ``cmd_defaults``."""

    name: str
    direct: bool
    dryrun: bool
    factory: str
    load: str
    yaml: str | list[str]
    config: str | list[str]
    repl: bool
    detach: bool
    skip_confirmation: bool
    tail_logs: bool
    verbose: bool
    quiet: bool
    json: bool
    rich_exceptions: bool
    rich_traceback: bool
    rich_locals: bool
    rich_theme: str


def check_names(defaults: Mapping[str, Any]) -> None:
    """Refuse defaults of options that there are not.

    Raises:
        OverrideError: It names the nearest.
    """
    names = list(CommandDefaults.__annotations__)
    for name in defaults:
        if name not in names:
            raise OverrideError(
                f"cmd_defaults has {name!r}, and there is no such option.{nearest(name, names)} "
                f"Options: {', '.join(names)}."
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
