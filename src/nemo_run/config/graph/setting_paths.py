"""Setting a value by its dotted path."""

from __future__ import annotations

import ast
import re
from typing import Any

from nemo_run.exceptions import ConfigError, SetValueError

from .node import is_node

_STEP = re.compile(r"\.?([^\W\d]\w*)|\[([^\[\]]*)\]")


def set_value(cfg: Any, key: str, value: Any) -> None:
    """Set the value at a path such as ``model.layers[0]['k']``, in place.

    Args:
        cfg: Where the path begins.
        key: Names with dots between, items in brackets; negative indices count from the end.
            An entry of a dict is reached by a dot too.
        value: The new value.

    Raises:
        SetValueError: The path is malformed or leads nowhere.
    """
    steps = _parsed(key)
    here, path = cfg, ""
    for attribute, item in steps[:-1]:
        here = _get(here, attribute, item, key, path)
        path += f".{attribute}" if attribute else f"[{item!r}]"
    _set(here, *steps[-1], value, key, path)


def _parsed(key: str) -> list[tuple[str | None, Any]]:
    steps: list[tuple[str | None, Any]] = []
    position = 0
    while position < len(key):
        found = _STEP.match(key, position)
        dotted = key[position] == "."
        if found is None or ((position == 0) == dotted and found[1]):
            raise SetValueError(
                f"{key!r} is no path: {key[position:]!r} is neither .name nor [item]. Write for "
                "example model.layers[0]['k']."
            )
        steps.append((found[1], _item(found[2], key) if found[1] is None else None))
        position = found.end()
    if not steps:
        raise SetValueError("the path is empty. Write for example model.layers[0]['k'].")
    return steps


def _item(text: str, key: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise SetValueError(
            f"{key!r} is no path: [{text}] holds neither a number nor a quoted text. "
            f"Write [{text!r}]."
        ) from None


def _get(here: Any, attribute: str | None, item: Any, key: str, path: str) -> Any:
    try:
        if attribute is not None and not isinstance(here, dict):
            return getattr(here, attribute)
        return here[item if attribute is None else attribute]
    except (LookupError, AttributeError, TypeError) as error:
        raise SetValueError(_nowhere(here, key, path, error)) from error


def _set(here: Any, attribute: str | None, item: Any, value: Any, key: str, path: str) -> None:
    try:
        if attribute is None:
            if isinstance(here, list):
                here[item]  # the list must have it already
            here[item] = value
        elif isinstance(here, dict):
            here[attribute] = value
        else:
            setattr(here, attribute, value)
    except (LookupError, AttributeError, TypeError) as error:
        raise SetValueError(_nowhere(here, key, path, error)) from error


def _nowhere(here: Any, key: str, path: str, error: Exception) -> str:
    what = path.removeprefix(".") or "the root"
    if isinstance(error, ConfigError):
        return f"{key!r} cannot be set, at {what}: {error}"
    kind = "a configuration" if is_node(here) else f"of type {type(here).__name__}"
    return f"{key!r} cannot be set: {what} is {kind}: {error}."
